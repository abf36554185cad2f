"""Requests that are odd, or that another reader could take for something else, and what a replica gets of each:
(name, octets, answers, arrivals). `answers` are the statuses that the client gets; a trailing "close" says that the
connection ends then, else it is good for another request. Everything that arrives is checked by strict.py as well.
"""

from dataclasses import dataclass


@dataclass
class Arrival:
    target: str = "/"
    body: bytes = b""
    method: str = "GET"
    host: str = "a"
    framing: str = "none"
    fields: tuple = ()  # (name, value): all fields of that name and their values, in their order
    absent: tuple = ()  # names
    trailers: tuple = ()


def post(body: bytes = b"", framing: str = "length", target: str = "/", **more) -> Arrival:
    return Arrival(target, body, "POST", framing=framing, **more)


def get(*lines: bytes, target: bytes = b"/") -> bytes:
    return b"\r\n".join([b"GET %s HTTP/1.1" % target, b"Host: a", *lines, b"", b""])


def sent(*lines: bytes, body: bytes = b"", method: bytes = b"POST") -> bytes:
    return b"\r\n".join([b"%s / HTTP/1.1" % method, b"Host: a", *lines, b"", body])


def chunked(text: bytes, *lines: bytes) -> bytes:
    return sent(b"Transfer-Encoding: chunked", *lines, body=text)


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
HIDDEN_LENGTH = b"Content-Length: %d" % len(HIDDEN)
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket", KEY)
ONE = [200]
ASKED = [426]

