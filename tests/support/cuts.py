"""Both sides of an exchange that is cut: a client that breaks off after so many bytes on the wire, and a
replica that answers by script and leaves as the script says. Both run on one asyncio loop, the replica's."""

import asyncio
import contextlib
import enum
import functools
import socket
import ssl
from urllib.parse import urlsplit

import h11
from fakes import Fake, whole
from wire import unverified


class Cut(enum.Enum):
    """How a peer leaves in the middle."""

    FIN = "fin"  # closes the socket: what is sent to it afterwards meets a RST
    RST = "rst"
    HALF = "half"  # ends its own side in order and goes on reading
    SILENCE = "silence"  # stays, and sends nothing more


class End(enum.Enum):
    """How the other side ended a connection."""

    ORDERLY = "orderly"  # FIN, and a close_notify before it where TLS is spoken
    BARE_FIN = "bare fin"  # TLS without close_notify: whoever reads must take what it got for cut
    ALERT = "alert"  # TLS, in so many words
    RESET = "reset"


class BrokenOff(Exception):
    pass


RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"  # struct linger {1, 0}


# --- The client --------------------------------------------------------------------------------------


class Line:
    """One connection of an asyncio client. Of everything that it sends, a TLS handshake included, only the
    first `most` bytes leave; then it is cut as `cut` says, and `broken_off`."""

    def __init__(self, url: str, most: int | None = None, cut: Cut = Cut.FIN):
        parts = urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.most = most
        self.how = cut
        self.broken_off = False
        self.end: End | None = None
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.tls = None
        if parts.scheme == "https":
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = one_context().wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    async def __aenter__(self):
        try:
            await asyncio.get_running_loop().sock_connect(self.socket, self.address)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.most == 0:
                await self._send_bytes(b"")
            if self.tls:
                await self._tls(self.tls.do_handshake)
        except BrokenOff:
            pass
        except BaseException:
            self.socket.close()
            raise
        return self

    async def __aexit__(self, *_):
        self.socket.close()

    def something_came(self) -> bool:
        """Bytes, or the end, that nobody has read yet."""
        with contextlib.suppress(BlockingIOError):
            self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            return True
        return False

    async def send(self, data: bytes) -> None:
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        with contextlib.suppress(BrokenOff):
            await self._send_bytes(data)

    async def receive(self, most: int = 1 << 16) -> bytes:
        """More bytes; b'' at the end, and then `end` tells which."""
        try:
            if self.tls is None:
                data = await asyncio.get_running_loop().sock_recv(self.socket, most)
            else:
                data = await self._tls(lambda: self.tls.read(most))
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLError as error:
            self.end = End.BARE_FIN if isinstance(error, ssl.SSLEOFError) else End.ALERT
            return b""
        except ConnectionError:
            self.end = End.RESET
            return b""
        if not data:
            self.end = End.ORDERLY
        return data

    async def receive_all(self) -> bytes:
        data = b""
        while more := await self.receive():
            data += more
        return data

    async def await_end(self) -> None:
        """Whatever comes until then is not looked at; for a handshake that was broken off."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16):
                pass

    async def cut(self, how: Cut) -> None:
        if how is Cut.FIN:
            self.socket.close()
        elif how is Cut.RST:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.socket.close()
        elif how is Cut.HALF:
            # OpenSSL cannot say close_notify and go on reading what it already holds.
            if self.tls and not self.tls.pending() and not self.incoming.pending:
                with contextlib.suppress(ssl.SSLError):
                    self.tls.unwrap()
                with contextlib.suppress(ConnectionError):
                    await self._send_bytes(self.outgoing.read())
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    async def _tls(self, step):
        while True:
            try:
                result = step()
                await self._send_bytes(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                await self._send_bytes(self.outgoing.read())
                data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)
                self.incoming.write(data) if data else self.incoming.write_eof()

    async def _send_bytes(self, data: bytes) -> None:
        if self.most is not None and len(data) >= self.most:
            data, self.most = data[: self.most], None
            await asyncio.get_running_loop().sock_sendall(self.socket, data)
            await self.cut(self.how)
            self.broken_off = True
            raise BrokenOff
        if self.most is not None:
            self.most -= len(data)
        if data:
            await asyncio.get_running_loop().sock_sendall(self.socket, data)


@functools.cache
def one_context() -> ssl.SSLContext:
    return unverified()


# --- The replica -------------------------------------------------------------------------------------


class Visit:
    """One request as the replica saw it."""

    def __init__(self):
        self.whole = asyncio.Event()  # it came to its end
        self.answered = asyncio.Event()  # what its script says has been sent
        self.ended = asyncio.Event()  # the peer ended the connection, as `end` says
        self.end: End | None = None
        self.tail = b""  # what came behind it

    def note(self, end: End) -> None:
        self.end = end
        self.ended.set()


class Script:
    """How requests for one path are answered: these bytes, then the cut (None: the connection is kept).
    After SILENCE and HALF the replica reads on, and says `farewell` when the peer has ended its side."""

    def __init__(self, answer: bytes = b"", cut: Cut | None = None, farewell: bytes = b""):
        self.answer = answer
        self.cut = cut
        self.farewell = farewell
        self.visits: list[Visit] = []
        self.visited = asyncio.Event()


class Scripted(Fake):
    """A replica that answers each path as its script says, and those without one with a short 200."""

    def __init__(self):
        super().__init__()
        self.scripts: dict[str, Script] = {}

    def run(self, coroutine, timeout: float):
        """The result of a coroutine that runs beside the server, on its loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def script(self, *arguments, **named) -> tuple[str, Script]:
        """A new path, and what happens there."""
        path = f"/{len(self.scripts):05}"
        self.scripts[path] = Script(*arguments, **named)
        return path, self.scripts[path]

    async def serve(self, reader, writer):
        rest = b""
        while rest is not None:
            rest = await self.exchange(reader, writer, rest)

    async def exchange(self, reader, writer, rest: bytes) -> bytes | None:
        """One request; returns what has come behind it, or None when the connection is of no more use."""
        parser = h11.Connection(h11.SERVER)
        if rest:
            parser.receive_data(rest)
        script = visit = None
        try:
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    parser.receive_data(await reader.read(1 << 16))
                elif isinstance(event, h11.ConnectionClosed):
                    return None
                elif isinstance(event, h11.Request) and (script := self.scripts.get(event.target.decode())):
                    visit = Visit()
                    script.visits.append(visit)
                    script.visited.set()
        except (h11.RemoteProtocolError, ConnectionError) as error:
            if visit:
                visit.note(End.RESET if isinstance(error, ConnectionError) else End.ORDERLY)
            return None
        if visit is None:
            writer.write(whole(b"fine"))
            return parser.trailing_data[0]
        visit.whole.set()
        writer.write(script.answer)
        await writer.drain()
        visit.answered.set()
        if script.cut is None:
            return parser.trailing_data[0]
        visit.tail = parser.trailing_data[0]
        await self.part(reader, writer, script, visit)
        return None

    async def part(self, reader, writer, script: Script, visit: Visit) -> None:
        if script.cut is Cut.FIN:
            return
        if script.cut is Cut.RST:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            return writer.transport.abort()
        if script.cut is Cut.HALF:
            writer.write_eof()
        try:
            while data := await reader.read(1 << 16):
                visit.tail += data
            visit.note(End.ORDERLY)
            if script.cut is Cut.SILENCE:
                writer.write(script.farewell)
        except ConnectionError:
            visit.note(End.RESET)
