"""Responses that are odd but valid, and what a client gets of each: (name, octets, ends, request, arrivals).

`ends`: the replica ends the connection behind them. `request` is which of REQUESTS they answer. `arrivals`: what the
client gets, interim responses included. Everything that arrives is checked by strict.py as well.
"""

from dataclasses import dataclass

from .refused_responses import HANDSHAKE, REQUESTS, chunks, field, switch

REQUESTS = {
    **REQUESTS,
    "HTTP/1.0": (b"GET", b""),
    "HTTP/1.0 keep-alive": (b"GET", b"Connection: keep-alive\r\n"),
    "HTTP/1.0 HEAD": (b"HEAD", b""),
    "chunked POST": (b"POST", b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
}
assert HANDSHAKE in REQUESTS["websocket"]


@dataclass
class Arrival:
    status: int = 200
    body: bytes = b""
    framing: str = "length"
    reason: str | None = None
    fields: tuple = ()  # (name, values)
    absent: tuple = ()
    trailers: tuple = ()
    closes: bool = False


OK = Arrival(body=b"ok")
CHUNKED = Arrival(body=b"ok", framing="chunked")
NO_BODY = Arrival(framing="none", closes=False)


def row(name, octets, *arrivals, ends=False, request="GET"):
    return (name, octets, ends, request, arrivals)


BODIES = [
    row("length", field(b"Content-Length: 2", b"ok"), OK),
    row("length with zeros and spaces", field(b"Content-length:  0002\t", b"ok"), OK),
    row("length 0", field(b"Content-Length: 0"), Arrival()),
    row("chunked", chunks(b"2\r\nok\r\n0\r\n\r\n"), CHUNKED),
    row("chunked in capitals", field(b"TRANSFER-ENCODING:\tChunked ", b"2\r\nok\r\n0\r\n\r\n"), CHUNKED),
    row("zeros and capitals in sizes", chunks(b"00A\r\n0123456789\r\n000\r\n\r\n"),
        Arrival(body=b"0123456789", framing="chunked")),
    row("chunks of one octet", chunks(b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"), CHUNKED),
    row("white space around a chunk extension's marks", chunks(b'2 ;\ta =b\r\nok\r\n0\r\n\r\n'), CHUNKED),
    row("chunk extensions", chunks(b'2;a;b=c;d="e;\\"\xe9"\r\nok\r\n0;last\r\n\r\n'), CHUNKED),
    row("data that look like the last chunk", chunks(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
        Arrival(body=b"0\r\n\r\n", framing="chunked")),
    row("trailers", chunks(b"2\r\nok\r\n0\r\nServer-Timing:  a \r\nDigest:\r\n\r\n"),
        Arrival(body=b"ok", framing="chunked", trailers=(("Server-Timing", "a"), ("Digest", "")))),
    row("trailers that frame or set cookies",
        chunks(b"2\r\nok\r\n0\r\nContent-Length: 5\r\nTransfer_Encoding: x\r\nSet-Cookie: a=b\r\n"
               b"Connection: close\r\n\r\n"), CHUNKED),
    row("until close", field(b"A: b", b"ok"), CHUNKED, ends=True),
    row("until close, nothing", field(b"A: b"), Arrival(framing="chunked"), ends=True),
    row("until close, what looks like chunks", field(b"A: b", b"0\r\n\r\n"),
        Arrival(body=b"0\r\n\r\n", framing="chunked"), ends=True),
    row("until close, what looks like a response", field(b"A: b", field(b"Content-Length: 2", b"ok")),
        Arrival(body=field(b"Content-Length: 2", b"ok"), framing="chunked"), ends=True),
    row("until close in HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nok", CHUNKED, ends=True),
    row("octets of every value", field(b"Content-Length: 256", bytes(range(256))), Arrival(body=bytes(range(256)))),
    row("Content_Length", field(b"Content_Length: 5\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", absent=("Content_Length",))),
    row("Transfer_Encoding", field(b"Transfer_Encoding: chunked\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", absent=("Transfer_Encoding",))),
    row("to a POST", field(b"Content-Length: 2", b"ok"), OK, request="POST"),
    row("to a chunked POST", chunks(b"2\r\nok\r\n0\r\n\r\n"), CHUNKED, request="chunked POST"),
]  # fmt: skip

WITHOUT_BODY = [
    row("204", b"HTTP/1.1 204 No Content\r\n\r\n", Arrival(204, framing="none")),
    row("204 with length 0", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Arrival(204, framing="none")),
    row("304", b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
        Arrival(304, framing="none", fields=(("ETag", ['"a"']),))),
    row("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        Arrival(304, fields=(("Content-Length", ["5"]),))),
    row("304 with chunked", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        Arrival(304, framing="none")),
    row("HEAD with a length", field(b"Content-Length: 5"),
        Arrival(fields=(("Content-Length", ["5"]),)), request="HEAD"),
    row("HEAD with chunked", field(b"Transfer-Encoding: chunked"), NO_BODY, request="HEAD"),
    row("HEAD with neither", field(b"A: b"), NO_BODY, request="HEAD"),
    row("HEAD, 404", b"HTTP/1.1 404 N\r\nContent-Length: 9\r\n\r\n",
        Arrival(404, fields=(("Content-Length", ["9"]),)), request="HEAD"),
    row("205 with length 0", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", Arrival(205)),
]  # fmt: skip

INTERIM = [
    row("100", b"HTTP/1.1 100 Continue\r\n\r\n" + field(b"Content-Length: 2", b"ok"),
        Arrival(100, framing="none"), OK),
    row("102 and 103", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n"
        + field(b"Content-Length: 2", b"ok"),
        Arrival(102, framing="none"), Arrival(103, framing="none", fields=(("Link", ["</a>"]),), absent=("X",)), OK),
    row("100 with length 0", b"HTTP/1.1 100 C\r\nContent-Length: 0\r\n\r\n" + field(b"Content-Length: 2", b"ok"),
        Arrival(100, framing="none"), OK),
    row("199", b"HTTP/1.1 199 X\r\n\r\n" + field(b"Content-Length: 2", b"ok"), Arrival(199, framing="none"), OK),
    row("twenty of them", b"HTTP/1.1 103 E\r\n\r\n" * 20 + field(b"Content-Length: 2", b"ok"),
        *[Arrival(103, framing="none")] * 20, OK),
    row("none for HTTP/1.0", b"HTTP/1.1 103 E\r\n\r\n" + field(b"Content-Length: 2", b"ok"),
        Arrival(body=b"ok", closes=True), request="HTTP/1.0"),
]  # fmt: skip

HTTP_1_0 = [
    row("length", field(b"Content-Length: 2", b"ok"), Arrival(body=b"ok", closes=True), request="HTTP/1.0"),
    row("length, keep-alive", field(b"Content-Length: 2", b"ok"),
        Arrival(body=b"ok", fields=(("Connection", ["keep-alive"]),)), request="HTTP/1.0 keep-alive"),
    row("chunked becomes until close", chunks(b"2\r\nok\r\n0\r\nA: b\r\n\r\n"),
        Arrival(body=b"ok", framing="close", closes=True), request="HTTP/1.0 keep-alive"),
    row("until close", field(b"A: b", b"ok"), Arrival(body=b"ok", framing="close", closes=True), ends=True,
        request="HTTP/1.0 keep-alive"),
    row("204, keep-alive", b"HTTP/1.1 204 N\r\n\r\n", Arrival(204, framing="none"), request="HTTP/1.0 keep-alive"),
    row("HEAD", field(b"Content-Length: 2"), Arrival(fields=(("Content-Length", ["2"]),), closes=True),
        request="HTTP/1.0 HEAD"),
]  # fmt: skip

HEADS = [
    row("no reason", b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", Arrival(body=b"ok", reason="")),
    row("no reason and no space", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", Arrival(body=b"ok", reason="")),
    row("reason of several words", b"HTTP/1.1 200 a  b\xe9\r\nContent-Length: 2\r\n\r\nok",
        Arrival(body=b"ok", reason="a  b\xe9")),
    row("status 299", b"HTTP/1.1 299 X\r\nContent-Length: 2\r\n\r\nok", Arrival(299, b"ok")),
    row("status 999", b"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok", Arrival(999, b"ok")),
    row("every Set-Cookie in its place",
        field(b"Set-Cookie: a=1\r\nA: b\r\nset-cookie: c=2; Path=/\r\nSet-Cookie: a=1\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", fields=(("Set-Cookie", ["a=1", "c=2; Path=/", "a=1"]), ("A", ["b"])))),
    row("empty values, tabs, obs-text", field(b"A:\r\nB:\t\r\nC: d\te \r\nD: \xe9\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", fields=(("A", [""]), ("B", [""]), ("C", ["d\te"]), ("D", ["\xe9"])))),
    row("hop by hop", field(b"Connection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
                            b"Proxy-Authenticate: x\r\nProxy-Connection: x\r\nTrailer: A\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", absent=("X-Private", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Trailer",
                                    "Connection"))),
    row("Connection: content-length, set-cookie",
        field(b"Connection: content-length, set-cookie, content-type\r\nSet-Cookie: a=b\r\nContent-Type: c\r\n"
              b"Content-Length: 2", b"ok"),
        Arrival(body=b"ok", fields=(("Set-Cookie", ["a=b"]), ("Content-Type", ["c"])))),
    row("an Upgrade that is only an offer",
        field(b"Upgrade: h2c, websocket\r\nConnection: Upgrade\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", absent=("Upgrade", "Connection"))),
    row("255 fields", field(b"A: b\r\n" * 254 + b"Content-Length: 2", b"ok"),
        Arrival(body=b"ok", fields=(("A", ["b"] * 254),))),
    row("a field of 100,000 octets", field(b"A: " + b"x" * 100_000 + b"\r\nContent-Length: 2", b"ok"),
        Arrival(body=b"ok", fields=(("A", ["x" * 100_000]),))),
]  # fmt: skip

UPGRADES = [
    row("426", b"HTTP/1.1 426 U\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Content-Length: 2\r\n\r\nok",
        Arrival(426, b"ok", fields=(("Upgrade", ["websocket"]), ("Sec-WebSocket-Version", ["13"]))),
        request="websocket 8"),
    row("426 for h2c", b"HTTP/1.1 426 U\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
        Arrival(426, b"ok", absent=("Upgrade", "Connection"))),
    row("200 for a websocket", field(b"Content-Length: 2", b"ok"), OK, request="websocket"),
    row("403 for a websocket", b"HTTP/1.1 403 F\r\nContent-Length: 2\r\n\r\nok", Arrival(403, b"ok"),
        request="websocket"),
    row("a redirect for a websocket", b"HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", Arrival(302),
        request="websocket"),
    row("200 until close for a websocket", field(b"A: b", b"ok"), CHUNKED, ends=True, request="websocket"),
    row("101", switch(), Arrival(101, framing="none"), request="bare websocket"),
    row("101 in other words", switch(b"Upgrade: websocket\r\nConnection: Upgrade",
                                     b"UPGRADE:WebSocket\r\nConnection: keep-alive, upgrade"),
        Arrival(101, framing="none"), request="bare websocket"),
    row("101 with a subprotocol", switch(more=b"Sec-WebSocket-Protocol: b\r\n"),
        Arrival(101, framing="none", fields=(("Sec-WebSocket-Protocol", ["b"]),)), request="websocket"),
    row("101 with extensions", switch(more=b'Sec-WebSocket-Extensions: foo; a="b, bar", permessage-deflate\r\n'),
        Arrival(101, framing="none",
                fields=(("Sec-WebSocket-Extensions", ['foo; a="b, bar", permessage-deflate']),)), request="websocket"),
    row("101 behind a 103", b"HTTP/1.1 103 E\r\n\r\n" + switch(), Arrival(103, framing="none"),
        Arrival(101, framing="none"), request="websocket"),
]  # fmt: skip

ROWS = [
    (f"{group}: {row[0]}", *row[1:])
    for group, table in {
        "body": BODIES,
        "no body": WITHOUT_BODY,
        "interim": INTERIM,
        "HTTP/1.0": HTTP_1_0,
        "head": HEADS,
        "upgrade": UPGRADES,
    }.items()
    for row in table
]
