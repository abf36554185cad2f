#!/usr/bin/env python3
"""Everything breaks at random, and the clients do not notice: two nodes, three replicas and one more, a store
that fails over, 300 clients. What happened is judged from the replicas' own journals, the nodes' access logs
and the clients' reports. Run it with ./dev chaos [minutes] [--cluster]."""

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import judge  # noqa: E402
from faults import Fault, Faults  # noqa: E402
from scene import Scene  # noqa: E402
from verdict import Verdict, say  # noqa: E402

# A client on a busy machine may not have noticed yet that a kept connection is dead.
NOTICED = 2
# Who was cut off waits for so long before it asks again; then the judge has seen what came of it.
SETTLE = 8


class Chaos:
    def __init__(self, folder: Path, seconds: float, cluster: bool, clients: int, seed: int):
        self.seconds = seconds
        self.scene = Scene(folder, cluster, clients)
        self.faults = Faults(self.scene, seed)
        self.verdict = Verdict()
        self.wakes: dict[str, Counter[str]] = defaultdict(Counter)  # by kind of fault

    def run(self) -> None:
        self.scene.start_crowd()
        say(f"{self.scene.clients_count} clients are there")
        asyncio.run(self.break_things())
        self.scene.stop_crowd()
        self.scene.await_rest()
        for node in self.scene.nodes:
            node.stop()

    async def break_things(self) -> None:
        await self.faults.run(self.seconds)
        await asyncio.sleep(SETTLE)

    # What must hold

    def judge(self) -> None:
        names = {replica.address: replica.name for replica in self.scene.replicas}
        self.all = sorted(self.faults.all, key=lambda fault: fault.began)
        self.access = self.scene.access_lines()
        for line in self.access:
            line["replica"] = names.get(line["replica"], line["replica"])
        self.requests = judge.settled(self.scene.requests(), self.scene.arrivals(names))
        self.events = [event for group in self.scene.sockets for event in group.events()]
        self.urls = {node.url(scheme): node.name for node in self.scene.nodes for scheme in ("https", "http")}
        self.judge_answers()
        self.judge_homes()
        self.judge_recovery()
        self.judge_clients()
        self.judge_nodes()
        self.print_table()
        self.scene.keep({"faults": self.all})

    def blame(self, fault: Fault | None, what: str) -> None:
        self.wakes[fault.kind if fault else "(nothing)"][what] += 1

    def judge_answers(self) -> None:
        unanswered = {line["request_id"] for line in self.requests if line["status"] is None and line["sid"]}
        disconnected = [line for line in self.access if judge.is_of_engineio(line, unanswered)]
        for _ in disconnected:
            self.wakes["(engine.io)"]["500 of the replica, which had closed the session"] += 1
        bad = judge.bad_answers([line for line in self.access if line not in disconnected], self.all)
        for line, fault in bad:
            self.blame(fault, f"{line['status']} {(line['error'] or 'of the replica').split(':')[0]}")
        self.verdict.check_none([line for line, fault in bad if fault is None], f"5xx without an excuse (in flight at a kill of their replica), of {len(bad)}")
        lost = judge.lost_sessions(self.requests, self.access, self.all)
        for _, fault in lost:
            self.blame(fault, "400 session unknown")
        self.verdict.check_none([judge.brief(line) for line, fault in lost if fault is None], f"sessions lost without a fault, of {len(lost)}")
        known = {line["request_id"] for line, _ in lost}
        other = [line for line in self.access if 400 <= line["status"] < 500 and line["status"] != 499 and line["request_id"] not in known]
        self.verdict.check_none(other, "other 4xx")

    def judge_homes(self) -> None:
        moves = judge.moves(self.requests, self.access, self.all)
        for move in moves:
            self.blame(move.fault, "moves")
        self.verdict.check_none([str(move) for move in moves if move.fault is None], f"moves without a fault of the former home, of {len(moves)}")
        behind = judge.left_behind(self.requests, self.access, self.all)
        self.verdict.check_none([str(each) for each in behind], "websockets at a former home")

    def judge_recovery(self) -> None:
        within = self.scene.dead_within
        self.verdict.check_none(judge.kept_by_the_dead(self.access, self.all, within), f"held by a dead replica for more than {within:g} s")
        self.slowest: dict[str, float] = {}
        late = []
        for each in judge.recoveries(self.requests, self.access, self.all):
            self.slowest[each.fault.kind] = max(self.slowest.get(each.fault.kind, 0), each.waited)
            if each.waited > within:
                late.append(str(each))
        self.verdict.check_none(late, f"clients of a dead replica that waited for more than {within:g} s")

    def judge_clients(self) -> None:
        cuts = [(visit.node, visit.good_at, visit.answered, visit) for visit in self.scene.visitors.visits if visit.status == 0]
        # Who leaves at the end hangs up on what it still waits for.
        left = {event["client"]: event["time"] for event in self.events if event.get("reason") == "io client disconnect"}
        for event in self.events:
            if event["event"] == "http_error" and event["status"] == 0 and event["time"] < left.get(event["client"], event["time"] + 1):
                cuts.append((event["node"], event["sent"] - NOTICED, event["time"], event))
        unexplained = []
        for node, sent, answered, what in cuts:
            fault = judge.cut_by(self.urls.get(node, node), sent, answered, self.all)
            self.blame(fault, "cut at a client")
            if fault is None:
                unexplained.append(what)
        self.verdict.check_none(unexplained, f"answers cut without a kill, of {len(cuts)}")
        answers: dict[str, list[float]] = defaultdict(list)
        for visit in self.scene.visitors.visits:
            if visit.status == 200:
                answers[visit.client].append(visit.answered)
        for event in self.events:
            if event["event"] in ("connect", "ack"):
                answers[event["client"]].append(event["time"])
        count = len(answers) - 1  # but the strangers
        self.verdict.check(count == self.scene.clients_count, f"{count} of {self.scene.clients_count} clients had answers")
        nodes = {node.name for node in self.scene.nodes}
        silent = judge.silences(answers, self.requests, nodes, self.all, (self.scene.began, self.scene.ended))
        self.verdict.check_none(list(map(str, silent)), f"clients without an answer for more than {judge.SILENCE:g} s")
        say(f"{len(self.access)} requests at the nodes, {sum(event['event'] == 'ack' for event in self.events)} acks by websocket and polling")

    def judge_nodes(self) -> None:
        log = Counter((line["level"], line["event"]) for line in self.scene.node_log() if "level" in line)
        say(f"the nodes' own logs: {dict(log)}")
        self.verdict.check_none([f"{event}: {count}" for (level, event), count in log.items() if level == "error"], "errors in the nodes' own logs")

    def print_table(self) -> None:
        kinds = Counter(fault.kind for fault in self.all)
        say(f"{'event':<12} {'times':>5} {'moves':>6} {'slowest':>8}  what failed in its wake")
        for kind in sorted(kinds | self.wakes.keys()):
            wake = Counter(self.wakes[kind])
            moved = wake.pop("moves", 0)
            slowest = f"{self.slowest[kind]:.2f} s" if kind in self.slowest else ""
            failed = ", ".join(f"{count} x {what}" for what, count in wake.most_common())
            say(f"{kind:<12} {kinds[kind]:>5} {moved:>6} {slowest:>8}  {failed}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    parser.add_argument("--cluster", action="store_true", help="a Redis Cluster instead of Sentinels")
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--seed", type=int, help="of the order of things; the one that a run has printed")
    parser.add_argument("--folder", type=Path, help="for the logs (default: a new one in build/chaos)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    folder = options.folder or ROOT / "build" / "chaos" / f"{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("USHER_BIN", str(ROOT / "build" / "release" / "usher"))
    say(f"{options.minutes:g} minutes, {'Cluster' if options.cluster else 'Sentinels'}, --seed {seed}, logs in {folder}")
    began = time.monotonic()
    chaos = None
    try:
        chaos = Chaos(folder, options.minutes * 60, options.cluster, options.clients, seed)
        chaos.run()
        chaos.judge()
    finally:
        if chaos:
            chaos.scene.house.close()
    say(f"took {time.monotonic() - began:.0f} s; {len(chaos.verdict.failures)} of what must hold does not; --seed {seed}")
    return 1 if chaos.verdict.failures else 0


sys.exit(main())
