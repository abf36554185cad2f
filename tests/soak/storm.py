#!/usr/bin/env python3
"""The storm: thousands of live websockets lose their replica in the same moment, and half of them once more.
Two usher nodes carry all of them on at those that are left, at the set pace. Nobody is disconnected, the survivors are never down, and everybody else's
requests go on. Run it with ./dev rolling storm."""

import argparse
import asyncio
import os
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402
import wire  # noqa: E402
from harness import House, wait_for  # noqa: E402
from verdict import Verdict, say  # noqa: E402

MIB = 1 << 20
RAMP = 32  # sockets that open at the same time
PACE = 200  # upstream.migrate_rate
PING, PONG = b"\x81\x012", wire.masked(b"3")
NAMESPACE_JOINED = b"40{"


class Socket(asyncio.Protocol):
    """One Engine.IO session with the main namespace, that says nothing but what it must. Small: there are thousands."""

    __slots__ = ("crowd", "transport", "data", "joined", "open")

    def __init__(self, crowd: "Sockets"):
        self.crowd, self.data, self.joined, self.open = crowd, b"", asyncio.get_running_loop().create_future(), False

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(wire.handshake("/ws/socket.io/?EIO=4&transport=websocket&client=storm"))

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.open:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                return self.fail(head.partition(b"\r\n")[0].decode())
            self.open, self.data = True, rest
            self.transport.write(wire.masked(b"40"))
        while (frame := self.take()) is not None:
            self.heard(*frame)

    def take(self) -> tuple[int, bytes] | None:
        """The next whole frame, of less than 64 KiB."""
        data = self.data
        if len(data) < 2:
            return None
        at, size = (4, int.from_bytes(data[2:4], "big")) if data[1] == 126 else (2, data[1])
        if len(data) < at + size:
            return None
        self.data = data[at + size :]
        return data[0], data[at : at + size]

    def heard(self, first: int, payload: bytes) -> None:
        if first == 0x88:
            return self.fail(f"Close {int.from_bytes(payload[:2], 'big')}")
        if payload == b"2":
            self.crowd.pings += 1
            self.transport.write(PONG)
        elif payload.startswith(NAMESPACE_JOINED):
            self.crowd.joined += 1
            if not self.joined.done():
                self.joined.set_result(None)

    def connection_lost(self, error) -> None:
        if not self.crowd.stopping:
            self.fail(f"lost: {error}")

    def fail(self, why: str) -> None:
        self.crowd.failures[why] += 1
        if not self.joined.done():
            self.joined.set_result(None)


class Sockets:
    """Sessions over nodes that take turns, in a thread of their own."""

    def __init__(self, nodes, count: int):
        self.addresses = [urlsplit(node.url()) for node in nodes]
        self.count = count
        self.joined = self.pings = 0
        self.failures: Counter[str] = Counter()
        self.stopping = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.run(),), daemon=True)

    def start(self) -> "Sockets":
        self.thread.start()
        wait_for(lambda: self.joined + self.failures.total() >= self.count, f"{self.count} websockets", timeout=60 + self.count / 20, interval=0.2)
        assert not self.failures, self.failures
        return self

    async def run(self) -> None:
        turns = asyncio.Semaphore(RAMP)
        self.over = asyncio.Event()
        await asyncio.gather(*(self.open(number, turns) for number in range(self.count)))
        await self.over.wait()

    async def open(self, number: int, turns: asyncio.Semaphore) -> None:
        address = self.addresses[number % len(self.addresses)]
        async with turns:
            _, socket = await self.loop.create_connection(lambda: Socket(self), address.hostname, address.port)
            await socket.joined

    def stop(self) -> None:
        self.stopping = True
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(30)


