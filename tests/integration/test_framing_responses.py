"""Where a replica's response ends, when the replica itself does not say so, or says it in two ways (RFC 9112).

The tables in tests/support/framing hold what replicas send. What a client gets is read by strict.py, which has no code
in common with usher.
"""

import socket
from urllib.parse import urlsplit

import fakes
import harness
import pytest
import wire
from framing import passed_responses, refused_responses, strict
from framing.recorder import Scripted

GROUPS = {name: getattr(refused_responses, name) for name in ("REFUSED", "CUT", "ABORTED", "CUT_OFF", "SPENT")}
GOOD = "good"


def script() -> dict[str, tuple[bytes, bool]]:
    """What the replica answers, under keys that `path_of` makes."""
    answers = {GOOD: (refused_responses.GOOD, False)}
    for group, rows in GROUPS.items():
        for number, (_, octets, _) in enumerate(rows):
            answers[f"{group}-{number}"] = (octets, group.startswith("CUT"))
    for number, (_, octets, ends, _, _) in enumerate(passed_responses.ROWS):
        answers[f"PASSED-{number}"] = (octets, ends)
    return answers


class Door:
    """usher before a Scripted replica, for all tests of the file."""

    def __init__(self, house):
        self.replica = house.fake(Scripted(script()))
        self.node = house.usher([self.replica], workers=1)
        parts = urlsplit(self.node.url())
        self.address = (parts.hostname, parts.port)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, 20 * harness.patience())

    def ask(self, connection: socket.socket, key: str, request: str) -> str:
        """Sends it; returns its method."""
        method, fields = passed_responses.REQUESTS[request]
        version = b"1.0" if request.startswith("HTTP/1.0") else b"1.1"
        connection.sendall(b"%s /%s HTTP/%s\r\nHost: a\r\n%s\r\n" % (method, key.encode(), version, fields))
        return method.decode()

    def assert_in_step(self, connection: socket.socket) -> None:
        """The client's connection serves another request."""
        self.ask(connection, GOOD, "GET")
        assert read(connection).body == b"ok"

    def assert_not_used_again(self, key: str) -> None:
        number = self.replica.used_by[key]
        harness.wait_for(lambda: number in self.replica.ended, f"an end of what said {key}", interval=0.001)
        assert self.replica.unread.get(number, b"") == b""
        with self.connect() as connection:
            self.assert_in_step(connection)
        assert self.replica.used_by[GOOD] != number


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    house = harness.House(tmp_path_factory.mktemp("framing"))
    try:
        yield Door(house)
    finally:
        house.close()


def read(connection: socket.socket, method: str = "GET", received: bytearray | None = None) -> strict.Message:
    """The next response; Incomplete when the connection ends or is reset in it. `received`: what came behind it."""
    received = bytearray() if received is None else received
    ended = False
    while True:
        try:
            message, rest = strict.read_response(bytes(received), method, ended)
            received[:] = rest
            return message
        except strict.Incomplete:
            if ended:
                raise
        try:
            data = connection.recv(1 << 16)
        except ConnectionResetError:
            raise strict.Incomplete("a reset") from None
        received += data
        ended = not data


def read_final(connection: socket.socket, method: str, received: bytearray | None = None) -> strict.Message:
    received = bytearray() if received is None else received
    while (answer := read(connection, method, received)).status < 200:
        pass
    return answer


def keys(prefix: str, octets: bytes, slowly: bool = True) -> list[tuple[str, str]]:
    """Under which keys they are sent, and how that is. What is long is cut by the sockets anyway."""
    both = [(prefix, "whole"), (f"{prefix}/slowly", "octet by octet")]
    return both if slowly and len(octets) < 1000 else both[:1]


def rows(group: str):
    # What comes too late to be seen behind a response, a next request may take for its own.
    slowly = group != "SPENT"
    table = [
        pytest.param(key, request, id=f"{name}, {how}")
        for number, (name, octets, request) in enumerate(GROUPS[group])
        for key, how in keys(f"{group}-{number}", octets, slowly)
    ]
    return pytest.mark.parametrize("key, request_", table)


def test_the_tables_are_as_large_as_they_are_said_to_be():
    assert sum(len(GROUPS[group]) for group in ("REFUSED", "CUT", "ABORTED", "CUT_OFF")) >= 280
    assert len(passed_responses.ROWS) >= 60
    for table in (sum(GROUPS.values(), []), passed_responses.ROWS):
        assert len({row[0] for row in table}) == len(table), "a name stands there twice"


