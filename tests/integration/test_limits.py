"""limits.connections: who has too many connections is told so, cheaply, and nobody else pays for it."""

import concurrent.futures
import socket
import ssl
import time

import harness
import pytest
import wire
from harness import wait_for

JSON = [("Accept", "application/json")]
PAGE = [("Accept", "text/html,application/xhtml+xml")]
LIMIT = 5


@pytest.fixture
def limited(house, replica):
    return house.usher([replica], limits={"connections": LIMIT}, workers=1)


def crowd(node, scheme="http", count=LIMIT) -> list[wire.Wire]:
    """Uses up the limit of this address."""
    connections = [wire.Wire(node.url(scheme)) for _ in range(count)]
    for connection in connections:
        assert connection.ask("GET", "/whoami").status == 200
    return connections


def failures(node) -> list[dict]:
    return [line for line in node.log if line.get("event") == "connection_failed"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_beyond_the_limit_is_told_so(limited, replica, scheme):
    kept = crowd(limited, scheme)
    with wire.Wire(limited.url(scheme)) as connection:
        answer = connection.ask("GET", "/whoami?client=refused", JSON)
        assert answer.status == 429 and answer.json()["detail"]
        assert int(answer.header("retry-after")) > 0 and answer.header("connection") == "close"
        assert connection.closed_by_peer()
    with wire.Wire(limited.url(scheme)) as connection:
        answer = connection.ask("GET", "/", PAGE)
        assert answer.status == 429 and answer.header("content-type").startswith("text/html")
    with wire.Wire(limited.url(scheme)) as connection:
        connection.request("HEAD", "/whoami")
        assert connection.response("HEAD").status == 429 and connection.closed_by_peer()
    with wire.Wire(limited.url(scheme)) as connection:
        assert connection.ask("POST", "/echo", JSON, b"x" * 100_000).status == 429
    assert not replica.requests("refused"), "no replica is asked"
    for connection in kept:
        assert connection.ask("GET", "/whoami").status == 200
        connection.close()


def test_there_is_room_again_when_a_connection_ends(limited):
    kept = crowd(limited)
    kept.pop().close()
    wait_for(lambda: wire.fetch(limited.url() + "/whoami").status == 200, "room")
    for connection in kept:
        connection.close()


def test_refusals_are_counted_and_logged_once(limited):
    kept = crowd(limited)
    for _ in range(20):
        assert wire.fetch(limited.url() + "/whoami", headers=JSON).status == 429
    wait_for(lambda: limited.metric("usher_errors_total", cause="too_many_connections") == 20, "their count")
    wait_for(lambda: limited.metric("usher_responses_total", **{"class": "4xx"}) == 20, "the count of their answers")
    (line,) = wait_for(lambda: failures(limited), "the line")
    assert line["level"] == "warning" and line["client"] == "127.0.0.1"
    assert line["error"].startswith("too_many_connections")
    for connection in kept:
        connection.close()
    wait_for(lambda: len(limited.access_log) == LIMIT, "the lines of those that were served")
    assert not [line for line in limited.access_log if line["status"] == 429]


def test_what_is_no_request_is_refused_as_well(limited):
    kept = crowd(limited)
    with wire.Wire(limited.url()) as connection:
        connection.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        assert connection.response().status == 429
    for connection in kept:
        connection.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_flood_beyond_the_limit_is_cut_short_and_others_are_served(limited, scheme):
    """More at once than are answered: the rest is closed unheard, at no cost."""
    kept = crowd(limited, scheme)

    def attempt(_) -> str:
        try:
            with wire.Wire(limited.url(scheme)) as connection:
                return str(connection.ask("GET", "/whoami", JSON).status)
        except (OSError, ssl.SSLError, wire.Truncated):
            return "closed"

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(attempt, range(600)))
    assert set(outcomes) == {"429", "closed"}
    began = time.monotonic()
    for connection in kept:
        assert connection.ask("GET", "/whoami").status == 200
        connection.close()
    assert time.monotonic() - began < 5 * harness.patience()
    wait_for(lambda: limited.metric("usher_errors_total", cause="too_many_connections") == 600, "their count")
    wait_for(lambda: limited.metric("usher_connections") == 0, "the end of all of them")


def test_who_is_refused_and_says_nothing_does_not_stay(house, replica):
    node = house.usher([replica], limits={"connections": LIMIT}, timeouts={"head": "400ms", "handshake": "400ms"})
    kept = crowd(node)
    silent = [wire.Wire(node.url()) for _ in range(3)]
    mute = [socket.create_connection(("127.0.0.1", node.port("https"))) for _ in range(3)]
    wait_for(lambda: node.metric("usher_connections") <= LIMIT, "the end of those that say nothing")
    for connection in kept + silent + mute:
        connection.close()


def test_a_trusted_proxy_is_no_client(house, replica):
    node = house.usher([replica], limits={"connections": LIMIT}, forwarded={"trusted": ["127.0.0.0/8"]})
    for connection in crowd(node, count=4 * LIMIT):
        connection.close()


def test_without_a_limit_there_is_none(node):
    for connection in crowd(node, count=200):
        connection.close()
