"""What usher compresses on its way: piece by piece, with everything that belongs to a response still right."""

import gzip
import hashlib
import json
import random
import socket
import zlib

import fakes
import harness
import http2
import pytest
import wire
from harness import wait_for

ACCEPT = [("Accept-Encoding", "gzip")]
ALL = {"types": ["*"], "level": 6}
PAGE = b"Content-Type: text/html\r\n"


def node_with(house, replica, *routes, compression=ALL, **more):
    rest = {"path": "/", "upstream": "open-webui", "compression": compression}
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]
    return house.usher(settings=harness.settings_for([replica], route=[*routes, rest], listen=listen, **more))


def words(size: int) -> bytes:
    numbers = random.Random(7)
    return b" ".join(b"%d" % numbers.randrange(1000) for _ in range(size // 3))[:size]


class Reader:
    """What a client has of a compressed body so far."""

    def __init__(self):
        self.machine = zlib.decompressobj(wbits=31)
        self.text = b""

    def take(self, piece: bytes) -> bytes:
        self.text += self.machine.decompress(piece)
        return self.text

    @property
    def whole(self) -> bool:
        return self.machine.eof and not self.machine.unused_data


class Http1Client:
    def __init__(self, node, method, path, headers=()):
        self.wire = wire.Wire(node.url())
        self.wire.request(method, path, [*ACCEPT, *headers])
        self.response = None

    def head(self):
        self.response = self.wire.read_head()
        self.pieces = self.wire.body_pieces(self.response)
        return self.response

    def more(self) -> bytes:
        """The next bytes of the body; b"" at its end."""
        return next(self.pieces, b"")

    @property
    def trailers(self):
        return self.response.trailers

    def close(self):
        self.wire.close()


class Http2Client:
    def __init__(self, node, method, path, headers=()):
        self.connection = http2.Http2(node.url("https"))
        self.number = self.connection.begin(method, path, [(name.lower(), value) for name, value in [*ACCEPT, *headers]])
        self.taken = 0

    def head(self):
        self.connection.until(lambda: self.connection.streams[self.number].status)
        self.stream = self.connection.streams[self.number]
        return self.stream

    def more(self) -> bytes:
        self.connection.until(lambda: len(self.stream.body) > self.taken or self.stream.over)
        piece = bytes(self.stream.body[self.taken :])
        self.taken += len(piece)
        if not piece and self.stream.reset is not None:
            raise wire.Truncated("reset")
        return piece

    @property
    def trailers(self):
        return self.stream.trailers

    def close(self):
        self.connection.close()


CLIENTS = pytest.mark.parametrize("client", [Http1Client, Http2Client])


@CLIENTS
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_each_piece_arrives_before_the_next_is_sent(house, client, framing):
    hand = house.fake(fakes.HandsOver())
    node = node_with(house, hand)
    pieces = [b"one", b"two" * 1000, b"3", words(200_000), b"the last"]
    asked = client(node, "GET", "/stream")
    _, replica = hand.take()
    framed = {"chunked": b"Transfer-Encoding: chunked\r\n", "length": b"Content-Length: %d\r\n" % len(b"".join(pieces)), "close": b"Connection: close\r\n"}
    replica.send(b"HTTP/1.1 200 OK\r\n" + PAGE + b'ETag: "1"\r\nAccept-Ranges: bytes\r\n' + framed[framing] + b"\r\n")
    head = asked.head()
    assert (head.status, head.header("content-encoding"), head.header("etag")) == (200, "gzip", 'W/"1"')
    assert head.header("content-length") is None and head.header("accept-ranges") is None and head.header("vary") == "Accept-Encoding"
    read, sent = Reader(), b""
    for piece in pieces:
        (replica.send_chunk if framing == "chunked" else replica.send)(piece)
        sent += piece
        while len(read.text) < len(sent):
            assert (got := asked.more()), "the body has ended"
            read.take(got)
        assert read.text == sent and (piece == pieces[-1] or not read.whole)
    if framing == "chunked":
        replica.send(b"0\r\nX-After: yes\r\n\r\n")
    elif framing == "close":
        replica.close()
    while got := asked.more():
        read.take(got)
    assert read.whole and read.text == sent
    if framing == "chunked":
        assert [(name.lower(), value) for name, value in asked.trailers] == [("x-after", "yes")]
    asked.close()


@CLIENTS
def test_a_response_that_breaks_off_is_never_whole(house, client):
    hand = house.fake(fakes.HandsOver())
    node = node_with(house, hand)
    for framing in (b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", b"Content-Length: 1000\r\n\r\nfirst"):
        asked = client(node, "GET", "/broken")
        _, replica = hand.take()
        # With what came in the very same moment.
        replica.send(b"HTTP/1.1 200 OK\r\n" + PAGE + framing)
        replica.close()
        assert asked.head().header("content-encoding") == "gzip"
        read = Reader()
        with pytest.raises(wire.Truncated):  # noqa: PT012
            while got := asked.more():
                read.take(got)
        assert read.text == b"first" and not read.whole
        asked.close()


def test_events_pass_as_they_are(house):
    hand = house.fake(fakes.HandsOver())
    node = node_with(house, hand, compression={"types": ["*", "text/event-stream"]})
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/events", ACCEPT)
        _, replica = hand.take()
        replica.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        head = connection.read_head()
        assert head.header("content-encoding") is None and head.header("vary") is None
        pieces = connection.body_pieces(head)
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            replica.send_chunk(event)
            assert next(pieces) == event
        replica.send(b"0\r\n\r\n")
        assert list(pieces) == []


def test_who_does_not_ask_for_it_gets_it_plain(house, replica):
    node = node_with(house, replica)
    for headers in ([], [("Accept-Encoding", "br, gzip;q=0")], [("Accept-Encoding", "*")]):
        plain = wire.fetch(node.url() + "/whoami", headers=headers)
        assert plain.header("content-encoding") is None and plain.header("content-length") == str(len(plain.body))
        assert plain.header("vary") == "Accept-Encoding"
    with socket.create_connection(("127.0.0.1", node.port())) as raw:
        raw.sendall(b"GET /whoami HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n")
        old = wire.Wire.over(raw).response()
    assert old.header("content-encoding") is None and old.json()["replica"] == "alpha"


def test_a_head_is_that_of_the_whole_response_and_the_connection_goes_on(house, replica, tmp_path):
    (tmp_path / "page.html").write_bytes(words(5000))
    routes = [
        {"path": "/page.html", "root": str(tmp_path), "compression": ALL},
        {"path": "/text", "status": 200, "body": "so many words " * 10, "compression": ALL},
        {"path": "/denied", "deny": ["127.0.0.0/8"], "upstream": "open-webui", "compression": ALL},
        {"path": "/moved", "redirect": "/x", "compression": ALL},
    ]
    node = node_with(house, replica, *routes)
    with wire.Wire(node.url()) as connection, http2.Http2(node.url("https")) as second:
        for path, status in (("/page.html", 200), ("/text", 200), ("/denied", 403), ("/whoami", 200), ("/none", 404)):
            whole, head = (connection.ask(method, path, ACCEPT) for method in ("GET", "HEAD"))
            of_h2, head_of_h2 = (second.ask(method, path, [("accept-encoding", "gzip")]) for method in ("GET", "HEAD"))
            for answer in (whole, head, of_h2, head_of_h2):
                assert answer.status == status, (path, answer)
                assert answer.header("content-encoding") == "gzip" and answer.header("content-length") is None, (path, answer)
            assert head.body == head_of_h2.body == b""
            plain = connection.ask("GET", path).body
            if path != "/whoami":  # which says how it was asked
                assert gzip.decompress(whole.body) == gzip.decompress(bytes(of_h2.body)) == plain, path
        moved = connection.ask("GET", "/moved", ACCEPT)
        assert moved.status == 302 and moved.header("content-encoding") is None
        tag = connection.ask("GET", "/page.html", ACCEPT).header("etag")
        assert tag.startswith('W/"')
        again = connection.ask("GET", "/page.html", [*ACCEPT, ("If-None-Match", tag)])
        assert (again.status, again.header("content-encoding")) == (304, None)


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("kind", ["noise", "nothing"])
def test_a_big_file_comes_whole_and_never_lies_in_memory(house, replica, tmp_path, version, kind):
    size = (32 if version == "h1" else 8) << 20
    with open(tmp_path / "big.bin", "wb") as big:
        if kind == "nothing":
            big.truncate(size)
        else:
            big.write(random.Random(3).randbytes(size))
    content = (tmp_path / "big.bin").read_bytes()
    node = node_with(house, replica, {"path": "/big.bin", "root": str(tmp_path), "compression": {"types": ["*"]}}, workers=1)
    before = node.rss()
    if version == "h1":
        body = wire.fetch(node.url() + "/big.bin", headers=ACCEPT).body
    else:
        with http2.Http2(node.url("https")) as client:
            body = bytes(client.ask("GET", "/big.bin", [("accept-encoding", "gzip")]).body)
    assert hashlib.sha256(gzip.decompress(body)).digest() == hashlib.sha256(content).digest()
    if not harness.sanitized():
        assert node.rss() - before < 8 << 20


def test_a_client_that_does_not_read_holds_the_replica_back(house):
    hand = house.fake(fakes.HandsOver())
    node = node_with(house, hand, workers=1)
    noise = random.Random(5).randbytes(1 << 20)
    with wire.Wire(node.url(), receive_buffer=4096) as connection:
        connection.request("GET", "/much", ACCEPT)
        _, replica = hand.take()
        replica.send(b"HTTP/1.1 200 OK\r\n" + PAGE + b"Connection: close\r\n\r\n")
        replica.socket.settimeout(2 * harness.patience())
        before, taken = node.rss(), 0
        with pytest.raises(TimeoutError):  # noqa: PT012
            while taken < 1 << 28:
                taken += replica.socket.send(noise)
        assert taken < 64 << 20
        if not harness.sanitized():
            assert node.rss() - before < 8 << 20


def test_what_is_compressed_already_passes_as_it_is(house):
    hand = house.fake(fakes.HandsOver())
    node = node_with(house, hand)
    for coding in (b"gzip", b"br"):
        with wire.Wire(node.url()) as connection:
            connection.request("GET", "/", ACCEPT)
            head, replica = hand.take()
            assert b"accept-encoding: gzip" in head.lower(), "the replica may compress by itself"
            replica.send(fakes.whole(b"as it is" * 10, headers=PAGE + b"Connection: close\r\nContent-Encoding: %s\r\n" % coding))
            answer = connection.response()
            assert answer.header("content-encoding") == coding.decode() and answer.body == b"as it is" * 10
            assert answer.header("content-length") == "80" and answer.header("vary") is None


def test_it_is_the_clients_wish_that_counts_not_what_the_replica_is_told(house, replica):
    told = {"path": "/whoami", "upstream": "open-webui", "set_headers": {"Accept-Encoding": ""}, "compression": ALL}
    node = node_with(house, replica, told)
    answer = wire.fetch(node.url() + "/whoami", headers=ACCEPT)
    assert answer.header("content-encoding") == "gzip"
    assert "accept-encoding" not in dict(json.loads(gzip.decompress(answer.body))["headers"])


def test_a_session_that_is_opened_by_polling_is_still_learnt(house):
    replicas = house.replicas()
    node = house.usher(settings=harness.settings_for(replicas, route=[{"path": "/", "upstream": "open-webui", "compression": ALL}]))
    path = "/ws/socket.io/?EIO=4&transport=polling"
    for _ in range(6):
        opened = wire.fetch(node.url() + path, headers=ACCEPT)
        assert opened.header("content-encoding") == "gzip"
        sid = json.loads(gzip.decompress(opened.body)[1:])["sid"]
        assert wire.fetch(f"{node.url()}{path}&sid={sid}", "POST", body=b"40{}").body == b"OK"
        answer = wire.fetch(f"{node.url()}{path}&sid={sid}", headers=ACCEPT)
        assert gzip.decompress(answer.body).startswith(b"40{")


def test_logs_and_counts_say_what_was_sent(house, replica, tmp_path):
    ratios = tmp_path / "ratios.log"
    log = {"file": [{"name": "ratios", "access": str(ratios), "format": "$body_bytes_sent $gzip_ratio $sent_http_content_encoding"}]}
    text = "so many words " * 100
    routes = [{"path": "/text", "status": 200, "body": text, "compression": ALL, "access_logs": ["main", "ratios"]}]
    node = node_with(house, replica, *routes, log=log)
    packed, plain = (wire.fetch(node.url() + "/text", headers=headers) for headers in (ACCEPT, []))
    assert packed.header("content-encoding") == "gzip" and plain.body == text.encode()
    lines = wait_for(lambda: ratios.exists() and len(made := ratios.read_text().splitlines()) == 2 and made, "two lines")
    assert lines[0] == f"{len(packed.body)} {len(text) / len(packed.body):.2f} gzip"
    assert lines[1] == f"{len(text)} - -"
    said = wait_for(lambda: len(made := [line["bytes_out"] for line in node.access_log if line["path"] == "/text"]) == 2 and made, "both lines")
    assert said == [len(packed.body), len(text)]


@CLIENTS
def test_a_304_says_what_the_200_has_said(house, client):
    hand = house.fake(fakes.HandsOver())
    node = node_with(house, hand)
    asked = client(node, "GET", "/page", [("If-None-Match", 'W/"1"')])
    _, replica = hand.take()
    replica.send(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 5000\r\n\r\n')
    head = asked.head()
    assert (head.status, head.header("etag"), head.header("vary")) == (304, 'W/"1"', "Accept-Encoding")
    assert head.header("content-length") is None and head.header("content-encoding") is None
    asked.close()
