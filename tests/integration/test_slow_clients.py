"""A thousand clients that take their time, in each of slowhttptest's modes: others notice nothing, memory is
bounded, and who does not move is gone by the deadline."""

import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass

import pytest
import wire
from harness import settings_for, wait_for

pytestmark = [
    pytest.mark.load,
    pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed"),
]

CLIENTS = 1000
DEADLINE = 6  # seconds: for a head, and for a body that does not move
LENGTH = 45  # seconds that the tool goes on, if it is let
# Private memory that one of them may cost: a stream's high mark and one read beyond it, and all its objects.
MOST_EACH = (128 + 64 + 16) << 10
MOST_P99 = 0.1


@dataclass
class Mode:
    arguments: list[str]
    path: str
    lasting: bool = True  # its connections stay until somebody ends them
    cause: str | None = None  # why they end, in the log


MODES = {
    "slow heads": Mode(["-H", "-i", "2"], "/whoami", cause="head_timeout"),
    "slow bodies": Mode(["-B", "-i", "20", "-s", "8192"], "/sink", cause="body_timeout"),
    "ranges": Mode(["-R", "-a", "1", "-b", "2000", "-t", "GET"], "/whoami", lasting=False),
    "slow readers": Mode(["-X", "-n", "2", "-z", "5", "-w", "16", "-y", "64"], "/blob?bytes=4000000", cause="client_stalled"),
}


def open_connections(node) -> float:
    return sum(node.metrics()["usher_connections"].values())


def p99_of_a_healthy_client(node, seconds: float) -> float:
    """Of requests on a kept connection and on new ones, in turn."""
    took = []
    with wire.Wire(node.url("https")) as kept:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for ask in (lambda: kept.ask("GET", "/whoami"), lambda: wire.fetch(node.url("https") + "/whoami")):
                began = time.monotonic()
                assert ask().status == 200
                took.append(time.monotonic() - began)
            time.sleep(0.01)
    assert len(took) >= 100
    return statistics.quantiles(took, n=100)[98]


@pytest.mark.parametrize("name", MODES)
def test_a_thousand_slow_clients(house, name):
    mode = MODES[name]
    replica = house.replica()
    node = house.usher(
        [replica], settings=settings_for([replica], timeouts={"head": f"{DEADLINE}s", "stall": f"{DEADLINE}s"})
    )
    for scheme in ("http", "https"):
        assert wire.fetch(node.url(scheme) + "/whoami").status == 200
    before = node.private_memory()

    rate = CLIENTS // 4
    command = ["slowhttptest", *mode.arguments, "-c", str(CLIENTS), "-r", str(rate), "-l", str(LENGTH), "-p", "30"]
    tool = subprocess.Popen(
        [*command, "-v", "0", "-u", node.url() + mode.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if mode.lasting:
            wait_for(lambda: open_connections(node) >= 0.95 * CLIENTS, "all of them", timeout=30, interval=0.1)
        p99 = p99_of_a_healthy_client(node, 4)
        cost = (node.private_memory() - before) / CLIENTS
        wait_for(lambda: open_connections(node) < 0.05 * CLIENTS, "they are gone", timeout=DEADLINE + 24, interval=0.1)
        assert not mode.lasting or tool.poll() is None, "it was the tool that ended them"
    finally:
        tool.terminate()
        tool.wait()
    print(f"{name}: p99 {p99 * 1000:.1f} ms, {cost / 1024:.1f} KiB for each of them")
    assert p99 < MOST_P99
    assert cost < MOST_EACH
    if mode.cause:
        ended = [line for line in node.access_log if (line["error"] or "").startswith(mode.cause)]
        assert len(ended) >= 0.9 * CLIENTS
