"""One end goes away in the middle: the other sees that, soon, and never takes a part for the whole."""

import socket
import ssl
import time

import blob
import fakes
import harness
import pytest
import wire
from harness import settings_for, wait_for
from wire import handshake

SCHEMES = ["http", "https"]


def node_for(house, replica, **extra):
    return house.usher([replica], settings=settings_for([replica], **extra))


def rest_of(connection) -> tuple[bytes, str]:
    """Everything that still comes, and how it ends: "end" in order, "reset", or "cut" (TLS: without close_notify)."""
    data = connection.pending
    if isinstance(connection.socket, ssl.SSLSocket):
        connection.socket.suppress_ragged_eofs = False
    while True:
        try:
            piece = connection.socket.recv(1 << 16)
        except ConnectionResetError:
            return data, "reset"
        except ssl.SSLEOFError:
            return data, "cut"
        if not piece:
            return data, "end"
        data += piece


# --- The replica goes away ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_of_a_body_that_is_cut_everything_arrives_that_there_was_and_its_framing_shows_the_rest(house, scheme, framing):
    """Much more than sockets hold, to a slow reader: a reset would drop what is queued."""
    body = b"".join(blob.pieces(1, 3_000_000))
    node = node_for(house, house.fake(fakes.ClosesMidBody(framing, body)))
    with wire.Wire(node.url(scheme), receive_buffer=16384) as connection:
        connection.request("GET", "/")
        head = connection.read_head()
        time.sleep(1)  # A slow reader: what has come meanwhile stands in queues.
        received = []
        with pytest.raises(wire.Truncated):
            received.extend(connection.body_pieces(head))
    if framing == "length":
        assert b"".join(received) == body
    line = node.await_access(lambda line: line["path"] == "/")
    assert line["error"].startswith("replica_closed") and line["status"] == 200 and line["bytes_out"] == len(body)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_is_cut_ends_in_order_and_incomplete(house, scheme, framing):
    """RFC 9112 section 8: the framing tells; the bytes that there were are not lost to a reset."""
    node = node_for(house, house.fake(fakes.ClosesMidBody(framing)))
    with wire.Wire(node.url(scheme)) as connection:
        connection.request("GET", "/")
        head = connection.read_head()
        data, end = rest_of(connection)
    assert end == "end" and data == (b"first" if framing == "length" else b"5\r\nfirst\r\n")
    assert head.status == 200


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_replica_that_resets_is_no_end_of_a_body(house, scheme, framing):
    fake = house.fake(fakes.ResetsMidBody(framing))
    node = node_for(house, fake)
    with wire.Wire(node.url(scheme)) as connection:
        connection.request("GET", "/")
        pieces = connection.body_pieces(connection.read_head())
        assert next(pieces) == b"first"
        fake.reset()
        with pytest.raises(wire.Truncated):
            list(pieces)
    assert node.await_access(lambda line: line["path"] == "/")["error"].startswith("replica_closed")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_http_1_0_client_that_only_the_end_tells_of_the_end_gets_a_reset(house, scheme):
    fake = house.fake(fakes.ResetsMidBody("chunked"))
    node = node_for(house, fake)
    with wire.Wire(node.url(scheme)) as connection:
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        head = connection.read_head()
        assert head.header("content-length") is None and head.header("transfer-encoding") is None
        assert connection.read_exactly(5) == b"first"
        fake.reset()
        data, end = rest_of(connection)
    assert data == b"" and end in (("reset",) if scheme == "http" else ("reset", "cut"))


def queued_for_who_does_not_read(node, scheme) -> int:
    """How many bytes of a body find room on the way to such a client, the kernel's part included."""
    with wire.Wire(node.url(scheme), receive_buffer=2048) as connection:
        connection.request("GET", "/blob?id=room&bytes=100000000")
        connection.read_head()
        time.sleep(1)  # Until no more goes in; nothing tells.
        connection.reset()
    return node.await_access(lambda line: line["path"] == "/blob")["bytes_out"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_last_answer_may_take_a_slow_client_longer_than_the_farewell(house, replica, scheme):
    """The end of a connection waits for what is queued as long as the client takes some of it."""
    node = node_for(house, replica)
    total = queued_for_who_does_not_read(node, scheme) - 64_000
    with wire.Wire(node.url(scheme), receive_buffer=2048) as connection:
        connection.request("GET", f"/blob?bytes={total}", [("Connection", "close")])
        head = connection.read_head()
        time.sleep(4)
        assert sum(len(piece) for piece in connection.body_pieces(head)) == total
        assert connection.closed_by_peer()


def test_what_a_client_does_not_take_is_given_up_after_the_stall(house, replica):
    node = node_for(house, replica, timeouts={"stall": "600ms"})
    total = queued_for_who_does_not_read(node, "http") - 64_000
    with wire.Wire(node.url(), receive_buffer=2048) as connection:
        connection.request("GET", f"/blob?bytes={total}", [("Connection", "close")])
        connection.read_head()
        wait_for(lambda: node.metric("usher_connections") == 0, "the end of the connection")


# --- The client goes away -----------------------------------------------------------------------------


def aborts(replica, name: str) -> list[dict]:
    return [abort for abort in replica.get("/aborts") if abort["id"] == name]


def assert_seen_within_a_second(replica, name: str, left: int) -> None:
    abort = wait_for(lambda: aborts(replica, name), "the replica's note of the abort")[0]
    assert abort["time_ns"] - left < 1e9 * harness.patience()


def begin_waiting(connection, name):
    connection.request("GET", f"/slow?id={name}&ms=60000")


def begin_events(connection, name):
    connection.request("GET", f"/sse?id={name}&interval_ms=50&count=10000")
    next(wire.sse_events(connection, connection.read_head()))


def begin_upload(connection, name):
    connection.request("POST", f"/sink?id={name}", [("Content-Length", "1000000")])
    connection.send(b"x" * 300_000)


def begin_download(connection, name):
    connection.request("GET", f"/blob?id={name}&bytes=1000000000")
    connection.read_head()


def begin_websocket(connection, name):
    connection.send(handshake(f"/any/where?id={name}"))
    assert connection.response().status == 101


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("goodbye", ["close", "reset"])
@pytest.mark.parametrize("begin", [begin_waiting, begin_events, begin_upload, begin_download, begin_websocket])
def test_a_client_that_leaves_is_gone_for_the_replica_within_a_second(house, replica, scheme, goodbye, begin):
    node = house.usher([replica], workers=1)
    with wire.Wire(node.url(scheme)) as connection:
        begin(connection, "leaver")
        wait_for(lambda: any(begun == "leaver" for begun in replica.get("/begun")), "the request at the replica")
        left = time.time_ns()
        getattr(connection, goodbye)()
        assert_seen_within_a_second(replica, "leaver", left)


def test_a_client_that_ends_its_side_only_has_left_too(house, replica):
    node = house.usher([replica], workers=1)
    with wire.Wire(node.url()) as connection:
        begin_waiting(connection, "half")
        wait_for(lambda: "half" in replica.get("/begun"), "the request at the replica")
        left = time.time_ns()
        connection.socket.shutdown(socket.SHUT_WR)
        assert_seen_within_a_second(replica, "half", left)