class Others:
    """Requests of people who have no part in it: one after the other, ten a second."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.took: list[float] = []
        self.failures: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.over.wait(0.1):
            for node in self.nodes:
                began = time.monotonic()
                try:
                    answer = wire.fetch(node.url() + "/whoami", timeout=30)
                    if answer.status != 200:
                        self.failures.append(str(answer.status))
                except (OSError, EOFError) as error:
                    self.failures.append(repr(error))
                self.took.append(time.monotonic() - began)

    def stop(self) -> None:
        self.over.set()
        self.thread.join(60)


def most_ahead(times: list[float], pace: float) -> float:
    """By how many the row was at most ahead of its pace. One that falls behind may catch up."""
    times = sorted(times)
    return max(number - pace * (when - times[0]) for number, when in enumerate(times))


class Storm:
    def __init__(self, house: House, count: int):
        self.count = count
        self.verdict = Verdict()
        self.replicas = [house.replica(name, port=harness.free_port()) for name in ("alpha", "beta", "gamma")]
        for replica in self.replicas[1:]:
            replica.stop()
        settings = harness.settings_for(self.replicas, house.redis().url)
        del settings["upstream"][0]["health"]  # what people have
        self.nodes = [house.usher(self.replicas, settings=settings, name=name, wait=False) for name in ("one", "two")]
        for node in self.nodes:
            node.await_replicas(1)
        self.sockets = Sockets(self.nodes, count).start()
        for replica in self.replicas[1:]:
            self.start(replica)
        say(f"{self.at(self.replicas[0])} websockets at alpha, over {len(self.nodes)} nodes of {self.memory()}")
        self.others = Others(self.nodes)
        wait_for(lambda: len(self.others.took) >= 40, "the usual time of an answer")
        say(f"requests of others: median {median(self.others.took) * 1000:.0f} ms")

    def start(self, replica) -> None:
        replica.start()
        for node in self.nodes:
            wait_for(lambda node=node: node.replica_states()[replica.address] == "up", f"{replica.name} up")

    def at(self, replica) -> int:
        return sum(
            each["websockets"] for node in self.nodes for each in node.status()["upstreams"][0]["replicas"] if each["id"] == replica.address
        )

    def memory(self) -> str:
        return " and ".join(f"{node.private_memory() / MIB:.0f} MiB" for node in self.nodes)

    def lose(self, lost) -> None:
        """With one blow; and what must hold meanwhile."""
        survivors = [replica for replica in self.replicas if replica is not lost]
        moving, joined, asked = self.at(lost), self.sockets.joined, len(self.others.took)
        gone, began = time.time(), time.monotonic()
        lost.kill()
        wait_for(
            lambda: sum(self.at(each) for each in survivors) + self.sockets.failures.total() >= self.count,
            "everybody is somewhere", timeout=60 + moving / 50, interval=0.25,
        )  # fmt: skip
        took = time.monotonic() - began
        wait_for(lambda: self.sockets.joined + self.sockets.failures.total() >= joined + moving, "everybody has heard of it", timeout=60)
        during = self.others.took[asked:]
        check = self.verdict.check
        say(f"{lost.name} is killed: {moving} moves in {took:.1f} s, nodes of {self.memory()}")
        check(not self.sockets.failures, f"disconnects: {dict(self.sockets.failures)}")
        check(self.sockets.joined == joined + moving, f"namespaces joined again: {self.sockets.joined - joined}")
        downs = [
            line for node in self.nodes for line in node.events("replica_down")
            if line["replica"] != lost.address and datetime.fromisoformat(line["time"]).timestamp() > gone
        ]  # fmt: skip
        self.verdict.check_none(downs, "survivors that were given up")
        allowed = len(self.nodes) * PACE
        for each in survivors:
            ahead = most_ahead([line["time"] for line in each.requests("storm") if line["time"] > gone], allowed)
            check(ahead <= allowed / 4, f"{each.name} has {self.at(each)}; {ahead:.0f} ahead of {allowed} a second at most")
        self.verdict.check_none(self.others.failures, "requests of others that failed")
        say(f"requests of others: median {median(during) * 1000:.0f} ms, {max(during):.2f} s at most")

    def run(self) -> None:
        first, second, _ = self.replicas
        self.lose(first)
        self.start(first)
        self.lose(second)
        self.others.stop()
        self.sockets.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev rolling storm", description=__doc__)
    parser.add_argument("--websockets", type=int, default=9_000, help="each needs a descriptor of one replica, and two of a node")
    options = parser.parse_args()
    folder = ROOT / "build" / "rolling" / f"{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    os.environ.setdefault("USHER_BIN", str(ROOT / "build" / "release" / "usher"))
    house = House(folder)
    try:
        storm = Storm(house, options.websockets)
        storm.run()
    finally:
        house.close()
    return 1 if storm.verdict.failures else 0


sys.exit(main())
