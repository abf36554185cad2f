"""What replicas send that must not become a client's response: (name, octets, request).

`request` is which of REQUESTS it answers. No client may get what looks like a whole message of it, and the connection
may not be used again.

REFUSED: the client gets 502. CUT: so it does, for the replica's connection ends there. ABORTED: the fault comes behind
a good head, so the client's response breaks off. CUT_OFF: it breaks off because the replica's connection ends there.
SPENT: the response is good and the client gets it, but the connection is of no more use.
"""

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate; a=\"x, bar\", foo\r\n" % KEY
)  # fmt: skip
REQUESTS = {
    "GET": (b"GET", b""),
    "HEAD": (b"HEAD", b""),
    "POST": (b"POST", b"Content-Length: 0\r\n"),
    "websocket": (b"GET", HANDSHAKE),
    "bare websocket": (b"GET", HANDSHAKE.split(b"Sec-WebSocket-Protocol")[0]),
    "websocket 8": (b"GET", HANDSHAKE.replace(b"Version: 13", b"Version: 8")),
}


def status(line: bytes) -> bytes:
    return line + b"\r\nContent-Length: 0\r\n\r\n"


def field(text: bytes, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + text + b"\r\n\r\n" + body


def chunks(text: bytes) -> bytes:
    return field(b"Transfer-Encoding: chunked", text)


def switch(changed: bytes = b"", to: bytes = b"", more: bytes = b"") -> bytes:
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    )
    assert changed in head
    return (head.replace(changed, to) if changed else head) + more + b"\r\n"


def rows(group: str, table: dict[str, bytes], request: str = "GET") -> list[tuple[str, bytes, str]]:
    return [(f"{group}: {name}", octets, request) for name, octets in table.items()]


GOOD = field(b"Content-Length: 2", b"ok")

STATUS_LINES = {
    "HTTP/2.0": status(b"HTTP/2.0 200 OK"),
    "HTTP/0.9 said": status(b"HTTP/0.9 200 OK"),
    "HTTP/9.9": status(b"HTTP/9.9 200 OK"),
    "lower case": status(b"http/1.1 200 OK"),
    "one number": status(b"HTTP/1 200 OK"),
    "no minor number": status(b"HTTP/1. 200 OK"),
    "two digits of minor number": status(b"HTTP/1.10 200 OK"),
    "two digits of major number": status(b"HTTP/11.1 200 OK"),
    "leading zero": status(b"HTTP/01.1 200 OK"),
    "comma in the version": status(b"HTTP/1,1 200 OK"),
    "ICY": status(b"ICY 200 OK"),
    "RTSP": status(b"RTSP/1.0 200 OK"),
    "HTTPS": status(b"HTTPS/1.1 200 OK"),
    "Status field of CGI": b"Status: 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two digits": status(b"HTTP/1.1 20 OK"),
    "two digits and no reason": status(b"HTTP/1.1 20"),
    "four digits": status(b"HTTP/1.1 2000 OK"),
    "letters": status(b"HTTP/1.1 2xx OK"),
    "below 100": status(b"HTTP/1.1 099 OK"),
    "zero": status(b"HTTP/1.1 000 OK"),
    "negative": status(b"HTTP/1.1 -20 OK"),
    "plus sign": status(b"HTTP/1.1 +20 OK"),
    "hexadecimal": status(b"HTTP/1.1 0x0 OK"),
    "decimal point": status(b"HTTP/1.1 200.1 OK"),
    "full-width digits": status("HTTP/1.1 ２００ OK".encode()),
    "no status": status(b"HTTP/1.1"),
    "no status but a space": status(b"HTTP/1.1 "),
    "only a reason": status(b"HTTP/1.1 OK"),
    "two spaces before the status": status(b"HTTP/1.1  200 OK"),
    "tab before the status": status(b"HTTP/1.1\t200 OK"),
    "tab behind the status": status(b"HTTP/1.1 200\tOK"),
    "no space before the reason": status(b"HTTP/1.1 200OK"),
    "comma behind the status": status(b"HTTP/1.1 200, OK"),
    "NUL in the reason": status(b"HTTP/1.1 200 O\0K"),
    "control character in the reason": status(b"HTTP/1.1 200 O\x01K"),
    "escape in the reason": status(b"HTTP/1.1 200 \x1b[2J"),
    "DEL in the reason": status(b"HTTP/1.1 200 O\x7fK"),
    "bare CR in the reason": status(b"HTTP/1.1 200 O\rK"),
    "bare CR, then a field": b"HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
    "bare LF behind it": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "bare LF everywhere": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "CR CR LF behind it": b"HTTP/1.1 200 OK\r\r\nContent-Length: 0\r\n\r\n",
    "LF CR": b"HTTP/1.1 200 OK\n\rContent-Length: 0\n\r\n\r",
    "space first": status(b" HTTP/1.1 200 OK"),
    "empty line first": b"\r\n" + GOOD,
    "bare LF first": b"\n" + GOOD,
    "NUL first": b"\0" + GOOD,
    "byte order mark first": b"\xef\xbb\xbf" + GOOD,
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a request that begins like a response": b"HTTP / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a page without a head": b"<!doctype html><html></html>",
    "JSON without a head": b'{"detail": "no head"}',
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "HTTP/2's settings": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "Redis": b"-ERR unknown command\r\n",
    "SMTP": b"220 mail ESMTP\r\n",
    "a reason of 128 KiB": status(b"HTTP/1.1 200 " + b"x" * 131_072),
}

