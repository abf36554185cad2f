"""What no client library shows of a websocket: the bytes on both sides of usher, their order and their ends."""

import base64
import contextlib
import hashlib
import os
import signal
import socket as sockets
import struct
import threading
import time

import fakes
import harness
import pytest
import wire
from harness import wait_for

SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])
SOCKETIO = "/ws/socket.io/?EIO=4&transport=websocket"
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


# --- Frames and handshakes by hand --------------------------------------------------------------------


def frame(payload: bytes, opcode: int = BINARY, masked: bool = False, first: int | None = None) -> bytes:
    """One frame; `first` replaces the whole first byte."""
    head = bytes([0x80 | opcode if first is None else first])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    return head + (b"\0\0\0\0" if masked else b"") + payload


def close_frame(code: int, reason: bytes = b"", masked: bool = False) -> bytes:
    return frame(struct.pack("!H", code) + reason, CLOSE, masked)


def upgrade_request(target: str = "/", extra: bytes = b"") -> bytes:
    key = base64.b64encode(os.urandom(16))
    return (
        b"GET %s HTTP/1.1\r\nHost: chat.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n" % (target.encode(), key, extra)
    )


def values(head: bytes, name: bytes) -> list[bytes]:
    lines = (line.split(b":", 1) for line in head.split(b"\r\n")[1:])
    return [value.strip() for field, value in lines if field.lower() == name.lower()]


def switching(head: bytes, extra: bytes = b"") -> bytes:
    """The 101 that takes this request."""
    key = values(head, b"Sec-WebSocket-Key")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n%s\r\n" % (accept, extra)
    )


@pytest.fixture
def hand(house):
    """The replica that is played by the test."""
    hand = house.fake(fakes.HandsOver())
    yield hand
    hand.hang_up()  # usher need not wait for the tunnels of a test that is over


@pytest.fixture
def front(house, hand):
    return house.usher([hand])


def open_tunnel(node, hand, scheme="http", target="/", **options):
    """Both ends of a websocket: the client's and the replica's."""
    client = wire.Wire(node.url(scheme), **options)
    client.send(upgrade_request(target))
    head, replica = hand.take()
    replica.send(switching(head))
    assert client.response().status == 101
    return client, replica


def tunnels(node) -> int:
    return sum(replica["websockets"] for replica in node.status()["upstreams"][0]["replicas"])


# --- The handshake ------------------------------------------------------------------------------------


@SCHEMES
@pytest.mark.parametrize("size", [1, 1000, 200_000])
def test_frames_in_the_requests_packet_reach_the_replica(front, hand, scheme, size):
    early = frame(os.urandom(size), masked=True)
    with wire.Wire(front.url(scheme)) as client:
        sender = threading.Thread(target=client.send, args=[upgrade_request() + early])
        sender.start()
        head, replica = hand.take()
        replica.send(switching(head))
        assert client.response().status == 101
        assert replica.read_exactly(len(early)) == early
        sender.join()


@SCHEMES
@pytest.mark.parametrize("size", [1, 1000, 65_535, 600_000])
def test_frames_in_the_packet_of_the_101_reach_the_client(front, hand, scheme, size):
    first = frame(os.urandom(size))
    with wire.Wire(front.url(scheme)) as client:
        client.send(upgrade_request())
        head, replica = hand.take()
        sender = threading.Thread(target=replica.send, args=[switching(head) + first])
        sender.start()
        assert client.response().status == 101
        assert client.read_exactly(len(first)) == first
        sender.join()


@SCHEMES
def test_frames_sent_before_the_101_wait_for_it(front, hand, scheme):
    early = b"".join(frame(os.urandom(size), masked=True) for size in (0, 5, 70_000))
    with wire.Wire(front.url(scheme)) as client:
        client.send(upgrade_request())
        head, replica = hand.take()
        sender = threading.Thread(target=client.send, args=[early])
        sender.start()
        # A replica that has not agreed to websockets must not be given what is no HTTP.
        replica.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            replica.receive()
        replica.socket.settimeout(20 * harness.patience())
        replica.send(switching(head))
        assert client.response().status == 101
        assert replica.read_exactly(len(early)) == early
        sender.join()


PATHS = ["/", "/a", "/ws/socket.io/?EIO=4&transport=websocket", "/api/v1/x/y%2Fz?token=a%20b&c", "/\xe4?\xf6"]


@pytest.mark.parametrize("target", PATHS)
def test_an_upgrade_goes_through_on_any_path(front, hand, target):
    request = upgrade_request("/").replace(b"GET / ", b"GET " + target.encode("latin-1") + b" ")
    with wire.Wire(front.url()) as client:
        client.send(request)
        if not target.isascii():
            # RFC 3986 section 2: such a target is not valid, and usher passes nothing invalid on.
            assert client.response().status == 400
            return
        head, replica = hand.take()
        assert head.split(b"\r\n")[0] == b"GET " + target.encode() + b" HTTP/1.1"
        replica.send(switching(head))
        assert client.response().status == 101


