"""Requests that must not get through: (name, octets, status). The connection ends behind the answer.

HEADS: nothing of them may reach a replica. BODIES: the fault comes after a good head. If it comes in the same piece,
nothing may reach a replica; later, a replica may have seen that head and what was sound of the body, but never a whole
request. `/limited/` is a route with max_body = 1 KiB.
Which status answers which fault is explained in docs/http.md.
"""


def line(first: bytes) -> bytes:
    return first + b"\r\nHost: a\r\n\r\n"


def target(text: bytes, host: bytes = b"a") -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (text, host)


def field(text: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s" % (text, body)


def hosts(lines: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\n%s\r\n\r\n" % lines


def websocket(changed: bytes, to: bytes, body: bytes = b"") -> bytes:
    head = (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    )
    assert changed in head
    return head.replace(changed, to) + b"\r\n" + body


def chunks(text: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + text


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

FIRST_LINES = [
    ("method alone", line(b"GET"), 400),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("HTTP/0.9 with a space", b"GET / \r\n\r\n", 400),
    ("two spaces before the target", line(b"GET  / HTTP/1.1"), 400),
    ("two spaces before the version", line(b"GET /  HTTP/1.1"), 400),
    ("space before the method", line(b" GET / HTTP/1.1"), 400),
    ("space after the version", line(b"GET / HTTP/1.1 "), 400),
    ("tab for the first space", line(b"GET\t/ HTTP/1.1"), 400),
    ("tab for the second space", line(b"GET /\tHTTP/1.1"), 400),
    ("vertical tab for a space", line(b"GET\x0b/ HTTP/1.1"), 400),
    ("form feed for a space", line(b"GET /\x0cHTTP/1.1"), 400),
    ("four words", line(b"GET / HTTP/1.1 HTTP/1.1"), 400),
    ("no target", line(b"GET HTTP/1.1"), 400),
    ("parenthesis in the method", line(b"G(ET / HTTP/1.1"), 400),
    ("colon behind the method", line(b"GET: / HTTP/1.1"), 400),
    ("quoted method", line(b'"GET" / HTTP/1.1'), 400),
    ("obs-text in the method", line(b"G\xc9T / HTTP/1.1"), 400),
    ("NUL in the method", line(b"G\0T / HTTP/1.1"), 400),
    ("DEL in the method", line(b"G\x7fT / HTTP/1.1"), 400),
    ("bare CR in the line", line(b"GET /\r HTTP/1.1"), 400),
    ("bare CR behind the line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    ("bare LF behind the line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("CR CR LF", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400),
    ("LF CR", b"GET / HTTP/1.1\n\rHost: a\n\r\n\r", 400),
    ("a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    ("a field for a first line", b"Host: a\r\n\r\n", 400),
    ("two empty lines before", b"\r\n\r\n" + GET, 400),
    ("bare LF before", b"\n" + GET, 400),
    ("bare CR before", b"\r" + GET, 400),
    ("space and empty line before", b" \r\n" + GET, 400),
    ("NUL before", b"\0" + GET, 400),
    ("byte order mark", b"\xef\xbb\xbf" + GET, 400),
    ("words before", b"Extra lineGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    ("SOCKS 5", b"\x05\x01\x00", 400),
    ("Redis", b"*1\r\n$4\r\nPING\r\n", 400),
    ("PROXY protocol version 1, not configured", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GET, 400),
    ("PROXY protocol version 2, not configured", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12 + GET, 400),
    ("target of 64 KiB", target(b"/" + b"x" * 65536), 414),
    ("method of 64 KiB", b"G" * 65537, 414),
]

METHODS = [
    ("TRACE", line(b"TRACE / HTTP/1.1"), 501),
    ("TRACE in lower case", line(b"trace / HTTP/1.1"), 501),
    ("CONNECT in lower case", line(b"connect a:443 HTTP/1.1"), 501),
    ("CONNECT, authority-form", line(b"CONNECT a:443 HTTP/1.1"), 501),
    ("CONNECT, origin-form", line(b"CONNECT / HTTP/1.1"), 501),
    ("CONNECT in HTTP/1.0", b"CONNECT a:443 HTTP/1.0\r\n\r\n", 501),
    ("HTTP/2's PRI", line(b"PRI * HTTP/1.1"), 400),
    ("PRI with a path", line(b"PRI / HTTP/1.1"), 400),
]

VERSIONS = [
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/2.0", line(b"GET / HTTP/2.0"), 505),
    ("HTTP/3.0", line(b"GET / HTTP/3.0"), 505),
    ("HTTP/0.9 said", line(b"GET / HTTP/0.9"), 505),
    ("HTTP/9.9", line(b"GET / HTTP/9.9"), 505),
    ("one number", line(b"GET / HTTP/1"), 400),
    ("HTTP/2", line(b"GET / HTTP/2"), 400),
    ("no minor number", line(b"GET / HTTP/1."), 400),
    ("two digits of minor number", line(b"GET / HTTP/1.10"), 400),
    ("two digits of major number", line(b"GET / HTTP/11.1"), 400),
    ("leading zero", line(b"GET / HTTP/01.1"), 400),
    ("comma", line(b"GET / HTTP/1,1"), 400),
    ("lower case", line(b"GET / http/1.1"), 400),
    ("HTTPS", line(b"GET / HTTPS/1.1"), 400),
    ("ICE", line(b"SOURCE / ICE/1.0"), 400),
    ("RTSP", line(b"OPTIONS / RTSP/1.0"), 400),
    ("SIP", line(b"OPTIONS sip:a SIP/2.0"), 400),
    ("letter", line(b"GET / HTTP/1.x"), 400),
    ("sign", line(b"GET / HTTP/+1.1"), 400),
    ("no slash", line(b"GET / HTTP1.1"), 400),
    ("full-width digit", line(b"GET / HTTP/1.\xef\xbc\x91"), 400),
]

TARGETS = [
    ("fragment", target(b"/a#b"), 400),
    ("empty fragment", target(b"/a#"), 400),
    ("fragment behind a query", target(b"/a?b#c"), 400),
    ("space", target(b"/a b"), 400),
    ("space and what looks like a version", target(b"/ HTTP/1.1 /b"), 400),
    ("tab", target(b"/a\tb"), 400),
    ("NUL", target(b"/a\0b"), 400),
    ("control character", target(b"/a\x1f"), 400),
    ("DEL", target(b"/a\x7f"), 400),
    ("bare CR", target(b"/a\rb"), 400),
    ("bare LF", target(b"/a\nb"), 400),
    ("UTF-8", target("/café".encode()), 400),
    ("Latin-1", target(b"/caf\xe9"), 400),
    ("no slash", target(b"a"), 400),
    ("relative", target(b"../a"), 400),
    ("query alone", target(b"?a=b"), 400),
    ("backslash first", target(b"\\a"), 400),
    ("percent-encoded slash first", target(b"%2Fa"), 400),
    ("asterisk with GET", target(b"*"), 400),
    ("asterisk with POST", line(b"POST * HTTP/1.1"), 400),
    ("asterisk and more", line(b"OPTIONS *a HTTP/1.1"), 400),
    ("authority-form", target(b"a:80"), 400),
    ("another scheme", target(b"ftp://a/"), 400),
    ("file", target(b"file:///etc/passwd"), 400),
    ("websocket scheme", target(b"ws://a/"), 400),
    ("no scheme", target(b"://a/"), 400),
    ("one slash", target(b"http:/a/"), 400),
    ("scheme alone", target(b"http://"), 400),
    ("empty authority", target(b"http:///a"), 400),
    ("userinfo", target(b"http://u@a/"), 400),
    ("userinfo that looks like the host", target(b"http://a@b/"), 400),
    ("userinfo and port", target(b"http://a:80@b/"), 400),
    ("authority in percent-encoding", target(b"http://%61/"), 400),
    ("backslash behind the authority", target(b"http://a\\b/"), 400),
    ("fragment for a path", target(b"http://a#b"), 400),
    ("absolute-form without Host", b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
    ("absolute-form with two Hosts", hosts(b"Host: a\r\nHost: a").replace(b" / ", b" http://a/ "), 400),
]

HOSTS = [
    ("none", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("none, other fields", hosts(b"Accept: */*"), 400),
    ("two", hosts(b"Host: a\r\nHost: b"), 400),
    ("twice the same", hosts(b"Host: a\r\nHost: a"), 400),
    ("two in different case", hosts(b"Host: a\r\nhOST: a"), 400),
    ("two, far apart", hosts(b"Host: a\r\nA: b\r\nC: d\r\nHost: b"), 400),
    ("two in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("empty", hosts(b"Host:"), 400),
    ("empty, with spaces", hosts(b"Host:   "), 400),
    ("empty in HTTP/1.0", b"GET / HTTP/1.0\r\nHost:\r\n\r\n", 400),
    ("list", hosts(b"Host: a, b"), 400),
    ("two words", hosts(b"Host: a b"), 400),
    ("path", hosts(b"Host: a/b"), 400),
    ("query", hosts(b"Host: a?b"), 400),
    ("fragment", hosts(b"Host: a#b"), 400),
    ("URL", hosts(b"Host: http://a"), 400),
    ("userinfo", hosts(b"Host: u@a"), 400),
    ("backslash", hosts(b"Host: a\\b"), 400),
    ("percent-encoding", hosts(b"Host: a%2eb"), 400),
    ("port that is no number", hosts(b"Host: a:b"), 400),
    ("port with a sign", hosts(b"Host: a:+80"), 400),
    ("port too large", hosts(b"Host: a:65536"), 400),
    ("port beyond 32 bits", hosts(b"Host: a:4294967376"), 400),
    ("two ports", hosts(b"Host: a:80:80"), 400),
    ("only a port", hosts(b"Host: :80"), 400),
    ("UTF-8", hosts("Host: café".encode()), 400),
    ("quoted", hosts(b'Host: "a"'), 400),
    ("open bracket", hosts(b"Host: [::1"), 400),
    ("IPv6 without brackets", hosts(b"Host: ::1"), 400),
    ("brackets without IPv6", hosts(b"Host: [a]"), 400),
    ("IPv6 and more", hosts(b"Host: [::1]a"), 400),
    ("IPv6 with a zone", hosts(b"Host: [fe80::1%eth0]"), 400),
    ("space before the colon", hosts(b"Host : a"), 400),
    ("folded", hosts(b"Host:\r\n a"), 400),
    ("NUL inside", hosts(b"Host: a\0.b"), 400),
    ("with an underscore twin only", hosts(b"Ho_st: a"), 400),
]

FIELDS = [
    ("space before the colon", field(b"A : b"), 400),
    ("tab before the colon", field(b"A\t: b"), 400),
    ("space in the name", field(b"A B: c"), 400),
    ("empty name", field(b": b"), 400),
    ("no colon", field(b"A"), 400),
    ("no colon, two words", field(b"A b"), 400),
    ("space before the name", field(b" A: b"), 400),
    ("folded with a space", field(b"A: b\r\n c"), 400),
    ("folded with a tab", field(b"A: b\r\n\tc"), 400),
    ("folded empty value", field(b"A:\r\n b"), 400),
    ("folded with nothing", field(b"A: b\r\n "), 400),
    ("folded first line", b"GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", 400),
    ("parenthesis in the name", field(b"A(b): c"), 400),
    ("slash in the name", field(b"A/b: c"), 400),
    ("quote in the name", field(b'"A": b'), 400),
    ("at sign in the name", field(b"A@: b"), 400),
    ("brackets in the name", field(b"A[]: b"), 400),
    ("backslash in the name", field(b"A\\: b"), 400),
    ("comma in the name", field(b"A,B: c"), 400),
    ("semicolon in the name", field(b"A;B: c"), 400),
    ("NUL in the name", field(b"A\0: b"), 400),
    ("control character in the name", field(b"A\x01: b"), 400),
    ("DEL in the name", field(b"A\x7f: b"), 400),
    ("obs-text in the name", field(b"\xe9: b"), 400),
    ("UTF-8 in the name", field("é: b".encode()), 400),
    ("NUL in the value", field(b"A: b\0c"), 400),
    ("NUL for a value", field(b"A: \0"), 400),
    ("bell in the value", field(b"A: b\x07"), 400),
    ("backspace in the value", field(b"A: b\x08c"), 400),
    ("vertical tab in the value", field(b"A: b\x0bc"), 400),
    ("form feed before the value", field(b"A:\x0cb"), 400),
    ("escape in the value", field(b"A: \x1b[2J"), 400),
    ("DEL in the value", field(b"A: b\x7f"), 400),
    ("bare CR in the value", field(b"A: b\rc"), 400),
    ("bare CR before the value", field(b"A:\rb"), 400),
    ("bare CR, then a field", field(b"A: b\rTransfer-Encoding: chunked"), 400),
    ("two CR", field(b"A: b\r"), 400),
    ("bare LF between fields", field(b"A: b\nB: c"), 400),
    ("bare LF, then a length", field(b"A: b\nContent-Length: 5"), 400),
    ("bare LF for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("bare CR for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\rA: b\r\n\r\n", 400),
    ("CR CR LF for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", 400),
    ("257 fields", field(b"\r\n".join([b"A: b"] * 256)), 431),
    ("many small fields", field(b"\r\n".join([b"A:"] * 20_000)), 431),
    ("one field of 64 KiB", field(b"A: " + b"x" * 65_536), 431),
    ("a name of 64 KiB", field(b"A" * 65_536 + b": b"), 431),
    ("64 KiB without a line end", b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 65_536, 431),
    ("65 connection options", field(b"Connection: " + b",".join([b"x"] * 65)), 400),
]

LENGTHS = [
    ("twice the same", field(b"Content-Length: 5\r\nContent-Length: 5", b"hello"), 400),
    ("twice, differing", field(b"Content-Length: 5\r\nContent-Length: 6", b"hello!"), 400),
    ("twice in different case", field(b"Content-Length: 5\r\ncontent-length: 5", b"hello"), 400),
    ("twice, far apart", field(b"Content-Length: 5\r\nA: b\r\nContent-Length: 0", b"hello"), 400),
    ("list of the same", field(b"Content-Length: 5, 5", b"hello"), 400),
    ("list, differing", field(b"Content-Length: 5, 6", b"hello!"), 400),
    ("list with an empty element", field(b"Content-Length: 5,", b"hello"), 400),
    ("list that begins empty", field(b"Content-Length: ,5", b"hello"), 400),
    ("empty", field(b"Content-Length:"), 400),
    ("plus sign", field(b"Content-Length: +5", b"hello"), 400),
    ("minus sign", field(b"Content-Length: -5", b"hello"), 400),
    ("minus zero", field(b"Content-Length: -0"), 400),
    ("hexadecimal", field(b"Content-Length: 0x5", b"hello"), 400),
    ("hexadecimal digit", field(b"Content-Length: a", b"0123456789"), 400),
    ("decimal point", field(b"Content-Length: 5.0", b"hello"), 400),
    ("exponent", field(b"Content-Length: 5e0", b"hello"), 400),
    ("two numbers", field(b"Content-Length: 5 6", b"hello"), 400),
    ("letters behind", field(b"Content-Length: 5abc", b"hello"), 400),
    ("semicolon behind", field(b"Content-Length: 5;", b"hello"), 400),
    ("underscore", field(b"Content-Length: 1_0", b"0123456789"), 400),
    ("quoted", field(b'Content-Length: "5"', b"hello"), 400),
    ("full-width digit", field("Content-Length: ５".encode(), b"hello"), 400),
    ("2^63", field(b"Content-Length: 9223372036854775808"), 400),
    ("2^64", field(b"Content-Length: 18446744073709551616"), 400),
    ("2^64 + 5", field(b"Content-Length: 18446744073709551621", b"hello"), 400),
    ("thirty digits", field(b"Content-Length: " + b"9" * 30), 400),
    ("a word", field(b"Content-Length: chunked", b"0\r\n\r\n"), 400),
    ("space before the colon", field(b"Content-Length : 5", b"hello"), 400),
    ("folded", field(b"Content-Length:\r\n 5", b"hello"), 400),
    ("NUL behind", field(b"Content-Length: 5\0", b"hello"), 400),
    ("vertical tab before", field(b"Content-Length: \x0b5", b"hello"), 400),
    ("CR for the dash", field(b"Content\rLength: 5", b"hello"), 400),
    ("with GET, twice", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("above the route's limit", b"POST /limited/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", 413),
]

CODINGS = [
    ("chunked beside a length", field(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"), 400),
    ("a length beside chunked", field(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("chunked beside length 0", field(b"Content-Length: 0\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("chunked beside a malformed length", field(b"Content-Length: x\r\nTransfer-Encoding: chunked"), 400),
    ("CL.TE", field(b"Content-Length: 6\r\nTransfer-Encoding: chunked", b"0\r\n\r\nG"), 400),
    ("TE.CL", field(b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"5c\r\nGPOST / HTTP/1.1\r\n"), 400),
    ("CL.TE in different case", field(b"content-LengtH: 5\r\nTransFer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("identity beside a length", field(b"Transfer-Encoding: identity\r\nContent-Length: 5", b"hello"), 400),
    ("empty", field(b"Transfer-Encoding:"), 400),
    ("only a comma", field(b"Transfer-Encoding: ,"), 400),
    ("empty, then chunked", field(b"Transfer-Encoding:\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("chunked, then empty", field(b"Transfer-Encoding: chunked\r\nTransfer-Encoding:", b"0\r\n\r\n"), 400),
    ("an empty element before", field(b"Transfer-Encoding: , chunked", b"0\r\n\r\n"), 400),
    ("an empty element behind", field(b"Transfer-Encoding: chunked,", b"0\r\n\r\n"), 400),
    ("chunked twice", field(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"), 400),
    ("chunked in two fields", field(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("chunked not last", field(b"Transfer-Encoding: chunked, gzip", b"0\r\n\r\n"), 400),
    ("chunked not last, two fields", field(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), 400),
    ("chunked between", field(b"Transfer-Encoding: gzip, chunked, gzip"), 400),
    ("with a parameter", field(b"Transfer-Encoding: chunked;a=b", b"0\r\n\r\n"), 400),
    ("with an empty parameter", field(b"Transfer-Encoding: chunked;", b"0\r\n\r\n"), 400),
    ("two words", field(b"Transfer-Encoding: chunked chunked", b"0\r\n\r\n"), 400),
    ("an unknown word, then chunked", field(b"Transfer-Encoding: x chunked", b"0\r\n\r\n"), 400),
    ("quoted", field(b'Transfer-Encoding: "chunked"', b"0\r\n\r\n"), 400),
    ("single quotes", field(b"Transfer-Encoding: 'chunked', x y", b"0\r\n\r\n"), 400),
    ("brackets", field(b"Transfer-Encoding: [chunked]", b"0\r\n\r\n"), 400),
    ("vertical tab before", field(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n"), 400),
    ("form feed behind", field(b"Transfer-Encoding: chunked\x0c", b"0\r\n\r\n"), 400),
    ("NUL behind", field(b"Transfer-Encoding: chunked\0", b"0\r\n\r\n"), 400),
    ("bare CR before", field(b"Transfer-Encoding:\rchunked", b"0\r\n\r\n"), 400),
    ("bare LF before", field(b"Transfer-Encoding:\nchunked", b"0\r\n\r\n"), 400),
    ("bare LF, then chunked", field(b"A: b\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("space before the colon", field(b"Transfer-Encoding : chunked", b"0\r\n\r\n"), 400),
    ("tab before the colon", field(b"Transfer-Encoding\t: chunked", b"0\r\n\r\n"), 400),
    ("space before the name", field(b" Transfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("folded", field(b"Transfer-Encoding:\r\n chunked", b"0\r\n\r\n"), 400),
    ("folded list", field(b"Transfer-Encoding: gzip,\r\n chunked", b"0\r\n\r\n"), 400),
    ("NUL in the name", field(b"Transfer\0-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("non-breaking space before", field(b"Transfer-Encoding: \xa0chunked", b"0\r\n\r\n"), 400),
    ("UTF-8 look-alike", field("Transfer-Encoding: сhunked".encode(), b"0\r\n\r\n"), 400),
    ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("unknown in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 400),
    ("gzip", field(b"Transfer-Encoding: gzip"), 501),
    ("identity", field(b"Transfer-Encoding: identity"), 501),
    ("gzip, then chunked", field(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"), 501),
    ("gzip, then chunked, two fields", field(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), 501),
    ("unknown with a parameter, then chunked", field(b"Transfer-Encoding: x;q=1, chunked"), 501),
    ("xchunked", field(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"), 501),
    ("chunkedx", field(b"Transfer-Encoding: chunkedx", b"0\r\n\r\n"), 501),
    ("chunke", field(b"Transfer-Encoding: chunke", b"0\r\n\r\n"), 501),
    ("pigeons", b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: pigeons\r\n\r\n", 501),
]

EXPECTATIONS = [
    ("unknown", field(b"Expect: the-unexpected"), 417),
    ("list", field(b"Expect: 100-continue, x\r\nContent-Length: 5"), 417),
    ("two fields", field(b"Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5"), 417),
    ("empty", field(b"Expect:\r\nContent-Length: 5"), 417),
    ("with a value", field(b"Expect: 100-continue=yes\r\nContent-Length: 5"), 417),
    ("100-continue above the route's limit",
     b"POST /limited/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n", 413),
]  # fmt: skip

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"

WEBSOCKETS = [
    ("no key", websocket(KEY, b""), 400),
    ("empty key", websocket(b"dGhlIHNhbXBsZSBub25jZQ==", b""), 400),
    ("short key", websocket(b"dGhl", b""), 400),
    ("long key", websocket(b"dGhl", b"dGhldGhl"), 400),
    ("key without padding", websocket(b"==", b""), 400),
    ("key of another alphabet", websocket(b"dGhl", b"dG-_"), 400),
    ("key with a space", websocket(b"dGhl", b"dG l"), 400),
    ("two keys", websocket(KEY, KEY * 2), 400),
    ("an underscore in the key's name", websocket(b"-Key", b"_Key"), 400),
    ("no version", websocket(VERSION, b""), 400),
    ("empty version", websocket(b" 13\r\n", b"\r\n"), 400),
    ("two versions", websocket(VERSION, VERSION * 2), 400),
    ("a list of versions", websocket(b" 13", b" 13, 8"), 400),
    ("version 013", websocket(b" 13", b" 013"), 400),
    ("version 1000", websocket(b" 13", b" 1000"), 400),
    ("version that is no number", websocket(b" 13", b" x"), 400),
    ("hixie-76", websocket(KEY + VERSION, b"Sec-WebSocket-Key1: 4\r\nSec-WebSocket-Key2: 5\r\n", b"8 octets"), 400),
    ("a body", websocket(VERSION, VERSION + b"Content-Length: 5\r\n", b"hello"), 400),
    ("a chunked body", websocket(VERSION, VERSION + b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
]

HEADS = [
    (f"{group}: {name}", data, status)
    for group, rows in {
        "first line": FIRST_LINES,
        "method": METHODS,
        "version": VERSIONS,
        "target": TARGETS,
        "Host": HOSTS,
        "field": FIELDS,
        "Content-Length": LENGTHS,
        "Transfer-Encoding": CODINGS,
        "Expect": EXPECTATIONS,
        "websocket": WEBSOCKETS,
    }.items()
    for name, data, status in rows
]

CHUNK_SIZES = [
    ("none", chunks(b"\r\n"), 400),
    ("only an extension", chunks(b";a\r\n"), 400),
    ("letter", chunks(b"g\r\n"), 400),
    ("hexadecimal prefix", chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    ("plus sign", chunks(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    ("minus sign", chunks(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    ("space before", chunks(b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    ("space behind", chunks(b"5 \r\nhello\r\n0\r\n\r\n"), 400),
    ("tab behind", chunks(b"5\t\r\nhello\r\n0\r\n\r\n"), 400),
    ("space inside", chunks(b"1 0\r\n"), 400),
    ("underscore", chunks(b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), 400),
    ("comma", chunks(b"5,5\r\nhello\r\n"), 400),
    ("dot", chunks(b"5.0\r\nhello\r\n"), 400),
    ("h behind", chunks(b"5h\r\nhello\r\n"), 400),
    ("NUL behind", chunks(b"5\0\r\nhello\r\n"), 400),
    ("bare LF", chunks(b"5\nhello\r\n0\r\n\r\n"), 400),
    ("bare LF behind the last", chunks(b"0\n\r\n"), 400),
    ("bare CR", chunks(b"5\rhello\r\n"), 400),
    ("two CR", chunks(b"5\r\r\nhello\r\n"), 400),
    ("CR, then an extension", chunks(b"5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n"), 400),
    ("16 digits", chunks(b"0000000000000005\r\nhello\r\n"), 400),
    ("2^63", chunks(b"8000000000000000\r\n"), 400),
    ("2^64 - 1", chunks(b"ffffffffffffffff\r\n"), 400),
    ("2^64 + 5", chunks(b"10000000000000005\r\nhello\r\n"), 400),
    ("many zeros", chunks(b"0" * 26 + b"\r\n\r\n"), 400),
    ("full-width digit", chunks("５\r\nhello\r\n".encode()), 400),
    ("empty line before", chunks(b"\r\n5\r\nhello\r\n"), 400),
    ("the next request", chunks(GET), 400),
]

CHUNK_EXTENSIONS = [
    ("empty", chunks(b"5;\r\nhello\r\n0\r\n\r\n"), 400),
    ("no semicolon", chunks(b"5 a\r\nhello\r\n0\r\n\r\n"), 400),
    ("space at the end", chunks(b"5;a \r\nhello\r\n0\r\n\r\n"), 400),
    ("space behind a value", chunks(b"5;a=b \r\nhello\r\n0\r\n\r\n"), 400),
    ("bare CR for a space", chunks(b"5;\ra\r\nhello\r\n0\r\n\r\n"), 400),
    ("no name", chunks(b"5;=b\r\nhello\r\n"), 400),
    ("no value", chunks(b"5;a=\r\nhello\r\n"), 400),
    ("two equals signs", chunks(b"5;a=b=c\r\nhello\r\n"), 400),
    ("bare LF", chunks(b"5;a\nhello\r\n0\r\n\r\n"), 400),
    ("bare LF behind the semicolon", chunks(b"5;\nhello\r\n0\r\n\r\n"), 400),
    ("bare LF in quotes", chunks(b'5;a="\n"\r\nhello\r\n'), 400),
    ("bare CR", chunks(b"5;a\rb\r\nhello\r\n"), 400),
    ("a smuggled chunk behind a bare LF", chunks(b"5;\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n"), 400),
    ("a smuggled chunk behind a bare CR", chunks(b"5;a\r0\r\n\r\n"), 400),
    ("quotes not closed", chunks(b'5;a="b\r\nhello\r\n'), 400),
    ("CRLF in quotes", chunks(b'5;a="\r\n"\r\nhello\r\n'), 400),
    ("text behind quotes", chunks(b'5;a="b"c\r\nhello\r\n'), 400),
    ("NUL", chunks(b"5;a\0\r\nhello\r\n"), 400),
    ("control character", chunks(b"5;a=\x01\r\nhello\r\n"), 400),
    ("obs-text outside of quotes", chunks(b"5;\xe9\r\nhello\r\n"), 400),
    ("4 KiB and one octet", chunks(b"5;" + b"x" * 4097 + b"\r\nhello\r\n"), 400),
    ("4 KiB in pieces", chunks(b"".join(b"1;%s\r\na\r\n" % (b"x" * 1000) for _ in range(5))), 400),
]

CHUNK_DATA = [
    ("longer than its size", chunks(b"5\r\nhello!\r\n0\r\n\r\n"), 400),
    ("shorter than its size", chunks(b"5\r\nhell\r\n0\r\n\r\n"), 400),
    ("no line end", chunks(b"5\r\nhello0\r\n\r\n"), 400),
    ("bare LF", chunks(b"5\r\nhello\n0\r\n\r\n"), 400),
    ("bare CR", chunks(b"5\r\nhello\r0\r\n\r\n"), 400),
    ("two CR", chunks(b"5\r\nhello\r\r\n0\r\n\r\n"), 400),
    ("any two octets for a line end", chunks(b"5\r\nhelloXX0\r\n\r\n"), 400),
    ("empty line behind", chunks(b"5\r\nhello\r\n\r\n0\r\n\r\n"), 400),
    ("no last chunk, a request", chunks(b"5\r\nhello\r\n" + GET), 400),
    ("above the route's limit",
     b"POST /limited/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n" + b"x" * 1025 + b"\r\n", 413),
]  # fmt: skip

TRAILERS = [
    ("no colon", chunks(b"0\r\nA\r\n\r\n"), 400),
    ("space before the colon", chunks(b"0\r\nA : b\r\n\r\n"), 400),
    ("empty name", chunks(b"0\r\n: b\r\n\r\n"), 400),
    ("folded", chunks(b"0\r\nA: b\r\n c\r\n\r\n"), 400),
    ("bare LF for the empty line", chunks(b"0\r\n\n"), 400),
    ("bare LF in a field", chunks(b"0\r\nA: b\n\r\n"), 400),
    ("bare CR in a field", chunks(b"0\r\nA: b\rc\r\n\r\n"), 400),
    ("bare CR for the empty line", chunks(b"0\r\n\rA: b\r\n\r\n"), 400),
    ("NUL", chunks(b"0\r\nA: \0\r\n\r\n"), 400),
    ("the next request", chunks(b"0\r\n" + GET), 400),
    ("obs-text in a name", chunks(b"0\r\n\xe9: b\r\n\r\n"), 400),
    ("300 of them", chunks(b"0\r\n" + b"A: b\r\n" * 300 + b"\r\n"), 431),
    ("64 KiB", chunks(b"0\r\nA: " + b"x" * 65_536 + b"\r\n\r\n"), 431),
]

BODIES = [
    (f"{group}: {name}", data, status)
    for group, rows in {
        "chunk size": CHUNK_SIZES,
        "chunk extension": CHUNK_EXTENSIONS,
        "chunk data": CHUNK_DATA,
        "trailer": TRAILERS,
    }.items()
    for name, data, status in rows
]