FIELDS = {
    "space before the colon": field(b"A : b\r\nContent-Length: 0"),
    "tab before the colon": field(b"A\t: b\r\nContent-Length: 0"),
    "space in the name": field(b"A B: c\r\nContent-Length: 0"),
    "empty name": field(b": b\r\nContent-Length: 0"),
    "no colon": field(b"A\r\nContent-Length: 0"),
    "no colon, two words": field(b"A b\r\nContent-Length: 0"),
    "space before the name": field(b"B: c\r\n A: b\r\nContent-Length: 0"),
    "folded": field(b"A: b\r\n c\r\nContent-Length: 0"),
    "folded with a tab": field(b"A: b\r\n\tc\r\nContent-Length: 0"),
    "folded empty value": field(b"A:\r\n b\r\nContent-Length: 0"),
    "folded first line": field(b" A: b\r\nContent-Length: 0"),
    "slash in the name": field(b"A/b: c\r\nContent-Length: 0"),
    "brackets in the name": field(b"A[]: b\r\nContent-Length: 0"),
    "semicolon in the name": field(b"A;b: c\r\nContent-Length: 0"),
    "quoted name": field(b'"A": b\r\nContent-Length: 0'),
    "NUL in the name": field(b"A\0: b\r\nContent-Length: 0"),
    "control character in the name": field(b"A\x01: b\r\nContent-Length: 0"),
    "obs-text in the name": field(b"\xe9: b\r\nContent-Length: 0"),
    "NUL in the value": field(b"A: b\0c\r\nContent-Length: 0"),
    "control character in the value": field(b"A: \x02\r\nContent-Length: 0"),
    "backspace in the value": field(b"A: \x08\r\nContent-Length: 0"),
    "vertical tab in the value": field(b"A: b\x0bc\r\nContent-Length: 0"),
    "form feed before the value": field(b"A:\x0cb\r\nContent-Length: 0"),
    "DEL in the value": field(b"A: \x7f\r\nContent-Length: 0"),
    "bare CR in the value": field(b"A: b\rc\r\nContent-Length: 0"),
    "bare CR, then Set-Cookie": field(b"A: b\rSet-Cookie: c=d\r\nContent-Length: 0"),
    "bare LF, then Set-Cookie": field(b"A: b\nSet-Cookie: c=d\r\nContent-Length: 0"),
    "bare LF between fields": field(b"A: b\nContent-Length: 0"),
    "bare LF for the empty line": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
    "bare CR for the empty line": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\rA: b\r\n\r\n",
    "CR CR LF for the empty line": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\r\n",
    "257 fields": field(b"\r\n".join([b"A: b"] * 256) + b"\r\nContent-Length: 0"),
    "one field of 128 KiB": field(b"A: " + b"x" * 131_072 + b"\r\nContent-Length: 0"),
    "128 KiB without a line end": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 131_072,
    "65 connection options": field(b"Content-Length: 0\r\nConnection: " + b",".join([b"x"] * 65)),
}

