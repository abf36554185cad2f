"""HTTP/2 as a client: h2's state machine over a socket of our own, and raw frames for what no client would send."""

import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.settings
import harness
import wire


class Ended(AssertionError):
    """The connection ended before what was waited for; `code` is GOAWAY's."""

    def __init__(self, code):
        super().__init__(f"the connection ended: {code}")
        self.code = code


@dataclass
class Stream:
    status: int | None = None
    headers: list = field(default_factory=list)
    interim: list = field(default_factory=list)
    body: bytes = b""
    trailers: list = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class Http2:
    """One connection, to http://, https:// or unix:/path (with prior knowledge but for https)."""

    def __init__(
        self,
        url: str,
        timeout: float = 20,
        window: int | None = None,
        acknowledge: bool = True,
        receive_buffer: int | None = None,
        source: str | None = None,  # an address of ours
    ):
        parts = urlsplit(url)
        unix = parts.scheme == "unix"
        self.authority = parts.netloc or "localhost"
        self.scheme = "http" if unix else parts.scheme
        self.acknowledge = acknowledge
        plain = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(timeout * harness.patience())
        if source:
            plain.bind((source, 0))
        plain.connect(parts.path if unix else (parts.hostname, parts.port))
        if not unix:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain
        if parts.scheme == "https":
            context = wire.unverified()
            context.set_alpn_protocols(["h2", "http/1.1"])
            self.socket = context.wrap_socket(plain, server_hostname="localhost")
            assert self.socket.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.machine = h2.connection.H2Connection(config)
        if window is not None:
            ours = {**self.machine.local_settings, h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            self.machine.local_settings = h2.settings.Settings(client=True, initial_values=ours)
        self.machine.initiate_connection()
        self.streams: dict[int, Stream] = {}
        self.goaway: list = []
        self.last_stream: list[int] = []
        self.settings: dict = {}
        self.pongs = 0
        self.closed = False
        self.unread = b""
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    # Sending

    def flush(self) -> None:
        self.send(self.machine.data_to_send())

    def send(self, data: bytes) -> None:
        if data:
            self.socket.sendall(data)

    def begin(self, method: str, path: str, headers=(), end: bool = True, **pseudo) -> int:
        """Opens a stream; `pseudo` replaces or, as None, leaves out pseudo-header fields."""
        first = {"method": method, "scheme": self.scheme, "authority": self.authority, "path": path, **pseudo}
        fields = [(f":{name}", value) for name, value in first.items() if value is not None]
        stream = self.machine.get_next_available_stream_id()
        self.streams[stream] = Stream()
        self.machine.send_headers(stream, [*fields, *headers], end_stream=end)
        self.flush()
        return stream

    def write(self, stream: int, data: bytes, end: bool = False) -> None:
        """As flow control allows."""
        while True:
            room = min(self.machine.local_flow_control_window(stream), self.machine.max_outbound_frame_size)
            if data and room <= 0:
                self.receive()
                continue
            piece, data = data[:room], data[room:]
            self.machine.send_data(stream, piece, end_stream=end and not data)
            self.flush()
            if not data:
                return

    def reset(self, stream: int, code: int = 8) -> None:
        self.machine.reset_stream(stream, code)
        self.flush()

    # Receiving

    def receive(self) -> None:
        """One read, and what it brings."""
        if self.closed:
            raise Ended(self.goaway[-1] if self.goaway else None)
        try:
            data = self.socket.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError):
            data = b""
        if not data:
            self.closed = True
            raise Ended(self.goaway[-1] if self.goaway else None)
        self.unread += data
        while len(self.unread) >= 9 and len(self.unread) >= (size := 9 + int.from_bytes(self.unread[:3], "big")):
            frame, self.unread = self.unread[:size], self.unread[size:]
            for event in self.machine.receive_data(frame):
                self.note(event)
            # After a GOAWAY streams go on (RFC 9113 section 6.8), which h2 does not know.
            if frame[3] == 7:
                self.machine.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        with contextlib.suppress(OSError):
            self.flush()

    def note(self, event) -> None:
        stream = self.streams.setdefault(getattr(event, "stream_id", 0) or 0, Stream())
        match event:
            case h2.events.RemoteSettingsChanged():
                self.settings.update({setting: changed.new_value for setting, changed in event.changed_settings.items()})
            case h2.events.InformationalResponseReceived():
                stream.interim.append(dict(event.headers))
            case h2.events.ResponseReceived():
                stream.headers = list(event.headers)
                stream.status = int(stream.header(":status"))
            case h2.events.TrailersReceived():
                stream.trailers = list(event.headers)
            case h2.events.DataReceived():
                stream.body += event.data
                if self.acknowledge and event.flow_controlled_length:
                    self.machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                stream.ended = True
            case h2.events.StreamReset():
                stream.reset = event.error_code
            case h2.events.ConnectionTerminated():
                self.goaway.append(event.error_code)
                self.last_stream.append(event.last_stream_id)
            case h2.events.PingAckReceived():
                self.pongs += 1

    def until(self, condition) -> None:
        while not condition():
            self.receive()

    def response(self, stream: int) -> Stream:
        self.until(lambda: self.streams[stream].over)
        return self.streams[stream]

    def ask(self, method: str, path: str, headers=(), body: bytes | None = None, **pseudo) -> Stream:
        stream = self.begin(method, path, headers, end=body is None, **pseudo)
        if body is not None:
            self.write(stream, body, end=True)
        return self.response(stream)

    def end(self) -> int | None:
        """Reads until the server closes; says with which code it had said goodbye."""
        try:
            while True:
                self.receive()
        except Ended as ended:
            return ended.code
