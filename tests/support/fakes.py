"""Servers named by their misbehaviour. Each answers /ready properly, so that only the misbehaviour is
what a test sees, and runs on an event loop of its own thread."""

import asyncio
import base64
import contextlib
import hashlib
import queue
import socket
import threading

import harness
import wire


class Fake:
    """A listening socket on loopback; `serve` is called for each connection."""

    def __init__(self, port: int = 0):
        self.port = port
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        self.tasks: set[asyncio.Task] = set()
        self.thread: threading.Thread | None = None

    def start(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.server = self.loop.run_until_complete(asyncio.start_server(self._connected, sock=listener))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _connected(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def serve(self, reader, writer):
        raise NotImplementedError

    def close(self):
        if self.thread is None or not self.thread.is_alive():
            return

        async def shut():
            self.server.close()
            for task in list(self.tasks):
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(shut(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


# --- Replicas -----------------------------------------------------------------------------------------


def whole(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), headers, body)


async def for_ever():
    await asyncio.Event().wait()


# What usher asks of its own accord.
PROBES = (b"GET /ready ", b"GET /api/version ")


class FakeReplica(Fake):
    def __init__(self, port: int = 0):
        super().__init__(port)
        self.heads: list[bytes] = []
        self.used_connections = 0  # without those of health checks

    async def serve(self, reader, writer):
        number = 0
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(PROBES):
                writer.write(whole(b'{"status": true}'))
                continue
            number += 1
            self.used_connections += number == 1
            self.heads.append(head)
            if not await self.misbehave(head, reader, writer, number):
                return

    async def misbehave(self, head, reader, writer, number) -> bool:
        """Answers one request, the number-th of its connection; True keeps the connection."""
        raise NotImplementedError


class NeverAnswers(FakeReplica):
    async def misbehave(self, head, reader, writer, number):
        await for_ever()


class StallsAfterHead(FakeReplica):
    """A response head, a few bytes of its body, then silence."""

    async def misbehave(self, head, reader, writer, number):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst bytes")
        await for_ever()


class ClosesUnanswered(FakeReplica):
    """Closes a connection instead of answering; its probes it answers while it is `well`."""

    def __init__(self):
        super().__init__()
        self.well = True
        self.probes = 0

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(PROBES):
            self.used_connections += 1
            return
        if head.startswith(b"GET /api/version "):
            writer.write(whole(b"{}", "404 Not Found"))
            return
        self.probes += 1
        writer.write(whole(b"{}") if self.well else whole(b"{}", "503 Service Unavailable"))


class ClosesMidBody(FakeReplica):
    """Ends the connection within the body."""

    def __init__(self, framing: str = "length", body: bytes = b"first"):
        super().__init__()
        self.framing = framing
        self.body = body

    async def misbehave(self, head, reader, writer, number):
        if self.framing == "chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(self.body), self.body))
        elif self.framing == "length":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.body) + 1000, self.body))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s" % self.body)
        await writer.drain()
        return False


class ResetsMidBody(ClosesMidBody):
    """The same by a reset, when the test says so. In framing "close" only that is no proper end."""

    def __init__(self, framing: str, body: bytes = b"first"):
        super().__init__(framing, body)
        self.told = asyncio.Event()

    def reset(self):
        self.loop.call_soon_threadsafe(self.told.set)

    async def misbehave(self, head, reader, writer, number):
        await super().misbehave(head, reader, writer, number)
        await self.told.wait()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False


class OneBytePerWrite(FakeReplica):
    """A right answer, a byte at a time."""

    body = b"slowly but surely"

    async def misbehave(self, head, reader, writer, number):
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(word), word) for word in (b"slowly ", b"but ", b"surely")) + b"0\r\n\r\n"
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Split: yes\r\n\r\n" + chunked:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.001)
        return True


class SpeaksOutOfTurn(FakeReplica):
    """Answers, and says something else on every connection when it is told to."""

    def __init__(self):
        super().__init__()
        self.writers: list[asyncio.StreamWriter] = []

    async def misbehave(self, head, reader, writer, number):
        self.writers.append(writer)
        writer.write(whole(b"asked"))
        return True

    def speak(self) -> None:
        for writer in self.writers:
            self.loop.call_soon_threadsafe(writer.write, whole(b"not asked"))


