"""Where one request ends and the next begins, when somebody does not want that to be known (RFC 9112).

The tables in tests/support/framing say what is refused and with which status, and what a replica gets of the rest. The
replica of these tests notes raw octets; strict.py, which has no code in common with usher, says what they mean.
"""

import socket
from urllib.parse import urlsplit

import harness
import pytest
import wire
from framing import passed_requests, refused_requests, strict
from framing.recorder import Recorder

OTHER = b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n"


class Client:
    """A connection, and what has come on it and was not read yet."""

    def __init__(self, node):
        parts = urlsplit(node.url())
        self.socket = socket.create_connection((parts.hostname, parts.port), 20 * harness.patience())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.ended = False

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> None:
        data = self.socket.recv(1 << 16)
        self.received += data
        self.ended = not data

    def answer(self, method: str = "GET") -> strict.Message:
        while True:
            try:
                message, self.received = strict.read_response(self.received, method, self.ended)
                return message
            except strict.Incomplete:
                assert not self.ended, f"the connection ended behind {self.received!r}"
                self.receive()

    def rest(self) -> bytes:
        """What comes until the connection ends."""
        while not self.ended:
            self.receive()
        return self.received

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Door:
    """usher before a Recorder, for all tests of the file."""

    def __init__(self, house):
        self.recorder = house.fake(Recorder())
        self.node = house.usher(
            [self.recorder],
            workers=1,
            route=[{"upstream": "open-webui"}, {"path": "/limited/", "upstream": "open-webui", "max_body": "1KiB"}],
        )

    def taken(self) -> list[bytes]:
        """What the replica got, connection by connection."""
        with Client(self.node) as other:
            other.send(OTHER)
            assert other.answer().status == 200
        return self.recorder.take_until(b"GET /other ")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    house = harness.House(tmp_path_factory.mktemp("framing"))
    try:
        yield Door(house)
    finally:
        house.close()


def assert_refused(client: Client, status: int) -> None:
    answer = client.answer()
    assert answer.status == status, answer
    assert answer.one("Connection") == "close" and answer.one("Content-Type") == "application/json"
    assert answer.body.startswith(b'{"detail":"')
    assert client.rest() == b""


def ids(rows) -> list[str]:
    return [row[0] for row in rows]


def test_the_tables_are_as_large_as_they_are_said_to_be():
    assert len(refused_requests.HEADS) + len(refused_requests.BODIES) >= 350
    assert len(passed_requests.ROWS) >= 110
    for rows in (refused_requests.HEADS + refused_requests.BODIES, passed_requests.ROWS):
        assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == len(rows), "a row stands there twice"


@pytest.mark.parametrize("_name, data, status", refused_requests.HEADS, ids=ids(refused_requests.HEADS))
def test_what_is_refused_at_its_head_reaches_no_replica(door, _name, data, status):
    with Client(door.node) as client:
        client.send(data)
        assert_refused(client, status)
    assert door.taken() == []


@pytest.mark.parametrize("_name, data, status", refused_requests.HEADS, ids=ids(refused_requests.HEADS))
def test_it_is_refused_behind_a_good_request_too(door, _name, data, status):
    # Up to the place of its fault it may be the good one's empty line, or an empty line too much.
    with Client(door.node) as client:
        client.send(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n" + data)
        assert client.answer().status == 200
        assert_refused(client, status)
    [note] = door.taken()
    assert [request.target for request in strict.read_requests(note)] == ["/good"]


@pytest.mark.parametrize("_name, data, status", refused_requests.BODIES, ids=ids(refused_requests.BODIES))
def test_what_is_refused_in_its_body_is_never_a_whole_request_for_a_replica(door, _name, data, status):
    with Client(door.node) as client:
        client.send(data)
        assert_refused(client, status)
    taken = door.taken()
    # What is longer may come in several pieces, the first of them in order.
    assert taken == [] or len(data) > 16_000
    for note in taken:
        with pytest.raises(strict.Incomplete):
            strict.read_requests(note)


@pytest.mark.parametrize("fault", [b"x", b"5\r\nhello!\r\n", b"0\r\nA b\r\n\r\n"])
def test_a_fault_that_comes_later_breaks_the_request_off(door, fault):
    known = len(door.recorder.notes)
    with Client(door.node) as client:
        client.send(b"POST /begun HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        harness.wait_for(lambda: any(b"hello" in note for note in door.recorder.notes[known:]), "the replica has what was sound")
        client.send(fault)
        assert_refused(client, 400)
    [note] = door.taken()
    with pytest.raises(strict.Incomplete):
        strict.read_requests(note)


# Long ones are cut by the sockets anyway.
PIECES = [(*row, "whole") for row in passed_requests.ROWS] + [
    (*row, "octet by octet") for row in passed_requests.ROWS if len(row[1]) < 1000
]
NAMES = [f"{row[0]}, {row[-1]}" for row in PIECES]


@pytest.mark.parametrize("_name, data, answers, arrivals, pieces", PIECES, ids=NAMES)
def test_what_is_odd_arrives_in_one_form_only(door, _name, data, answers, arrivals, pieces):
    statuses = [status for status in answers if status != "close"]
    methods = [arrival.method for arrival in arrivals] + ["GET"]
    with Client(door.node) as client:
        for piece in [data] if pieces == "whole" else [data[i : i + 1] for i in range(len(data))]:
            client.send(piece)
        assert [client.answer(method).status for method, _ in zip(methods, statuses, strict=False)] == statuses
        if answers[-1] == "close":
            assert client.rest() == b""
        else:
            # In step: the next request is understood, and so is its answer.
            client.send(b"GET /next-to-it HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.answer().status == 200 and client.received == b""
    arrived = [request for note in door.taken() for request in strict.read_requests(note)]
    if answers[-1] != "close":
        assert arrived.pop().target == "/next-to-it"
    assert len(arrived) == len(arrivals), arrived
    for request, wanted in zip(arrived, arrivals):
        assert_as_meant(request, wanted)


def assert_as_meant(request: strict.Message, wanted: passed_requests.Arrival) -> None:
    assert (request.method, request.target, request.one("Host")) == (wanted.method, wanted.target, wanted.host)
    assert (request.framing, request.body) == (wanted.framing, wanted.body)
    assert request.trailers == list(wanted.trailers)
    for name, values in wanted.fields:
        assert request.all(name) == values, name
    for name in wanted.absent:
        assert request.all(name) == [], name


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_megabyte_of_pipelined_requests_arrives_in_its_order(door, scheme):
    # Much longer together than what usher reads at once. The answers fit into any socket's buffer.
    request = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nA: %s\r\n\r\n%05d"
    requests = [request % (number, b"x" * 250 * number, number) for number in range(100)]
    with wire.Wire(door.node.url(scheme)) as connection:
        connection.send(b"".join(requests))
        assert [connection.response().status for _ in requests] == [200] * len(requests)
    arrived = [request for note in door.taken() for request in strict.read_requests(note)]
    assert [(request.target, request.body) for request in arrived] == [
        (f"/{number}", b"%05d" % number) for number in range(len(requests))
    ]
