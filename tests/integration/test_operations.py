"""What the people who run it see: the access log, the admin API, the end of the process."""

import json
import signal
import socket
import subprocess
import time

import harness
import pytest
import wire
from harness import json_lines, settings_for, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

FIELDS = {
    "time", "node", "client", "method", "host", "path", "protocol", "status", "bytes_in", "bytes_out", "duration_ms",
    "first_byte_ms", "replica", "affinity", "attempts", "request_id", "user_agent",
}  # fmt: skip
TERMINAL = "/api/v1/terminals/x/api/terminals/y"


# --- Access log ---------------------------------------------------------------------------------------


def test_an_access_line_tells_all_of_a_request(node, replica):
    body = b"x" * 1234
    wire.fetch(node.url() + "/echo?a=b", "POST", [("User-Agent", 'te"st\\')], body, host="chat.example.org:8443")
    line = node.await_access(lambda line: line["path"].startswith("/echo"))
    assert FIELDS <= set(line), FIELDS - set(line)
    assert line["method"] == "POST" and line["host"] == "chat.example.org:8443" and line["status"] == 200
    assert line["client"] == "127.0.0.1" and line["protocol"] == "h1" and line["replica"] == replica.address
    assert line["user_agent"] == 'te"st\\' and line["attempts"] == 1 and line["affinity"] == "new"
    assert line["bytes_in"] >= 1234 and line["bytes_out"] >= 1234
    assert 0 <= line["first_byte_ms"] <= line["duration_ms"] < 10_000


def test_duration_and_first_byte_are_measured(node):
    wire.fetch(node.url() + "/slow?ms=300")
    line = node.await_access(lambda line: line["path"].startswith("/slow"))
    assert 290 <= line["first_byte_ms"] <= line["duration_ms"]


def test_an_error_says_why(house):
    node = house.usher(["127.0.0.1:1"], wait=False)
    wire.fetch(node.url() + "/")
    line = node.await_access(lambda line: line["path"] == "/")
    assert line["status"] == 503 and line["error"]


def test_a_websocket_gets_its_line_when_it_ends(node):
    with connect(node.url().replace("http", "ws", 1) + TERMINAL) as socket:
        socket.send("hallo")
        socket.recv(timeout=10)
    line = node.await_access(lambda line: line["path"] == TERMINAL)
    assert line["protocol"] == "websocket" and line["status"] == 101
    assert line["bytes_in"] > 5 and line["bytes_out"] > 5


def test_hostile_header_values_cannot_break_a_line(node):
    wire.fetch(node.url() + "/whoami", headers=[("User-Agent", 'a"}\t{"status":1, \xff\xfe')])
    assert node.await_access(lambda line: line["path"] == "/whoami")["status"] == 200
    for raw in node.stdout_path.read_bytes().splitlines():
        json.loads(raw.decode("utf-8"))


def test_a_request_that_is_refused_is_logged_with_its_reason(node):
    wire.fetch(node.url() + "/whoami", headers=[("User-Agent", "a\x7fb")])
    line = node.await_access(lambda line: line["status"] == 400)
    assert line["error"] and line["client"] == "127.0.0.1"


def test_the_access_log_can_be_a_file_that_is_opened_again(house, replica, tmp_path):
    path = tmp_path / "access.log"
    node = house.usher([replica], log={"access": str(path)})
    wire.fetch(node.url() + "/whoami?one")
    wait_for(lambda: json_lines(path), "a line in the file")
    path.rename(tmp_path / "access.log.1")
    node.signal(signal.SIGUSR1)
    wait_for(path.exists, "a new file after SIGUSR1")
    wire.fetch(node.url() + "/whoami?two")
    wait_for(lambda: [line for line in json_lines(path) if line["path"].startswith("/whoami")], "a line in the new file")


def test_the_access_log_can_be_off(house, replica):
    node = house.usher([replica], log={"access": "off"})
    wire.fetch(node.url() + "/whoami")
    node.stop()
    assert not node.access_log