LENGTHS = {
    "twice the same": field(b"Content-Length: 5\r\nContent-Length: 5", b"hello"),
    "twice, differing": field(b"Content-Length: 5\r\nContent-Length: 6", b"hello!"),
    "twice in different case": field(b"Content-Length: 5\r\ncontent-length: 5", b"hello"),
    "twice, far apart": field(b"Content-Length: 5\r\nA: b\r\nContent-Length: 0", b"hello"),
    "list of the same": field(b"Content-Length: 5, 5", b"hello"),
    "list, differing": field(b"Content-Length: 5, 6", b"hello!"),
    "list with an empty element": field(b"Content-Length: 5,", b"hello"),
    "empty": field(b"Content-Length:", b"hello"),
    "plus sign": field(b"Content-Length: +5", b"hello"),
    "minus sign": field(b"Content-Length: -5", b"hello"),
    "minus zero": field(b"Content-Length: -0"),
    "hexadecimal": field(b"Content-Length: 0x5", b"hello"),
    "hexadecimal digit": field(b"Content-Length: a", b"0123456789"),
    "decimal point": field(b"Content-Length: 5.0", b"hello"),
    "exponent": field(b"Content-Length: 5e0", b"hello"),
    "two numbers": field(b"Content-Length: 5 6", b"hello"),
    "letters behind": field(b"Content-Length: 5a", b"hello"),
    "semicolon behind": field(b"Content-Length: 5;", b"hello"),
    "quoted": field(b'Content-Length: "5"', b"hello"),
    "underscore": field(b"Content-Length: 1_0", b"0123456789"),
    "full-width digit": field("Content-Length: ５".encode(), b"hello"),
    "2^63": field(b"Content-Length: 9223372036854775808", b"hello"),
    "2^64": field(b"Content-Length: 18446744073709551616", b"hello"),
    "2^64 + 5": field(b"Content-Length: 18446744073709551621", b"hello"),
    "a word": field(b"Content-Length: chunked", b"0\r\n\r\n"),
    "space before the colon": field(b"Content-Length : 5", b"hello"),
    "folded": field(b"Content-Length:\r\n 5", b"hello"),
    "NUL behind": field(b"Content-Length: 5\0", b"hello"),
    "vertical tab before": field(b"Content-Length: \x0b5", b"hello"),
    "CR for the dash": field(b"Content\rLength: 5", b"hello"),
    "204, two of them": b"HTTP/1.1 204 N\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "204, malformed": b"HTTP/1.1 204 N\r\nContent-Length: x\r\n\r\n",
    "304, two of them": b"HTTP/1.1 304 N\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "304, malformed": b"HTTP/1.1 304 N\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.0, two of them": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
}

