"""HTTP/1.1 by hand: what was sent and what came back, byte for byte, with nothing made up in between."""

import base64
import contextlib
import json
import os
import socket
import ssl
from urllib.parse import urlsplit

import harness


class Truncated(AssertionError):
    """The connection ended inside a message."""


class Response:
    def __init__(self, version: str, status: int, reason: str, headers: list):
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = b""
        self.trailers: list = []

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def cookie(self, name: str = "usher") -> str | None:
        """name=value of the Set-Cookie line of that name."""
        lines = [line for line in self.all("set-cookie") if line.startswith(name + "=")]
        assert len(lines) < 2, lines
        return lines[0].split(";")[0] if lines else None

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:200]!r}>"


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """One connection."""

    def __init__(self, url: str, timeout: float = 20, context: ssl.SSLContext | None = None, receive_buffer: int | None = None, source: str | None = None):
        parts = urlsplit(url)
        self.authority = parts.netloc
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout * harness.patience())
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            self.socket = (context or unverified()).wrap_socket(self.socket, server_hostname="localhost")
        self.pending = b""

    @classmethod
    def over(cls, connected: socket.socket, pending: bytes = b"", timeout: float = 20) -> "Wire":
        """A connection that somebody else made; `pending` has been read from it already."""
        self = cls.__new__(cls)
        self.authority = ""
        self.socket = connected
        self.socket.settimeout(timeout * harness.patience())
        if connected.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = pending
        return self

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def reset(self) -> None:
        """Goes away without a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Sending

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, method: str, target: str, headers=(), body: bytes | None = None, host: str | None = None) -> None:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def send_chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    # Receiving

    def receive(self) -> bytes:
        """More bytes; b'' at the end."""
        if self.pending:
            data, self.pending = self.pending, b""
            return data
        try:
            return self.socket.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""

    def read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            more = self.receive()
            if not more:
                raise Truncated(f"end of connection after {data!r}")
            data += more
        head, self.pending = data.split(mark, 1)
        return head

    def read_exactly(self, count: int) -> bytes:
        parts = []
        while count:
            more = self.receive()
            if not more:
                raise Truncated(f"{count} bytes are missing")
            parts.append(more[:count])
            self.pending = more[count:]
            count -= len(parts[-1])
        return b"".join(parts)

    def read_head(self) -> Response:
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Response(version, int(status), "".join(reason), headers)

    def body_pieces(self, response: Response, method: str = "GET"):
        """The body as it comes; raises Truncated when it is cut."""
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
                yield self.read_exactly(size)
                assert self.read_exactly(2) == b"\r\n"
            while line := self.read_until(b"\r\n"):
                response.trailers.append(tuple(part.strip() for part in line.decode("latin-1").split(":", 1)))
        elif (length := response.header("content-length")) is not None:
            left = int(length)
            while left:
                data = self.receive()
                if not data:
                    raise Truncated(f"{left} of {length} bytes are missing")
                piece, self.pending = data[:left], data[left:]
                left -= len(piece)
                yield piece
        else:
            while data := self.receive():
                yield data

    def response(self, method: str = "GET") -> Response:
        """The next final response, whole."""
        while (response := self.read_head()).status < 200 and response.status != 101:
            pass
        if response.status != 101:
            response.body = b"".join(self.body_pieces(response, method))
        return response

    def ask(self, method: str, target: str, headers=(), body: bytes | None = None, host: str | None = None) -> Response:
        self.request(method, target, headers, body, host)
        return self.response(method)

    def closed_by_peer(self) -> bool:
        """Waits for the end of the connection; False when the peer says something instead."""
        return self.receive() == b""


def fetch(url: str, method: str = "GET", headers=(), body: bytes | None = None, host: str | None = None, timeout: float = 20) -> Response:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
    with Wire(f"{parts.scheme}://{parts.netloc}", timeout) as wire:
        return wire.ask(method, target, [*headers, ("Connection", "close")], body, host)


def sse_events(wire: Wire, response: Response):
    """Each event's data as soon as its blank line is here."""
    text = b""
    for piece in wire.body_pieces(response):
        text += piece
        while b"\n\n" in text:
            event, text = text.split(b"\n\n", 1)
            yield json.loads(event.removeprefix(b"data: "))


def handshake(path: str, extra: bytes = b"") -> bytes:
    """A websocket's opening handshake."""
    key = base64.b64encode(os.urandom(16))
    return (
        b"GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n" % (path.encode(), key, extra)
    )


def masked(text: bytes) -> bytes:
    """A text frame as a client sends it; of less than 64 KiB."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0xFE]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + text


def masked_close(code: int = 1001) -> bytes:
    """A Close as a client sends it."""
    return b"\x88\x82\0\0\0\0" + code.to_bytes(2, "big")
