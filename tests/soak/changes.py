#!/usr/bin/env python3
"""A thousand reloads, and then twenty replacements of the binary, under websockets and constant requests: nobody
is refused, reset or cut, and neither memory nor descriptors grow. Run it with ./dev soak changes."""

import argparse
import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402
from harness import House, toml, wait_for  # noqa: E402
from steady import Steady  # noqa: E402
from verdict import Verdict, say  # noqa: E402

MIB = 1 << 20
MOST_GROWTH = 4 * MIB
WARM_UP = 50  # reloads
# Seconds. A POST has a connection of its own, which is kept for 4 s: by then there are as many as the traffic makes.
SETTLED = 10


class Changes:
    def __init__(self, folder: Path, websockets: int, rate: float):
        self.house = House(folder)
        self.verdict = Verdict()
        replicas = self.house.replicas(("alpha", "beta", "gamma"))
        # Long enough that no old process tells its websockets to go.
        self.node = self.house.usher(replicas, timeouts={"replaced": "1h", "drain": "5s"})
        self.listen = list(self.node.settings["listen"])
        self.extra = {"address": f"127.0.0.1:{harness.free_port()}", "tls": True}
        self.websockets = websockets
        self.traffic = Steady([self.node.url("http"), self.node.url("https")], websockets, rate)

    def reload(self, number: int) -> None:
        """Every second one has a listener more."""
        self.node.settings["listen"] = [*self.listen, self.extra] if number % 2 else self.listen
        self.node.config.write_text(toml(self.node.settings))
        status, body = self.node.admin_get("/api/reload", "POST")
        assert status == 200, body

    def reloads(self, count: int) -> None:
        for number in range(WARM_UP):
            self.reload(number)
        settled = time.monotonic() + SETTLED
        wait_for(lambda: time.monotonic() > settled, "traffic that has settled")
        before, descriptors, began = self.node.private_memory(), self.node.descriptors(), time.monotonic()
        answers = self.traffic.answers
        for number in range(count):
            self.reload(number)
            if number % 100 == 99:
                say(f"{number + 1} reloads, private {self.node.private_memory() / MIB:.2f} MiB, {self.node.descriptors()} descriptors")
        took = time.monotonic() - began
        grown = self.node.private_memory() - before
        say(f"{count} reloads in {took:.1f} s under {self.traffic.open} websockets; {self.traffic.answers - answers} answers meanwhile")
        self.verdict.check(grown < MOST_GROWTH, f"private memory: {grown / MIB:+.2f} MiB, at most {MOST_GROWTH / MIB:.0f}")
        # Kept connections come and go with the requests.
        least = min(self.node.descriptors() for _ in range(50) if time.sleep(0.1) is None)
        self.verdict.check(least <= descriptors + 10, f"descriptors: {least}, before {descriptors}")
        self.untouched()

    def replacements(self, count: int) -> None:
        pids = {self.node.pid}
        for number in range(count):
            answers = self.traffic.answers
            os.kill(self.node.serving_pid(), signal.SIGUSR2)
            wait_for(lambda number=number: len(self.node.events("replaced")) == number + 1, "the replacement")
            pid = self.node.events("replaced")[-1]["pid"]
            wait_for(lambda pid=pid: self.node.serving_pid() == pid, "the admin address of the new process")
            pids.add(pid)
            wait_for(lambda answers=answers: self.traffic.answers > answers + 50, "more requests")
        say(f"{count} replacements: {len(pids)} processes have served")
        self.verdict.check(len(pids) == count + 1, f"{len(pids)} processes have served, {count + 1} wanted")
        self.untouched()

    def untouched(self) -> None:
        self.verdict.check_none(self.traffic.failures, "requests or websockets that noticed")
        open_now = self.traffic.open
        self.verdict.check(open_now == self.websockets and not self.traffic.closed, f"{open_now} of {self.websockets} websockets are open")

    def run(self, reloads: int, replacements: int) -> None:
        self.traffic.start()
        say(f"{self.traffic.open} websockets are open")
        self.reloads(reloads)
        self.replacements(replacements)
        self.traffic.stop()
        self.verdict.check_none(self.traffic.failures, "requests or websockets that noticed, until the end")
        errors = [line for line in self.node.log if line.get("level") == "error"]
        self.verdict.check_none(errors, "errors in the node's own log")
        say(f"{self.traffic.answers} answers, {self.traffic.echoes} echoes")
        self.node.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev soak changes", description=__doc__)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--replacements", type=int, default=20)
    parser.add_argument("--websockets", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    options = parser.parse_args()
    folder = ROOT / "build" / "soak" / f"{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    os.environ.setdefault("USHER_BIN", str(ROOT / "build" / "release" / "usher"))
    changes = Changes(folder, options.websockets, options.rate)
    try:
        changes.run(options.reloads, options.replacements)
    finally:
        changes.house.close()
    return 1 if changes.verdict.failures else 0


sys.exit(main())
