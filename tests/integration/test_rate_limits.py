"""Limits of rate and of connections: by zone, for all workers together, over reloads."""

import concurrent.futures
import contextlib
import signal
import time

import pytest
import wire
from harness import settings_for, toml, wait_for
from http2 import Http2

JSON = [("Accept", "application/json")]
SLOW = {"name": "slow", "rate": "1r/m"}  # within a test it allows no second request
LISTEN = [{"address": "127.0.0.1:0", "protocols": ["h2", "http/1.1"]}]


def node_with(house, replica, path: str = "/whoami", workers: int = 2, zones=(SLOW,), **limits):
    """Only that path is limited."""
    settings = settings_for([replica], workers=workers, listen=LISTEN, rate_zone=list(zones), connection_zone=[{"name": "open"}])
    settings["route"].append({"path": path, "upstream": "open-webui", **limits})
    return house.usher([replica], settings=settings)


def test_what_is_beyond_the_burst_is_refused(house, replica):
    node = node_with(house, replica, rate_limits=["slow burst=4 nodelay"])
    with wire.Wire(node.url()) as connection:
        answers = [connection.ask("GET", "/whoami", JSON) for _ in range(8)]
        assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
        for answer in answers[5:]:
            assert answer.json()["detail"] and 1 <= int(answer.header("retry-after")) <= 63
        assert connection.ask("GET", "/begun").status == 200, "of a route without limits"
        page = connection.ask("GET", "/whoami", [("Accept", "text/html")])
        assert page.status == 429 and page.header("content-type").startswith("text/html")
    line = node.await_access(lambda line: line["status"] == 429)
    assert line["error"].startswith("rate_limited: zone slow, ")
    assert line["replica"] == "" and line["attempts"] == 0
    wait_for(lambda: node.metric("usher_rate_limited_requests_total", zone="slow", outcome="refused") == 4, "its count")


def test_the_status_is_the_routes(house, replica):
    node = node_with(house, replica, rate_limits=["slow"], rate_limit_status=444)
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami").status == 200
        connection.request("GET", "/whoami")
        assert connection.closed_by_peer()
    line = node.await_access(lambda line: line["status"] == 444)
    assert line["error"].startswith("rate_limited")


def test_all_workers_count_together(house, replica):
    node = node_with(house, replica, workers=4, rate_limits=["slow burst=9 nodelay"])

    def ask(_):
        with wire.Wire(node.url()) as connection:
            return connection.ask("GET", "/whoami", JSON).status

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(ask, range(60)))
    assert statuses.count(200) == 10 and statuses.count(429) == 50


def test_what_is_ahead_waits_for_its_turn(house, replica):
    node = node_with(house, replica, "/sink", zones=[{"name": "five", "rate": "5r/s"}], rate_limits=["five burst=10"])
    start = time.monotonic()

    def ask(_):
        with wire.Wire(node.url()) as connection:
            status = connection.ask("POST", "/sink", JSON, b"a body").status
            return time.monotonic() - start, status

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = sorted(pool.map(ask, range(5)))
    assert [status for _, status in answers] == [200] * 5
    # None comes early; the clocks of the two count in milliseconds.
    assert all(after >= 0.2 * number - 0.01 for number, (after, _) in enumerate(answers)), answers


def test_who_leaves_while_it_waits_is_forgotten(house, replica):
    node = node_with(house, replica, rate_limits=["slow burst=5"])
    assert wire.fetch(node.url() + "/whoami").status == 200
    with contextlib.ExitStack() as stack:
        for number in range(3):
            connection = stack.enter_context(wire.Wire(node.url()))
            connection.request("GET", f"/whoami?id=waits-{number}", JSON)
        wait_for(lambda: node.metric("usher_requests_delayed") == 3, "three that wait")
        assert wire.fetch(node.url() + "/begun").status == 200
    wait_for(lambda: node.metric("usher_requests_delayed") == 0, "nobody who waits")
    line = node.await_access(lambda line: line["status"] == 499)
    assert line["error"].startswith("client_gone") and line["attempts"] == 0
    assert not [name for name in replica.get("/begun") if name.startswith("waits-")]


def test_a_websocket_keeps_its_place_until_it_closes(house, replica):
    node = node_with(house, replica, "/any", connection_limits=["open 1"])
    with wire.Wire(node.url()) as socket:
        socket.send(wire.handshake("/any/terminal"))
        assert socket.read_head().status == 101
        refused = wire.fetch(node.url() + "/any/thing", headers=JSON)
        assert refused.status == 429 and refused.json()["detail"] and refused.header("retry-after") == "1"
        line = node.await_access(lambda line: line["status"] == 429)
        assert line["error"] == "connection_limited: zone open"
        assert wire.fetch(node.url() + "/whoami").status == 200
    wait_for(lambda: wire.fetch(node.url() + "/any/thing", headers=JSON).status != 429, "the place free again")
    assert node.metric("usher_connection_limited_requests_total", zone="open") >= 1


def test_each_stream_of_a_connection_counts(house, replica):
    node = node_with(house, replica, "/slow", connection_limits=["open 2"])
    with Http2(node.url()) as connection:
        held = [connection.begin("GET", f"/slow?ms=60000&id=held-{number}") for number in range(2)]
        wait_for(lambda: {"held-0", "held-1"} <= set(replica.get("/begun")), "both at the replica")
        assert connection.ask("GET", "/slow?ms=0").status == 429
        connection.reset(held[0])
        wait_for(lambda: connection.ask("GET", "/slow?ms=0").status == 200, "a place")


@pytest.mark.parametrize("zone", [SLOW, {"name": "slow", "rate": "2r/m"}], ids=["same", "another rate"])
def test_a_reload_forgets_nothing(house, replica, zone):
    node = node_with(house, replica, rate_limits=["slow"])
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami", JSON).status == 200
        assert connection.ask("GET", "/whoami", JSON).status == 429
        node.settings["rate_zone"] = [zone]
        node.settings["route"].append({"path": "/gone", "status": 410})
        node.config.write_text(toml(node.settings))
        node.signal(signal.SIGHUP)
        wait_for(lambda: connection.ask("GET", "/gone").status == 410, "the new settings")
        assert connection.ask("GET", "/whoami", JSON).status == 429
