"""A full table of descriptors: listeners rest, what is open goes on, nothing is said of the replicas, and once
there is room everybody is served."""

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
import pytest
import wire
from harness import settings_for, wait_for

pytestmark = pytest.mark.skipif(
    harness.sanitized(), reason="UBSan looks at objects through a pipe, for which no descriptor is left"
)

ROOM = 30
CROWD = 80
STAYING = 5


@pytest.fixture
def node(house):
    replica = house.replica()
    settings = settings_for([replica], workers=1)
    # Kept for long, so that what is open has its connection to the replica.
    settings["upstream"][0]["timeouts"] = {"keep_alive": "1h"}
    settings["upstream"][0]["health"]["interval"] = "100ms"
    return house.usher([replica], settings=settings)


def limit_descriptors(node, count: int) -> None:
    _, most = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (count, most))


def cpu_seconds(node) -> float:
    fields = Path(f"/proc/{node.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def sample(admin: wire.Wire, name: bytes) -> bytes:
    """Of /metrics, over a connection that was opened while there was room."""
    lines = admin.ask("GET", "/metrics").body.splitlines()
    return next(line.split()[-1] for line in lines if line.startswith(name))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_listeners_rest_while_the_table_is_full(node, scheme):
    with wire.Wire(node.url(scheme)) as old:
        assert old.ask("GET", "/whoami").status == 200
        admin = wire.Wire(node.admin)
        assert sample(admin, b"usher_replica_up{") == b"1"
        limit_descriptors(node, node.descriptors() + ROOM)
        crowd = [wire.Wire(node.url(), timeout=60) for _ in range(CROWD)]
        wait_for(lambda: "listener_rests" in node.stderr, "a listener rests")

        # It neither spins nor talks, what is open is served, and the replica has done nothing wrong.
        began, used, lines = time.monotonic(), cpu_seconds(node), len(node.log)
        while time.monotonic() - began < 2:
            assert old.ask("GET", "/whoami").status == 200
            time.sleep(0.02)
        assert cpu_seconds(node) - used < 0.5
        assert len(node.log) - lines < 5, node.log[lines:]
        assert not [line for line in node.log if line["event"] == "replica_down"]
        assert sample(admin, b"usher_replica_up{") == b"1"

        # A newcomer waits in the queue, and is served when others have gone.
        with ThreadPoolExecutor() as pool:
            newcomer = pool.submit(wire.fetch, node.url(scheme) + "/whoami", timeout=60)
            for connection in crowd[STAYING:]:
                connection.close()
            assert newcomer.result().status == 200
        for connection in crowd[:STAYING]:
            assert connection.ask("GET", "/whoami").status == 200
            connection.close()
        admin.close()


def test_who_finds_no_descriptor_for_its_replica_is_told_so(node):
    with wire.Wire(node.admin) as admin, wire.Wire(node.url()) as first, wire.Wire(node.url()) as second:
        for connection in (first, second, admin):
            assert connection.ask("GET", "/metrics" if connection is admin else "/whoami").status == 200
        limit_descriptors(node, node.descriptors())
        # The one connection to the replica that was kept is taken.
        first.request("GET", "/slow?ms=60000")
        in_flight = b"usher_replica_requests_in_flight{"
        wait_for(lambda: sample(admin, in_flight) == b"1", "the first request under way")
        answer = second.ask("GET", "/whoami")
        assert answer.status == 503 and answer.json()["detail"]
        assert sample(admin, b"usher_replica_up{") == b"1"
