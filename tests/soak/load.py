"""The soak's traffic: visitors with a cookie, strangers without, uploads, downloads, event streams and
websockets, all of them coming and going, and many of them leaving in the middle."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import time
from collections import Counter

import h11
from cuts import Cut, Line
from http_client import Failed, Http
from wire import unverified
from websockets.asyncio.client import connect

TERMINAL = "/api/v1/terminals/x/api/terminals/y"
LEAVER = [("User-Agent", "leaver")]
PATIENCE = 30  # seconds for anything that is not cut on purpose


class Visitor:
    """Somebody who comes again, and whom one replica knows."""

    def __init__(self):
        self.cookie: bytes | None = None
        self.home: str | None = None
        self.seen = 0.0
        self.here = False


class Load:
    """`rate` scales how often everything happens; 1 is a few hundred requests and messages a second."""

    def __init__(self, secure: str, plain: str, rate: float = 1):
        self.secure, self.plain = secure, plain
        self.rate = rate
        self.did: Counter[str] = Counter()
        self.errors: list[tuple[float, str, str]] = []
        self.moves: list[tuple[float, float, str]] = []  # last seen, when, the home that was left
        self.latencies: list[float] = []  # ms, of whole small answers
        self.visitors = [Visitor() for _ in range(200)]
        self.stopping = asyncio.Event()
        self.tasks: set[asyncio.Task] = set()

    async def run(self) -> None:
        """Until stop(); then everything that is under way comes to its end."""
        kinds = [
            (self.visit, 16),
            (self.stranger, 40),
            (self.upload, 4),
            (self.broken_upload, 3),
            (self.download, 2),
            (self.broken_download, 2),
            (self.stream, 4),
            (self.broken_stream, 4),
            (self.broken_head, 4),
            (self.broken_handshake, 4),
        ]
        loops = [asyncio.create_task(self.repeat(kind, each * self.rate)) for kind, each in kinds]
        loops += [asyncio.create_task(self.keep_websocket()) for _ in range(round(80 * self.rate))]
        await asyncio.gather(*loops)
        await asyncio.gather(*list(self.tasks))

    def stop(self) -> None:
        self.stopping.set()

    async def pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def repeat(self, kind, per_second: float) -> None:
        while not self.stopping.is_set():
            # What piles up is bounded: a node that hangs is not made worse by us.
            if len(self.tasks) < 500:
                task = asyncio.create_task(self.once(kind))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            await self.pause(random.expovariate(per_second))

    async def once(self, kind) -> None:
        name = kind.__name__
        try:
            async with asyncio.timeout(PATIENCE):
                await kind()
            self.did[name] += 1
        except Exception as error:
            self.errors.append((time.time(), name, f"{type(error).__name__}: {error}"))

    def any_url(self) -> str:
        return self.secure if random.random() < 0.8 else self.plain

    # What comes and goes in order

    async def visit(self) -> None:
        """A few pages on one connection."""
        visitor = random.choice([visitor for visitor in self.visitors if not visitor.here])
        visitor.here = True
        try:
            async with Http(self.secure) as http:
                for _ in range(6):
                    began = time.monotonic()
                    headers = [("Cookie", visitor.cookie)] if visitor.cookie else []
                    head, body = await http.ask("GET", "/whoami", headers)
                    self.latencies.append((time.monotonic() - began) * 1000)
                    self.note_home(visitor, head, json.loads(body)["replica"])
                    await self.pause(0.05)
        finally:
            visitor.here = False

    def note_home(self, visitor: Visitor, head: h11.Response, home: str) -> None:
        for name, value in head.headers:
            if name == b"set-cookie" and value.startswith(b"usher="):
                visitor.cookie = value.split(b";")[0]
        now = time.time()
        if visitor.home not in (None, home):
            self.moves.append((visitor.seen, now, visitor.home))
        visitor.home, visitor.seen = home, now

    async def stranger(self) -> None:
        """One request, no cookie, then gone: an API key at work."""
        body = os.urandom(random.randrange(1, 2000))
        async with Http(self.any_url()) as http:
            _, echo = await http.ask("POST", "/echo", body=body)
        if echo != body:
            raise Failed("the echo is another")

    async def upload(self) -> None:
        body = os.urandom(300_000)
        async with Http(self.any_url()) as http:
            _, answer = await http.ask("POST", "/sink", body=body)
        if json.loads(answer)["sha256"] != hashlib.sha256(body).hexdigest():
            raise Failed("the upload arrived as another")

    async def download(self) -> None:
        async with Http(self.any_url()) as http:
            _, body = await http.ask("GET", "/blob?bytes=500000&chunked=1")
        if len(body) != 500_000:
            raise Failed(f"{len(body)} bytes")

    async def stream(self) -> None:
        async with Http(self.any_url()) as http:
            _, body = await http.ask("GET", "/sse?interval_ms=100&count=20")
        if body.count(b"\n\n") != 20:
            raise Failed(f"{body.count(b'data')} events")

    # What leaves in the middle, and says so in the access log.

    async def leave(self, http: Http) -> None:
        await http.line.cut(random.choice([Cut.FIN, Cut.RST]))

    async def broken_upload(self) -> None:
        async with Http(self.any_url()) as http:
            await http.line.send(b"POST /sink HTTP/1.1\r\nHost: soak\r\nUser-Agent: leaver\r\nContent-Length: 300000\r\n\r\n")
            await http.line.send(os.urandom(random.randrange(100_000)))
            await self.leave(http)

    async def broken_download(self) -> None:
        async with Http(self.any_url()) as http:
            await http.begin("GET", "/blob?bytes=3000000", LEAVER)
            await http.head()
            await http.event()
            await self.leave(http)

    async def broken_stream(self) -> None:
        async with Http(self.any_url()) as http:
            await http.begin("GET", "/sse?interval_ms=50&count=1000", LEAVER)
            await http.head()
            for _ in range(random.randrange(10)):
                await http.event()
            await self.leave(http)

    async def broken_head(self) -> None:
        async with Http(self.any_url()) as http:
            head = b"GET /whoami HTTP/1.1\r\nHost: soak\r\nUser-Agent: leaver\r\n\r\n"
            await http.line.send(head[: random.randrange(len(head))] or b"G")
            await self.leave(http)

    async def broken_handshake(self) -> None:
        async with Line(self.secure, most=random.randrange(600), cut=random.choice([Cut.FIN, Cut.RST])):
            pass

    # Websockets

    async def keep_websocket(self) -> None:
        """One after the other, each for a while."""
        await self.pause(random.uniform(0, 5))
        while not self.stopping.is_set():
            try:
                await self.websocket(random.uniform(5, 60))
                self.did["websocket"] += 1
            except Exception as error:
                self.errors.append((time.time(), "websocket", f"{type(error).__name__}: {error}"))
                await self.pause(1)

    async def websocket(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        url = self.secure.replace("https", "wss", 1) + TERMINAL
        async with connect(url, ssl=unverified(), open_timeout=PATIENCE, close_timeout=PATIENCE) as socket:
            while time.monotonic() < until and not self.stopping.is_set():
                message = os.urandom(random.randrange(1, 1500)).hex()
                await socket.send(message)
                async with asyncio.timeout(PATIENCE):
                    if await socket.recv() != message:
                        raise Failed("another message came back")
                self.did["message"] += 1
                await self.pause(0.5)
            if random.random() < 0.3:
                socket.transport.abort()
