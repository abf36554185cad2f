"""Every wait has its end: the deadlines of an upstream, of a route and of a client's connection."""

import time

import fakes
import harness
import http2
import pytest
import wire
from harness import settings_for

JSON = [("Accept", "application/json")]


def node_with_routes(house, replicas, routes: dict, timeouts=None, wait=True, **extra):
    """Each path of `routes` has timeouts of its own; "/" has the upstream's."""
    settings = settings_for(replicas, **extra)
    settings["upstream"][0]["timeouts"] = timeouts or {}
    settings["route"] += [{"path": path, "upstream": "open-webui", "timeouts": own} for path, own in routes.items()]
    node = house.usher(replicas, settings=settings, wait=False)
    return node.await_replicas(len(replicas)) if wait else node


class Elapsed:
    def __enter__(self):
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began

    def assert_about(self, seconds: float) -> None:
        """Not before its time, and not long after it."""
        assert seconds * 0.9 < self.seconds < seconds + 4 * harness.patience(), self.seconds


def assert_silent(connection, seconds: float) -> None:
    connection.socket.settimeout(seconds)
    with pytest.raises(TimeoutError):
        connection.receive()


def test_a_route_has_a_first_byte_time_of_its_own(house):
    node = node_with_routes(house, [house.fake(fakes.NeverAnswers())], {"/quick": {"first_byte": "400ms"}})
    with wire.Wire(node.url()) as patient:
        patient.request("GET", "/", JSON)
        with Elapsed() as elapsed:
            answer = wire.fetch(node.url() + "/quick/x", headers=JSON)
        assert answer.status == 504 and answer.json()["detail"]
        elapsed.assert_about(0.4)
        assert_silent(patient, 0.5)
    assert node.await_access(lambda line: line["path"] == "/quick/x")["error"].startswith("first_byte_timeout")


def test_a_route_may_wait_longer_than_its_upstream(house, replica):
    node = node_with_routes(house, [replica], {"/slow": {"first_byte": "30s"}}, {"first_byte": "300ms"})
    assert wire.fetch(node.url() + "/slow?ms=900").status == 200


def test_a_route_has_a_time_between_bytes_of_its_own(house):
    node = node_with_routes(house, [house.fake(fakes.StallsAfterHead())], {"/quick": {"between_bytes": "400ms"}})
    with wire.Wire(node.url()) as connection, Elapsed() as elapsed:
        connection.request("GET", "/quick")
        with pytest.raises(wire.Truncated):
            list(connection.body_pieces(connection.read_head()))
    elapsed.assert_about(0.4)
    assert node.await_access(lambda line: line["path"] == "/quick")["error"].startswith("between_bytes_timeout")


def test_a_route_has_a_time_to_connect_of_its_own(house):
    fake = house.fake(fakes.NeverAccepts())
    node = node_with_routes(house, [fake], {"/quick": {"connect": "300ms"}}, {"connect": "1m"}, wait=False)
    with wire.Wire(node.url()) as patient, Elapsed() as elapsed:
        patient.request("GET", "/", JSON)
        answer = wire.fetch(node.url() + "/quick", headers=JSON)
        assert answer.status == 504
        assert_silent(patient, 0.5)
    assert elapsed.seconds > 0.3
    assert node.await_access(lambda line: line["path"] == "/quick")["error"].startswith("connect_timeout")


def test_a_route_has_an_idle_time_of_tunnels_of_its_own(house, replica):
    node = node_with_routes(house, [replica], {"/any/quick": {"tunnel_idle": "400ms"}})
    with wire.Wire(node.url()) as patient, wire.Wire(node.url()) as quick:
        for connection, path in ((patient, "/any/other"), (quick, "/any/quick")):
            connection.send(wire.handshake(path))
            assert connection.response().status == 101
        with Elapsed() as elapsed:
            assert quick.read_exactly(4) == b"\x88\x02\x03\xe9"
        elapsed.assert_about(0.4)
        assert_silent(patient, 0.5)
    assert node.await_access(lambda line: line["path"] == "/any/quick")["error"].startswith("tunnel_idle")


