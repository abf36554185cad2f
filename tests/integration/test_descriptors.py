"""Few descriptors: a client that was accepted is served, idle connections go before newcomers wait, and neither the
admin listener nor the health checks notice."""

import contextlib
import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
import pytest
import wire
from harness import settings_for, wait_for
from http2 import Http2

pytestmark = pytest.mark.skipif(
    harness.sanitized(), reason="UBSan looks at objects through a pipe, for which no descriptor is left"
)

FEW = 256
LISTEN = [{"address": "127.0.0.1:0", "protocols": ["h2", "http/1.1"]}, {"address": "127.0.0.1:0", "tls": True}]


def node_with(house, workers=1, descriptors=f"{FEW}:{FEW}", **extra):
    replica = house.replica()
    settings = settings_for([replica], workers=workers, **{"listen": LISTEN, **extra})
    settings["upstream"][0]["health"]["interval"] = "100ms"
    return house.usher([replica], settings=settings, descriptors=descriptors)


def bound(node) -> int:
    """How many client connections it says that it can have."""
    return node.status()["open_files"]["connections"]


def connect(node, source: str, scheme: str = "http") -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port(scheme)), source_address=(source, 0))


def websocket(node) -> wire.Wire:
    connection = wire.Wire(node.url(), timeout=60)
    connection.send(wire.handshake("/any/where"))
    assert connection.response().status == 101
    return connection


