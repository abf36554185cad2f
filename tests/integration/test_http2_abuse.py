"""HTTP/2 clients that cost more than they should: their work and memory are bounded, and they are told to calm down."""

import contextlib
import itertools
import struct

import harness
import pytest
from harness import settings_for, wait_for
from http2 import Ended, Http2

PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 1, 11
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)


# Whoever has flooded is not heard for a while: each attack has an address of its own.
addresses = (f"127.0.{number // 250}.{2 + number % 250}" for number in itertools.count())


def attacker(node, **options) -> Http2:
    return Http2(node.url(), source=next(addresses), **options)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    if not harness.usher_binary():
        pytest.fail("no usher binary: build it, or name it in USHER_BIN")
    house = harness.House(tmp_path_factory.mktemp("parts"))
    try:
        replica = house.replica()
        settings = settings_for([replica], workers=1, listen=[{"address": "127.0.0.1:0", "protocols": ["h2"]}])
        settings["http2"] = {"max_resets": 100, "max_control_frames": 500}
        yield house.usher([replica], settings=settings)
    finally:
        house.close()


def request(client) -> bytes:
    """A GET's fields, as literals without indexing."""

    def literal(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    fields = {b":method": b"GET", b":scheme": b"http", b":authority": client.authority.encode(), b":path": b"/sse?count=1000"}
    return b"".join(literal(name, value) for name, value in fields.items())


def goodbye(client) -> int | None:
    """The code of GOAWAY, read from the octets: of these streams no client's state machine knows."""
    octets = b""
    try:
        while data := client.socket.recv(1 << 16):
            octets += data
    except ConnectionResetError:
        pass
    while len(octets) >= 9:
        length, kind = int.from_bytes(octets[:3], "big"), octets[3]
        if kind == GOAWAY:
            return int.from_bytes(octets[13:17], "big")
        octets = octets[9 + length :]
    return None


def flood(client, pieces, most: int = 20_000) -> int | None:
    """Sends pieces until the server has had enough; the code that it says so with, if that was not lost."""
    client.until(lambda: client.settings)
    try:
        for _, piece in zip(range(most), pieces):
            client.socket.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return goodbye(client)


def streams():
    return (number for number in range(1, 1 << 30, 2))


def rapid_reset(client):
    block = request(client)
    for stream in streams():
        yield frame(HEADERS, 5, stream, block) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def malformed(client):
    for stream in streams():
        yield frame(HEADERS, 5, stream, request(client) + b"\x00\x0aconnection\x05close")


def pings(client):
    while True:
        yield frame(PING, 0, 0, b"12345678")


def settings(client):
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100))


def priorities(client):
    for stream in streams():
        yield frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 1))


def empty_data(client):
    yield frame(HEADERS, 4, 1, request(client))
    while True:
        yield frame(DATA, 0, 1)


def continuations(client):
    yield frame(HEADERS, 1, 1, request(client))
    while True:
        yield frame(CONTINUATION, 0, 1)


def long_head(client):
    yield frame(HEADERS, 1, 1, request(client))
    while True:
        yield frame(CONTINUATION, 0, 1, b"\x00\x01a\x7f\x81\x7e" + b"x" * 16_000)


def hpack_bomb(client):
    """One large field in the table, then one octet for each repetition of it."""
    entry = b"\x40\x01a\x7f\xa1\x1e" + b"x" * (127 + 0x21 + (0x1E << 7))
    yield frame(HEADERS, 1, 1, request(client) + entry[:16_000])
    while True:
        yield frame(CONTINUATION, 0, 1, b"\xbe" * 16_000)