def test_a_connection_from_the_pool_has_the_times_of_the_route_that_borrows_it(house):
    node = node_with_routes(house, [house.fake(fakes.AnswersOnce())], {"/quick": {"first_byte": "400ms"}}, workers=1)
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/").body == b"once"
        with Elapsed() as elapsed:
            assert connection.ask("GET", "/quick", JSON).status == 504
    elapsed.assert_about(0.4)


def test_a_slow_upload_is_not_a_slow_answer(house, replica):
    """The time to the first byte begins with the end of the request."""
    node = node_with_routes(house, [replica], {"/sink": {"first_byte": "300ms"}})
    for headers, send in (([("Content-Length", "30")], "send"), ([("Transfer-Encoding", "chunked")], "send_chunk")):
        with wire.Wire(node.url()) as connection:
            connection.request("POST", "/sink", headers)
            for _ in range(3):
                time.sleep(0.5)  # Longer than the time to the first byte: the client is slow.
                getattr(connection, send)(b"x" * 10)
            if send == "send_chunk":
                connection.send(b"0\r\n\r\n")
            assert connection.response().json()["bytes"] == 30


@pytest.mark.parametrize("own", [{"send": "500ms"}, {"send": "500ms", "first_byte": "200ms"}])
def test_a_replica_that_takes_no_more_of_a_request_is_504(house, own):
    node = node_with_routes(house, [house.fake(fakes.NeverReads())], {"/quick": own})
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/quick", [("Content-Length", "200000000"), *JSON])
        connection.socket.setblocking(False)
        sent = 0
        answer = b""
        deadline = time.monotonic() + 20 * harness.patience()
        while not answer and time.monotonic() < deadline:
            try:
                sent += connection.socket.send(b"x" * 65536)
            except BlockingIOError:
                time.sleep(0.01)
            try:
                answer = connection.socket.recv(65536)
            except BlockingIOError:
                continue
        assert answer.startswith(b"HTTP/1.1 504 ") and 0 < sent < 200_000_000
    line = node.await_access(lambda line: line["path"] == "/quick")
    assert line["error"].startswith("first_byte_timeout") and line["status"] == 504


def test_a_route_has_a_largest_body_of_its_own(house, replica):
    settings = settings_for([replica])
    settings["route"].append({"path": "/echo", "upstream": "open-webui", "max_body": "1KiB"})
    node = house.usher([replica], settings=settings)
    assert wire.fetch(node.url() + "/sink", "POST", body=b"x" * 2000).json()["bytes"] == 2000
    refused = wire.fetch(node.url() + "/echo", "POST", JSON, b"x" * 2000)
    assert refused.status == 413 and refused.json()["detail"]


# --- A trickle is no progress -------------------------------------------------------------------------

LISTEN_BOTH = [{"address": "127.0.0.1:0", "protocols": ["h2", "http/1.1"]}]


def stalls_after(house, replica, seconds: int = 1):
    return house.usher([replica], settings=settings_for([replica], listen=LISTEN_BOTH, timeouts={"stall": f"{seconds}s"}))


@pytest.mark.parametrize("opens", ["stream", "connection"])
def test_window_updates_of_one_byte_do_not_keep_a_stream(house, replica, opens):
    node = stalls_after(house, replica)
    with http2.Http2(node.url(), window=1000 if opens == "stream" else 1 << 20, acknowledge=False) as client:
        client.until(lambda: client.settings)
        stream = client.begin("GET", "/blob?bytes=5000000")
        most = 1000 if opens == "stream" else 65535
        client.until(lambda: len(client.streams[stream].body) == most)
        client.socket.settimeout(0.1)
        deadline = time.monotonic() + 15 * harness.patience()
        ended = False
        while not ended and time.monotonic() < deadline:
            try:
                client.machine.increment_flow_control_window(1, stream if opens == "stream" else None)
                client.flush()
                client.receive()
                ended = client.streams[stream].over or client.closed
            except TimeoutError:
                pass
            except (http2.Ended, ConnectionError):
                ended = True
            time.sleep(0.05)  # The pace of the trickle.
        assert ended
    assert node.await_access(lambda line: line["path"] == "/blob")["error"].startswith("client_stalled")