BODIES = [
    ("GET with a body that is a request", sent(HIDDEN_LENGTH, body=HIDDEN, method=b"GET"), ONE,
     [Arrival(body=HIDDEN, framing="length")]),
    ("GET with a chunked body that is a request",
     sent(b"Transfer-Encoding: chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), method=b"GET"), ONE,
     [Arrival(body=HIDDEN, framing="chunked")]),
    ("HEAD with a body", sent(HIDDEN_LENGTH, body=HIDDEN, method=b"HEAD"), ONE,
     [Arrival(method="HEAD", body=HIDDEN, framing="length")]),
    ("DELETE with a body", sent(HIDDEN_LENGTH, body=HIDDEN, method=b"DELETE"), ONE,
     [Arrival(method="DELETE", body=HIDDEN, framing="length")]),
    ("OPTIONS with a body", sent(HIDDEN_LENGTH, body=HIDDEN, method=b"OPTIONS"), ONE,
     [Arrival(method="OPTIONS", body=HIDDEN, framing="length")]),
    ("QUERY with a body", sent(HIDDEN_LENGTH, body=HIDDEN, method=b"QUERY"), ONE,
     [Arrival(method="QUERY", body=HIDDEN, framing="length")]),
    ("POST with a request for a body, and another behind it",
     sent(HIDDEN_LENGTH, body=HIDDEN) + get(target=b"/next"), [200, 200],
     [post(HIDDEN), Arrival("/next")]),
    ("POST with a body that ends like a chunked one", sent(b"Content-Length: 5", body=b"0\r\n\r\n"), ONE,
     [post(b"0\r\n\r\n")]),
    ("POST without any length", sent(), ONE, [post(framing="none")]),
    ("POST with length 0", sent(b"Content-Length: 0"), ONE, [post()]),
    ("POST without a length, and what could be its body", sent(body=b"a=b\r\n\r\n"), [200, 400, "close"],
     [post(framing="none")]),
    ("GET with length 0", get(b"Content-Length: 0"), ONE, [Arrival(framing="length")]),
    ("leading zeros in the length", sent(b"Content-Length: 0000000005", body=b"hello"), ONE, [post(b"hello")]),
    ("spaces around the length", sent(b"Content-Length:   5  ", body=b"hello"), ONE, [post(b"hello")]),
    ("tabs around the length", sent(b"Content-Length:\t5\t", body=b"hello"), ONE, [post(b"hello")]),
    ("no space before the length", sent(b"content-lengTH:5", body=b"hello"), ONE, [post(b"hello")]),
    ("octets of every value in the body", sent(b"Content-Length: 256", body=bytes(range(256))), ONE,
     [post(bytes(range(256)))]),
]  # fmt: skip

TWINS = [
    ("Content_Length for Content-Length", sent(b"Content_Length: 5", body=b"hello\r\n\r\n"), [200, 400, "close"],
     [post(framing="none", absent=("Content_Length", "Content-Length"))]),
    ("Content_Length beside Content-Length", sent(b"Content_Length: 50", b"Content-Length: 5", body=b"hello"), ONE,
     [post(b"hello", absent=("Content_Length",))]),
    ("Content_Length beside chunked", chunked(b"0\r\n\r\n", b"Content_Length: 50"), ONE,
     [post(framing="chunked", absent=("Content_Length",))]),
    ("Transfer_Encoding for Transfer-Encoding", sent(b"Transfer_Encoding: chunked", body=b"0\r\n\r\n"),
     [200, 400, "close"], [post(framing="none", absent=("Transfer_Encoding",))]),
    ("Transfer_Encoding beside a length", sent(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
     ONE, [post(b"0\r\n\r\n", absent=("Transfer_Encoding",))]),
    ("transfer_encoding beside chunked", chunked(b"0\r\n\r\n", b"transfer_encoding: identity"), ONE,
     [post(framing="chunked", absent=("transfer_encoding",))]),
    ("X-Transfer-Encoding", sent(b"X-Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"), ONE,
     [post(b"0\r\n\r\n", fields=(("X-Transfer-Encoding", ["chunked"]),))]),
    ("Transfer-Encodings", sent(b"Transfer-Encodings: chunked", b"Content-Length: 2", body=b"ab"), ONE, [post(b"ab")]),
    ("Content-Lengths", get(b"Content-Lengths: 5"), ONE, [Arrival()]),
    ("HTTP2_Settings", get(b"HTTP2_Settings: AAMAAABk"), ONE, [Arrival(absent=("HTTP2_Settings",))]),
    ("Proxy_Connection, Keep_Alive", get(b"Proxy_Connection: keep-alive", b"Keep_Alive: timeout=5"), ONE,
     [Arrival(absent=("Proxy_Connection", "Keep_Alive"))]),
    ("identity headers", get(b"X-User-Email: root@a", b"X_User_Email: root@a", b"x-user_EMAIL: root@a"), ONE,
     [Arrival(absent=("X-User-Email", "X_User_Email", "x-user_email"))]),
    ("forwarding headers",
     get(b"X-Forwarded-For: 192.0.2.1", b"X_Forwarded_For: 192.0.2.1", b"Forwarded: for=192.0.2.1",
         b"X-Forwarded_Proto: https", b"X_Real_IP: 192.0.2.1", b"X-Forwarded-Client-Cert: x"), ONE,
     [Arrival(fields=(("X-Forwarded-For", ["127.0.0.1"]), ("X-Forwarded-Proto", ["http"]), ("X-Real-IP", ["127.0.0.1"]),
                      ("X-Forwarded-Host", ["a"])),
              absent=("X_Forwarded_For", "Forwarded", "X-Forwarded_Proto", "X_Real_IP", "X-Forwarded-Client-Cert"))]),
]  # fmt: skip

CHUNKS = [
    ("chunked in capitals", sent(b"TRANSFER-ENCODING: CHUNKED", body=b"0\r\n\r\n"), ONE, [post(framing="chunked")]),
    ("spaces and tabs around chunked", sent(b"Transfer-Encoding:\t chunked \t", body=b"0\r\n\r\n"), ONE,
     [post(framing="chunked")]),
    ("sizes in capitals and with zeros", chunked(b"00A\r\n0123456789\r\n000\r\n\r\n"), ONE,
     [post(b"0123456789", "chunked")]),
    ("15 digits of size", chunked(b"000000000000001\r\nx\r\n0\r\n\r\n"), ONE, [post(b"x", "chunked")]),
    ("chunks of one octet", chunked(b"".join(b"1\r\n%c\r\n" % octet for octet in b"hello") + b"0\r\n\r\n"), ONE,
     [post(b"hello", "chunked")]),
    ("extensions", chunked(b'1;a;b=c;d="e;\\"\\\\ \xe9\t";f\r\nx\r\n0;last=""\r\n\r\n'), ONE, [post(b"x", "chunked")]),
    ("white space around the marks of extensions", chunked(b'1 \t;\ta\t= b ; c ;d= "e" ;f\r\nx\r\n0 ; l\r\n\r\n'), ONE,
     [post(b"x", "chunked")]),
    ("an extension that looks like a size", chunked(b"1;5\r\nx\r\n0;5\r\n\r\n"), ONE, [post(b"x", "chunked")]),
    ("an extension of 4 KiB", chunked(b"1;" + b"x" * 4000 + b"\r\nx\r\n0\r\n\r\n"), ONE, [post(b"x", "chunked")]),
    ("data that look like the last chunk and a request",
     chunked(b"%x\r\n0\r\n\r\n%s\r\n0\r\n\r\n" % (5 + len(HIDDEN), HIDDEN)), ONE,
     [post(b"0\r\n\r\n" + HIDDEN, "chunked")]),
    ("line ends for data", chunked(b"4\r\n\r\n\r\n\r\n0\r\n\r\n"), ONE, [post(b"\r\n\r\n", "chunked")]),
    ("a request behind the last chunk", chunked(b"1\r\nx\r\n0\r\n\r\n") + get(target=b"/next"), [200, 200],
     [post(b"x", "chunked"), Arrival("/next")]),
    ("octets behind the last chunk that are no request", chunked(b"1\r\nx\r\n0\r\n\r\nG: b\r\n\r\n"),
     [200, 400, "close"], [post(b"x", "chunked")]),
    ("trailers", chunked(b"0\r\nDigest:  x \r\nServer-Timing:\r\n\r\n", b"Trailer: Digest"), ONE,
     [post(framing="chunked", absent=("Trailer", "Digest", "Server-Timing"))]),
    ("trailers that frame", chunked(b"0\r\nContent-Length: 5\r\nTransfer_Encoding: x\r\nTransfer-Encoding: x\r\n\r\n"),
     ONE, [post(framing="chunked")]),
    ("trailers that route or authenticate",
     chunked(b"0\r\nHost: b\r\nCookie: a=b\r\nAuthorization: x\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n"
             b"X-Api-Key: x\r\nContent-Type: x\r\nDigest: x\r\n\r\n"), ONE,
     [post(framing="chunked", absent=("X-Api-Key", "Digest"))]),
    ("trailers that say who the client is", chunked(b"0\r\nX-User-Email: root@a\r\nX_User_Email: root@a\r\n\r\n"), ONE,
     [post(framing="chunked")]),
    ("TE: trailers", get(b"TE: gzip, trailers;q=0.5", b"Connection: TE"), ONE,
     [Arrival(absent=("TE", "Connection"))]),
    ("TE: trailers alone", get(b"TE: trailers", b"Connection: TE"), ONE,
     [Arrival(fields=(("TE", ["trailers"]), ("Connection", ["TE"])))]),
    ("TE: trailers not named in Connection", get(b"TE: deflate, Trailers"), ONE,
     [Arrival(fields=(("TE", ["trailers"]), ("Connection", ["TE"])))]),
]  # fmt: skip

CONNECTION = [
    ("Connection: content-length", sent(b"Connection: content-length", b"Content-Length: 5", body=b"hello"), ONE,
     [post(b"hello")]),
    ("Connection: transfer-encoding", chunked(b"0\r\n\r\n", b"Connection: transfer-encoding"), ONE,
     [post(framing="chunked")]),
    ("Connection: host", get(b"Connection: host"), ONE, [Arrival()]),
    ("Connection: cookie, authorization, content-type",
     get(b"Connection: Cookie, authorization, Content-Type", b"Cookie: a=b", b"Authorization: x", b"Content-Type: y"),
     ONE, [Arrival(fields=(("Cookie", ["a=b"]), ("Authorization", ["x"]), ("Content-Type", ["y"])))]),
    ("Connection: x-forwarded-for", get(b"Connection: x-forwarded-for, X-Real-IP, X-Forwarded-Host"), ONE,
     [Arrival(fields=(("X-Forwarded-For", ["127.0.0.1"]), ("X-Real-IP", ["127.0.0.1"])))]),
    ("Connection: X-Private", get(b"Connection: X-Private", b"X-Private: 1", b"x-private: 2", b"X-Public: 3"), ONE,
     [Arrival(fields=(("X-Public", ["3"]),), absent=("X-Private",))]),
    ("options in two fields", get(b"Connection: X-A", b"X-A: 1", b"X-B: 2", b"connection: keep-alive,, x-b ,"), ONE,
     [Arrival(absent=("X-A", "X-B"))]),
    ("close among others", get(b"Connection: X-A, Close", b"X-A: 1"), [200, "close"], [Arrival(absent=("X-A",))]),
    ("a request behind close", get(b"Connection: close") + HIDDEN, [200, "close"], [Arrival()]),
    ("hop by hop", get(b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive",
                       b"Proxy-Authorization: Basic x", b"Proxy-Authenticate: Basic", b"Trailer: X", b"Proxy: http://b/",
                       b"PROXY_Features: x"), ONE,
     [Arrival(absent=("Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "Trailer", "Proxy",
                      "PROXY_Features"))]),
    ("h2c", get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"), ONE,
     [Arrival(absent=("Upgrade", "HTTP2-Settings", "Connection"))]),
    ("h2c with a body", sent(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 5", body=b"hello"), ONE,
     [post(b"hello", absent=("Upgrade",))]),
    ("TLS by Upgrade", sent(b"Connection: Upgrade", b"Upgrade: TLS/1.0", method=b"OPTIONS"), ONE,
     [Arrival(method="OPTIONS", absent=("Upgrade",))]),
]  # fmt: skip

WEBSOCKETS = [
    ("websocket", get(*UPGRADE, b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Protocol: a, b",
                      b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), ASKED,
     [Arrival(fields=(("Connection", ["Upgrade"]), ("Upgrade", ["websocket"]), ("Sec-WebSocket-Version", ["13"]),
                      ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25jZQ=="]), ("Sec-WebSocket-Protocol", ["a, b"]),
                      ("Sec-WebSocket-Extensions", ["permessage-deflate; client_max_window_bits"])))]),
    ("websocket among others", get(b"Connection: keep-alive, X-A, upgrade", b"X-A: 1", b"Upgrade: h2c, WebSocket", KEY,
                                   b"Sec-WebSocket-Version: 13", b"HTTP2-Settings: x"), ASKED,
     [Arrival(fields=(("Upgrade", ["websocket"]),), absent=("X-A", "HTTP2-Settings"))]),
    ("websocket with length 0", get(*UPGRADE, b"Sec-WebSocket-Version: 13", b"Content-Length: 0"), ASKED,
     [Arrival(fields=(("Upgrade", ["websocket"]),))]),
    ("websocket of another version", get(*UPGRADE, b"Sec-WebSocket-Version: 8"), ASKED,
     [Arrival(fields=(("Upgrade", ["websocket"]), ("Sec-WebSocket-Version", ["8"])))]),
    ("websocket that Connection does not name", get(b"Upgrade: websocket", KEY, b"Sec-WebSocket-Version: 13"), ONE,
     [Arrival(absent=("Upgrade", "Connection"))]),
    ("websocket in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     [200, "close"], [Arrival(absent=("Upgrade", "Connection"))]),
    ("websocket by POST", sent(*UPGRADE, b"Sec-WebSocket-Version: 13", b"Content-Length: 5", body=b"hello"), ONE,
     [post(b"hello", absent=("Upgrade", "Connection"))]),
]  # fmt: skip

TARGETS = [
    ("absolute-form", get(target=b"http://a/b?c"), ONE, [Arrival("/b?c")]),
    ("absolute-form in capitals", get(target=b"HTTP://A/b"), ONE, [Arrival("/b", host="A")]),
    ("absolute-form without a path", get(target=b"http://a"), ONE, [Arrival("/")]),
    ("absolute-form with a query only", get(target=b"http://a?b=/c"), ONE, [Arrival("/?b=/c")]),
    ("absolute-form with the default port", get(target=b"http://a:80/"), ONE, [Arrival("/", host="a:80")]),
    ("absolute-form, https", get(target=b"https://a/"), ONE, [Arrival("/")]),
    ("absolute-form with another Host", get(target=b"http://b.example:81/c"), ONE,
     [Arrival("/c", host="b.example:81", fields=(("X-Forwarded-Host", ["b.example:81"]),))]),
    ("absolute-form with an empty port", get(target=b"http://b:/"), ONE, [Arrival("/", host="b")]),
    ("absolute-form in HTTP/1.0 with another Host", b"GET http://b/ HTTP/1.0\r\nHost: a\r\n\r\n", [200, "close"],
     [Arrival("/", host="b")]),
    ("absolute-form, two slashes behind", get(target=b"http://a//b"), ONE, [Arrival("//b")]),
    ("absolute-form in HTTP/1.0 without Host", b"GET http://a/b HTTP/1.0\r\n\r\n", [200, "close"], [Arrival("/b")]),
    ("absolute-form with OPTIONS and no path", b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", ONE,
     [Arrival("*", method="OPTIONS")]),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ONE, [Arrival("*", method="OPTIONS")]),
    ("slashes and dots", get(target=b"//b//./../c/%2e%2E/%2F%2f;x=1"), ONE, [Arrival("//b//./../c/%2e%2E/%2F%2f;x=1")]),
    ("percent signs", get(target=b"/%00%0d%0a%zz%"), ONE, [Arrival("/%00%0d%0a%zz%")]),
    ("what browsers leave as it is", get(target=b"/|^`{}[]\\~!$'()*,:@?|^`{}[]\\\"<>"), ONE,
     [Arrival("/|^`{}[]\\~!$'()*,:@?|^`{}[]\\\"<>")]),
    ("question marks", get(target=b"/a??b=c?"), ONE, [Arrival("/a??b=c?")]),
    ("an empty query", get(target=b"/?"), ONE, [Arrival("/?")]),
    ("a URL in the path", get(target=b"/http://b/c"), ONE, [Arrival("/http://b/c")]),
    ("a target of 60,000 octets", get(target=b"/" + b"x" * 60_000), ONE, [Arrival("/" + "x" * 60_000)]),
    ("Host with a port", b"GET / HTTP/1.1\r\nHost: a.example:8443\r\n\r\n", ONE, [Arrival(host="a.example:8443")]),
    ("Host with an empty port", b"GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n", ONE,
     [Arrival(host="a.example", fields=(("X-Forwarded-Host", ["a.example"]),))]),
    ("Host with sub-delims", b"GET / HTTP/1.1\r\nHost: 0.0.0.0=5000\r\n\r\n", ONE, [Arrival(host="0.0.0.0=5000")]),
    ("Host with all sub-delims", b"GET / HTTP/1.1\r\nHost: a!$&'()*+,;=b\r\n\r\n", ONE, [Arrival(host="a!$&'()*+,;=b")]),
    ("Host, IPv6", b"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n", ONE, [Arrival(host="[2001:DB8::1]:80")]),
    ("Host as it is spelled", b"GET / HTTP/1.1\r\nHOST:\t A_b.Example. \r\n\r\n", ONE, [Arrival(host="A_b.Example.")]),
    ("Host behind other fields", b"GET / HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n", ONE, [Arrival()]),
]  # fmt: skip

METHODS = [
    (method, sent(method=method.encode()), ONE, [Arrival(method=method)])
    for method in ["FOO", "get", "Get", "GETS", "M-SEARCH", "PROPFIND", "-BLARGH", "SETUP", "G.T", "!#$%&'*+-.^_`|~"]
] + [
    ("FOO with a body", sent(b"Content-Length: 5", body=b"hello", method=b"FOO"), ONE,
     [Arrival(method="FOO", body=b"hello", framing="length")]),
    ("FOO in chunks", sent(b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n0\r\n\r\n", method=b"FOO"), ONE,
     [Arrival(method="FOO", body=b"x", framing="chunked")]),
]  # fmt: skip

VERSIONS = [
    (version, b"GET / HTTP/%s\r\nHost: a\r\n\r\n" % version.encode(), ONE, [Arrival()]) for version in ["1.2", "1.9"]
]

HTTP_1_0 = [
    ("without Host", b"GET / HTTP/1.0\r\n\r\n", [200, "close"], [Arrival(host="")]),
    ("keep-alive", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", ONE, [Arrival()]),
    ("with a body", b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", [200, "close"], [post(b"hello")]),
    ("a request behind it", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n" + HIDDEN, [200, "close"], [Arrival()]),
    ("Expect", b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", [200, "close"],
     [post(b"hello", absent=("Expect",))]),
]  # fmt: skip

FIELDS = [
    ("Expect with a body", sent(b"Expect: 100-Continue", b"Content-Length: 5", body=b"hello"), ONE,
     [post(b"hello", fields=(("Expect", ["100-Continue"]),))]),
    ("Expect twice", sent(b"Expect: 100-continue", b"A: b", b"expect: 100-continue", b"Content-Length: 5", body=b"hello"),
     ONE, [post(b"hello", fields=(("Expect", ["100-continue"]),))]),
    ("Expect without a body", get(b"Expect: 100-continue"), ONE, [Arrival(absent=("Expect",))]),
    ("empty values", get(b"A:", b"B: ", b"C: \t "), ONE, [Arrival(fields=(("A", [""]), ("B", [""]), ("C", [""])))]),
    ("obs-text and UTF-8", get(b"A: \xe9\xff", "B: é".encode()), ONE,
     [Arrival(fields=(("A", ["\xe9\xff"]), ("B", ["\xc3\xa9"])))]),
    ("a tab inside", get(b"A: b \t c"), ONE, [Arrival(fields=(("A", ["b \t c"]),))]),
    ("colons", get(b"A::: b:"), ONE, [Arrival(fields=(("A", [":: b:"]),))]),
    ("names of every character", get(b"!#$%&'*+-.^_`|~0: 1"), ONE, [Arrival(fields=(("!#$%&'*+-.^_`|~0", ["1"]),))]),
    ("fields of one name keep their order", get(b"A: 1", b"Cookie: x=1", b"a: 2", b"Cookie: y=2", b"A: 1"), ONE,
     [Arrival(fields=(("A", ["1", "2", "1"]), ("Cookie", ["x=1", "y=2"])))]),
    ("what is the replica's business",
     get(b"Range: bytes=0-1,-5", b'If-None-Match: "x", W/"y"', b"Accept-Encoding: zstd;q=1, *;q=0"), ONE,
     [Arrival(fields=(("Range", ["bytes=0-1,-5"]), ("If-None-Match", ['"x", W/"y"']),
                      ("Accept-Encoding", ["zstd;q=1, *;q=0"])))]),
    ("256 fields", get(*[b"A: b"] * 255), ONE, [Arrival(fields=(("A", ["b"] * 255),))]),
    ("a field of 60,000 octets", get(b"A: " + b"x" * 60_000), ONE, [Arrival(fields=(("A", ["x" * 60_000]),))]),
    ("64 connection options", get(b"Connection: " + b",".join([b"x"] * 64), b"X: y"), ONE, [Arrival(absent=("X",))]),
]  # fmt: skip

PIPELINES = [
    ("an empty line before", b"\r\n" + get(), ONE, [Arrival()]),
    ("an empty line between", sent(b"Content-Length: 1", body=b"x") + b"\r\n" + get(target=b"/2"), [200, 200],
     [post(b"x"), Arrival("/2")]),
    ("two empty lines between", get() + b"\r\n\r\n" + get(), [200, 400, "close"], [Arrival()]),
    ("three with bodies",
     sent(b"Content-Length: 3", body=b"AAA") + chunked(b"4\r\nBBBB\r\n0\r\n\r\n") + sent(b"Content-Length: 0"),
     [200, 200, 200], [post(b"AAA"), post(b"BBBB", "chunked"), post()]),
    ("twenty", b"".join(get(target=b"/%d" % i) for i in range(20)), [200] * 20, [Arrival(f"/{i}") for i in range(20)]),
    ("the second is broken", get() + b"GET / HTTP/1.1\r\n\r\n" + HIDDEN, [200, 400, "close"], [Arrival()]),
    ("CL.TE, and the request that it hides",
     sent(b"Content-Length: 38", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN), [400, "close"], []),
    ("TE.CL, and the request that it hides",
     sent(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"21\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
     [400, "close"], []),
    ("TE.TE by a second coding",
     chunked(b"0\r\n\r\n" + HIDDEN, b"Transfer-Encoding: identity"), [400, "close"], []),
    ("TE.TE by a strange name", sent(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN), [400, "close"], []),
    ("TE.TE by a strange value", sent(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + HIDDEN),
     [400, "close"], []),
    ("CL.CL", sent(b"Content-Length: 0", HIDDEN_LENGTH, body=HIDDEN), [400, "close"], []),
    ("a request behind one with a length 0", sent(b"Content-Length: 0") + HIDDEN, [200, 200],
     [post(), Arrival("/hidden")]),
    ("a request behind a GET without a length", get() + HIDDEN, [200, 200], [Arrival(), Arrival("/hidden")]),
]  # fmt: skip

ROWS = [
    (f"{group}: {name}", data, answers, arrivals)
    for group, rows in {
        "body": BODIES,
        "twin": TWINS,
        "chunked": CHUNKS,
        "connection": CONNECTION,
        "websocket": WEBSOCKETS,
        "target": TARGETS,
        "method": METHODS,
        "version": VERSIONS,
        "HTTP/1.0": HTTP_1_0,
        "field": FIELDS,
        "pipeline": PIPELINES,
    }.items()
    for name, data, answers, arrivals in rows
]