def test_extensions_and_subprotocols_pass_untouched_both_ways(front, hand):
    offers = [b"permessage-deflate; client_max_window_bits; x=\"a,b\"", b"permessage-bzip2,  other;q"]
    wanted = [b"v2.chat.example.org, V1,  json"]
    extra = b"".join(b"Sec-WebSocket-Extensions: %s\r\n" % offer for offer in offers)
    extra += b"Sec-WebSocket-Protocol: %s\r\n" % wanted[0]
    with wire.Wire(front.url()) as client:
        client.send(upgrade_request(extra=extra))
        head, replica = hand.take()
        assert values(head, b"Sec-WebSocket-Extensions") == offers
        assert values(head, b"Sec-WebSocket-Protocol") == wanted
        assert values(head, b"Sec-WebSocket-Version") == [b"13"]
        accepted = b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n"
        replica.send(switching(head, accepted + b"Sec-WebSocket-Protocol: V1\r\nX-Own: 1\r\n"))
        answer = client.response()
        assert answer.status == 101
        assert answer.all("Sec-WebSocket-Extensions") == ["permessage-deflate; server_max_window_bits=10"]
        assert answer.all("Sec-WebSocket-Protocol") == ["V1"]
        assert answer.all("X-Own") == ["1"]


@SCHEMES
def test_a_426_is_an_ordinary_answer_and_names_the_protocol(front, hand, scheme):
    with wire.Wire(front.url(scheme)) as client:
        client.send(upgrade_request())
        _, replica = hand.take()
        replica.send(
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13, 8\r\nContent-Length: 5\r\n\r\nnever"
        )
        answer = client.response()
        assert (answer.status, answer.body) == (426, b"never")
        assert answer.all("Sec-WebSocket-Version") == ["13, 8"]
        # RFC 9110 section 15.5.22: without Upgrade the answer says nothing.
        assert answer.all("Upgrade") == ["websocket"] and "upgrade" in answer.header("Connection").lower()
        both_connections_go_on(client, replica)


@SCHEMES
def test_a_200_to_an_upgrade_is_an_ordinary_answer(front, hand, scheme):
    with wire.Wire(front.url(scheme)) as client:
        client.send(upgrade_request())
        _, replica = hand.take()
        replica.send(fakes.whole(b"no websocket here"))
        answer = client.response()
        assert (answer.status, answer.body) == (200, b"no websocket here")
        both_connections_go_on(client, replica)


def both_connections_go_on(client, replica):
    client.request("GET", "/again")
    assert replica.read_until(b"\r\n\r\n").startswith(b"GET /again ")
    replica.send(fakes.whole(b"again"))
    assert client.response().body == b"again"


# --- Frames -------------------------------------------------------------------------------------------

