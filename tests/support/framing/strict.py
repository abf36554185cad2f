"""Reads HTTP/1.1 as strictly as RFC 9112 is written, and only the one form in which usher writes it.

Shares no code with usher nor with wire.py: what this accepts has exactly one meaning. A message that is not whole is
`Incomplete`; everything else that is not as it must be is `Malformed`.
"""

import re
from dataclasses import dataclass, field

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(%s) (/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1" % TOKEN)
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
# One space behind the colon, none at the end.
FIELD = re.compile(rb"(%s): (|[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)" % TOKEN)
HOST = re.compile(rb"(|[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
NUMBER = re.compile(rb"0|[1-9][0-9]*")
CHUNK_SIZE = re.compile(rb"0|[1-9a-f][0-9a-f]*")

HOP_BY_HOP = {
    "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info",
    "http2-settings", "trailer",
}  # fmt: skip
FRAMING = {"content-length", "transfer-encoding"}
CONNECTION = {"connection", "te", "upgrade"}
NOT_IN_TRAILERS = HOP_BY_HOP | FRAMING | CONNECTION | {"host", "cookie", "set-cookie", "authorization"}


class Malformed(AssertionError):
    pass


class Incomplete(Malformed):
    """More octets, or the end of the connection, would be needed."""


@dataclass
class Message:
    fields: list[tuple[str, str]]
    method: str = ""
    target: str = ""
    status: int = 0
    reason: str = ""
    framing: str = "none"  # or "length", "chunked", "close"
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        values = self.all(name)
        _require(len(values) < 2, f"{name} {len(values)} times")
        return values[0] if values else None


def _require(holds, what: str) -> None:
    if not holds:
        raise Malformed(what)


def _line(data: bytes) -> tuple[bytes, bytes]:
    end = data.find(b"\n")
    if end < 0:
        _require(b"\r" not in data[:-1], f"bare CR in {data!r}")
        raise Incomplete(f"a line without end: {data!r}")
    line = data[: end - 1]
    _require(data[end - 1 : end] == b"\r" and b"\r" not in line, f"line end of {data[:end + 1]!r}")
    return line, data[end + 1 :]


def _fields(data: bytes) -> tuple[list[tuple[str, str]], bytes]:
    fields = []
    while True:
        line, data = _line(data)
        if not line:
            return fields, data
        match = FIELD.fullmatch(line)
        _require(match, f"field {line!r}")
        fields.append((match[1].decode(), match[2].decode("latin-1")))


def _check_names(message: Message) -> None:
    """No name that belongs to another connection, nor one that a CGI-like reader would take for it."""
    for name, _ in message.fields:
        plain = name.lower().replace("_", "-")
        _require(plain not in HOP_BY_HOP, f"hop-by-hop: {name}")
        special = plain in FRAMING | CONNECTION | {"host"}
        _require(not special or "_" not in name, f"an underscore for a dash: {name}")


def _framing(message: Message) -> tuple[str, int]:
    coding, length = message.one("Transfer-Encoding"), message.one("Content-Length")
    _require(coding is None or length is None, "both Transfer-Encoding and Content-Length")
    if coding is not None:
        _require(coding == "chunked", f"coding {coding!r}")
        return "chunked", 0
    if length is None:
        return "none", 0
    _require(NUMBER.fullmatch(length.encode()), f"length {length!r}")
    return "length", int(length)


def _take(data: bytes, count: int) -> tuple[bytes, bytes]:
    if len(data) < count:
        raise Incomplete(f"{len(data)} octets of {count}")
    return data[:count], data[count:]


def _chunks(data: bytes, message: Message) -> bytes:
    while True:
        size, data = _line(data)
        _require(CHUNK_SIZE.fullmatch(size), f"chunk size {size!r}")
        if size == b"0":
            break
        piece, data = _take(data, int(size, 16))
        message.body += piece
        end, data = _take(data, 2)
        _require(end == b"\r\n", f"{end!r} behind a chunk")
    message.trailers, data = _fields(data)
    for name, _ in message.trailers:
        _require(name.lower().replace("_", "-") not in NOT_IN_TRAILERS, f"trailer {name}")
    return data


def read_request(data: bytes) -> tuple[Message, bytes]:
    """A request as a replica gets it, and what follows it."""
    line, data = _line(data)
    match = REQUEST_LINE.fullmatch(line)
    _require(match, f"request line {line!r}")
    method, target = match[1].decode(), match[2].decode()
    _require(target != "*" or method == "OPTIONS", f"{method} {target}")
    fields, data = _fields(data)
    message = Message(fields, method=method, target=target)
    _require(fields and fields[0][0] == "Host" and message.one("Host") is not None, "Host is not first")
    _require(HOST.fullmatch(message.one("Host").encode("latin-1")), f"Host {message.one('Host')!r}")
    _check_names(message)
    options = (message.one("Connection"), message.one("Upgrade"), message.one("TE"))
    allowed = {(None, None, None), ("Upgrade", "websocket", None), ("TE", None, "trailers")}
    _require(options in allowed, f"Connection, Upgrade, TE: {options}")
    message.framing, length = _framing(message)
    if message.framing == "chunked":
        data = _chunks(data, message)
    else:
        message.body, data = _take(data, length)
    return message, data


def read_requests(data: bytes) -> list[Message]:
    """All of it, request by request, to the last octet."""
    messages = []
    while data:
        message, data = read_request(data)
        messages.append(message)
    return messages


def read_response(data: bytes, method: str = "GET", ended: bool = False) -> tuple[Message, bytes]:
    """A response as a client gets it, and what follows it. `ended`: the connection ended, in order, behind data."""
    line, data = _line(data)
    match = STATUS_LINE.fullmatch(line)
    _require(match, f"status line {line!r}")
    fields, data = _fields(data)
    message = Message(fields, status=int(match[1]), reason=match[2].decode("latin-1"))
    _check_names(message)
    _require(message.one("TE") is None, "TE in a response")
    connection, upgrade = message.one("Connection"), message.one("Upgrade")
    if upgrade is None:
        _require(connection in (None, "close", "keep-alive"), f"Connection: {connection}")
    else:
        _require(message.status in (101, 426) and upgrade == "websocket", f"{message.status} with Upgrade: {upgrade}")
        _require(connection in ("Upgrade", "Upgrade, close", "Upgrade, keep-alive"), f"Connection: {connection}")
    message.framing, length = _framing(message)
    if message.status < 200 or message.status == 204:
        _require(message.framing == "none", f"a {message.status} that speaks of a body")
        return message, data
    if method == "HEAD" or message.status == 304:
        _require(message.framing != "chunked", f"{method} {message.status}: chunked, and no body to come")
        return message, data
    if message.framing == "chunked":
        return message, _chunks(data, message)
    if message.framing == "length":
        message.body, data = _take(data, length)
        return message, data
    _require(connection == "close", "no length, and no end of the connection to come")
    if not ended:
        raise Incomplete("the end of the connection")
    message.framing, message.body = "close", data
    return message, b""