@pytest.mark.parametrize(
    "attack, cause",
    [
        (rapid_reset, "rapid_reset"),
        (pings, "frame_flood"),
        (settings, "frame_flood"),
        (priorities, "frame_flood"),
        (empty_data, "frame_flood"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_flood_ends_its_connection(node, attack, cause):
    before = node.metric("usher_errors_total", cause=cause)
    with attacker(node) as client:
        assert flood(client, attack(client)) in (ENHANCE_YOUR_CALM, None)
    wait_for(lambda: node.metric("usher_errors_total", cause=cause) > before, "it is counted")
    wait_for(lambda: [line for line in node.events("connection_failed") if line["error"].startswith(cause)], "its line")
    with Http2(node.url()) as other:
        assert other.ask("GET", "/whoami").status == 200


def test_malformed_requests_without_end_end_their_connection(node):
    """Each costs a reset of ours; those that come too fast for that exceed the streams that there may be."""

    def counted():
        return sum(node.metric("usher_errors_total", cause=cause) for cause in ("rapid_reset", "http2_error"))

    before = counted()
    with attacker(node) as client:
        assert flood(client, malformed(client)) in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, None)
    wait_for(lambda: counted() > before, "it is counted")


@pytest.mark.parametrize("attack", [continuations, long_head, hpack_bomb], ids=lambda attack: attack.__name__)
def test_a_head_without_end_ends_its_connection_and_costs_little(node, attack):
    with Http2(node.url()) as client:
        assert client.ask("GET", "/whoami").status == 200
    causes = ("header_flood", "frame_flood", "http2_error")

    def counted():
        return sum(node.metric("usher_errors_total", cause=cause) for cause in causes)

    ended, before = counted(), node.rss()
    for _ in range(3):
        with attacker(node) as client:
            flood(client, attack(client), most=3000)
    wait_for(lambda: counted() >= ended + 3, "they are counted")
    assert node.rss() - before < 8 << 20
    with Http2(node.url()) as other:
        assert other.ask("GET", "/whoami").status == 200


def test_answers_that_are_not_read_are_bounded(node):
    """A client that asks and asks, and reads nothing: neither frames nor requests pile up."""
    with attacker(node, receive_buffer=4096) as client:
        client.until(lambda: client.settings)
        before = node.rss()
        client.socket.settimeout(3)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += client.socket.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 500 + frame(PING, 0, 0, b"12345678"))
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        assert node.rss() - before < 8 << 20
    with Http2(node.url()) as other:
        assert other.ask("GET", "/whoami").status == 200


def is_heard(node, source: str) -> bool:
    try:
        with Http2(node.url(), source=source) as client:
            return client.ask("GET", "/whoami").status == 200
    except (Ended, ConnectionError):
        return False


def test_whoever_has_flooded_is_not_heard_for_a_while(node):
    source = next(addresses)
    before = node.metric("usher_errors_total", cause="rapid_reset")
    with Http2(node.url(), source=source) as client:
        flood(client, rapid_reset(client))
    wait_for(lambda: node.metric("usher_errors_total", cause="rapid_reset") > before, "it is counted")
    assert not is_heard(node, source)
    assert is_heard(node, next(addresses))


def flood_from(node, source: str) -> None:
    before = node.metric("usher_errors_total", cause="rapid_reset")
    with Http2(node.url(), source=source) as client:
        flood(client, rapid_reset(client))
    wait_for(lambda: node.metric("usher_errors_total", cause="rapid_reset") > before, "it is counted")


def do_good(client, requests: int) -> None:
    for _ in range(requests):
        assert client.ask("GET", "/whoami").status == 200


def test_one_connection_that_was_opened_as_an_excuse_is_none(node):
    source = next(addresses)
    with Http2(node.url(), source=source) as excuse, Http2(node.url(), source=source) as silent:
        silent.until(lambda: silent.settings)
        do_good(excuse, 60)
        flood_from(node, source)
        assert not is_heard(node, source)
        do_good(excuse, 1)


def test_what_is_answered_with_errors_is_no_good(node):
    source = next(addresses)
    with contextlib.ExitStack() as open_now:
        for _ in range(3):
            client = open_now.enter_context(Http2(node.url(), source=source))
            for _ in range(60):
                assert client.ask("GET", "/status?code=404").status == 404
        flood_from(node, source)
        assert not is_heard(node, source)


def test_an_address_that_others_use_is_heard_though_one_has_flooded(node):
    """A university may be behind one address. What its people have done is weighed against a flood, once."""
    source = next(addresses)
    with contextlib.ExitStack() as open_now:
        people = [open_now.enter_context(Http2(node.url(), source=source)) for _ in range(3)]
        for each in people:
            do_good(each, 40)
        flood_from(node, source)
        assert is_heard(node, source)
        flood_from(node, source)
        assert not is_heard(node, source), "it has been spent"
        for each in people:
            do_good(each, 1)