def test_the_process_log_can_be_a_file_that_is_opened_again_or_another(house, replica, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    settings = harness.settings_for([replica], log={"process": str(first)})
    node = house.usher(settings=settings)

    def said(path, event):
        return wait_for(lambda: [line for line in json_lines(path) if line["event"] == event], f"{event} in {path.name}")

    node.signal(signal.SIGHUP)
    said(first, "reloaded")
    first.rename(tmp_path / "first.log.1")
    node.signal(signal.SIGUSR1)
    wait_for(first.exists, "a new file after SIGUSR1")
    node.signal(signal.SIGHUP)
    said(first, "reloaded")
    node.config.write_text(harness.toml({**settings, "log": {"process": str(second)}}))
    node.signal(signal.SIGHUP)
    said(second, "reloaded")
    node.config.write_text(harness.toml({**settings, "log": {"process": str(tmp_path / "no" / "such.log")}}))
    node.signal(signal.SIGHUP)
    assert "such.log: No such file" in said(second, "reload_failed")[0]["reason"]
    node.stop()
    assert said(second, "drained") and not said(tmp_path / "first.log.1", "reloaded")[1:]
    assert [line["event"] for line in node.log] == ["ready"]


def test_the_combined_format_is_nginxs(house, replica):
    node = house.usher([replica], log={"format": "combined"})
    wire.fetch(node.url() + "/whoami?a=b", headers=[("User-Agent", "agent"), ("Referer", "http://from")])
    line = wait_for(lambda: [text for text in node.stdout.splitlines() if "/whoami" in text], "the line")[0]
    assert line.startswith("127.0.0.1 - ") and '"GET /whoami?a=b HTTP/1.1" 200 ' in line and line.endswith('"http://from" "agent"')


# --- Admin --------------------------------------------------------------------------------------------


def test_healthz_says_the_process_lives(node):
    assert node.admin_get("/healthz")[0] == 200


def test_readyz_follows_the_replicas(node, replica):
    assert node.admin_get("/readyz")[0] == 200
    replica.kill()
    wait_for(lambda: node.admin_get("/readyz")[0] == 503, "503 without a replica")
    replica.start()
    wait_for(lambda: node.admin_get("/readyz")[0] == 200, "200 again")


def test_metrics_are_prometheus_text(node):
    wire.fetch(node.url() + "/whoami")
    status, body = node.admin_get("/metrics")
    lines = body.decode().splitlines()
    samples = [line for line in lines if line and not line.startswith("#")]
    assert status == 200 and samples
    assert all(sample.startswith("usher_") for sample in samples)
    for sample in samples:
        float(sample.rsplit(" ", 1)[1])
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    assert {sample.split("{")[0].split(" ")[0] for sample in samples} <= typed | {f"{name}{suffix}" for name in typed for suffix in ("_bucket", "_sum", "_count")}


def test_the_response_counter_counts(node):
    def total():
        lines = node.admin_get("/metrics")[1].decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("usher_responses_total"))

    before = total()
    for _ in range(7):
        wire.fetch(node.url() + "/whoami")
    wait_for(lambda: total() - before == 7, "seven more responses counted")


def test_status_is_what_the_contract_says(house, node, replica):
    status = node.status()
    assert {"node", "version", "uptime_seconds", "store", "upstreams"} <= set(status)
    assert status["store"]["url"].startswith("memory") and status["store"]["state"]
    (upstream,) = status["upstreams"]
    (row,) = upstream["replicas"]
    assert upstream["name"] == "open-webui"
    assert {"id", "address", "state", "in_flight", "websockets", "sessions"} <= set(row)
    assert row["id"] == replica.address and row["state"] == "up" and row["in_flight"] == 0


def test_status_counts_what_is_open(node):
    def row():
        return node.status()["upstreams"][0]["replicas"][0]

    with wire.Wire(node.url()) as connection, connect(node.url().replace("http", "ws", 1) + TERMINAL):
        connection.request("GET", "/sse?count=1000")
        connection.read_head()
        wait_for(lambda: row()["websockets"] == 1 and row()["in_flight"] >= 1, "one of each")
    wait_for(lambda: row()["websockets"] == 0 and row()["in_flight"] == 0, "none left")


def test_an_unknown_admin_path_or_method_is_refused(node):
    assert node.admin_get("/nothing")[0] == 404
    assert node.admin_get("/healthz", "POST")[0] in (404, 405)
    assert node.admin_get("/api/reload", "GET")[0] in (404, 405), "what changes something is not done by a link"


def test_admin_is_not_served_to_clients(node, replica):
    answer = wire.fetch(node.url() + "/api/status?client=x")
    assert answer.status == 404 and answer.json()["detail"] == "Not Found", "the replica's own answer"


def test_admin_can_be_switched_off(house, replica):
    settings = settings_for([replica], admin={"address": ""})
    node = house.usher(settings=settings, wait=False)
    assert not node.admin
    wait_for(lambda: wire.fetch(node.url() + "/whoami").status == 200, "service")


