#!/usr/bin/env python3
"""A node under everyday traffic, everyday trouble and constant change, for as long as you like: after the
warm-up its memory is level, when the load stops its descriptors are what they were, and nothing has failed
that was not made to fail. Run it with ./dev soak [minutes]."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402
import level  # noqa: E402
import wire  # noqa: E402
from harness import House, wait_for  # noqa: E402
from load import Load  # noqa: E402
from verdict import Verdict, say  # noqa: E402

MIB = 1 << 20
# What private memory may gain, fitted over all that follows the warm-up.
MOST_GROWTH = 4 * MIB
# Caches and pools reach their size; the replicas have all been restarted once.
WARM_UP = 120
# After a replica is up again, what was cut with it may still be told of.
AFTERMATH = 5
REDIS_AWAY = 5
SOCKETIO = "/ws/socket.io/"


class Certificate:
    """The files that the node reads, made anew for each replacement."""

    def __init__(self, folder: Path):
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.replace()

    def replace(self) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", self.key, "-out", self.chain]
        subprocess.run(command, check=True, capture_output=True)

    def is_shown_at(self, port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            with wire.unverified().wrap_socket(plain, server_hostname="localhost") as secure:
                return secure.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(self.chain.read_text())


class AccessLog:
    """Follows the file, which is rotated all the time, and keeps the lines that tell of trouble."""

    def __init__(self, path: Path):
        self.path = path
        self.file = None
        self.begun = ""  # the last line, while its end is still to be written
        self.statuses: Counter[int] = Counter()
        self.trouble: list[dict] = []

    def read(self) -> None:
        if self.file is None:
            self.file = open(self.path)
        *lines, self.begun = (self.begun + self.file.read()).split("\n")
        for line in map(json.loads, lines):
            self.statuses[line["status"]] += 1
            if line["status"] >= 400 and not (line["status"] == 499 and line["user_agent"] == "leaver"):
                self.trouble.append(line)

    def rotate(self, node: harness.Usher) -> None:
        old = self.path.with_suffix(".old")
        self.path.rename(old)
        node.signal(signal.SIGUSR1)
        wait_for(self.path.exists, "a new access log")
        # The node has opened the new one: nothing more comes into this one.
        self.read()
        self.file.close()
        self.file = None
        old.unlink()


class Soak:
    def __init__(self, folder: Path, minutes: float, rate: float):
        self.seconds = minutes * 60
        self.rate = rate
        self.house = House(folder)
        self.redis = self.house.redis()
        self.replicas = self.house.replicas(redis=self.redis.url + "/1")
        self.certificate = Certificate(folder)
        self.log = AccessLog(folder / "access.log")
        self.node = self.start_node()
        self.samples: list[dict] = []
        self.faults: list[dict] = []  # a replica's name and address, and from when until when it was away
        self.counts: Counter[str] = Counter()
        self.verdict = Verdict()

    def start_node(self) -> harness.Usher:
        certificate = {"chain": str(self.certificate.chain), "key": str(self.certificate.key)}
        settings = harness.settings_for(
            self.replicas,
            self.redis.url + "/0",
            tls={"certificate": [certificate]},
            log={"access": str(self.log.path)},
        )
        return self.house.usher(self.replicas, settings=settings)

    # The traffic

    def start_load(self) -> None:
        self.load = Load(self.node.url("https"), self.node.url("http"), self.rate)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=[self.load.run()], daemon=True)
        self.thread.start()
        urls = [self.node.url("https")]
        page = ["--http-ms", "5000", "--ramp-ms", "50"]
        count = max(2, round(20 * self.rate))
        self.clients = [
            self.house.clients(urls, count, name="socket", args=page),
            self.house.clients(urls, count, name="polling", transport="polling", args=page),
        ]

    def stop_load(self) -> None:
        self.load_stopped = time.time()
        self.loop.call_soon_threadsafe(self.load.stop)
        for clients in self.clients:
            clients.stop()
        self.thread.join(60)
        assert not self.thread.is_alive(), "the load does not end"

    # The trouble

    def restart_replica(self) -> None:
        number = self.counts["replica"]
        replica = self.replicas[number % len(self.replicas)]
        fault = {"name": replica.name, "address": replica.address, "from": time.time() - 0.5, "until": float("inf")}
        self.faults.append(fault)
        if number % 2 == 0:
            # As Docker stops it: who is still polling after this time does not keep it.
            replica.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                replica.wait(10)
        if replica.running:
            replica.kill()
        replica.start()
        self.node.await_replicas(len(self.replicas))
        fault["until"] = time.time() + AFTERMATH
        self.counts["replica"] += 1

    def take_redis_away(self) -> None:
        self.redis.kill()
        self.counts["redis"] += 1
        self.due["redis back"] = time.monotonic() + REDIS_AWAY

    def bring_redis_back(self) -> None:
        self.redis.start()
        wait_for(lambda: self.node.status()["store"]["state"] == "up", "the store back")

    def reload(self) -> None:
        if replaced := self.counts["reload"] % 2 == 1:
            self.certificate.replace()
            self.counts["certificate"] += 1
        self.node.signal(signal.SIGHUP)
        self.counts["reload"] += 1
        if replaced:
            wait_for(lambda: self.certificate.is_shown_at(self.node.port("https")), "the new certificate")

    # The course of it

    def sample(self) -> dict:
        self.log.read()
        node, metrics = self.node, self.node.metrics()
        status = Path(f"/proc/{node.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        sample = {
            "time": time.monotonic(),
            "private": node.private_memory(),
            "rss": node.rss(),
            "descriptors": node.descriptors(),
            "threads": int(fields["Threads"]),
            "connections": int(metrics["usher_connections"][""]),
            "websockets": int(metrics["usher_websockets"][""]),
            "in_flight": int(sum(metrics["usher_replica_requests_in_flight"].values())),
        }
        return sample

    def take_sample(self) -> None:
        sample = self.sample()
        self.samples.append(sample)
        say(
            f"private {sample['private'] / MIB:6.2f} MiB, rss {sample['rss'] / MIB:6.2f} MiB, "
            f"{sample['descriptors']:4} descriptors, {sample['threads']} threads, "
            f"{sample['connections']:3} connections, {sample['websockets']:3} websockets; "
            f"{self.log.statuses.total()} requests, {self.load.did['message']} messages, "
            f"{len(self.load.errors)} errors at clients"
        )

    def run(self) -> None:
        # Every worker makes its connection to the store with its first client.
        for _ in range(20):
            assert wire.fetch(self.node.url("https") + "/whoami", headers=[("Cookie", "usher=x")]).status == 200
        self.at_rest = self.rest()
        say(f"at rest: {self.at_rest}")
        began = time.monotonic()
        self.start_load()
        # Short runs see everything at least once.
        every = {
            "sample": (min(10, self.seconds / 20), self.take_sample),
            "replica": (30, self.restart_replica),
            "redis": (min(180, self.seconds / 3), self.take_redis_away),
            "reload": (min(60, self.seconds / 4), self.reload),
            "rotate": (min(60, self.seconds / 3), lambda: self.log.rotate(self.node)),
            "redis back": (float("inf"), self.bring_redis_back),
        }
        self.due = {name: began + interval for name, (interval, _) in every.items()}
        while (now := time.monotonic()) < began + self.seconds or self.due["redis back"] < float("inf"):
            name = min(self.due, key=self.due.get)
            if self.due[name] > now:
                time.sleep(min(self.due[name] - now, 1))
                continue
            interval, action = every[name]
            self.due[name] = now + interval
            action()
            assert self.node.running, f"the node has ended\n{self.node.stderr[-4000:]}"
        self.stop_load()

    def rest(self) -> dict:
        """The least of some seconds: probes and our own questions come and go, idle connections to replicas
        are kept for a while."""
        least, until = self.sample(), time.monotonic() + 8
        while time.monotonic() < until:
            least = min(least, self.sample(), key=lambda sample: sample["descriptors"])
            time.sleep(0.1)
        return least

    # What must hold

    def in_fault(self, begun: float, ended: float, address: str = "", home: str = "") -> bool:
        """Whether a replica (that one) was away or just back at a moment in between."""
        return any(
            fault["from"] < ended
            and begun < fault["until"]
            and address in ("", fault["address"])
            and home in ("", fault["name"])
            for fault in self.faults
        )

    def judge(self) -> None:
        self.judge_rest()
        self.judge_memory()
        self.judge_traffic()
        self.node.stop()
        self.log.read()
        self.judge_logs()

    def judge_rest(self) -> None:
        def back():
            now = self.sample()
            busy = now["connections"] or now["websockets"] or now["in_flight"]
            return not busy and now["descriptors"] <= self.at_rest["descriptors"] and now

        try:
            now = wait_for(back, "rest", timeout=30, interval=0.2)
        except harness.Late:
            now = self.sample()
        for what in ("descriptors", "threads", "connections", "websockets", "in_flight"):
            before = self.at_rest[what]
            self.verdict.check(now[what] <= before, f"{what} after the load: {now[what]}, before: {before}")

    def judge_memory(self) -> None:
        warm_up = min(WARM_UP, self.seconds / 3)
        for what in ("private", "rss"):
            series = level.after([(sample["time"], sample[what]) for sample in self.samples], warm_up)
            line = level.fit(series)
            median = statistics.median(value for _, value in series)
            self.verdict.check(
                line.grown < MOST_GROWTH,
                f"{what} memory: {line.grown / MIB:+.2f} MiB in {line.seconds:.0f} s after the warm-up "
                f"({line.per_second * 3600 / MIB:+.1f} MiB an hour), at most {MOST_GROWTH / MIB:.0f}; "
                f"median {median / MIB:.1f}",
            )

    def judge_traffic(self) -> None:
        load = self.load
        self.verdict.check_none(
            [error for error in load.errors if not self.in_fault(error[0] - 1, error[0])],
            f"of {len(load.errors)} errors at clients, not explained by a fault",
        )
        self.verdict.check_none(
            [move for move in load.moves if not self.in_fault(move[0], move[1], home=move[2])],
            f"of {len(load.moves)} visitors who moved, not explained by a fault",
        )
        quantiles = statistics.quantiles(load.latencies, n=100)
        say(f"small answers: p50 {quantiles[49]:.1f} ms, p99 {quantiles[98]:.1f} ms of {len(load.latencies)}")
        say(f"done: {dict(load.did)}")
        say(f"faults: {dict(self.counts)}")

    def judge_logs(self) -> None:
        def during(line):
            begun = datetime.fromisoformat(line["time"]).timestamp()
            ended = begun + line["duration_ms"] / 1000
            if line["status"] == 499 and ended > self.load_stopped:
                return True
            # A session that ended with its replica is unknown to whichever is asked about it.
            lost = line["status"] == 400 and line["path"].startswith(SOCKETIO)
            return self.in_fault(begun, ended, "" if lost else line["replica"])

        say(f"statuses: {dict(sorted(self.log.statuses.items()))}")
        self.verdict.check_none(
            [line for line in self.log.trouble if not during(line)],
            f"of {len(self.log.trouble)} requests with an error, not explained by a fault",
        )
        events = Counter((line["level"], line["event"]) for line in self.node.log if "level" in line)
        say(f"the node's own log: {dict(events)}")
        self.verdict.check(not any(name == "error" for name, _ in events), "no error in the node's own log")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1, help="how much traffic; 1: a few hundred a second")
    options = parser.parse_args()
    folder = ROOT / "build" / "soak" / f"{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    os.environ.setdefault("USHER_BIN", str(ROOT / "build" / "release" / "usher"))
    say(f"{options.minutes:g} minutes, logs in {folder.relative_to(ROOT)}")
    soak = Soak(folder, options.minutes, options.rate)
    try:
        soak.run()
        soak.judge()
        (folder / "samples.json").write_text(json.dumps(soak.samples, indent=1))
    finally:
        soak.house.close()
    if soak.verdict.failures:
        say(f"{len(soak.verdict.failures)} of what must hold does not")
    return 1 if soak.verdict.failures else 0


sys.exit(main())
