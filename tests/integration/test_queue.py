"""upstream.max_connections: a full replica is waited for, in order and for a limited time; new clients go elsewhere."""

import asyncio
import concurrent.futures
import contextlib

import fakes
import pytest
import wire
from harness import settings_for, wait_for


def limited(house, replicas, most: int, workers: int = 2, **more):
    settings = settings_for(replicas, workers=workers)
    settings["upstream"][0].update({"max_connections": most, **more})
    return house.usher(replicas, settings=settings)


def of(node, replica) -> dict:
    return next(each for each in node.status()["upstreams"][0]["replicas"] if each["id"] == replica.address)


class Occupied:
    """A replica's places, taken by requests that last until this ends."""

    def __init__(self, node, replica, count: int, cookie: str):
        self.connections = [wire.Wire(node.url()) for _ in range(count)]
        for connection in self.connections:
            connection.request("GET", "/slow?ms=600000", [("Cookie", cookie)])
        wait_for(lambda: of(node, replica)["in_flight"] == count, "all places taken")

    def free_one(self) -> None:
        self.connections.pop().close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()


def client_at(node, name: str) -> str:
    def try_one():
        answer = wire.fetch(node.url() + "/whoami")
        return answer.cookie() if answer.json()["replica"] == name else None

    return wait_for(try_one, f"a client at {name}")


def waits(node, replica, count: int) -> None:
    wait_for(lambda: of(node, replica)["queued"] == count, f"{count} in the queue")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_of_a_full_replica_waits_for_its_place_in_order(house, workers):
    replicas = house.replicas(["alpha", "beta"])
    node = limited(house, replicas, 2, workers, queue_timeout="5m")
    cookie = client_at(node, "alpha")
    with Occupied(node, replicas[0], 2, cookie) as occupied, contextlib.ExitStack() as stack:
        late = []
        for number in range(5):
            connection = stack.enter_context(wire.Wire(node.url()))
            connection.request("POST", f"/sink?id=late-{number}", [("Cookie", cookie)], b"body")
            late.append(connection)
            waits(node, replicas[0], number + 1)
        assert node.metric("usher_replica_queue", upstream="open-webui", replica=replicas[0].address) == 5
        occupied.free_one()
        for connection in late:
            answer = connection.response("POST")
            assert answer.status == 200 and answer.json()["replica"] == "alpha"
    begun = [name for name in replicas[0].get("/begun") if name.startswith("late-")]
    assert begun == [f"late-{number}" for number in range(5)]
    assert node.metric("usher_requests_queued_total") == 5


def test_new_clients_go_past_a_full_replica(house):
    replicas = house.replicas(["alpha", "beta"])
    settings = settings_for(replicas)
    settings["upstream"][0].update({"max_connections": 1, "balance": "round_robin"})
    node = house.usher(replicas, settings=settings)
    with Occupied(node, replicas[0], 1, client_at(node, "alpha")):
        assert {wire.fetch(node.url() + "/whoami").json()["replica"] for _ in range(10)} == {"beta"}


def test_a_full_queue_is_told_so(house):
    replica = house.replica()
    node = limited(house, [replica], 1, queue=1, queue_timeout="5m")
    cookie = client_at(node, "alpha")
    with Occupied(node, replica, 1, cookie), wire.Wire(node.url()) as waiting:
        waiting.request("GET", "/whoami", [("Cookie", cookie)])
        waits(node, replica, 1)
        answer = wire.fetch(node.url() + "/whoami?refused")
        assert answer.status == 503 and answer.header("retry-after") and answer.json()["detail"]
        line = node.await_access(lambda line: line["path"] == "/whoami" and line["status"] == 503)
        assert line["error"].startswith("replica_busy: ") and line["replica"] == ""
    wait_for(lambda: node.metric("usher_errors_total", cause="replica_busy") == 1, "its count")