CODINGS = {
    "chunked beside a length": field(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    "a length beside chunked": field(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "chunked beside length 0": field(b"Content-Length: 0\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "chunked beside a malformed length": field(b"Content-Length: x\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "identity beside a length": field(b"Transfer-Encoding: identity\r\nContent-Length: 5", b"hello"),
    "gzip": field(b"Transfer-Encoding: gzip", b"hello"),
    "identity": field(b"Transfer-Encoding: identity", b"hello"),
    "gzip, then chunked": field(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
    "gzip, then chunked, two fields": field(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "chunked, then gzip": field(b"Transfer-Encoding: chunked, gzip", b"0\r\n\r\n"),
    "chunked, then identity": field(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n"),
    "chunked twice": field(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"),
    "chunked in two fields": field(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "empty": field(b"Transfer-Encoding:", b"hello"),
    "only a comma": field(b"Transfer-Encoding: ,", b"hello"),
    "empty, then chunked": field(b"Transfer-Encoding:\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "an empty element behind": field(b"Transfer-Encoding: chunked,", b"0\r\n\r\n"),
    "with a parameter": field(b"Transfer-Encoding: chunked;q=1", b"0\r\n\r\n"),
    "two words": field(b"Transfer-Encoding: chunked chunked", b"0\r\n\r\n"),
    "quoted": field(b'Transfer-Encoding: "chunked"', b"0\r\n\r\n"),
    "xchunked": field(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
    "chunkedx": field(b"Transfer-Encoding: chunkedx", b"0\r\n\r\n"),
    "vertical tab before": field(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n"),
    "NUL behind": field(b"Transfer-Encoding: chunked\0", b"0\r\n\r\n"),
    "bare CR before": field(b"Transfer-Encoding:\rchunked", b"0\r\n\r\n"),
    "bare LF before": field(b"Transfer-Encoding:\nchunked", b"0\r\n\r\n"),
    "space before the colon": field(b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
    "folded": field(b"Transfer-Encoding:\r\n chunked", b"0\r\n\r\n"),
    "non-breaking space before": field(b"Transfer-Encoding: \xa0chunked", b"0\r\n\r\n"),
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: x\r\n\r\nhello",
    "204, with a length": b"HTTP/1.1 204 N\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "204, gzip": b"HTTP/1.1 204 N\r\nTransfer-Encoding: gzip\r\n\r\n",
    "304, with a length": b"HTTP/1.1 304 N\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
}

INTERIM = {
    "100 with a length": b"HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\nhello" + GOOD,
    "100 with chunked": b"HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GOOD,
    "103 with a length": b"HTTP/1.1 103 E\r\nContent-Length: 2\r\n\r\nok" + GOOD,
    "100, then nonsense": b"HTTP/1.1 100 C\r\n\r\nnonsense\r\n\r\n",
    "100, then an empty line": b"HTTP/1.1 100 C\r\n\r\n\r\n" + GOOD,
    "103, then a body": b"HTTP/1.1 103 E\r\n\r\nok" + GOOD,
    "103 with a malformed field": b"HTTP/1.1 103 E\r\nA : b\r\n\r\n" + GOOD,
    "103 with bare LF": b"HTTP/1.1 103 E\nLink: a\n\n" + GOOD,
    "199 of 128 KiB": b"HTTP/1.1 199 X\r\nA: " + b"x" * 131_072 + b"\r\n\r\n" + GOOD,
    "101 that nobody asked for": switch(),
    "101 without any field": b"HTTP/1.1 101 S\r\n\r\n",
    "101 to h2c": b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "100, then a 101 that nobody asked for": b"HTTP/1.1 100 C\r\n\r\n" + switch(),
    "101 with a length": switch(more=b"Content-Length: 5\r\n"),
    "101 with chunked": switch(more=b"Transfer-Encoding: chunked\r\n"),
}

ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

SWITCHES = {
    "no Upgrade": switch(b"Upgrade: websocket\r\n", b""),
    "Upgrade: h2c": switch(b"websocket", b"h2c"),
    "Upgrade: websocket, h2c": switch(b"websocket", b"websocket, h2c"),
    "Upgrade twice": switch(b"Upgrade: websocket\r\n", b"Upgrade: websocket\r\n" * 2),
    "Upgrade: websocket/13": switch(b"websocket", b"websocket/13"),
    "no Connection": switch(b"Connection: Upgrade\r\n", b""),
    "Connection: close": switch(b"Connection: Upgrade", b"Connection: close"),
    "no accept": switch(ACCEPT, b""),
    "empty accept": switch(ACCEPT, b"Sec-WebSocket-Accept:\r\n"),
    "accept for another key": switch(b"s3pP", b"s3pQ"),
    "accept in another case": switch(b"s3pP", b"S3PP"),
    "accept is the key": switch(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", KEY),
    "accept with more": switch(b"xOo=", b"xOo=, x"),
    "accept without padding": switch(b"xOo=", b"xOo"),
    "accept twice": switch(ACCEPT, ACCEPT * 2),
    "accept by an underscore": switch(b"WebSocket-Accept", b"WebSocket_Accept"),
    "HTTP/1.0": switch(b"HTTP/1.1", b"HTTP/1.0"),
    "subprotocol not offered": switch(more=b"Sec-WebSocket-Protocol: c\r\n"),
    "subprotocol in another case": switch(more=b"Sec-WebSocket-Protocol: A\r\n"),
    "two subprotocols": switch(more=b"Sec-WebSocket-Protocol: a, b\r\n"),
    "two fields of subprotocols": switch(more=b"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n"),
    "empty subprotocol": switch(more=b"Sec-WebSocket-Protocol:\r\n"),
    "extension not offered": switch(more=b"Sec-WebSocket-Extensions: bar\r\n"),
    "one extension offered, one not": switch(more=b"Sec-WebSocket-Extensions: foo, bar\r\n"),
    "extension behind a quoted comma": switch(more=b'Sec-WebSocket-Extensions: foo; a="b", bar\r\n'),
    "two fields of extensions": switch(more=b"Sec-WebSocket-Extensions: foo\r\n" * 2),
    "malformed field": switch(more=b"A : b\r\n"),
    "bare LF": switch().replace(b"\r\n", b"\n"),
    "another 1xx with a length": b"HTTP/1.1 102 P\r\nContent-Length: 1\r\n\r\nx" + switch(),
}

UNOFFERED = {
    "subprotocol, none was offered": switch(more=b"Sec-WebSocket-Protocol: a\r\n"),
    "extension, none was offered": switch(more=b"Sec-WebSocket-Extensions: permessage-deflate\r\n"),
}

REFUSED = [
    *rows("status line", STATUS_LINES),
    *rows("field", FIELDS),
    *rows("Content-Length", LENGTHS),
    *rows("Transfer-Encoding", CODINGS),
    *rows("interim", INTERIM),
    *rows("101", SWITCHES, "websocket"),
    *rows("101", UNOFFERED, "bare websocket"),
    *rows("101", {"for another version": switch()}, "websocket 8"),
    *rows("HEAD", {"two lengths": field(b"Content-Length: 5\r\nContent-Length: 6")}, "HEAD"),
    *rows("HEAD", {"both": field(b"Content-Length: 5\r\nTransfer-Encoding: chunked")}, "HEAD"),
    *rows("HEAD", {"no head": b"ok"}, "HEAD"),
    *rows("POST", {"two lengths": field(b"Content-Length: 5\r\nContent-Length: 6", b"hello!")}, "POST"),
]

CUT = [
    *rows("cut", {
        "nothing": b"",
        "one octet": b"H",
        "in the version": b"HTTP/1.",
        "in the status": b"HTTP/1.1 20",
        "behind the status": b"HTTP/1.1 200",
        "in the reason": b"HTTP/1.1 200 O",
        "in the line end": b"HTTP/1.1 200 OK\r",
        "behind the first line": b"HTTP/1.1 200 OK\r\n",
        "in a name": b"HTTP/1.1 200 OK\r\nContent-Len",
        "in a length": b"HTTP/1.1 200 OK\r\nContent-Length: 1",
        "behind a field": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
        "in the empty line": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r",
        "behind a 100": b"HTTP/1.1 100 Continue\r\n\r\n",
        "in the head behind a 103": b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\n",
    }),
    *rows("cut", {"in a 101": switch()[:-2]}, "websocket"),
    *rows("cut", {"in the head of a HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"}, "HEAD"),
    *rows("cut", {"in the head of a POST": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"}, "POST"),
]  # fmt: skip

ABORTED = [
    *rows("chunk size", {
        "none": chunks(b"\r\nhello\r\n0\r\n\r\n"),
        "letter": chunks(b"g\r\n"),
        "hexadecimal prefix": chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
        "plus sign": chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
        "minus sign": chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
        "space before": chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
        "space behind": chunks(b"5 \r\nhello\r\n0\r\n\r\n"),
        "tab behind": chunks(b"5\t\r\nhello\r\n0\r\n\r\n"),
        "underscore": chunks(b"1_0\r\n0123456789\r\n0\r\n\r\n"),
        "h behind": chunks(b"5h\r\nhello\r\n0\r\n\r\n"),
        "NUL behind": chunks(b"5\0\r\nhello\r\n0\r\n\r\n"),
        "bare LF": chunks(b"5\nhello\r\n0\r\n\r\n"),
        "bare LF everywhere": chunks(b"5\nhello\n0\n\n"),
        "bare CR": chunks(b"5\rhello\r\n0\r\n\r\n"),
        "two CR": chunks(b"5\r\r\nhello\r\n0\r\n\r\n"),
        "16 digits": chunks(b"0000000000000005\r\nhello\r\n0\r\n\r\n"),
        "2^63": chunks(b"8000000000000000\r\nhello"),
        "2^64 - 1": chunks(b"ffffffffffffffff\r\nhello"),
        "2^64 + 5": chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        "many zeros": chunks(b"0" * 26 + b"\r\n\r\n"),
        "the next response": chunks(GOOD),
        "the body itself": chunks(b"hello"),
    }),
    *rows("chunk extension", {
        "empty": chunks(b"5;\r\nhello\r\n0\r\n\r\n"),
        "space at the end": chunks(b"5;a \r\nhello\r\n0\r\n\r\n"),
        "no semicolon": chunks(b"5 a\r\nhello\r\n0\r\n\r\n"),
        "bare LF": chunks(b"5;a\nhello\r\n0\r\n\r\n"),
        "bare CR": chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        "quotes not closed": chunks(b'5;a="b\r\nhello\r\n0\r\n\r\n'),
        "NUL": chunks(b"5;a\0\r\nhello\r\n0\r\n\r\n"),
        "4 KiB and one octet": chunks(b"5;" + b"x" * 4097 + b"\r\nhello\r\n0\r\n\r\n"),
    }),
    *rows("chunk data", {
        "longer than its size": chunks(b"5\r\nhello!\r\n0\r\n\r\n"),
        "shorter than its size": chunks(b"5\r\nhell\r\n0\r\n\r\n"),
        "no line end": chunks(b"5\r\nhello0\r\n\r\n"),
        "bare LF": chunks(b"5\r\nhello\n0\r\n\r\n"),
        "bare CR": chunks(b"5\r\nhello\r0\r\n\r\n"),
        "empty line behind": chunks(b"5\r\nhello\r\n\r\n0\r\n\r\n"),
        "another response for the last chunk": chunks(b"5\r\nhello\r\n" + GOOD),
    }),
    *rows("trailer", {
        "no colon": chunks(b"5\r\nhello\r\n0\r\nA\r\n\r\n"),
        "space before the colon": chunks(b"5\r\nhello\r\n0\r\nA : b\r\n\r\n"),
        "folded": chunks(b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n"),
        "bare LF for the empty line": chunks(b"5\r\nhello\r\n0\r\n\n"),
        "bare LF behind the last chunk": chunks(b"5\r\nhello\r\n0\n\r\n"),
        "NUL": chunks(b"5\r\nhello\r\n0\r\nA: \0\r\n\r\n"),
        "the next response": chunks(b"5\r\nhello\r\n0\r\n" + GOOD),
        "300 of them": chunks(b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 300 + b"\r\n"),
        "128 KiB": chunks(b"5\r\nhello\r\n0\r\nA: " + b"x" * 131_072 + b"\r\n\r\n"),
    }),
]  # fmt: skip

CUT_OFF = [
    *rows("cut off", {
        "before the body": field(b"Content-Length: 5"),
        "in the body": field(b"Content-Length: 5", b"hell"),
        "before the first chunk": chunks(b""),
        "in a size": chunks(b"5"),
        "in the line end of a size": chunks(b"5\r"),
        "before the data": chunks(b"5\r\n"),
        "in the data": chunks(b"5\r\nhel"),
        "behind the data": chunks(b"5\r\nhello"),
        "behind a chunk": chunks(b"5\r\nhello\r\n"),
        "in the last chunk": chunks(b"5\r\nhello\r\n0"),
        "behind the last chunk": chunks(b"5\r\nhello\r\n0\r\n"),
        "in the last line end": chunks(b"5\r\nhello\r\n0\r\n\r"),
        "in a trailer": chunks(b"5\r\nhello\r\n0\r\nA: b\r\n"),
        "behind a 103, in the body": b"HTTP/1.1 103 E\r\n\r\n" + field(b"Content-Length: 5", b"hell"),
    }),
    *rows("cut off", {"the answer to a POST": field(b"Content-Length: 5", b"hell")}, "POST"),
]  # fmt: skip

SPENT = [
    *rows("spent", {
        "another response": GOOD + GOOD,
        "a 100": GOOD + b"HTTP/1.1 100 Continue\r\n\r\n",
        "an empty line": GOOD + b"\r\n",
        "one octet": GOOD + b"x",
        "more body than the length": field(b"Content-Length: 2", b"ok, and more"),
        "more behind the last chunk": chunks(b"2\r\nok\r\n0\r\n\r\n") + GOOD,
        "204 and a body": b"HTTP/1.1 204 N\r\n\r\nok",
        "204 with a length and a body": b"HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\nok",
        "204 with a length and no body": b"HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\n",
        "204 with chunked": b"HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n",
        "304 and a body": b"HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\nok",
        "length 0 and a body": field(b"Content-Length: 0", b"ok"),
        "close": field(b"Connection: close\r\nContent-Length: 2", b"ok"),
        "close among others": field(b"Connection: keep-alive, Close\r\nContent-Length: 2", b"ok"),
        "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    }),
    *rows("spent", {
        "HEAD and a body": GOOD,
        "HEAD and a chunked body": chunks(b"2\r\nok\r\n0\r\n\r\n"),
    }, "HEAD"),
]  # fmt: skip