@rows("REFUSED")
def test_what_is_no_response_is_a_502(door, key, request_):
    with door.connect() as connection:
        method = door.ask(connection, key, request_)
        assert_502(read_final(connection, method), method)
        door.assert_in_step(connection)
    assert door.replica.asked.count(key) == 1, "what a replica has answered somehow is not asked again"
    door.assert_not_used_again(key)


@rows("CUT")
def test_a_head_that_is_cut_is_a_502(door, key, request_):
    with door.connect() as connection:
        method = door.ask(connection, key, request_)
        assert_502(read_final(connection, method), method)
        door.assert_in_step(connection)
    door.assert_not_used_again(key)


def assert_502(answer: strict.Message, method: str) -> None:
    assert answer.status == 502 and answer.reason == "Bad Gateway"
    assert answer.one("Content-Type") == "application/json"
    assert method == "HEAD" or answer.body.startswith(b'{"detail":"')


@rows("ABORTED")
def test_a_body_that_breaks_off_in_a_fault_is_never_whole(door, key, request_):
    assert_broken_off(door, key, request_)


@rows("CUT_OFF")
def test_a_body_that_is_cut_is_never_whole(door, key, request_):
    assert_broken_off(door, key, request_)


def assert_broken_off(door: Door, key: str, request: str) -> None:
    with door.connect() as connection:
        method = door.ask(connection, key, request)
        with pytest.raises(strict.Incomplete):
            pytest.fail(f"a whole message: {read_final(connection, method)}")
    door.assert_not_used_again(key)


@rows("SPENT")
def test_a_connection_on_which_more_came_than_was_asked_for_is_not_used_again(door, key, request_):
    with door.connect() as connection:
        method = door.ask(connection, key, request_)
        received = bytearray()
        answer = read(connection, method, received)
        assert answer.status in (200, 204, 304)
        assert answer.body in (b"ok", b"") and received == b""
        door.assert_in_step(connection)
    door.assert_not_used_again(key)


PASSED = [
    pytest.param(key, request, arrivals, id=f"{name}, {how}")
    for number, (name, octets, _, request, arrivals) in enumerate(passed_responses.ROWS)
    for key, how in keys(f"PASSED-{number}", octets)
]


@pytest.mark.parametrize("key, request_, arrivals", PASSED)
def test_what_is_odd_arrives_in_one_form_only(door, key, request_, arrivals):
    received = bytearray()
    with door.connect() as connection:
        method = door.ask(connection, key, request_)
        for wanted in arrivals:
            answer = read(connection, method, received)
            assert_as_meant(answer, wanted, method)
        if answer.one("Connection") == "close":
            assert connection.recv(1) == b""
        elif answer.status != 101:
            door.assert_in_step(connection)
        assert received == b""


def assert_as_meant(answer: strict.Message, wanted: passed_responses.Arrival, method: str) -> None:
    assert (answer.status, answer.framing, answer.body) == (wanted.status, wanted.framing, wanted.body)
    assert wanted.reason is None or answer.reason == wanted.reason
    assert answer.trailers == list(wanted.trailers)
    assert (answer.one("Connection") == "close") == wanted.closes
    for name, values in wanted.fields:
        got = [value for value in answer.all(name) if not value.startswith("usher=")]
        assert got == values, name
    for name in wanted.absent:
        assert answer.all(name) == [], name


def test_a_client_that_does_not_read_holds_interim_responses_back(house):
    replica = house.fake(fakes.NeverComesToThePoint())
    node = house.usher([replica])
    with wire.Wire(node.url(), receive_buffer=4096) as connection:
        connection.request("GET", "/")
        harness.wait_for(
            lambda: replica.held_back or replica.sent >= replica.most or node.access_log, "an end of the interim responses"
        )
    assert replica.sent < 16 << 20, f"{replica.sent >> 20} MiB were taken"


def test_what_a_replica_says_out_of_turn_answers_nobody(house):
    replica = house.fake(fakes.SpeaksOutOfTurn())
    node = house.usher([replica], workers=1)
    with wire.Wire(node.url()) as connection:
        for number in range(1, 6):
            assert connection.ask("GET", "/").body == b"asked"
            assert replica.used_connections == number
            replica.speak()
            harness.wait_for(lambda: all(w.is_closing() for w in replica.writers), "an end of that connection")