def test_the_status_command_speaks_to_people_and_programs(node, replica):
    def run(*arguments):
        return subprocess.run([harness.usher_binary(), "status", "--admin", node.admin, *arguments], capture_output=True, text=True, timeout=30)

    table = run()
    assert table.returncode == 0 and replica.address in table.stdout and "up" in table.stdout
    assert json.loads(run("--json").stdout)["upstreams"][0]["replicas"][0]["id"] == replica.address


def test_the_status_command_says_when_nobody_is_there(tmp_path):
    done = subprocess.run([harness.usher_binary(), "status", "--admin", f"http://127.0.0.1:{harness.free_port()}"], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and done.stderr.strip()


# --- The end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_node_ends_at_once_with_0(node, number):
    with wire.Wire(node.url()) as idle:
        assert idle.ask("GET", "/whoami").status == 200
        began = time.monotonic()
        node.signal(number)
        assert node.wait() == 0
        assert time.monotonic() - began < 5 * harness.patience()
        assert idle.closed_by_peer()


def test_what_runs_is_finished_before_the_end(node):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?interval_ms=50&count=40")
        events = wire.sse_events(connection, connection.read_head())
        next(events)
        node.signal(signal.SIGTERM)
        assert len(list(events)) == 39
    assert node.wait() == 0


def test_an_upload_that_runs_is_finished_before_the_end(node):
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink", [("Content-Length", "200000")])
        connection.send(b"x" * 100_000)
        wait_for(lambda: node.status()["upstreams"][0]["replicas"][0]["in_flight"] == 1, "the upload in flight")
        node.signal(signal.SIGTERM)
        wait_for(lambda: node.events("draining"), "the drain")
        connection.send(b"x" * 100_000)
        assert connection.response().json()["bytes"] == 200_000
        assert connection.closed_by_peer()
    assert node.wait() == 0


def test_a_websocket_is_told_that_the_node_goes_away(house, replica):
    node = house.usher([replica], timeouts={"drain": "1s"})
    with connect(node.url().replace("http", "ws", 1) + TERMINAL) as open_socket:
        node.signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            open_socket.recv(timeout=20)
    assert closed.value.rcvd and closed.value.rcvd.code in (1001, 1012)
    assert node.wait() == 0


def test_the_drain_ends_after_its_time(house, replica):
    node = house.usher([replica], timeouts={"drain": "500ms"})
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?count=100000")
        connection.read_head()
        began = time.monotonic()
        node.signal(signal.SIGTERM)
        assert node.wait() == 0
        assert 0.4 < time.monotonic() - began < 5 * harness.patience()


def test_a_second_signal_ends_at_once(node):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?count=100000")
        connection.read_head()
        node.signal(signal.SIGTERM)
        wait_for(lambda: node.events("draining"), "the drain")
        assert node.running
        node.signal(signal.SIGTERM)
        node.wait(5)


def test_a_second_signal_ends_a_node_with_everything_open(node):
    """Requests, an upload and a websocket: what is freed at the end still refers to what is freed after it."""
    with wire.Wire(node.url()) as stream, wire.Wire(node.url("https")) as upload:
        stream.request("GET", "/sse?count=100000")
        stream.read_head()
        upload.request("POST", "/sink", [("Content-Length", "1000")])
        upload.send(b"x")
        with connect(node.url().replace("http", "ws", 1) + TERMINAL) as terminal:
            terminal.send("hallo")
            terminal.recv(timeout=10)
            node.signal(signal.SIGTERM)
            wait_for(lambda: node.events("draining"), "the drain")
            node.signal(signal.SIGTERM)
            assert node.wait(5) == 0


def test_readyz_is_503_while_draining(node):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?interval_ms=50&count=200")
        connection.read_head()
        node.signal(signal.SIGTERM)

        def answer():
            try:
                return node.admin_get("/readyz")[0]
            except OSError:
                return None

        assert wait_for(lambda: answer() == 503, "503 while draining")
        node.signal(signal.SIGTERM)
        node.wait(5)


def test_the_log_of_a_run_is_json_lines(node):
    wire.fetch(node.url() + "/whoami")
    node.stop()
    for line in node.stderr.splitlines():
        json.loads(line)


def test_a_node_serves_with_one_worker_and_with_many(house, replica):
    for workers in (1, 5):
        node = house.usher([replica], name=f"workers-{workers}", workers=workers)
        assert all(wire.fetch(node.url() + "/whoami").status == 200 for _ in range(20))