PECULIAR = {
    "a ping between fragments": frame(b"a" * 200, first=0x01) + frame(b"hello", PING) + frame(b"b", first=0x80),
    "every reserved bit": b"".join(frame(b"x", first=0x81 | bit) for bit in (0x40, 0x20, 0x10, 0x70)),
    "every opcode": b"".join(frame(b"payload", opcode) for opcode in (*range(8), *range(9, 16))),
    "a control frame that is too long": frame(b"x" * 1000, PING),
    "text that is not UTF-8": frame(b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80", TEXT),
    "lengths that a shorter form could say": b"\x82\x7e\x00\x05short" + b"\x82\x7f" + struct.pack("!Q", 6) + b"longer",
    "a length with the highest bit": b"\x82\x7f\xff" + b"\0" * 7 + b"what follows is its payload",
    "frames after a close": close_frame(1000) + frame(b"late", TEXT) + close_frame(1001),
    "no frames at all": bytes(range(256)) * 300,
}


@SCHEMES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", PECULIAR)
def test_frames_of_any_kind_pass_byte_for_byte(front, hand, scheme, masked, name):
    """Usher is no party to the conversation: what is wrong with it, the two ends tell each other."""
    said = PECULIAR[name] + (frame(b"end", masked=True) if masked else b"")
    client, replica = open_tunnel(front, hand, scheme)
    with client:
        client.send(said)
        assert replica.read_exactly(len(said)) == said
        replica.send(said)
        assert client.read_exactly(len(said)) == said


@SCHEMES
def test_frames_dribbled_byte_by_byte_arrive(front, hand, scheme):
    said = b"".join(frame(os.urandom(size), masked=True) for size in (0, 1, 130, 700))
    client, replica = open_tunnel(front, hand, scheme)
    with client:
        for sender, receiver in ((client, replica), (replica, client)):
            for byte in said:
                sender.send(bytes([byte]))
            assert receiver.read_exactly(len(said)) == said


CLOSES = [(1000, b""), (1000, b"done"), (1001, b"going"), (1006, b"forbidden"), (1011, b"oops"), (1015, b"")]
CLOSES += [(3000, b""), (4001, b"who are you"), (4999, b"x" * 123)]


@SCHEMES
@pytest.mark.parametrize("code, reason", CLOSES)
def test_close_codes_and_reasons_pass_untouched_both_ways(front, hand, scheme, code, reason):
    for closer in ("client", "replica"):
        client, replica = open_tunnel(front, hand, scheme)
        first, second = (client, replica) if closer == "client" else (replica, client)
        said = close_frame(code, reason, masked=closer == "client")
        answer = close_frame(code, masked=closer == "replica")
        first.send(said)
        assert second.read_exactly(len(said)) == said
        second.send(answer)
        assert first.read_exactly(len(answer)) == answer
        # RFC 6455 section 7.1.1: the server ends the connection.
        replica.close()
        assert client.closed_by_peer()
        client.close()


def test_a_close_without_a_code_passes(front, hand):
    client, replica = open_tunnel(front, hand)
    with client:
        client.send(frame(b"", CLOSE, masked=True))
        assert replica.read_exactly(6) == frame(b"", CLOSE, masked=True)
        replica.send(frame(b"", CLOSE))
        assert client.read_exactly(2) == frame(b"", CLOSE)


# --- Ends ---------------------------------------------------------------------------------------------


def test_a_client_that_has_ended_its_side_still_hears_the_replica(front, hand):
    client, replica = open_tunnel(front, hand)
    with client:
        client.send(b"last words")
        client.socket.shutdown(sockets.SHUT_WR)
        assert replica.read_exactly(10) == b"last words" and replica.closed_by_peer()
        answer = os.urandom(300_000)
        sender = threading.Thread(target=replica.send, args=[answer])
        sender.start()
        assert client.read_exactly(len(answer)) == answer
        sender.join()
        assert tunnels(front) == 1
        replica.close()
        assert client.closed_by_peer()
        wait_for(lambda: tunnels(front) == 0, "the tunnel is gone")


def test_a_socket_io_client_that_ends_first_hears_of_the_replicas_end_at_once(front, hand):
    """As Node's ws does it: it answers the replica's Close, ends its side, and waits for the other one's end."""
    client, replica = open_tunnel(front, hand, target=SOCKETIO)
    with client:
        said, answer = close_frame(1000), close_frame(1000, masked=True)
        replica.send(said)
        assert client.read_exactly(len(said)) == said
        client.send(answer)
        client.socket.shutdown(sockets.SHUT_WR)
        assert replica.read_exactly(len(answer)) == answer and replica.closed_by_peer()
        replica.close()
        assert client.closed_by_peer()
    line = front.await_access(lambda line: line["path"] == SOCKETIO.split("?")[0])
    assert line["closed_by"] == "replica" and line["error"] is None
    assert line["duration_ms"] < 4000, "5 s: it was given up"


@SCHEMES
def test_a_replica_that_has_ended_its_side_still_hears_the_client(front, hand, scheme):
    client, replica = open_tunnel(front, hand, scheme)
    with client:
        replica.send(b"last words")
        replica.socket.shutdown(sockets.SHUT_WR)
        assert client.read_exactly(10) == b"last words" and client.closed_by_peer()
        answer = os.urandom(300_000)
        sender = threading.Thread(target=client.send, args=[answer])
        sender.start()
        assert replica.read_exactly(len(answer)) == answer
        sender.join()
        assert tunnels(front) == 1
        client.close()
        assert replica.closed_by_peer()
        wait_for(lambda: tunnels(front) == 0, "the tunnel is gone")


@SCHEMES
def test_what_a_replica_said_before_it_vanished_reaches_the_client(front, hand, scheme):
    client, replica = open_tunnel(front, hand, scheme)
    with client:
        said = frame(os.urandom(50_000)) + close_frame(1011, b"crash")
        replica.send(said)
        replica.close()
        assert client.read_exactly(len(said)) == said
        assert client.closed_by_peer()


@SCHEMES
def test_what_a_client_said_before_it_vanished_reaches_the_replica(front, hand, scheme):
    """Also when usher is writing to it: the failed write must not throw away what was to be read."""
    said = frame(os.urandom(50_000), masked=True) + close_frame(4001, b"bye", masked=True)
    for _ in range(10):
        client, replica = open_tunnel(front, hand, scheme)
        flood = threading.Thread(target=send_until_refused, args=[replica])
        flood.start()
        client.read_exactly(1 << 20)
        client.send(said)
        client.reset()
        assert replica.read_exactly(len(said)) == said
        assert replica.closed_by_peer()
        replica.socket.shutdown(sockets.SHUT_RDWR)
        flood.join()
        replica.close()
    wait_for(lambda: tunnels(front) == 0, "the tunnels are gone")


def send_until_refused(connection) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection.send(b"\0" * (1 << 16))


@SCHEMES
def test_a_stop_that_cannot_wait_ends_tunnels_and_the_process(front, hand, scheme):
    pairs = [open_tunnel(front, hand, scheme) for _ in range(3)]
    pairs[0][0].close()  # its replica has not ended: half of the tunnel stays
    assert pairs[0][1].closed_by_peer()
    front.signal(signal.SIGTERM)
    front.await_line(front.stderr_path, lambda line: line.get("event") == "draining", "draining")
    front.signal(signal.SIGTERM)
    assert front.wait() == 0
    assert sum(line["status"] == 101 for line in front.access_log) == len(pairs)
    for client, replica in pairs:
        assert replica.closed_by_peer()
        client.close()


def test_a_silent_tunnel_ends_with_a_line_in_the_log(house, hand):
    settings = harness.settings_for([hand])
    settings["upstream"][0]["timeouts"] = {"tunnel_idle": "700ms"}
    node = house.usher([hand], settings=settings)
    client, replica = open_tunnel(node, hand)
    with client:
        # Bytes in either direction put the end off.
        for _ in range(4):
            for sender, receiver in ((client, replica), (replica, client)):
                time.sleep(0.25)  # the silence is what is tested
                said = frame(b"x", masked=sender is client)
                sender.send(said)
                assert receiver.read_exactly(len(said)) == said
        farewell = close_frame(1001)
        assert client.read_exactly(len(farewell)) == farewell
        assert replica.read_exactly(8)[:2] == close_frame(1001, masked=True)[:2]
        client.send(close_frame(1001, masked=True))
        replica.send(farewell)
        assert client.closed_by_peer() and replica.closed_by_peer()
        line = node.await_access(lambda line: line["status"] == 101)
        assert line["error"] == "tunnel_idle: no byte in either direction" and line["closed_by"] == "usher"
        assert (line["protocol"], line["bytes_in"], line["bytes_out"]) == ("websocket", 4 * 7 + 8, 4 * 3 + 4)
        assert line["duration_ms"] >= 2000 + 700 * 0.9


# --- Memory -------------------------------------------------------------------------------------------

MESSAGE = 33 << 20


class Peak:
    """How far the process's resident memory rose above where it began, in bytes."""

    def __init__(self, node):
        self.status = f"/proc/{node.pid}/status"
        with open(f"/proc/{node.pid}/clear_refs", "w") as refs:
            refs.write("5")  # the high-water mark is what it is now
        self.began = self.field("VmHWM")

    def field(self, name: str) -> int:
        with open(self.status) as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name + ":")) * 1024

    def growth(self) -> int:
        return self.field("VmHWM") - self.began


