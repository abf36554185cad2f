"""A new configuration under a running node: all of it or nothing, and nobody notices."""

import signal
import socket

import harness
import wire
from harness import json_lines, toml, wait_for
from steady import Steady
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
    with connect(node.url().replace("http", "ws") + TERMINAL) as websocket:
        assert wire.fetch(node.url() + "/whoami").status == 200
        rewrite(node, route=closed_route("/whoami"))
        node.signal(signal.SIGHUP)
        wait_for(lambda: events(node, "reloaded"), "the reload")
        assert wire.fetch(node.url() + "/whoami").status == 404
        websocket.send("still there?")
        assert websocket.recv(timeout=10 * harness.patience()) == "still there?"


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
    rewrite(node, workers=1, affinity={"idle": "1h"})
    node.signal(signal.SIGHUP)
    wait_for(lambda: events(node, "reloaded"), "the reload")
    assert [line["setting"] for line in events(node, "reload_needs_restart")] == ["workers", "affinity"]
    assert events(node, "reloaded")[0]["changed"] == ""
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_listeners_come_and_go(node):
    """What stays keeps its socket, and what came in by one that goes stays, too."""
    plain, secure = node.url("http"), node.url("https")
    added = f"127.0.0.1:{harness.free_port()}"
    with wire.Wire(plain) as kept:
        assert kept.ask("GET", "/whoami").status == 200
        rewrite(node, listen=[{"address": "127.0.0.1:0"}, {"address": added}])
        status, body = node.admin_get("/api/reload", "POST")
        assert status == 200, body
        assert events(node, "reloaded")[-1]["changed"] == "listen"
        assert wire.fetch(f"http://{added}/whoami").status == 200
        assert wire.fetch(plain + "/whoami").status == 200
        wait_for(lambda: refused(secure), "nobody at the address that is gone")
        rewrite(node, listen=[{"address": added}])
        assert node.admin_get("/api/reload", "POST")[0] == 200
        wait_for(lambda: refused(plain), "nobody at the address that is gone")
        assert kept.ask("GET", "/whoami").status == 200
    assert [each["url"] for each in node.status()["listen"]] == [f"http://{added}"]
    # TLS at a node that has none any more.
    rewrite(node, listen=[{"address": added, "tls": True, "protocols": ["http/1.1"]}])
    assert node.admin_get("/api/reload", "POST")[0] == 200
    wait_for(lambda: tried(f"https://{added}/whoami") == 200, "TLS at the same address")


def refused(url: str) -> bool:
    try:
        wire.Wire(url).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def tried(url: str) -> int | None:
    """The status, if there is any answer."""
    try:
        return wire.fetch(url).status
    except (OSError, wire.Truncated):
        return None


def test_an_address_that_cannot_be_had_changes_nothing(node):
    before = list(node.listen)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        rewrite(node, listen=[{"address": address}], route=closed_route("/whoami"))
        status, body = node.admin_get("/api/reload", "POST")
        assert status == 400 and address in body.decode()
    for url in before:
        assert wire.fetch(url + "/whoami").status == 200


def test_reloads_in_a_row_drop_nothing_and_leave_nothing(house, replica):
    """Its long form: ./dev soak changes."""
    node = house.usher([replica])
    traffic = Steady([node.url("http"), node.url("https")], websockets=50, rate=100, say_every=1).start()
    extra = {"address": f"127.0.0.1:{harness.free_port()}", "tls": True}
    listen = list(node.settings["listen"])

    def reload(number: int) -> None:
        rewrite(node, listen=[*listen, extra] if number % 2 else listen)
        status, body = node.admin_get("/api/reload", "POST")
        assert status == 200, body

    for number in range(20):
        reload(number)
    memory, descriptors = node.private_memory(), node.descriptors()
    for number in range(100):
        reload(number)
    grown = node.private_memory() - memory
    assert traffic.open == 50 and not traffic.closed
    traffic.stop()
    assert not traffic.failures, traffic.failures[:5]
    if not harness.sanitized():
        assert grown < 4 << 20, f"{grown} bytes after 100 reloads"
    wait_for(lambda: node.descriptors() <= descriptors, f"{descriptors} descriptors")


def test_an_admin_connection_answers_more_than_once(node):
    with wire.Wire(node.admin) as connection:
        for _ in range(3):
            assert connection.ask("GET", "/healthz").status == 200
            assert b"usher_build_info" in connection.ask("GET", "/metrics").body


def test_a_reload_that_changes_only_types_says_so(house, replica, tmp_path):
    (tmp_path / "page.wat").write_text("x")
    route = [{"host": "*", "path": "/", "root": str(tmp_path), "types": "own"}]
    node = house.usher([replica], route=route, types=[{"name": "own", "entries": ["text/before wat"]}])
    assert wire.fetch(node.url() + "/page.wat").header("content-type") == "text/before"
    rewrite(node, types=[{"name": "own", "entries": ["text/after wat"]}])
    assert node.admin_get("/api/reload", "POST")[0] == 200
    assert events(node, "reloaded")[-1]["changed"] == "types"
    wait_for(lambda: wire.fetch(node.url() + "/page.wat").header("content-type") == "text/after", "the new types")