class NeverComesToThePoint(FakeReplica):
    """One interim response after another, until nobody takes them any more."""

    most = 256 << 20

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.held_back = False

    async def misbehave(self, head, reader, writer, number):
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: <%s>\r\n\r\n" % (b"x" * 1000)
        while self.sent < self.most and not self.held_back:
            writer.write(hint * 64)
            self.sent += len(hint) * 64
            try:
                await asyncio.wait_for(writer.drain(), 2)
            except TimeoutError:
                self.held_back = True
        return False


class SaysEarlyHints(FakeReplica):
    """So many interim responses, so many seconds apart, before its answer; `count` None: for ever."""

    def __init__(self, apart: float, count: int | None = None):
        super().__init__()
        self.apart = apart
        self.count = count

    async def misbehave(self, head, reader, writer, number):
        said = 0
        while said != self.count:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(self.apart)
            said += 1
        writer.write(whole(b"at last"))
        return True


class EarlyResponse(FakeReplica):
    """Says 413 after the request's head, reads nothing of its body and hangs up."""

    async def misbehave(self, head, reader, writer, number):
        writer.write(whole(b'{"detail": "too large"}', "413 Content Too Large", b"Connection: close\r\n"))
        await writer.drain()
        return False


class NeverReads(FakeReplica):
    """Takes the request's head and leaves the body in the socket."""

    async def serve(self, reader, writer):
        reader._limit = 1024  # Keeps asyncio itself from reading ahead.
        await super().serve(reader, writer)

    async def misbehave(self, head, reader, writer, number):
        writer.transport.pause_reading()
        await for_ever()


class AnswersOnce(FakeReplica):
    """One answer for each connection, then silence on it."""

    async def misbehave(self, head, reader, writer, number):
        if number > 1:
            await for_ever()
        writer.write(whole(b"once"))
        return True


class Says(FakeReplica):
    """Answers with exactly these bytes and, unless told to keep it, ends the connection."""

    def __init__(self, answer: bytes, keep: bool = False):
        super().__init__()
        self.answer = answer
        self.keep = keep

    async def misbehave(self, head, reader, writer, number):
        writer.write(self.answer)
        await writer.drain()
        return self.keep


class ClosesAfterEachResponse(FakeReplica):
    """Keep-alive by its words, closed by its deeds."""

    async def misbehave(self, head, reader, writer, number):
        writer.write(whole(b"one"))
        await writer.drain()
        return False


class ClosesOnReuse(FakeReplica):
    """Takes a second request on a connection and ends it without a byte: uvicorn's 5 s race, every time."""

    async def misbehave(self, head, reader, writer, number):
        if number > 1:
            return False
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        writer.write(whole(b"") if head.startswith(b"HEAD ") else whole(b"fresh"))
        return True


class AnswersAfterTheFirst(FakeReplica):
    """Ends the first connection without an answer after it has read the request; fine after that."""

    async def misbehave(self, head, reader, writer, number):
        if len(self.heads) == 1:
            return False
        writer.write(whole(b"second try"))
        return True


def switching(head: bytes) -> bytes:
    """The answer to a websocket's opening handshake."""
    lines = head.split(b"\r\n")
    key = next(line.split(b":")[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
    )


class AnswersAtTheEnd(FakeReplica):
    """Takes any upgrade and sends everything back once the other side has finished."""

    async def misbehave(self, head, reader, writer, number):
        writer.write(switching(head))
        writer.write(await reader.read(-1))
        await writer.drain()
        return False


class HandsOver:
    """Gives each request's connection to the test, which then is the replica, byte for byte."""

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken: queue.SimpleQueue[tuple[bytes, wire.Wire]] = queue.SimpleQueue()
        self.given: list[wire.Wire] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=[wire.Wire.over(connection)], daemon=True).start()

    def _serve(self, connection):
        try:
            while (head := connection.read_until(b"\r\n\r\n")).startswith(PROBES):
                connection.send(whole(b"ready"))
        except (AssertionError, OSError):  # a health check's connection has ended
            return connection.close()
        self.given.append(connection)
        self.taken.put((head, connection))

    def take(self, timeout: float = 20) -> tuple[bytes, wire.Wire]:
        """The next request's head without its blank line, and the connection behind it."""
        return self.taken.get(timeout=timeout * harness.patience())

    def close(self):
        # accept() in another thread is not woken by close().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        for connection in self.given:
            connection.close()


