"""Replicas for the framing tests. Neither is to be trusted with what a message means: that is strict.py's to say."""

import asyncio
import re

import fakes

from . import strict

HEAD_END = re.compile(rb"\r?\n\r?\n")


class Recorder(fakes.Fake):
    """Takes down every octet that it gets and is as easily misled as any: answers 200 to whatever looks like a whole
    request, and 426 to an Upgrade."""

    def __init__(self, port: int = 0):
        super().__init__(port)
        self.notes: list[bytearray] = []  # one for each connection that is not a health check's
        self.read_up_to: list[int] = []

    def take(self) -> list[bytes]:
        """What came since the last call, connection by connection."""
        self.read_up_to += [0] * (len(self.notes) - len(self.read_up_to))
        news = [bytes(note[start:]) for note, start in zip(self.notes, self.read_up_to)]
        self.read_up_to = [start + len(new) for start, new in zip(self.read_up_to, news)]
        return [new for new in news if new]

    def take_until(self, marker: bytes) -> list[bytes]:
        """take(), without the one request that begins with the marker: what the front door had to send before that
        is there when that has been answered."""
        notes = self.take()
        [marked] = [note for note in notes if marker in note]
        before, _, request = marked.partition(marker)
        request, rest = strict.read_request(marker + request)
        assert not rest, f"behind {marker!r}: {rest!r}"
        return [note for note in (before if note is marked else note for note in notes) if note]

    async def serve(self, reader, writer):
        pending = await reader.read(1 << 16)
        if pending.startswith(fakes.PROBES):
            writer.write(fakes.whole(b"{}", headers=b"Connection: close\r\n"))
            return
        note = bytearray(pending)
        self.notes.append(note)
        while True:
            while (size := careless_size(pending)) is not None:
                upgrade = re.search(rb"(?i)\nupgrade:", pending[:size])
                writer.write(REQUIRED if upgrade else fakes.whole(b""))
                pending = pending[size:]
            data = await reader.read(1 << 16)
            if not data:
                return
            note += data
            pending += data


REQUIRED = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"


def careless_size(data: bytes) -> int | None:
    """How much of it a careless reader takes for one request; None when it waits for more."""
    end = HEAD_END.search(data)
    if not end:
        return None
    lines = data[: end.start()].lower().replace(b"_", b"-").splitlines()
    at = end.end()
    if not any(re.match(rb"transfer-encoding\s*:.*chunked", line) for line in lines):
        lengths = [int(match[1]) for line in lines if (match := re.match(rb"content-length\s*:\D*(\d+)", line))]
        at += lengths[-1] if lengths else 0
        return at if at <= len(data) else None
    while size := re.compile(rb"\s*([0-9a-fA-F]+)[^\n]*\n").match(data, at):
        at = size.end() + int(size[1], 16)
        if int(size[1], 16) == 0:
            while trailer := re.compile(rb"[^\n]*\n").match(data, at):
                at = trailer.end()
                if not trailer[0].strip():
                    return at
            return None
    return None


class Scripted(fakes.Fake):
    """Answers `GET /<key>` with the octets that stand in its script under that key, whatever they are; for
    `GET /<key>/slowly` one by one."""

    def __init__(self, script: dict[str, tuple[bytes, bool]]):
        super().__init__()
        self.script = script  # key -> octets, and whether the connection ends behind them
        self.asked: list[str] = []  # keys, in the order of the requests
        self.ended: set[int] = set()  # connections that usher, or we, have ended
        self.used_by: dict[str, int] = {}  # key -> the connection that it was asked on last
        self.unread: dict[int, bytes] = {}  # what came on a connection and was no request for a key

    async def serve(self, reader, writer):
        number = self.connections
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(fakes.PROBES):
                    writer.write(fakes.whole(b"{}"))
                    continue
                if b"\r\nTransfer-Encoding: chunked\r\n" in head:
                    await reader.readuntil(b"0\r\n\r\n")
                key = head.split(b" ")[1].decode().removeprefix("/")
                self.asked.append(key)
                self.used_by[key] = number
                key, _, slowly = key.partition("/")
                octets, ends = self.script[key]
                for piece in [octets[i : i + 1] for i in range(len(octets))] if slowly else [octets]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if ends:
                    return
        except asyncio.IncompleteReadError as end:
            self.unread[number] = end.partial
        finally:
            self.ended.add(number)
