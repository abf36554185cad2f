"""SIGUSR2: another process takes over, and nobody notices who does not have to."""

import os
import shutil
import signal
import socket
import subprocess
import time

import harness
import pytest
import wire
from harness import toml, wait_for
from steady import Steady

TERMINAL = "/api/v1/terminals/x/api/terminals/y"


def replace(node) -> int:
    """Until another process serves alone; its pid."""
    before, count = node.serving_pid(), len(node.events("replaced"))
    os.kill(before, signal.SIGUSR2)
    wait_for(lambda: len(node.events("replaced")) > count, f"the replacement; {node.stderr[-2000:]}")
    pid = node.events("replaced")[-1]["pid"]
    wait_for(lambda: node.serving_pid() == pid, "the admin address of the new process")
    return pid


def gone(pid: int) -> bool:
    """A zombie is: what is left of it is its parent's to read."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def open_websocket(node, scheme: str = "http") -> wire.Wire:
    connection = wire.Wire(node.url(scheme))
    connection.send(wire.handshake(TERMINAL))
    assert connection.response().status == 101
    return connection


def echoes(websocket: wire.Wire, text: bytes) -> bool:
    websocket.send(wire.masked(text))
    return websocket.read_exactly(2 + len(text)) == bytes([0x81, len(text)]) + text


def test_five_replacements_under_load_refuse_reset_and_cut_nothing(house, replica):
    node = house.usher([replica], timeouts={"replaced": "10m", "drain": "3s"})
    before = list(node.listen)
    traffic = Steady([node.url("http"), node.url("https")], websockets=40, rate=150, say_every=1).start()
    pids = {node.pid}
    for _ in range(5):
        answers, echoed = traffic.answers, traffic.echoes
        pids.add(replace(node))
        # Those of the old process are still answered, too.
        wait_for(lambda: traffic.answers > answers + 20 and traffic.echoes > echoed + 40, "more traffic")
    assert traffic.open == 40 and not traffic.closed
    traffic.stop()
    assert not traffic.failures, traffic.failures[:5]
    assert len(pids) == 6
    assert all(line["listen"] == before for line in node.events("ready")), "others than those of the first start"
    # Without anybody left, only the first process and the last are there.
    last = node.serving_pid()
    wait_for(lambda: all(gone(pid) for pid in pids - {node.pid, last}), "the end of those in between")
    assert not any(line["level"] == "error" for line in node.log if "level" in line)
    node.stop()
    assert gone(last)


@pytest.mark.skipif(harness.sanitized() or not shutil.which("strace"), reason="no strace, or a sanitizer that bears no tracer")
def test_a_stop_that_comes_as_the_first_process_leaves_its_loop_is_passed_on(house, replica):
    node = house.usher([replica])
    os.kill(node.pid, signal.SIGUSR2)
    # Each line of its log now takes it a while, which holds the moment open.
    slow = ["strace", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:delay_exit=500000", "-p", str(node.pid)]
    tracer = subprocess.Popen(slow, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: node.events("drained"), "the end of its drain")
        node.stop()
        assert tracer.wait(10 * harness.patience()) == 0
    finally:
        tracer.kill()
    assert gone(node.events("replaced")[-1]["pid"])


def test_websockets_stay_until_the_limit_and_are_told_one_after_the_other(house, replica):
    node = house.usher([replica], timeouts={"replaced": "9s"})
    traffic = Steady([node.url("https")], websockets=60, rate=20, say_every=1).start()
    first = node.pid
    replace(node)
    began = time.monotonic()
    wait_for(lambda: len(traffic.closed) == 60, "60 Close frames", timeout=20)
    times = sorted(when - began for when, _ in traffic.closed)
    assert {payload for _, payload in traffic.closed} == {b"\x03\xe9"}
    # From 6 s to 7.5 s, evenly.
    assert times[0] > 5.5 and times[44] - times[15] > 0.2, times
    traffic.stop()
    assert not traffic.failures, traffic.failures[:5]
    wait_for(lambda: any(line["event"] == "drained" for line in node.log if "event" in line), "the end of the drain")
    # Whoever started it sees no end.
    assert node.running and node.serving_pid() != first


def test_one_more_request_comes_on_an_idle_connection(house, replica):
    node = house.usher([replica])
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami").header("connection") != "close"
        replace(node)
        answer = connection.ask("GET", "/whoami")
        assert answer.status == 200 and answer.header("connection") == "close"
        assert connection.closed_by_peer()


def test_a_response_under_way_ends(house, replica):
    node = house.usher([replica])
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?count=40&interval_ms=50")
        head = connection.read_head()
        replace(node)
        assert len(list(wire.sse_events(connection, head))) == 40


def test_other_settings_and_another_number_of_workers_take_effect(house, replica):
    """What a reload cannot change."""
    node = house.usher([replica], workers=3)
    for workers in (1, 4):
        node.settings["workers"] = workers
        node.config.write_text(toml(node.settings))
        replace(node)
        # Whichever queue a connection is in, somebody accepts it.
        for _ in range(30):
            assert wire.fetch(node.url() + "/whoami").status == 200
    node.stop()


def test_an_address_that_is_no_longer_listened_at_is_named(house, replica):
    node = house.usher([replica])
    gone_url = node.url("http").removeprefix("http://")
    node.settings["listen"] = node.settings["listen"][1:]
    node.config.write_text(toml(node.settings))
    replace(node)
    assert [line["address"] for line in node.events("listener_unused")] == [gone_url]
    assert wire.fetch(node.url("https") + "/whoami").status == 200
    wait_for(lambda: not accepts(node.port("http")), "nobody at the address that is gone")


def accepts(port: int) -> bool:
    try:
        wire.Wire(f"http://127.0.0.1:{port}").close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_unix_socket_is_taken_over(house, replica, tmp_path):
    path = tmp_path / "front.sock"
    node = house.usher([replica], listen=[{"address": f"unix:{path}"}])
    inode = path.stat().st_ino
    replace(node)
    assert path.stat().st_ino == inode, "bound anew"
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(path))
        assert wire.Wire.over(plain).ask("GET", "/whoami", host="a").status == 200


# --- When it goes wrong -------------------------------------------------------------------------------


def refusal(node) -> str:
    wait_for(lambda: node.events("replace_failed"), f"the refusal; {node.stderr[-2000:]}")
    return node.events("replace_failed")[-1]["reason"]


def test_a_new_process_that_cannot_start_changes_nothing_and_says_why(house, replica):
    node = house.usher([replica])
    node.config.write_text(toml({**node.settings, "workers": "many"}))
    with open_websocket(node) as websocket:
        node.signal(signal.SIGUSR2)
        assert f"{node.config}:1:" in refusal(node)
        assert echoes(websocket, b"still here")
    assert wire.fetch(node.url() + "/whoami").status == 200 and node.serving_pid() == node.pid
    # And it can be tried again.
    node.config.write_text(toml(node.settings))
    replace(node)
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_an_address_that_is_taken_is_a_failed_replacement(house, replica):
    fake = harness.free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", fake))
        taken.listen()
        node = house.usher([replica])
        node.settings["listen"].append({"address": f"127.0.0.1:{fake}"})
        node.config.write_text(toml(node.settings))
        node.signal(signal.SIGUSR2)
        assert f"127.0.0.1:{fake}" in refusal(node)
        assert wire.fetch(node.url() + "/whoami").status == 200


def test_a_binary_that_is_gone_is_a_failed_replacement(house, replica, tmp_path, monkeypatch):
    binary = tmp_path / "usher-copy"
    shutil.copy(harness.usher_binary(), binary)
    monkeypatch.setenv("USHER_BIN", str(binary))
    node = house.usher([replica])
    binary.unlink()
    node.signal(signal.SIGUSR2)
    assert "No such file" in refusal(node)
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_a_new_process_that_dies_at_once_is_a_failed_replacement(house, replica, tmp_path, monkeypatch):
    binary = tmp_path / "usher-copy"
    shutil.copy(harness.usher_binary(), binary)
    monkeypatch.setenv("USHER_BIN", str(binary))
    node = house.usher([replica])
    binary.unlink()
    binary.write_text("#!/bin/sh\nexit 7\n")
    binary.chmod(0o755)
    node.signal(signal.SIGUSR2)
    assert refusal(node) == "it exited with 7"
    assert wire.fetch(node.url() + "/whoami").status == 200


# --- The first process, for whoever started it --------------------------------------------------------


def drained_head(house, replica, **extra):
    """A node of which the first process serves nobody any more."""
    node = house.usher([replica], **extra)
    replace(node)
    wait_for(lambda: node.events("drained"), "the end of the first one's work")
    assert node.running
    return node


def test_the_first_process_passes_signals_on_and_ends_with_the_last(house, replica):
    node = drained_head(house, replica)
    node.signal(signal.SIGHUP)
    wait_for(lambda: node.events("reloaded"), "the reload")
    before = node.serving_pid()
    node.signal(signal.SIGUSR2)
    wait_for(lambda: len(node.events("replaced")) == 2, "the replacement")
    wait_for(lambda: node.serving_pid() != before and gone(before), "only the last process")
    last = node.serving_pid()
    node.stop()
    assert gone(last)


def test_a_signal_during_the_handover_reaches_the_one_that_serves(house, replica):
    node = house.usher([replica], timeouts={"drain": "2s"})
    with open_websocket(node) as websocket:
        last = replace(node)
        assert echoes(websocket, b"on the first one")
        node.signal(signal.SIGHUP)
        wait_for(lambda: node.events("reloaded"), "the reload")
        node.signal(signal.SIGTERM)
        assert node.wait() == 0 and gone(last)


def test_the_first_process_ends_with_the_code_of_the_last(house, replica):
    node = drained_head(house, replica)
    os.kill(node.serving_pid(), signal.SIGKILL)
    assert node.wait() == 128 + signal.SIGKILL


def test_a_crash_of_the_last_process_does_not_wait_for_the_drain_of_the_first(house, replica):
    node = house.usher([replica])
    with open_websocket(node):
        os.kill(replace(node), signal.SIGKILL)
        assert node.wait() == 128 + signal.SIGKILL
    assert node.events("successor_gone")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_keeps_its_replica(house, scheme):
    replicas = house.replicas(("alpha", "beta"))
    node = house.usher(replicas)
    answer = wire.fetch(node.url(scheme) + "/whoami")
    cookie, home = answer.cookie(), answer.json()["replica"]
    for _ in range(3):
        replace(node)
        for _ in range(4):
            again = wire.fetch(node.url(scheme) + "/whoami", headers=[("Cookie", cookie)])
            assert again.json()["replica"] == home and again.cookie() is None
