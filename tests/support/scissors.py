"""A relay before a replica that cuts chosen websockets after so many bytes, and tells where their frames begin."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from cuts import RESET_ON_CLOSE, Cut
from fakes import Fake

UP, DOWN = "up", "down"  # to the replica, and from it


@dataclass
class Plan:
    """What is to happen to the one websocket whose query says `cut=` and this plan's name."""

    direction: str = UP
    after: int | None = None  # bytes of frames; None: it is only watched
    how: Cut = Cut.RST
    done: bool = False
    passed: dict[str, bytearray] = field(default_factory=lambda: {UP: bytearray(), DOWN: bytearray()})

    def boundaries(self, direction: str) -> list[int]:
        """Where frames begin, and where the last one ends (RFC 6455 section 5.2)."""
        data, at, found = self.passed[direction], 0, [0]
        while at + 2 <= len(data):
            length, head = data[at + 1] & 0x7F, 2 + (4 if data[at + 1] & 0x80 else 0)
            if length >= 126:
                more = 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : at + 2 + more], "big")
                head += more
            at += head + length
            found.append(at)
        return found


class Scissors(Fake):
    """Plans are shared by the relays of all replicas: each cuts once, wherever its websocket is."""

    def __init__(self, replica, plans: dict[str, Plan]):
        super().__init__()
        self.replica = replica
        self.plans = plans

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
        plan = self.plans.get(query.get("cut", [""])[0])
        to_replica = await asyncio.open_connection("127.0.0.1", self.replica.port)
        try:
            to_replica[1].write(head)
            if plan and not plan.done:
                writer.write(await to_replica[0].readuntil(b"\r\n\r\n"))
                ends = [self.cut(plan, UP, reader, to_replica[1]), self.cut(plan, DOWN, to_replica[0], writer)]
            else:
                ends = [self.splice(reader, to_replica[1]), self.splice(to_replica[0], writer)]
            tasks = [asyncio.ensure_future(end) for end in ends]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if plan and plan.done and plan.how is Cut.RST:
                for side in (writer, to_replica[1]):
                    with contextlib.suppress(OSError):  # its end may have been noticed
                        side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                    side.transport.abort()
        finally:
            to_replica[1].close()

    async def splice(self, reader, writer) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()

    async def cut(self, plan: Plan, direction: str, reader, writer) -> None:
        passed = plan.passed[direction]
        while plan.direction != direction or plan.after is None or len(passed) < plan.after:
            data = await reader.read(1 << 16)
            if not data:
                return
            if plan.direction == direction and plan.after is not None:
                data = data[: plan.after - len(passed)]
            passed += data
            writer.write(data)
            await writer.drain()
        plan.done = True