def test_who_waits_too_long_is_told_so(house):
    replica = house.replica()
    node = limited(house, [replica], 1, queue_timeout="300ms")
    with Occupied(node, replica, 1, client_at(node, "alpha")):
        answer = wire.fetch(node.url() + "/whoami")
        assert answer.status == 503 and answer.header("retry-after")
        line = node.await_access(lambda line: line["status"] == 503)
        assert 250 <= line["duration_ms"] < 5000
        assert of(node, replica)["queued"] == 0
    wait_for(lambda: wire.fetch(node.url() + "/whoami").status == 200, "the place free again")


def test_a_client_that_goes_leaves_the_queue(house):
    replica = house.replica()
    node = limited(house, [replica], 1, queue_timeout="5m")
    cookie = client_at(node, "alpha")
    with Occupied(node, replica, 1, cookie) as occupied:
        gone = wire.Wire(node.url())
        gone.request("GET", "/whoami?id=gone", [("Cookie", cookie)])
        waits(node, replica, 1)
        gone.close()
        waits(node, replica, 0)
        with wire.Wire(node.url()) as stays:
            stays.request("GET", "/whoami?id=stays", [("Cookie", cookie)])
            waits(node, replica, 1)
            occupied.free_one()
            assert stays.response().status == 200
    assert "gone" not in replica.get("/begun")


def test_a_websocket_has_a_place_until_it_closes(house):
    replica = house.replica()
    node = limited(house, [replica], 1, queue_timeout="5m")
    with wire.Wire(node.url()) as socket:
        socket.send(wire.handshake("/any/terminal"))
        assert socket.read_head().status == 101
        wait_for(lambda: of(node, replica)["websockets"] == 1, "the websocket")
        with wire.Wire(node.url()) as waiting:
            waiting.request("GET", "/whoami")
            waits(node, replica, 1)
            socket.close()
            assert waiting.response().status == 200


def test_who_waits_for_a_replica_that_dies_goes_elsewhere(house):
    replicas = house.replicas(["alpha", "beta"])
    node = limited(house, replicas, 1, queue_timeout="5m")
    cookie = client_at(node, "alpha")
    with wire.Wire(node.url()) as socket, wire.Wire(node.url()) as waiting:
        # What has the place is not sent again elsewhere, as a GET would be.
        socket.send(wire.handshake("/any/terminal", f"Cookie: {cookie}\r\n".encode()))
        assert socket.read_head().status == 101
        # No POST: the socket may be closed before the listener, whose backlog then takes the next request with it.
        waiting.request("GET", "/whoami", [("Cookie", cookie)])
        waits(node, replicas[0], 1)
        replicas[0].kill()
        socket.close()  # as a browser does
        answer = waiting.response()
        assert answer.status == 200 and answer.json()["replica"] == "beta"


class CountsConcurrency(fakes.FakeReplica):
    def __init__(self):
        super().__init__()
        self.now = 0
        self.most = 0

    async def misbehave(self, head, reader, writer, number):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)  # the time that an answer takes
        self.now -= 1
        writer.write(fakes.whole(b"done"))
        return True


def test_a_replica_never_gets_more_than_its_limit(house):
    replica = house.fake(CountsConcurrency())
    node = limited(house, [replica], 5)

    def many(_):
        with wire.Wire(node.url()) as connection:
            return [connection.ask("GET", "/").status for _ in range(10)]

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        statuses = [status for statuses in pool.map(many, range(40)) for status in statuses]
    assert statuses == [200] * 400
    assert replica.most == 5
    assert of(node, replica)["queued"] == 0


@pytest.mark.parametrize("expect", [[], [("Expect", "100-continue")]], ids=["plain", "expects 100"])
def test_bodies_that_do_not_come_take_no_places(house, expect):
    """Small ones are waited for before there is a place for them."""
    replica = house.replica()
    node = limited(house, [replica], 10, queue_timeout="5m")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(wire.Wire(node.url())) for _ in range(10)]
        for number, connection in enumerate(slow):
            connection.request("POST", f"/echo?id=slow-{number}", [("Content-Length", "1000"), *expect])
            if expect:
                assert connection.read_head().status == 100
            connection.send(bytes(100))
        wait_for(lambda: sum(node.metrics()["usher_connections"].values()) >= 10, "all of them are there")
        assert wire.fetch(node.url() + "/whoami").status == 200
        assert of(node, replica)["in_flight"] == 0 and not replica.get("/begun")
        for connection in slow:
            connection.send(bytes(900))
        for connection in slow:
            answer = connection.response("POST")
            assert answer.status == 200 and answer.body == bytes(1000)
    assert node.metric("usher_requests_queued_total") == 0


