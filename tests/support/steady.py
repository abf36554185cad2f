"""Traffic that must not notice what happens to the node: requests on new connections and on kept ones, and
websockets that say something now and then. Whatever is refused, reset, cut or wrong is a failure."""

import asyncio
import contextlib
import itertools
import threading
import time
from urllib.parse import urlsplit

import harness
import wire

TERMINAL = "/api/v1/terminals/x/api/terminals/y"
PATIENCE = 30  # seconds for anything
LANES = 8  # that ask in turn, so that a slow answer does not hold up the others
RAMP = 50  # websockets that open at the same time


class Connection:
    def __init__(self, url: str):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.tls = wire.unverified() if parts.scheme == "https" else None

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def ask(self, head: bytes, body: bytes = b"") -> tuple[int, dict[bytes, bytes], bytes]:
        self.writer.write(head + body)
        line, *fields = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(b":") for field in fields)}
        answer = await self.reader.readexactly(int(headers.get(b"content-length", 0)))
        return int(line.split()[1]), headers, answer


class Steady:
    """Runs in a thread of its own from start() to stop(). `urls` take turns."""

    def __init__(self, urls: list[str], websockets: int = 0, rate: float = 200, say_every: float = 5):
        self.urls = itertools.cycle(urls)
        self.count = websockets
        self.rate = rate
        self.say_every = say_every
        self.failures: list[str] = []
        self.closed: list[tuple[float, bytes]] = []  # websockets: when, and the payload of the Close
        self.answers = 0
        self.echoes = 0
        self.opened = 0
        self.lost = 0
        self.stopping = False

    @property
    def open(self) -> int:
        return self.opened - len(self.closed) - self.lost

    def start(self) -> "Steady":
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.thread.start()
        harness.wait_for(
            lambda: self.opened + len(self.failures) >= self.count and self.answers > 0,
            f"{self.count} websockets and an answer: {self.failures[:3]}",
            timeout=60 + self.count / 50,
        )
        return self

    def stop(self) -> None:
        self.stopping = True
        self.thread.join(PATIENCE * 2 * harness.patience())
        assert not self.thread.is_alive(), "the traffic does not end"

    async def _run(self) -> None:
        self.ramp = asyncio.Semaphore(RAMP)
        tasks = [asyncio.create_task(self._lane(number)) for number in range(LANES)]
        tasks += [asyncio.create_task(self._websocket(next(self.urls))) for _ in range(self.count)]
        await asyncio.gather(*tasks)

    def _failed(self, what: str, error: BaseException | str) -> None:
        self.failures.append(f"{time.strftime('%H:%M:%S')} {what}: {error!r}")

    async def _lane(self, number: int) -> None:
        """Even lanes use a connection for each request, odd ones keep theirs for as long as they may."""
        kept, body = None, b"x" * 100
        post = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
        get = b"GET /whoami HTTP/1.1\r\nHost: a\r\n"
        for turn in itertools.count():
            if self.stopping:
                break
            began = time.monotonic()
            head, sent = (post, body) if turn % 4 == 3 else (get, b"")
            close = number % 2 == 0
            try:
                async with asyncio.timeout(PATIENCE * harness.patience()):
                    if kept is None:
                        kept = await Connection(next(self.urls)).__aenter__()
                    status, headers, _ = await kept.ask(head + (b"Connection: close\r\n\r\n" if close else b"\r\n"), sent)
                if status != 200:
                    self._failed(f"request {turn} of lane {number}", str(status))
                self.answers += 1
                close = close or headers.get(b"connection", b"").lower() == b"close"
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                self._failed(f"request {turn} of lane {number}", error)
                close = True
            if close and kept is not None:
                await kept.__aexit__()
                kept = None
            await asyncio.sleep(max(0, LANES / self.rate - (time.monotonic() - began)))
        if kept is not None:
            await kept.__aexit__()

    async def _websocket(self, url: str) -> None:
        try:
            async with self.ramp:
                connection = await Connection(url).__aenter__()
                status, _, _ = await connection.ask(wire.handshake(TERMINAL))
            assert status == 101, f"status {status}"
            self.opened += 1
            await self._talk(connection)
            await connection.__aexit__()
        except (OSError, EOFError, AssertionError, TimeoutError) as error:
            self.lost += 1
            self._failed("websocket", error)

    async def _talk(self, connection: Connection) -> None:
        text = b"still there?"
        while not self.stopping:
            connection.writer.write(wire.masked(text))
            first, payload = await self._frame(connection, PATIENCE * harness.patience())
            if first == 0x81:
                assert payload == text, payload
                self.echoes += 1
                heard = await self._pause(connection)
                if heard is None:
                    continue
                first, payload = heard
            assert first == 0x88, (first, payload)
            self.closed.append((time.monotonic(), payload))
            connection.writer.write(wire.masked_close(int.from_bytes(payload[:2], "big")))
            await connection.reader.read()
            return

    async def _pause(self, connection: Connection) -> tuple[int, bytes] | None:
        """A frame that comes unasked ends it at once, and the end of the run within a second."""
        until = time.monotonic() + self.say_every
        while not self.stopping and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                return await self._frame(connection, min(1, left))
        return None

    async def _frame(self, connection: Connection, timeout: float) -> tuple[int, bytes]:
        """The next one that is no ping; those are answered."""
        while True:
            # A wait that is cut short has taken nothing.
            first, size = await asyncio.wait_for(connection.reader.readexactly(2), timeout)
            payload = await connection.reader.readexactly(size)
            if first != 0x89:
                return first, payload
            connection.writer.write(bytes([0x8A, 0x80 | size]) + b"\0\0\0\0" + payload)
