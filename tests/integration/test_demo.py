"""The demo, as ./dev demo runs it."""

import os
import signal
import time
from pathlib import Path

import browser
import harness
import pytest
import wire
from harness import Child, wait_for

REPLICAS = ("alpha", "beta", "gamma")


class Demo(Child):
    def start(self):
        self.spawn([harness.PYTHON, harness.ROOT / "demo" / "demo.py", "--ports-free"], {"USHER_BIN": harness.usher_binary()})
        self.ready = self.await_line(self.stdout_path, lambda line: line.get("event") == "ready", "the demo ready", timeout=60)
        self.nodes, self.pids = self.ready["nodes"], self.ready["pids"]
        return self

    def close(self):
        if self.running:
            self.signal(signal.SIGTERM)
            self.wait(30)
        self.kill()


@pytest.fixture
def demo(house, tmp_path):
    return house.keep(Demo("demo", tmp_path)).start()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_the_page_and_its_socket_are_served_by_both_nodes(house, demo):
    for node in demo.nodes:
        page = wire.fetch(node + "/", headers=[("Accept", "text/html")])
        assert page.status == 200 and b"usher" in page.body and page.cookie()
        for part in ("/page.js", "/style.css", "/socket.io.min.js", "/nodes.json"):
            assert wire.fetch(node + part).status == 200, part
    clients = house.clients(demo.nodes, 2)
    assert {state["replica"] for state in clients.await_connected().values()} <= {"alpha", "beta", "gamma"}
    clients.stop()


def test_it_tells_what_to_open_and_what_to_kill(demo):
    for node in demo.nodes:
        assert node in demo.stdout
    assert set(demo.pids) == {"usher-one", "usher-two", "alpha", "beta", "gamma", "redis"}
    for pid in demo.pids.values():
        assert f"kill -9 {pid}" in demo.stdout


@pytest.mark.parametrize("name", ["usher-one", "beta", "redis"])
def test_what_is_killed_comes_back(demo, name):
    os.kill(demo.pids[name], signal.SIGKILL)
    wait_for(lambda: f"{name} is back" in demo.stdout, f"{name} restarted", timeout=40)
    assert wire.fetch(demo.nodes[0] + "/whoami").status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_no_process_behind(demo, number):
    assert all(alive(pid) for pid in demo.pids.values())
    demo.signal(number)
    assert demo.wait(40) == 0
    assert not [name for name, pid in demo.pids.items() if alive(pid)]


def test_even_a_killed_demo_leaves_no_process_behind(demo):
    demo.kill()
    wait_for(lambda: not [name for name, pid in demo.pids.items() if alive(pid)], "the end of its children")


@pytest.mark.skipif(not browser.installed(), reason="chromium is not installed")
def test_a_browser_sees_itself_resume_at_the_same_replica_through_the_other_node(house, demo, tmp_path):
    page = house.keep(browser.Browser(tmp_path)).start()
    page.open(demo.nodes[0] + "/")
    replica = wait_for(lambda: page.text("replica") in REPLICAS and page.text("replica"), "the replica's name on the page")
    assert page.text("node") == ":" + demo.nodes[0].rsplit(":", 1)[1]
    wait_for(lambda: int(page.text("rate")) > 3, "messages flowing")
    wait_for(lambda: "the same" in page.text("http"), "plain requests at the same replica")
    first = page.text("session")

    os.kill(demo.pids["usher-one"], signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: page.text("state") == "connected" and page.text("node") == ":" + demo.nodes[1].rsplit(":", 1)[1], "the page at the other node")
    print(f"resumed after {time.monotonic() - killed:.1f} s")
    wait_for(lambda: f"still at replica {replica}" in page.text("events"), "still at its replica")
    assert page.text("session") == first and page.text("replica") == replica
    wait_for(lambda: int(page.text("rate")) > 3, "messages flowing again")

    os.kill(demo.pids[replica], signal.SIGKILL)
    moved = wait_for(lambda: page.text("state") == "connected" and page.text("replica") not in ("", replica) and page.text("replica"), "another replica", timeout=30)
    assert f"moved from replica {replica} to {moved}" in page.text("events")
    page.screenshot(Path(os.environ.get("USHER_TEST_SCREENSHOT", tmp_path / "demo.png")))
