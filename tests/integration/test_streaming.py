"""Bodies move at once, both ways, in little memory, and end when the client leaves."""

import hashlib
import statistics
import time

import blob
import harness
import pytest
import wire
from harness import wait_for

MIB = 1 << 20


@pytest.fixture
def replica(house):
    return house.replica()


@pytest.fixture
def node(house, replica):
    return house.usher([replica], workers=1)


def latencies(url: str, count: int) -> list[float]:
    """Milliseconds between the replica's write and our read, for each event."""
    with wire.Wire(url) as connection:
        connection.request("GET", f"/sse?interval_ms=50&count={count}", [("Accept", "text/event-stream")])
        head = connection.read_head()
        assert head.status == 200
        return [(time.time_ns() - event["time_ns"]) / 1e6 for event in wire.sse_events(connection, head)]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_events_arrive_tick_by_tick(node, replica, scheme):
    count = 60
    direct = latencies(replica.url, count)
    through = latencies(node.url(scheme), count)
    assert len(direct) == len(through) == count
    added = statistics.median(through) - statistics.median(direct)
    print(f"{scheme}: added {added:.3f} ms at the median, {max(through):.3f} ms at worst")
    assert added < 5 * harness.patience()
    # Ticks are 50 ms apart: a late one waited for its successor.
    assert sorted(through)[-3] < 50 * harness.patience()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("goodbye", ["close", "reset"])
def test_the_clients_abort_reaches_the_replica_within_a_second(node, replica, scheme, goodbye):
    name = f"{scheme}-{goodbye}"
    connection = wire.Wire(node.url(scheme))
    connection.request("GET", f"/sse?id={name}&interval_ms=50&count=10000")
    events = wire.sse_events(connection, connection.read_head())
    for _ in range(3):
        next(events)
    left = time.time_ns()
    getattr(connection, goodbye)()
    abort = wait_for(lambda: [abort for abort in replica.get("/aborts") if abort["id"] == name], "the replica's note of the abort")[0]
    assert abort["time_ns"] - left < 1e9 * harness.patience()


def test_an_abort_before_the_first_byte_reaches_the_replica_within_a_second(node, replica):
    connection = wire.Wire(node.url())
    connection.request("GET", "/slow?id=waiting&ms=60000&client=waiting")
    wait_for(lambda: node.status()["upstreams"][0]["replicas"][0]["in_flight"] == 1, "the request in flight")
    time.sleep(0.1)  # In flight at usher is not yet read by the replica; no event tells that.
    left = time.time_ns()
    connection.close()
    abort = wait_for(lambda: [abort for abort in replica.get("/aborts") if abort["id"] == "waiting"], "the abort")[0]
    assert abort["time_ns"] - left < 1e9 * harness.patience()


def test_an_abort_in_the_middle_of_an_upload_reaches_the_replica(node, replica):
    connection = wire.Wire(node.url())
    connection.request("POST", "/sink?id=half", [("Content-Length", "1000000")])
    connection.send(b"x" * 300_000)
    connection.close()
    wait_for(lambda: any(abort["id"] == "half" for abort in replica.get("/aborts")), "the abort")


class MemoryGrowth:
    """How far a node's own memory rises above where it was, at its highest."""

    def __init__(self, node):
        self.node = node
        # Buffers and pools are made by first use.
        for path in ("/blob?bytes=8000000", "/blob?bytes=8000000&chunked=1"):
            for scheme in ("http", "https"):
                assert len(wire.fetch(node.url(scheme) + path).body) == 8_000_000
                assert wire.fetch(node.url(scheme) + "/sink", "POST", body=b"x" * 8_000_000).json()["bytes"] == 8_000_000
        self.before = self.highest = node.private_memory()

    def sample(self) -> None:
        self.highest = max(self.highest, self.node.private_memory())

    def assert_below(self, limit: int) -> None:
        grown = self.highest - self.before
        print(f"memory grew by {grown / MIB:.2f} MiB")
        if not harness.sanitized():  # A sanitizer keeps freed memory to itself.
            assert grown < limit


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_big_download_is_byte_identical_and_memory_stays(node, scheme):
    total = harness.big_bytes()
    growth = MemoryGrowth(node)
    sha = hashlib.sha256()
    received = 0
    with wire.Wire(node.url(scheme), timeout=60) as connection:
        connection.request("GET", f"/blob?bytes={total}&seed=7")
        for number, piece in enumerate(connection.body_pieces(connection.read_head())):
            sha.update(piece)
            received += len(piece)
            if number % 256 == 0:
                growth.sample()
    growth.sample()
    assert received == total and sha.hexdigest() == blob.digest(7, total)
    growth.assert_below(4 * MIB)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_big_upload_is_byte_identical_and_memory_stays(node, scheme):
    total = harness.big_bytes()
    growth = MemoryGrowth(node)
    with wire.Wire(node.url(scheme), timeout=60) as connection:
        connection.request("PUT", "/sink", [("Content-Length", str(total))])
        for number, piece in enumerate(blob.pieces(8, total)):
            connection.send(piece)
            if number % 256 == 0:
                growth.sample()
        answer = connection.response()
    growth.sample()
    assert answer.json()["bytes"] == total and answer.json()["sha256"] == blob.digest(8, total)
    growth.assert_below(4 * MIB)


def test_a_client_that_does_not_read_costs_little_memory(node):
    if harness.sanitized():
        pytest.skip("a sanitizer has a memory of its own")
    growth = MemoryGrowth(node)
    with wire.Wire(node.url(), receive_buffer=4096) as connection:
        connection.request("GET", "/blob?bytes=500000000&chunked=1")
        connection.read_head()
        steady = 0
        last = -1

        def settled():
            nonlocal steady, last
            growth.sample()
            now = node.private_memory()
            steady, last = (steady + 1 if abs(now - last) < MIB // 8 else 0), now
            return steady > 20

        wait_for(settled, "memory at rest", interval=0.05)
    growth.assert_below(4 * MIB)


def test_slow_readers_do_not_hold_up_others(node):
    with wire.Wire(node.url(), receive_buffer=4096) as slow:
        slow.request("GET", "/blob?bytes=100000000")
        slow.read_head()
        assert wire.fetch(node.url() + "/whoami", timeout=5).status == 200


def test_many_uploads_and_downloads_at_once_stay_apart(node):
    connections = [wire.Wire(node.url("https" if number % 2 else "http")) for number in range(12)]
    for number, connection in enumerate(connections):
        connection.request("GET", f"/blob?bytes={1_000_000 + number}&seed={number}")
    for number, connection in enumerate(connections):
        body = connection.response().body
        assert hashlib.sha256(body).hexdigest() == blob.digest(number, 1_000_000 + number)
        connection.close()