def cpu_seconds(node) -> float:
    fields = Path(f"/proc/{node.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def assert_replica_is_up(node):
    assert list(node.replica_states().values()) == ["up"]
    assert not node.events("replica_down")


def test_the_soft_limit_is_raised_to_the_hard_one_and_said(house):
    node = node_with(house, descriptors="200:700")
    assert resource.prlimit(node.pid, resource.RLIMIT_NOFILE) == (700, 700)
    told = node.status()["open_files"]
    assert (told["limit"], told["raised_from"]) == (700, 200)
    assert 100 < told["connections"] < 350, "two for each client, and some for the house"
    assert node.metric("usher_open_files_limit") == 700
    assert node.metric("usher_connections_limit") == told["connections"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_idle_connections_keep_nobody_out(house, scheme, workers):
    """Three times as many as there are descriptors: of one address that asks for nothing."""
    node = node_with(house, workers)
    most = bound(node)
    with contextlib.ExitStack() as open_now:
        known = open_now.enter_context(wire.Wire(node.url(scheme)))
        for number in range(3 * FEW):
            open_now.enter_context(connect(node, "127.0.0.2", scheme))
            if number % 16 == 0:
                assert known.ask("GET", "/whoami").status == 200
            if number % 64 == 0:
                assert wire.fetch(node.url(scheme) + "/whoami").status == 200, "a newcomer"
                assert node.admin_get("/healthz")[0] == 200
                assert node.metric("usher_connections") <= most
        assert_replica_is_up(node)
        assert node.metric("usher_idle_connections_closed_total") > 2 * FEW
        near = node.events("connections_near_limit")
        assert near and near[0]["most"] == most
        assert not [line for line in node.access_log if line["status"] >= 500]


def test_of_idle_connections_those_of_a_crowd_go_first(house):
    """Five clients keep one connection each. These are older than all of the one address that has many."""
    node = node_with(house)
    with contextlib.ExitStack() as open_now:
        honest = [open_now.enter_context(wire.Wire.over(connect(node, f"127.0.1.{number}"))) for number in range(2, 7)]
        for connection in honest:
            assert connection.ask("GET", "/whoami", host="a").status == 200
        for _ in range(2 * FEW):
            open_now.enter_context(connect(node, "127.0.0.2"))
        wait_for(lambda: node.metric("usher_idle_connections_closed_total") > FEW, "many have gone")
        for connection in honest:
            assert connection.ask("GET", "/whoami", host="a").status == 200, "on the same connection"


def test_an_idle_http2_connection_is_told_to_go(house):
    node = node_with(house)
    with contextlib.ExitStack() as open_now:
        first = open_now.enter_context(Http2(node.url(), source="127.0.0.2"))
        assert first.ask("GET", "/whoami").status == 200
        for _ in range(FEW):
            open_now.enter_context(connect(node, "127.0.0.2"))
        assert first.end() == 0 and first.last_stream == [1], "what it sends next may be sent again elsewhere"


def test_a_newcomer_waits_while_all_connections_are_busy(house):
    node = node_with(house)
    most = bound(node)
    busy = [websocket(node) for _ in range(most)]
    with ThreadPoolExecutor() as pool:
        newcomer = pool.submit(wire.fetch, node.url() + "/whoami", timeout=60)
        wait_for(lambda: node.events("listener_rests"), "the listener rests")
        # It neither spins nor talks, and the replica has done nothing wrong.
        began, used, lines = time.monotonic(), cpu_seconds(node), len(node.log)
        while time.monotonic() - began < 2:
            assert node.admin_get("/healthz")[0] == 200
        assert cpu_seconds(node) - used < 0.7
        assert len(node.log) - lines < 5, node.log[lines:]
        assert_replica_is_up(node)
        assert not newcomer.done() and node.metric("usher_connections") == most
        busy.pop().close()
        assert newcomer.result().status == 200
    for connection in busy:
        connection.close()
    assert not [line for line in node.access_log if line["status"] >= 500]


def test_requests_on_one_http2_connection_take_a_share_only(house):
    """128 at a time, for each of which the replica takes its time; four such connections."""
    node = node_with(house)
    with contextlib.ExitStack() as open_now:
        greedy = [open_now.enter_context(Http2(node.url(), source="127.0.0.2")) for _ in range(4)]
        asked = [[client.begin("GET", "/slow?ms=2000") for _ in range(100)] for client in greedy]
        assert wire.fetch(node.url() + "/whoami").status == 200
        assert node.admin_get("/healthz")[0] == 200
        for client, streams in zip(greedy, asked, strict=True):
            statuses = [client.response(stream).status for stream in streams]
            assert set(statuses) == {200, 503} and statuses[0] == 200, statuses
        assert_replica_is_up(node)
        assert wire.fetch(node.url() + "/whoami").status == 200
    assert {line["error"].split(":")[0] for line in node.access_log if line["status"] == 503} == {"out_of_descriptors"}


@pytest.mark.parametrize("descriptors", ["256:256", None])
def test_idle_connections_do_not_shut_the_admin_listener(house, descriptors):
    node = node_with(house, descriptors=descriptors)
    host, port = node.admin.removeprefix("http://").split(":")
    with contextlib.ExitStack() as open_now:
        kept = open_now.enter_context(wire.Wire(node.admin))
        before = node.descriptors()
        for number in range(600):
            idle = open_now.enter_context(socket.create_connection((host, int(port))))
            if number % 2:
                idle.sendall(b"GET /healthz HTT")
            if number % 2 == 0:
                assert kept.ask("GET", "/healthz").status == 200, "it is in use"
        assert node.admin_get("/healthz")[0] == 200
        assert node.descriptors() - before <= 260
        assert wire.fetch(node.url() + "/whoami").status == 200


def test_a_limit_that_is_lowered_later_is_found_out(house):
    node = node_with(house, descriptors="600:600")
    with contextlib.ExitStack() as open_now:
        known = open_now.enter_context(wire.Wire(node.url()))
        assert known.ask("GET", "/whoami").status == 200
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (node.descriptors() + 30, 600))
        for _ in range(80):
            open_now.enter_context(connect(node, "127.0.0.2"))
        wait_for(lambda: node.metric("usher_open_files_limit") < 600, "it knows")
        assert wire.fetch(node.url() + "/whoami", timeout=60).status == 200
        assert node.metric("usher_idle_connections_closed_total") > 0
