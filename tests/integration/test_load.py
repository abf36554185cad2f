"""Two nodes, one Redis, three replicas, 400 socket.io clients."""

import time

import harness
import pytest
from crowd import Crowd
from harness import wait_for

pytestmark = pytest.mark.load


@pytest.fixture
def crowd(house):
    return Crowd(house)


def test_every_request_of_a_client_reaches_one_replica_through_any_node(crowd):
    crowd.await_connected()
    crowd.await_acks(5)
    spread = crowd.spread()
    crowd.nobody_was_cut()
    crowd.assert_no_bad_status()
    crowd.assert_one_home_each()
    crowd.assert_one_replica_per_sid()
    assert len(crowd.homes()) == len(crowd)
    print(f"clients at each replica: {dict(spread)}; requests seen: {sum(sum(homes.values()) for homes in crowd.homes().values())}")
    assert min(spread.values()) > len(crowd) / 3 / 2, spread
    for node in crowd.nodes:
        polls = [line for line in node.access_log if line["path"].startswith("/ws/socket.io/")]
        assert len(polls) > 100, "both nodes carried them"
    keys = crowd.redis.keys()
    assert keys and all(ttl > 0 for key, ttl in keys.items() if key.startswith("usher")), keys
    crowd.stop()


def test_a_killed_node_costs_nobody_its_replica(crowd):
    crowd.await_connected()
    crowd.await_acks(2)
    crowd.nobody_was_cut()
    before = crowd.states()
    lost, left = crowd.nodes
    crowd.nodes = [left]

    killed = time.time()
    lost.kill()
    everybody = wait_for(lambda: back(crowd, left, killed), "everybody is back through the other node", timeout=30)
    took = max((event["time"] for event in crowd.events("replica", killed)), default=killed) - killed
    print(f"all {len(everybody)} were back within {took:.2f} s; {len(crowd.events('disconnect', killed))} had lost their socket")

    assert crowd.events("disconnect", killed), "some clients were on the killed node"
    assert took < 5 * harness.patience()
    with_cookie = {client for client in everybody if not client.startswith("nojar")}
    moved = {c: (before[c]["replica"], everybody[c]["replica"]) for c in with_cookie if everybody[c]["replica"] != before[c]["replica"]}
    assert not moved, f"{len(moved)} moved, such as {list(moved.items())[:5]}"
    crowd.await_acks(3)
    crowd.assert_no_bad_status()
    crowd.assert_one_home_each(with_cookie)
    crowd.assert_one_replica_per_sid()
    crowd.stop()


def back(crowd, node, killed: float):
    """Every client's state, once all are connected and have told their replica since the kill."""
    states = crowd.states()
    if not all(state["connected"] and state["replica"] for state in states.values()):
        return None
    if any(state["node"] != node.url("https") for client, state in states.items() if client.startswith("ws")):
        return None
    told = {event["client"] for event in crowd.events("replica", killed)}
    dropped = {event["client"] for event in crowd.events("disconnect", killed)}
    return states if dropped <= told else None
