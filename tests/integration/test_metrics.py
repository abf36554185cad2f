"""What /metrics and /api/status say, and that what is made of them names nothing else."""

import contextlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import harness
import wire
from harness import ROOT, have, settings_for, wait_for

DASHBOARD = ROOT / "docs" / "dashboard.json"
# As a replica's tracer would begin it.
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
WORDS = re.compile(r"\busher_[a-z0-9_]+")


def busy_node(house):
    """One that has something to say under every name."""
    redis = house.redis()
    replicas = house.replicas(("alpha", "beta"))
    node = house.usher(replicas, redis.url + "/0")
    answer = wire.fetch(node.url("https") + "/whoami")
    for _ in range(5):
        wire.fetch(node.url() + "/whoami", headers=[("Cookie", answer.cookie())])
    wire.fetch(node.url() + "/echo", "POST", body=b"x" * 1000)
    return node


def families(text: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def test_the_exposition_is_well_formed(house):
    """Whatever promtool would say, where there is none as well."""
    node = busy_node(house)
    text = node.admin_get("/metrics")[1].decode()
    kinds = families(text)
    assert len(kinds) > 40 and len(kinds) == len(re.findall("^# TYPE", text, re.MULTILINE)), "a family twice"
    assert set(kinds) == set(re.findall(r"^# HELP (\S+) .+\.$", text, re.MULTILINE)), "a family without its help"
    seen = set()
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        sample, labels, _ = re.fullmatch(r'(usher_\w+)(\{(?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (\S+)', line).groups()
        assert (sample, labels) not in seen, f"twice: {line}"
        seen.add((sample, labels))
        family = re.sub("_(bucket|sum|count)$", "", sample)
        family = family if kinds.get(family) == "histogram" else sample
        assert family in kinds, f"without a type: {line}"
    for family, kind in kinds.items():
        assert (kind == "counter") == family.endswith("_total"), family
        assert not re.search("_(ms|milliseconds|kb|minutes)(_|$)", family), family
    if have("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_name_is_explained_and_the_dashboard_uses_no_other(house):
    text = busy_node(house).admin_get("/metrics")[1].decode()
    kinds = families(text)
    explained = set(WORDS.findall((ROOT / "docs" / "operations.md").read_text()))
    assert set(kinds) <= explained, sorted(set(kinds) - explained)
    names = set(kinds) | {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "sum", "count")}
    for document in sorted((ROOT / "docs").glob("*.md")):
        unknown = set(WORDS.findall(document.read_text())) - names
        assert not unknown, f"{document.name}: {sorted(unknown)}"
    dashboard = json.loads(DASHBOARD.read_text())
    used = {word for panel in dashboard["panels"] for target in panel.get("targets", []) for word in WORDS.findall(target["expr"])}
    used |= {word for variable in dashboard["templating"]["list"] for word in WORDS.findall(json.dumps(variable))}
    assert len(used) > 15 and used <= names, sorted(used - names)


def test_listeners_routes_and_handshakes_are_counted(house, replica):
    node = house.usher([replica], route=[{"host": "*", "path": "/closed", "status": 404}, {"host": "*", "path": "/", "upstream": "open-webui"}])
    for _ in range(3):
        wire.fetch(node.url("https") + "/whoami")
    wire.fetch(node.url("http") + "/closed")
    wire.fetch(node.url("http") + "/slow?ms=300")

    def route(path: str, **labels) -> dict:
        return {"host": "*", "path": path, "match": "segments", **labels}

    def counted():
        return node.metric("usher_route_request_duration_seconds_count", **route("/")) == 4

    wait_for(counted, "the end of four requests in the counts")
    assert node.metric("usher_listener_connections_accepted_total", listener=node.url("https")) == 3
    assert node.metric("usher_listener_connections_accepted_total", listener=node.url("http")) == 2
    assert node.metric("usher_tls_handshakes_total", listener=node.url("https"), version="1.3", resumed="no") == 3
    assert node.metric("usher_route_responses_total", **route("/", **{"class": "2xx"})) == 4
    assert node.metric("usher_route_responses_total", **route("/closed", **{"class": "4xx"})) == 1
    slow = node.metric("usher_route_first_byte_seconds_sum", **route("/"))
    assert 0.3 <= slow < 10 * harness.patience()
    at_most_250 = node.metric("usher_route_first_byte_seconds_bucket", **route("/", le="0.25"))
    assert at_most_250 < 4 == node.metric("usher_route_first_byte_seconds_bucket", **route("/", le="+Inf"))


def test_websockets_are_counted_as_other_requests_are(house, replica):
    node = house.usher([replica])
    first = wire.fetch(node.url() + "/whoami")
    for extra in (b"", b"Cookie: " + first.cookie().encode() + b"\r\n"):
        with wire.Wire(node.url()) as connection:
            connection.send(wire.handshake("/any/terminal", extra))
            assert connection.response().status == 101
            connection.send(wire.masked(b"ten bytes!"))
            assert b"ten bytes!" in connection.receive()
    wait_for(lambda: node.metric("usher_websockets") == 0, "both have ended")
    route = {"host": "*", "path": "/", "match": "segments"}
    assert node.metric("usher_affinity_total", outcome="new") == 2
    assert node.metric("usher_affinity_total", outcome="cookie") == 1
    assert node.metric("usher_responses_total", **{"class": "1xx"}) == 2
    assert node.metric("usher_route_responses_total", **route, **{"class": "1xx"}) == 2
    assert node.metric("usher_route_first_byte_seconds_count", **route) == 3
    for direction in ("in", "out"):
        # Frames have some bytes besides.
        assert 20 <= node.metric("usher_route_body_bytes_total", **route, direction=direction) < 1000


def test_the_store_tells_how_long_it_takes(house):
    node = busy_node(house)
    wait_for(lambda: node.metric("usher_store_round_trip_seconds_count") > 0, "calls of the store")
    assert 0 < node.metric("usher_store_round_trip_seconds_sum") < 10 * harness.patience()


def test_the_status_tells_programs_and_people_the_same(house):
    node = busy_node(house)
    status = node.status()
    assert status["pid"] == node.pid
    assert [each["url"] for each in status["listen"]] == node.listen
    assert len(status["certificates"]) == 1 and status["certificates"][0]["not_after"] > time.strftime("%Y-%m-%d")
    table = subprocess.run([harness.usher_binary(), "status", "--admin", node.admin], capture_output=True, text=True, check=True).stdout
    for word in [*node.listen, "certificate ", "store redis://", *(replica["id"] for replica in status["upstreams"][0]["replicas"])]:
        assert word in table, table


# --- Traces -------------------------------------------------------------------------------------------


def headers_at_replica(node, *sent) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in wire.fetch(node.url() + "/whoami", headers=list(sent)).json()["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def test_a_trace_is_passed_on(node):
    heard = headers_at_replica(node, ("traceparent", TRACE), ("tracestate", "vendor=1"))
    assert heard["traceparent"] == [TRACE] and heard["tracestate"] == ["vendor=1"]
    line = node.await_access(lambda line: line["path"] == "/whoami")
    assert line["trace_id"] == TRACE.split("-")[1]


def test_where_no_trace_comes_one_begins(node):
    first, second = headers_at_replica(node), headers_at_replica(node, ("traceparent", "nonsense"), ("tracestate", "vendor=1"))
    for heard in (first, second):
        (made,) = heard["traceparent"]
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", made)
    assert "tracestate" not in second and first["traceparent"] != second["traceparent"]


# --- The start ----------------------------------------------------------------------------------------


def test_a_start_takes_less_than_a_tenth_of_a_second(house, replica):
    """Of the processor's time, which does not depend on what else this machine does; it waits for nothing."""
    node = house.usher([replica])
    node.keep_ports()
    took = []
    for _ in range(5):
        node.stop()
        node.start()
        user, system = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        took.append((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"))
    assert min(took) < 0.1 * harness.patience(), took


def test_stub_status_says_nginxs_numbers(house, replica):
    settings = settings_for([replica], workers=4)
    settings["route"].append({"path": "/nginx_status", "stub_status": True})
    node = house.usher([replica], settings=settings)

    def numbers(connection):
        answer = connection.ask("GET", "/nginx_status")
        assert answer.status == 200 and answer.header("content-type") == "text/plain"
        return [int(number) for number in re.findall(r"\d+", answer.body.decode())]

    with contextlib.ExitStack() as stack:
        asking, idle, beginning, socket, slow = [stack.enter_context(wire.Wire(node.url())) for _ in range(5)]
        assert idle.ask("GET", "/whoami").status == 200
        beginning.send(b"GET /whoami HTTP/1.1\r\nHost:")
        socket.send(wire.handshake("/any/terminal"))
        assert socket.read_head().status == 101
        slow.request("GET", "/slow?ms=60000")
        # The one that asks, the websocket and the slow one are under way.
        wait_for(lambda: (seen := numbers(asking))[:1] + seen[4:] == [5, 1, 3, 1], "all of them")
        before, after = numbers(asking), numbers(asking)
        assert before[1] == before[2] >= 5 and after[3] == before[3] + 1
        assert asking.ask("POST", "/nginx_status", body=b"x").status == 405
    with wire.Wire(node.url()) as asking:
        wait_for(lambda: (seen := numbers(asking))[:1] + seen[4:] == [1, 0, 1, 0], "nobody else")
