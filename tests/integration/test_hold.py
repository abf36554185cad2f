"""While no replica is up: what can wait does, and goes on when one is there; the rest is told at once."""

import concurrent.futures
import json

import harness
import pytest
import wire
from harness import settings_for, wait_for

PAGE = [("Accept", "text/html,application/xhtml+xml")]


@pytest.fixture
def ask():
    """Asks in the background."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        yield lambda *request, **more: pool.submit(wire.fetch, *request, timeout=60, **more)


def without_replicas(house, hold: str, **more):
    replica = house.replica(port=harness.free_port())
    settings = settings_for([replica])
    settings["upstream"][0] |= {"hold": hold, **more}
    node = house.usher([replica], settings=settings)
    replica.kill()
    wait_for(lambda: node.replica_states() == {replica.address: "down"}, "the death is noticed")
    return replica, node


def test_what_can_wait_is_served_when_a_replica_is_up(house, ask):
    replica, node = without_replicas(house, "2m")
    waiting = [ask(node.url() + "/whoami") for _ in range(4)] + [ask(node.url() + "/whoami", method="HEAD")]
    wait_for(lambda: node.status()["requests_held"] == len(waiting), "all wait")
    assert node.metric("usher_requests_held") == len(waiting)
    replica.start()
    assert [each.result().status for each in waiting] == [200] * len(waiting)
    assert node.status()["requests_held"] == 0
    lines = wait_for(lambda: len(node.access_log) == len(waiting) and node.access_log, "their lines")
    assert all(line["error"] is None and line["attempts"] == 1 for line in lines)


def test_who_has_waited_for_so_long_is_told(house, ask):
    replica, node = without_replicas(house, "300ms")
    answer = ask(node.url() + "/api/config").result()
    assert answer.status == 503 and answer.header("retry-after") and json.loads(answer.body)["detail"]
    line = wait_for(lambda: node.access_log, "its line")[0]
    assert line["duration_ms"] >= 300 and "after a wait of 300 ms" in line["error"]


def test_what_cannot_wait_is_answered_at_once(house, ask):
    replica, node = without_replicas(house, "10m")
    post = ask(node.url() + "/echo", method="POST", body=b"x").result()
    assert post.status == 503 and json.loads(post.body)["detail"]
    page = ask(node.url() + "/", headers=PAGE).result()
    assert page.status == 503 and "text/html" in page.header("content-type") and b'http-equiv="refresh"' in page.body


def test_who_leaves_waits_no_more(house):
    replica, node = without_replicas(house, "10m")
    client = wire.Wire(node.url())
    client.send(b"GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: node.status()["requests_held"] == 1, "it waits")
    client.close()
    wait_for(lambda: node.status()["requests_held"] == 0, "it is gone")


def test_a_websocket_opens_when_a_replica_is_up(house):
    replica, node = without_replicas(house, "2m")
    client = wire.Wire(node.url())
    client.send(wire.handshake("/api/v1/terminals/x/api/terminals/y"))
    wait_for(lambda: node.status()["requests_held"] == 1, "it waits")
    replica.start()
    assert client.response().status == 101
    client.close()