class SaysUpgraded(FakeReplica):
    """Takes any upgrade and says `first`; says `then` when something has come; keeps everything that comes."""

    def __init__(self, first: bytes = b"", then: bytes = b"", end: bool = False):
        super().__init__()
        self.first = first
        self.then = then
        self.end = end
        self.heard = b""
        self.ended = False

    async def misbehave(self, head, reader, writer, number):
        writer.write(switching(head) + self.first)
        await writer.drain()
        while data := await reader.read(65536):
            if not self.heard:
                writer.write(self.then)
                if self.end:
                    writer.write_eof()
            self.heard += data
        self.ended = True
        return False


class UpgradesWhenLet(FakeReplica):
    """Leaves a websocket's handshake unanswered until let(); everything else it answers."""

    def __init__(self):
        super().__init__()
        self.asked = False
        self.is_let = asyncio.Event()

    def let(self):
        self.loop.call_soon_threadsafe(self.is_let.set)

    async def misbehave(self, head, reader, writer, number):
        if b"Sec-WebSocket-Key" not in head:
            writer.write(whole(b'{"replica": "late"}'))
            return True
        self.asked = True
        await self.is_let.wait()
        writer.write(switching(head))
        while await reader.read(65536):
            pass
        return False


class RefusesConnections:
    """An address on which nothing listens."""

    def start(self):
        self.held = socket.socket()
        self.held.bind(("127.0.0.1", 0))
        self.port = self.held.getsockname()[1]
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self):
        self.held.close()


class NeverAccepts:
    """An address that completes no connection: its queue is full, so the kernel answers no SYN."""

    def start(self):
        self.held = [socket.socket()]
        self.held[0].bind(("127.0.0.1", 0))
        self.held[0].listen(0)
        self.port = self.held[0].getsockname()[1]
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self.held.append(waiting)
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self):
        for each in self.held:
            each.close()


# --- Redis --------------------------------------------------------------------------------------------


async def read_command(reader) -> list[bytes]:
    """One command in RESP's array form."""
    line = await reader.readuntil(b"\r\n")
    words = []
    for _ in range(int(line[1:])):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


class FakeRedis(Fake):
    def __init__(self, port: int = 0):
        super().__init__(port)
        self.commands: list[bytes] = []

    @property
    def url(self) -> str:
        return f"redis://{self.address}"

    async def serve(self, reader, writer):
        while True:
            words = await read_command(reader)
            self.commands.append(words[0].upper())
            answer = self.answer(words)
            if answer is None:
                return
            writer.write(answer)

    def answer(self, words) -> bytes | None:
        """The reply; None hangs up."""
        raise NotImplementedError


class RedisLoading(FakeRedis):
    def answer(self, words):
        return b"-LOADING Redis is loading the dataset in memory\r\n"


class RedisVanishes(FakeRedis):
    """Accepts, and hangs up at the first command."""

    def answer(self, words):
        return None


class RedisReadOnly(FakeRedis):
    def answer(self, words):
        if words[0].upper() in (b"GET", b"MGET", b"GETEX", b"HGETALL"):
            return b"$-1\r\n"
        if words[0].upper() in (b"HELLO", b"CLIENT", b"SELECT", b"PING", b"AUTH"):
            return b"+OK\r\n"
        return b"-READONLY You can't write against a read only replica.\r\n"


class RedisTalksNonsense(FakeRedis):
    def answer(self, words):
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"


class RedisSilent(FakeRedis):
    """Accepts and never says a word."""

    async def serve(self, reader, writer):
        await for_ever()
