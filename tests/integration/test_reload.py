"""A new configuration under a running node: all of it or nothing, and nobody notices."""

import signal

import harness
import wire
from harness import json_lines, toml, wait_for
from websockets.sync.client import connect

TERMINAL = "/api/v1/terminals/x/api/terminals/y"


def rewrite(node, **changes) -> None:
    node.settings.update(changes)
    node.config.write_text(toml(node.settings))


def events(node, name: str) -> list[dict]:
    return [line for line in json_lines(node.stderr_path) if line.get("event") == name]


def closed_route(path: str) -> list[dict]:
    return [
        {"host": "*", "path": path, "status": 404},
        {"host": "*", "path": "/", "upstream": "open-webui"},
    ]


def test_sighup_takes_a_new_route_and_leaves_a_websocket_alone(node):
    with connect(node.url().replace("http", "ws") + TERMINAL) as socket:
        assert wire.fetch(node.url() + "/whoami").status == 200
        rewrite(node, route=closed_route("/whoami"))
        node.signal(signal.SIGHUP)
        wait_for(lambda: events(node, "reloaded"), "the reload")
        assert wire.fetch(node.url() + "/whoami").status == 404
        socket.send("still there?")
        assert socket.recv(timeout=10 * harness.patience()) == "still there?"


def test_a_connection_that_is_open_gets_the_new_route(node):
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami").status == 200
        rewrite(node, route=closed_route("/whoami"))
        status, body = node.admin_get("/api/reload", "POST")
        assert status == 200, body
        wait_for(lambda: connection.ask("GET", "/whoami").status == 404, "the new route on the old connection")


def test_a_broken_file_changes_nothing_and_says_where_it_is_broken(node):
    node.config.write_text(toml({**node.settings, "workers": "many"}))
    node.signal(signal.SIGHUP)
    wait_for(lambda: events(node, "reload_failed"), "the refusal")
    assert f"{node.config}:1:" in events(node, "reload_failed")[0]["reason"]
    status, body = node.admin_get("/api/reload", "POST")
    assert status == 400 and f"{node.config}:1:" in body.decode()
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_a_certificate_that_cannot_be_read_changes_nothing(node, tmp_path):
    rewrite(node, tls={"certificate": [{"chain": str(tmp_path / "no.crt"), "key": str(tmp_path / "no.key")}]})
    status, body = node.admin_get("/api/reload", "POST")
    assert status == 400 and "no.crt" in body.decode()
    assert wire.fetch(node.url("https") + "/whoami").status == 200


def test_a_replica_that_is_added_serves(house, node, replica):
    second = house.replica(name="second")
    upstream = node.settings["upstream"][0]
    rewrite(node, upstream=[{**upstream, "replicas": [replica.address, second.address]}])
    node.signal(signal.SIGHUP)
    wait_for(
        lambda: second.name in {wire.fetch(node.url() + "/whoami").json()["replica"] for _ in range(20)},
        "an answer of the new replica",
    )


def test_what_needs_a_restart_is_said(node):
    before = list(node.listen)
    rewrite(node, listen=[{"address": "127.0.0.1:0"}])
    node.signal(signal.SIGHUP)
    wait_for(lambda: events(node, "reload_needs_restart"), "the warning")
    assert events(node, "reload_needs_restart")[0]["setting"] == "listen"
    for url in before:
        assert wire.fetch(url + "/whoami").status == 200


def test_sigusr2_does_not_end_the_process(node):
    node.signal(signal.SIGUSR2)
    wait_for(lambda: events(node, "not_served_yet"), "the warning")
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_an_admin_connection_answers_more_than_once(node):
    with wire.Wire(node.admin) as connection:
        for _ in range(3):
            assert connection.ask("GET", "/healthz").status == 200
            assert b"usher_build_info" in connection.ask("GET", "/metrics").body
