#!/usr/bin/env python3
"""Live websockets while their replicas are restarted, drained, killed and all away: hundreds of real
socket.io clients, each of which says something that wants an answer every 100 ms, and a message to all of
them every second. Nobody is disconnected but whom the rules of docs/migration.md name, nothing is done
twice, nothing is lost without a word. Run it with ./dev rolling [rounds]."""

import argparse
import os
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import socketio

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402
from harness import House, json_lines, wait_for  # noqa: E402
from verdict import Verdict, say  # noqa: E402

MIB = 1 << 20
NAMES = ("alpha", "beta", "gamma")
# A client is back in its rooms so soon after it has moved.
BACK_IN_ROOM = 1.0
# Milliseconds between two events of a client while no replica is there: all that was said comes at once to the first
# one that is back, and more than 256 events that nobody has answered cannot be moved again.
HALT_INTERVAL = 5000
# For what was said last.
LAST_WORDS = 35


class Herald:
    """Says a number to everybody once a second, as another Open WebUI process would: through Redis."""

    def __init__(self, redis: str):
        self.manager = socketio.RedisManager(redis, write_only=True)
        self.said: dict[int, float] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.over.wait(1):
            number = len(self.said)
            self.said[number] = time.time()
            self.manager.emit("events", {"number": number}, room="everyone")

    def stop(self) -> None:
        self.over.set()
        self.thread.join(10)


class Stage:
    """One way for replicas to go, with clients of its own."""

    def __init__(self, scene: "Scene", name: str, event: str, interval: int):
        self.scene = scene
        self.name = name
        self.event = event
        self.began = time.time()
        self.refused_before = self.refused()
        args = ["--event", event, "--interval-ms", str(interval), "--ack-ms", str(LAST_WORDS * 1000 - 5000)]
        self.clients = scene.house.clients([scene.node.url("https")], scene.count, name=name, args=args)
        self.clients.await_connected()
        self.herald = Herald(scene.redis.url)

    def refused(self) -> int:
        return sum(
            1 for line in self.scene.node.log if line["event"] == "websocket_moved" and line["outcome"] in ("refused", "expired")
        )

    def finish(self, planned: bool, verdict: Verdict) -> None:
        self.herald.stop()
        disconnects = self.clients.events("disconnect")
        self.clients.say("hush")
        settled = {}

        def all_answered():
            settled.update(self.clients.report())
            return all(state["said"] == state["acked"] + state["lost"] for state in settled.values())

        wait_for(all_answered, "an answer to everything that was said", timeout=LAST_WORDS, interval=0.5)
        said, lost = (sum(state[what] for state in settled.values()) for what in ("said", "lost"))
        refused = self.refused() - self.refused_before
        say(f"{self.name}: {said} events said, {lost} reported as lost, {len(disconnects)} disconnects, {refused} told to reconnect")
        if planned:
            verdict.check_none(disconnects, f"{self.name}: disconnects")
            verdict.check(lost == 0, f"{self.name}: every event is answered; reported as lost: {lost}")
        else:
            verdict.check(len(disconnects) == refused, f"{self.name}: {len(disconnects)} disconnects, {refused} by the rule")
            told = {event["client"] for event in disconnects}
            others = [name for name, state in settled.items() if state["lost"] and name not in told]
            verdict.check_none(others, f"{self.name}: who lost an event and had not to reconnect")
        self.judge_repeats(said - lost, verdict)
        self.judge_rooms(verdict)
        self.clients.stop()

    def judge_repeats(self, answered: int, verdict: Verdict) -> None:
        handled = Counter(line["id"] for line in self.scene.handled() if line["event"] == self.event and line["id"].startswith(self.name))
        repeated = [name for name, times in handled.items() if times > 1]
        if self.event == "heartbeat":  # in `replay`: it does no harm twice
            say(f"{self.name}: {len(repeated)} of what may be said again were handled twice")
        else:
            verdict.check_none(repeated, f"{self.name}: events handled twice")
        verdict.check(len(handled) >= answered, f"{self.name}: {len(handled)} events handled, {answered} answered")

    def judge_rooms(self, verdict: Verdict) -> None:
        """Who is between two replicas is in no room: what is said then, and within a second after, may be missed."""
        client_of = {line["request_id"]: line["client"] for replica in self.scene.replicas for line in replica.requests()}
        away: dict[str, list[tuple[float, float]]] = {}
        for line in self.scene.node.log:
            if line["event"] == "websocket_moved":
                ended = datetime.fromisoformat(line["time"]).timestamp()
                began = ended - line["milliseconds"] / 1000
                away.setdefault(client_of.get(line["request_id"], ""), []).append((began, ended))
        heard: dict[str, set[int]] = {}
        reconnected: dict[str, list[float]] = {}
        for event in self.clients.events():
            if event["event"] == "room":
                heard.setdefault(event["client"], set()).add(event["data"]["number"])
            elif event["event"] == "connect":
                reconnected.setdefault(event["client"], []).append(event["time"])
        missed, excused = [], 0
        disconnected = {event["client"] for event in self.clients.events("disconnect")}
        for client, connects in reconnected.items():
            for number, when in self.herald.said.items():
                if number in heard.get(client, ()):
                    continue
                if client in disconnected or any(began - 0.5 <= when <= ended + BACK_IN_ROOM for began, ended in away.get(client, ())):
                    excused += 1
                else:
                    missed.append(f"{client} missed {number}, said at {when:.3f}; it moved at {away.get(client)}")
        total = len(self.herald.said) * len(reconnected)
        verdict.check_none(missed, f"{self.name}: of {total} messages to the room, {excused} fell into a move; missed otherwise")


