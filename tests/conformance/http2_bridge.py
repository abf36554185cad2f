"""HTTP/1.1 in, HTTP/2 out: for suites whose clients know websockets over HTTP/1.1 alone, and are to use extended CONNECT
(RFC 8441).

Everything of all its clients goes over one HTTP/2 connection: each request, and each websocket, on a stream of its own. An
end stays an end and a reset a reset, in either direction, so that a suite sees how the other side has gone.
"""

import asyncio
import base64
import contextlib
import hashlib
import threading
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import wire

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
OF_THE_CONNECTION = {"host", "connection", "upgrade", "sec-websocket-key", "transfer-encoding", "keep-alive"}
CANCEL = 8
LIMIT = 20  # seconds to open and to close


class Bridge:
    """Listens at `url` until it is closed; a context."""

    def __init__(self, target: str):
        self.target = urlsplit(target)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.clients: set[asyncio.Task] = set()

    def __enter__(self) -> "Bridge":
        self.thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *_) -> None:
        self._run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, work) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(LIMIT)

    async def _open(self):
        self.connection = await Connection.open(self.target)
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _close(self):
        self.server.close()
        tasks = [*self.clients, self.connection.reading]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.connection.writer.close()

    async def _serve(self, reader, writer):
        self.clients.add(asyncio.current_task())
        try:
            while await self._request(reader, writer):
                pass
            writer.close()
        except asyncio.IncompleteReadError:  # it has gone between two requests
            writer.close()
        except ConnectionError:
            writer.transport.abort()
        finally:
            self.clients.discard(asyncio.current_task())

    async def _request(self, reader, writer) -> bool:
        """Carries one; false when the connection is not for another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        method, path, _ = line.split(" ")
        headers = [(name.lower(), value.strip()) for name, value in (field.split(":", 1) for field in fields)]
        known = dict(headers)
        passed = [(name, value) for name, value in headers if name not in OF_THE_CONNECTION]
        if known.get("upgrade", "").lower() == "websocket":
            await self._websocket(reader, writer, path, passed, known["sec-websocket-key"])
            return False
        body = await reader.readexactly(int(known.get("content-length", 0)))
        last = known.get("connection", "").lower() == "close"
        async with self.connection.stream(method, path, passed, end=not body) as stream:
            if body:
                await stream.send(body, end=True)
            await answer(writer, await stream.head(), await stream.body(), method, last)
        return not last

    async def _websocket(self, reader, writer, path: str, headers: list, key: str):
        async with self.connection.stream("CONNECT", path, headers, end=False, protocol="websocket") as stream:
            head = await stream.head()
            if dict(head)[":status"] != "200":
                return await answer(writer, head, await stream.body(), "GET", last=True)
            accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
            fields = [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)]
            fields += [(name, value) for name, value in head if name.startswith("sec-websocket-")]
            writer.write(head_of("101", fields))
            both = [asyncio.create_task(to_client(stream, writer)), asyncio.create_task(to_stream(reader, stream))]
            try:
                await asyncio.gather(*both)
            finally:
                for task in both:
                    task.cancel()


def head_of(status: str, fields: list) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in fields), "", ""]).encode()


async def answer(writer, head: list, body: bytes, method: str, last: bool):
    fields = [(name, value) for name, value in head if not name.startswith(":") and name != "content-length"]
    length = dict(head).get("content-length", 0) if method == "HEAD" else len(body)
    fields += [("content-length", length), ("connection", "close" if last else "keep-alive")]
    writer.write(head_of(dict(head)[":status"], fields) + body)
    await writer.drain()


async def to_client(stream: "Stream", writer):
    async for piece in stream.data():
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


async def to_stream(reader, stream: "Stream"):
    while data := await reader.read(1 << 16):
        await stream.send(data)
    await stream.send(b"", end=True)


class Connection:
    """The one to the server."""

    @classmethod
    async def open(cls, target) -> "Connection":
        self = cls()
        context = wire.unverified()
        context.set_alpn_protocols(["h2"])
        self.authority = target.netloc
        self.reader, self.writer = await asyncio.open_connection(target.hostname, target.port, ssl=context, server_hostname="localhost")
        self.machine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.machine.initiate_connection()
        self.flush()
        self.streams: dict[int, Stream] = {}
        self.progress = asyncio.Condition()  # the server has said something: there may be room to send
        self.reading = asyncio.create_task(self.read())
        async with asyncio.timeout(LIMIT), self.progress:
            await self.progress.wait_for(lambda: self.machine.remote_settings.enable_connect_protocol == 1)
        return self

    def flush(self):
        self.writer.write(self.machine.data_to_send())

    async def read(self):
        try:
            while data := await self.reader.read(1 << 16):
                for event in self.machine.receive_data(data):
                    self.note(event)
                self.flush()
                async with self.progress:
                    self.progress.notify_all()
        finally:
            for stream in self.streams.values():
                stream.events.put_nowait(None)

    def note(self, event):
        if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
            self.machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if stream := self.streams.get(getattr(event, "stream_id", None)):
            stream.events.put_nowait(event)

    @contextlib.asynccontextmanager
    async def stream(self, method: str, path: str, headers: list, end: bool, protocol: str | None = None):
        """A stream that is cancelled if it is left before it has ended."""
        pseudo = [(":method", method), (":scheme", "https"), (":authority", self.authority), (":path", path)]
        if protocol:
            pseudo.append((":protocol", protocol))
        number = self.machine.get_next_available_stream_id()
        stream = self.streams[number] = Stream(self, number, ended=end)
        self.machine.send_headers(number, [*pseudo, *headers], end_stream=end)
        self.flush()
        try:
            yield stream
        finally:
            del self.streams[number]
            if not stream.over:
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    self.machine.reset_stream(number, CANCEL)
                self.flush()


class Stream:
    def __init__(self, connection: Connection, number: int, ended: bool):
        self.connection, self.number = connection, number
        self.ended = ended  # by us
        self.heard_end = False
        self.events: asyncio.Queue = asyncio.Queue()

    @property
    def over(self) -> bool:
        return self.ended and self.heard_end

    async def send(self, data: bytes, end: bool = False):
        machine = self.connection.machine
        try:
            while data:
                room = min(machine.local_flow_control_window(self.number), machine.max_outbound_frame_size)
                if room <= 0:
                    async with self.connection.progress:
                        await self.connection.progress.wait()
                    continue
                machine.send_data(self.number, data[:room])
                data = data[room:]
                self.connection.flush()
            if end:
                machine.end_stream(self.number)
                self.ended = True
                self.connection.flush()
        except h2.exceptions.ProtocolError as error:
            raise ConnectionResetError(str(error)) from error

    async def head(self) -> list:
        while not isinstance(event := await self.next(), h2.events.ResponseReceived):
            pass
        return event.headers

    async def data(self):
        while not isinstance(event := await self.next(), h2.events.StreamEnded):
            if isinstance(event, h2.events.DataReceived):
                yield event.data
        self.heard_end = True

    async def body(self) -> bytes:
        return b"".join([piece async for piece in self.data()])

    async def next(self):
        event = await self.events.get()
        if event is None:
            raise ConnectionResetError("the connection is gone")
        if isinstance(event, h2.events.StreamReset):
            self.ended = self.heard_end = True
            raise ConnectionResetError(f"reset with {event.error_code}")
        return event