def test_a_large_body_that_does_not_move_gives_its_place_back(house):
    replica = house.replica()
    settings = settings_for([replica], timeouts={"stall": "2s"})
    settings["upstream"][0].update({"max_connections": 2, "queue_timeout": "5m"})
    node = house.usher([replica], settings=settings)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(wire.Wire(node.url())) for _ in range(2)]
        for connection in slow:
            connection.request("POST", "/sink", [("Content-Length", "1000000")])
            connection.send(bytes(100))
        wait_for(lambda: of(node, replica)["in_flight"] == 2, "both places are taken")
        assert wire.fetch(node.url() + "/whoami").status == 200
        assert [connection.response("POST").status for connection in slow] == [408, 408]


def test_a_small_body_is_sent_to_the_replica_that_is_left(house):
    """It is there before a replica is chosen, so it can be sent to another one that takes connections."""
    replicas = house.replicas(["alpha", "beta"])
    node = limited(house, replicas, 10)
    cookie = client_at(node, "alpha")
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink", [("Content-Length", "10"), ("Cookie", cookie)])
        connection.send(b"01234")
        replicas[0].kill()
        connection.send(b"56789")
        answer = connection.response("POST")
        assert answer.json()["replica"] == "beta" and answer.json()["bytes"] == 10


def test_retries_are_limited_by_a_budget(house):
    """A replica that breaks every request gets at most a fifth more of them, and ten a second."""
    replica = house.fake(fakes.ClosesUnanswered())
    node = house.usher([replica], workers=1)
    requests = 600
    with wire.Wire(node.url()) as connection:
        for _ in range(requests):
            assert connection.ask("GET", "/").status == 502
    retries = node.metric("usher_retries_total", cause="replica_closed")
    refused = node.metric("usher_retries_refused_total")
    # The test may have taken longer than the window of ten seconds.
    assert 100 <= retries < requests
    assert retries + refused == requests
    assert replica.used_connections == requests + retries
    node.await_access(lambda line: "retry budget" in line["error"])


def test_a_refused_connect_is_not_charged_to_the_budget(house):
    replicas = house.replicas(["alpha", "beta"])
    settings = settings_for(replicas, workers=1)
    settings["upstream"][0]["health"]["interval"] = "10m"
    node = house.usher(replicas, settings=settings)
    cookies = [client_at(node, "alpha") for _ in range(150)]
    connections = [wire.Wire(node.url()) for _ in cookies]
    replicas[0].kill()
    for connection, cookie in zip(connections, cookies, strict=True):
        connection.request("GET", "/whoami", [("Cookie", cookie)])
    assert {connection.response().json()["replica"] for connection in connections} == {"beta"}
    for connection in connections:
        connection.close()


def test_what_has_come_of_a_body_is_judged_while_its_request_waits(house):
    [replica] = house.replicas(["alpha"])
    settings = settings_for([replica], workers=1, route=[{"upstream": "open-webui", "max_body": "1KiB"}])
    settings["upstream"][0].update({"max_connections": 1, "queue_timeout": "5m"})
    node = house.usher([replica], settings=settings)
    cookie = client_at(node, "alpha")
    head = f"POST /sink?client=late HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with Occupied(node, replica, 1, cookie) as occupied:
        for body, status in ((b"x", 400), (b"401\r\n" + b"x" * 1025, 413)):
            with wire.Wire(node.url()) as late:
                late.send(head)
                waits(node, replica, 1)
                late.send(body)
                assert late.response("POST").status == status
                waits(node, replica, 0)
        occupied.free_one()
        assert wire.fetch(node.url() + "/sink?client=good", method="POST", headers=[("Cookie", cookie)], body=b"x").status == 200
    assert replica.requests("good") and not replica.requests("late")
