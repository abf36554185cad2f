"""Redis is away while 400 clients are busy."""

import os
import time
from datetime import datetime

import harness
import pytest
from crowd import Crowd
from harness import wait_for

pytestmark = pytest.mark.load


def outage_seconds() -> float:
    return float(os.environ.get("USHER_TEST_OUTAGE", 10 if harness.sanitized() else 30))


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_clients_do_not_notice_an_outage_of_redis(house, way):
    crowd = Crowd(house)
    crowd.await_connected()
    # Every node has met every client.
    crowd.await_acks(5)
    crowd.nobody_was_cut()
    settled = time.time()
    crowd.await_acks(3)

    began = time.time()
    limit = max(500.0, 2 * worst(crowd, settled, began))
    getattr(crowd.redis, way)()
    wait_for(lambda: all(node.status()["store"]["state"] == "down" for node in crowd.nodes), "the outage noticed")
    newcomers = [
        house.clients([node.url("https") for node in crowd.nodes], 5, name=f"new-{transport}", transport=transport, args=args)
        for transport, args in [("websocket", []), ("polling", ["--per-request-random"])]
    ]
    for group in newcomers:
        group.await_connected()
    wait_for(lambda: time.time() - began > outage_seconds(), "the length of the outage", timeout=outage_seconds() + 5, interval=0.5)
    crowd.redis.start() if way == "kill" else crowd.redis.resume()
    wait_for(lambda: all(node.status()["store"]["state"] == "up" for node in crowd.nodes), "the store back without a restart")
    crowd.await_acks(3, timeout=90)

    crowd.nobody_was_cut(began, [crowd.websockets, crowd.jar])
    # A session without a cookie that changes nodes while the store is away cannot be known at the next
    # one: it may be told "Invalid session" and begin anew, but it gets no 5xx.
    crowd.assert_no_bad_status(500)
    with_cookie = {client for group in (crowd.websockets, crowd.jar) for client in group.report()}
    crowd.assert_one_home_each(with_cookie)
    for group in newcomers:
        assert not group.events("http_error") and not group.events("disconnect")
    slowest = worst(crowd, began, time.time())
    anew = len(crowd.no_jar.events("disconnect", began))
    print(f"slowest {slowest:.0f} ms, limit {limit:.0f} ms; a session without a cookie began anew {anew} times")
    assert slowest <= limit

    # The nodes agree again: somebody new at one is known to the other.
    after = house.clients([node.url("https") for node in crowd.nodes], 10, name="after", transport="polling", args=["--per-request-random", "--no-jar"])
    after.await_connected()
    wait_for(lambda: min(state["acked"] for state in after.report().values()) > 2, "acks for those who came after")
    assert not after.events("http_error")
    crowd.stop()


def worst(crowd, since: float, until: float) -> float:
    """The longest that a client waited, in milliseconds; 0 when nobody waited long. What was slow on a
    busy machine before the outage is the measure for what may be slow during it."""
    seen = [event["ms"] for event in crowd.events("slow", since) if event["time"] < until]
    seen += [line["duration_ms"] for node in crowd.nodes for line in node.access_log if waits_for_nobody(line) and since < seconds(line) < until]
    return max(seen, default=0)


def seconds(line) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


def waits_for_nobody(line) -> bool:
    """Not a websocket and not a long poll, which last by their nature."""
    return line["protocol"] != "websocket" and not (line["method"] == "GET" and line["path"].startswith("/ws/"))
