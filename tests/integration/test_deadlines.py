"""Every wait has its end: the deadlines of an upstream, of a route and of a client's connection."""

import time

import fakes
import harness
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