def test_a_client_that_takes_enough_may_take_its_time(house, replica):
    node = stalls_after(house, replica)
    with http2.Http2(node.url(), window=1000, acknowledge=False) as client:
        client.until(lambda: client.settings)
        stream = client.begin("GET", "/blob?bytes=5000000")
        began = time.monotonic()
        taken = 1000
        while time.monotonic() < began + 4:
            client.until(lambda: len(client.streams[stream].body) == taken)
            client.machine.increment_flow_control_window(500, stream)
            client.machine.increment_flow_control_window(500)
            client.flush()
            taken += 500
            time.sleep(0.1)  # 5000 bytes a second at most.
        assert not client.streams[stream].over


def trickle(connection, pieces) -> bytes:
    """Sends a body in pieces, one at a time, until there is an answer: that."""
    connection.socket.settimeout(0.1)
    for piece in pieces:
        try:
            connection.send(piece)
            return connection.socket.recv(1 << 16)
        except TimeoutError:
            continue
    return b""


@pytest.mark.parametrize(
    "framing, piece", [("Content-Length: 1000000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")], ids=["length", "chunked"]
)
def test_one_byte_now_and_then_does_not_keep_an_upload(house, replica, framing, piece):
    node = stalls_after(house, replica)
    with wire.Wire(node.url()) as connection, Elapsed() as elapsed:
        connection.send(f"POST /sink HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n{framing}\r\n\r\n".encode())
        answer = trickle(connection, [piece] * int(150 * harness.patience()))
        assert answer.startswith(b"HTTP/1.1 408 "), answer
    elapsed.assert_about(1)
    assert node.await_access(lambda line: line["path"] == "/sink")["error"].startswith("body_timeout")


def test_one_byte_now_and_then_does_not_keep_an_upload_over_http2(house, replica):
    node = stalls_after(house, replica)
    with http2.Http2(node.url()) as client:
        client.until(lambda: client.settings)
        stream = client.begin("POST", "/sink", [("content-length", "1000000")], end=False)
        client.socket.settimeout(0.1)
        deadline = time.monotonic() + 15 * harness.patience()
        while client.streams[stream].status is None and time.monotonic() < deadline:
            try:
                client.write(stream, b"x")
                client.receive()
            except TimeoutError:
                continue
        assert client.streams[stream].status == 408


def test_a_slow_upload_that_moves_goes_on(house, replica):
    node = stalls_after(house, replica)
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink", [("Content-Length", "4000")])
        for _ in range(40):
            connection.send(bytes(100))
            time.sleep(0.1)  # A thousand bytes a second, for four times as long as the limit.
        assert connection.response("POST").json()["bytes"] == 4000


def test_a_client_that_does_not_follow_our_settings_is_not_kept(house, replica):
    """Until it does, it may send more of a body that waits than it should."""
    timeouts = {"stall": "2s", "head": "1s"}
    node = house.usher([replica], settings=settings_for([replica], listen=LISTEN_BOTH, timeouts=timeouts))
    with wire.Wire(node.url()) as connection:
        fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/slow?ms=600000")]
        block = b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)
        settings = bytes(3) + b"\4" + bytes(5)
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + bytes([0, 0, len(block), 1, 5, 0, 0, 0, 1]) + block)
        while connection.receive():
            pass
    lines = [line for line in node.events("connection_failed") if "acknowledge our settings" in line["error"]]
    assert len(lines) == 1


# --- Interim answers ----------------------------------------------------------------------------------


def test_interim_answers_do_not_put_the_first_byte_off(house):
    node = node_with_routes(house, [house.fake(fakes.SaysEarlyHints(0.05))], {"/quick": {"first_byte": "600ms"}})
    with wire.Wire(node.url()) as connection, Elapsed() as elapsed:
        connection.request("GET", "/quick", JSON)
        assert connection.response().status == 504
    elapsed.assert_about(0.6)
    assert node.await_access(lambda line: line["path"] == "/quick")["error"].startswith("first_byte_timeout")


@pytest.mark.parametrize("count, status", [(1000, 200), (1001, 502)])
def test_interim_answers_are_bounded_in_number(house, count, status):
    node = node_with_routes(house, [house.fake(fakes.SaysEarlyHints(0, count))], {})
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/", JSON).status == status