@SCHEMES
@pytest.mark.parametrize("slow", [False, True], ids=["reader at once", "slow reader"])
def test_a_message_of_33_mb_passes_both_ways_in_little_memory(house, hand, scheme, slow):
    node = house.usher([hand], workers=1)
    client, replica = open_tunnel(node, hand, scheme)
    with client:
        # Buffers and tables reach their size with the first of each.
        for sender, receiver in ((client, replica), (replica, client)):
            carry(sender, receiver, os.urandom(1 << 20), slow=False)
        peak = Peak(node)
        message = os.urandom(1 << 20) * (MESSAGE >> 20)
        for sender, receiver, masked in ((client, replica, True), (replica, client, False)):
            carry(sender, receiver, frame(message, masked=masked), slow)
        print(f"{peak.growth() / 1024:.0f} KiB more for 33 MiB each way over {scheme}")
        if not harness.sanitized():
            assert peak.growth() < 2 << 20


def carry(sender, receiver, data: bytes, slow: bool) -> None:
    sent = 0

    def send():
        nonlocal sent
        view = memoryview(data)
        while sent < len(data):
            sent += sender.socket.send(view[sent : sent + (1 << 16)])

    thread = threading.Thread(target=send)
    thread.start()
    if slow:
        # Nobody reads until everything between the two ends is full.
        still = Stillness(lambda: sent)
        wait_for(still.lasts, "the sender is held up", 60)
        assert sent < len(data)
    received = bytearray()
    while len(received) < len(data):
        received += receiver.receive() or pytest.fail("the end came early")
    thread.join()
    assert bytes(received) == data


class Stillness:
    """A value that does not change for half a second."""

    def __init__(self, value):
        self.value = value
        self.last, self.since = None, 0.0

    def lasts(self) -> bool:
        now = self.value()
        if now != self.last:
            self.last, self.since = now, time.monotonic()
        return time.monotonic() - self.since > 0.5