class Scene:
    def __init__(self, folder: Path, count: int, interval: int, rounds: int):
        self.count, self.interval, self.rounds = count, interval, rounds
        self.house = House(folder)
        self.redis = self.house.redis()
        self.events = {name: folder / f"{name}.events" for name in NAMES}
        self.replicas = [
            self.house.replica(name, redis=self.redis.url, port=harness.free_port(), args=["--events", self.events[name]])
            for name in NAMES
        ]
        settings = harness.settings_for(self.replicas, self.redis.url + "/1")
        # What clients say when they have connected; "echo" is what must not be said twice.
        settings["upstream"][0]["replay"] = ["user-join", "whoami", "heartbeat"]
        self.node = self.house.usher(self.replicas, settings=settings)
        self.verdict = Verdict()

    def handled(self) -> list[dict]:
        return [line for path in self.events.values() for line in json_lines(path)]

    def at(self) -> dict[str, int]:
        return {each["id"]: each["websockets"] for each in self.node.status()["upstreams"][0]["replicas"]}

    def await_gone(self, replica) -> None:
        def gone():
            at = self.at()
            return at[replica.address] == 0 and sum(at.values()) == self.count

        wait_for(gone, f"nobody at {replica.name}, and everybody somewhere", timeout=60)

    def roll(self, name: str, event: str, planned: bool, leave) -> None:
        stage = Stage(self, name, event, self.interval)
        for _ in range(self.rounds):
            for replica in self.replicas:
                leave(replica)
                self.node.await_replicas(len(self.replicas))
        stage.finish(planned, self.verdict)

    def restart(self, end) -> None:
        def leave(replica):
            end(replica)
            self.await_gone(replica)
            replica.start()

        return leave

    def drain(self, replica) -> None:
        self.node.admin_get(f"/api/replicas/{replica.address}/drain?within=6s", "POST")
        self.await_gone(replica)
        replica.stop()
        replica.start()
        self.node.admin_get(f"/api/replicas/{replica.address}/undrain", "POST")

    def stop_all(self, seconds: float) -> None:
        stage = Stage(self, "halt", "heartbeat", HALT_INTERVAL)
        before = self.node.private_memory()
        for replica in self.replicas:
            replica.signal(15)
        for replica in self.replicas:
            replica.wait(15)
        wait_for(lambda: self.node.status()["websockets_parked"] == self.count, "everybody waits")
        until = time.monotonic() + seconds
        wait_for(lambda: time.monotonic() > until, "the halt's end", timeout=seconds + 10, interval=1)
        parked = self.node.status()["websockets_parked"]
        self.verdict.check(parked == self.count, f"halt: {parked} of {self.count} still wait after {seconds:g} s")
        grown = (self.node.private_memory() - before) / MIB
        self.verdict.check(grown * MIB < self.count * 128 * 1024, f"halt: memory grew by {grown:.1f} MiB")
        began = time.monotonic()
        for replica in self.replicas:
            replica.start()
        ready = time.monotonic()
        wait_for(lambda: sum(self.at().values()) == self.count, "everybody is served", timeout=60)
        served = time.monotonic()
        self.verdict.check(served - ready < 10, f"halt: all served {served - ready:.1f} s after the last replica's start, {served - began:.1f} s after the first's")
        # What it said into the silence may have been given up by its caller: that is a report, not a loss.
        stage.herald.stop()
        self.verdict.check_none(stage.clients.events("disconnect"), "halt: disconnects")
        acked = {name: state["acked"] for name, state in stage.clients.report().items()}
        wait_for(
            lambda: all(state["acked"] > acked[name] for name, state in stage.clients.report().items()),
            "an answer for everybody", timeout=30, interval=0.5,
        )  # fmt: skip
        stage.clients.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev rolling", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=10, help="restarts of every replica, in each way")
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--interval-ms", type=int, default=100)
    parser.add_argument("--halt", type=float, default=180, help="seconds with no replica at all")
    options = parser.parse_args()
    folder = ROOT / "build" / "rolling" / f"{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    os.environ.setdefault("USHER_BIN", str(ROOT / "build" / "release" / "usher"))
    say(f"{options.rounds} rounds, {options.clients} clients, logs in {folder.relative_to(ROOT)}")
    scene = Scene(folder, options.clients, options.interval_ms, options.rounds)
    try:
        scene.roll("stop", "heartbeat", True, scene.restart(harness.Replica.stop))
        scene.roll("drain", "echo", True, scene.drain)
        scene.roll("kill", "echo", False, scene.restart(harness.Replica.kill))
        scene.stop_all(options.halt)
    finally:
        scene.house.close()
    if scene.verdict.failures:
        say(f"{len(scene.verdict.failures)} of what must hold does not")
    return 1 if scene.verdict.failures else 0


sys.exit(main())
