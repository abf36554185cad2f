"""Whatever ends a request, a connection or a websocket is named: in the log and in the metrics."""

import contextlib
import os
import resource
import socket
import ssl
from dataclasses import dataclass, field

import engine
import fakes
import harness
import pytest
import wire
from harness import settings_for, wait_for
from websockets.exceptions import ConnectionClosed

JSON = [("Accept", "application/json")]


@dataclass
class Case:
    """How one cause is provoked: `provoke(node, peer)`, with the replica or fake that `peer(house)` makes."""

    provoke: object
    status: int | None  # in the access log; None: it has no line there, for there was no request
    peer: object = lambda house: house.replica()
    settings: dict = field(default_factory=dict)
    upstream: dict = field(default_factory=dict)
    timeouts: dict = field(default_factory=dict)
    up: bool = True
    retried: bool = False  # an attempt before failed by the same cause


def answers(status: int, *request, scheme="http", **options):
    """Sends a request and expects that answer, in JSON."""

    def provoke(node, peer):
        with wire.Wire(node.url(scheme)) as connection:
            connection.request(*request, **options)
            answer = connection.response(request[0])
        assert answer.status == status and answer.json()["detail"], answer

    return provoke


def says(status: int, data: bytes):
    def provoke(node, peer):
        with wire.Wire(node.url()) as connection:
            connection.send(data)
            assert connection.response().status == status
            assert connection.closed_by_peer()

    return provoke


def leaves_before_the_answer(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/slow?id=left&ms=60000")
        wait_for(lambda: "left" in peer.get("/begun"), "the request at the replica")


def leaves_within_the_answer(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?count=100000")
        next(wire.sse_events(connection, connection.read_head()))


def finds_its_replica_full(node, peer):
    with wire.Wire(node.url()) as connection, wire.Wire(node.url()) as second:
        connection.request("GET", f"/slow?id=inside&ms={round(500 * harness.patience())}", JSON)
        wait_for(lambda: "inside" in peer.get("/begun"), "the request at the replica")
        second.request("GET", "/whoami", JSON)
        assert second.response().status == 503
        assert connection.response().status == 200


def stops_reading(node, peer):
    with wire.Wire(node.url(), receive_buffer=4096) as connection:
        connection.request("GET", "/blob?bytes=100000000")
        connection.read_head()
        wait_for(lambda: node.metric("usher_connections") == 0, "the end of the connection")


def stops_sending(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink", [("Content-Length", "1000"), *JSON])
        connection.send(b"x")
        assert connection.response().status == 408


def sends_more_than_allowed(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink", [("Transfer-Encoding", "chunked"), *JSON])
        for _ in range(3):
            connection.send_chunk(b"x" * 500)
        assert connection.response().status == 413


def speaks_no_tls(node, peer):
    with socket.create_connection(("127.0.0.1", node.port("https"))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while connection.recv(1000):
            pass


def trusts_nobody(node, peer):
    with socket.create_connection(("127.0.0.1", node.port("https"))) as plain:
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


def shakes_no_hands(node, peer):
    with socket.create_connection(("127.0.0.1", node.port("https"))) as connection:
        connection.settimeout(20)
        assert connection.recv(1) == b""


def says_nothing(node, peer):
    with wire.Wire(node.url()) as connection:
        assert connection.closed_by_peer()


def says_nothing_more(node, peer):
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami").status == 200
        assert connection.closed_by_peer()


def leaves_within_its_head(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost:")


def comes_too_often(node, peer):
    with wire.Wire(node.url()) as first:
        assert first.ask("GET", "/whoami").status == 200
        with wire.Wire(node.url()) as second:
            assert second.ask("GET", "/whoami", JSON).status == 429


def asks_twice(node, peer):
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "/whoami").status == 200
        assert connection.ask("GET", "/whoami", JSON).status == 429


def asks_beside_its_websocket(node, peer):
    with websocket(node) as socket:
        answers(429, "GET", "/whoami", JSON)(node, peer)
        socket.send(wire.masked_close())
        while socket.receive():
            pass


def is_answered_in_part(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/")
        with pytest.raises(wire.Truncated):
            list(connection.body_pieces(connection.read_head()))


def spends_the_retry_budget(node, peer):
    """Each request but the first meets a kept connection that ends."""
    with wire.Wire(node.url()) as connection:
        assert any(connection.ask("GET", "/", JSON).status == 502 for _ in range(1000))


def finds_no_descriptor_left(node, peer):
    """The limit is lowered behind its back; what is open is busy, so nothing can be closed."""
    usual = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as busy:

        def websocket():
            connection = busy.enter_context(wire.Wire(node.url()))
            connection.send(wire.handshake("/any/where"))
            assert connection.response().status == 101

        websocket()
        # The numbers below the highest one in use are given to websockets, two to each; the last one
        # suffices for a client, but not for its replica.
        most = max(int(name) for name in os.listdir(f"/proc/{node.pid}/fd")) + 1
        while (most - node.descriptors()) >= 2:
            websocket()
        limit = node.descriptors() + 1 if node.descriptors() >= most else most
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (limit, usual[1]))
        with wire.Wire(node.url()) as connection:
            assert connection.ask("GET", "/whoami", JSON).status == 503
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, usual)


def is_told_to_go(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/slow?id=late&ms=60000", JSON)
        wait_for(lambda: "late" in peer.get("/begun"), "the request at the replica")
        node.process.terminate()
        assert connection.response().status == 503


def websocket(node) -> wire.Wire:
    connection = wire.Wire(node.url())
    connection.send(wire.handshake("/any/where?id=socket"))
    assert connection.response().status == 101
    return connection


def keeps_a_silent_websocket(node, peer):
    with websocket(node) as connection:
        while connection.receive():
            pass


def resets_a_websocket(node, peer):
    connection = websocket(node)
    wait_for(lambda: "socket" in peer.get("/begun"), "the websocket at the replica")
    connection.reset()


def asks_for_a_websocket(node, peer):
    with wire.Wire(node.url()) as connection:
        connection.send(wire.handshake("/any/where"))
        assert connection.response().status == 502


class DiesInAWebsocket(fakes.SaysUpgraded):
    """Resets a websocket at the first word."""

    async def misbehave(self, head, reader, writer, number):
        writer.write(fakes.switching(head))
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False


def speaks_to_who_dies(node, peer):
    with websocket(node) as connection:
        connection.send(wire.masked(b"hello"))
        while connection.receive():
            pass


def get(status: int, target: str = "/", **options):
    return answers(status, "GET", target, JSON, **options)


def asks_another_name(node, _):
    """The self-signed certificate is for localhost."""
    with socket.create_connection(("127.0.0.1", node.port("https"))) as raw:
        with wire.unverified().wrap_socket(raw, server_hostname="other.example") as secured:
            with wire.Wire.over(secured) as connection:
                connection.authority = "other.example"
                assert connection.ask("GET", "/", JSON).status == 421


def leaves_a_question_open(node, replica):
    """Nobody answers such an event, and it may not be asked of another replica."""
    session = engine.Session(node)
    session.say('421["nobody-listens"]')
    assert session.ask(2, '["echo",7]') == "[7]"
    replica.kill()
    with pytest.raises(ConnectionClosed) as closed:
        session.await_packet("never")
    assert closed.value.rcvd.code == 1012


BALANCED = {"listen": [{"address": "127.0.0.1:0", "proxy_protocol": True}], "forwarded": {"trusted": ["127.0.0.1/32"]}}


def comes_past_the_balancer(node, _):
    with wire.Wire(node.url()) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.closed_by_peer()


def is_the_oldest_of_too_many(node, _):
    with wire.Wire(node.url("https").replace("https", "http")) as silent:
        with wire.Wire(node.url("https")) as connection:
            assert connection.ask("GET", "/whoami").status == 200
            assert silent.closed_by_peer()


LATE = {"health": {"interval": "10m", "fall": 100}}  # no health check has its say
ONE_ROUTE = {"route": [{"host": "here.example", "path": "/", "upstream": "open-webui"}]}
FILES_IN_A_CIRCLE = {"route": [{"path": "/", "root": "/nowhere", "try_files": ["$uri", "/again"]}]}
SMALL = {"route": [{"path": "/", "upstream": "open-webui", "max_body": "1KiB"}]}
LIMITED = {
    "rate_zone": [{"name": "slow", "rate": "1r/m"}],
    "route": [{"path": "/", "upstream": "open-webui", "rate_limits": ["slow"]}],
}
LIMITED_AT_A_TIME = {
    "connection_zone": [{"name": "open"}],
    "route": [{"path": "/", "upstream": "open-webui", "connection_limits": ["open 1"]}],
}
DEAD = "127.0.0.10:1"  # nobody listens on port 1
BAD_UPGRADE = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"


def many_who_listen(house):
    return [house.fake(fakes.NeverAnswers()) for _ in range(10)]


def finds_nobody_listening(node, peers):
    for peer in peers:
        peer.close()
    get(502)(node, peers)


def fake(make):
    return lambda house: house.fake(make())


CASES = {
    "bad_request": [Case(says(400, b"GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n"), 400)],
    "head_too_large": [
        Case(says(431, b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"x" * 70_000), 431),
        Case(says(431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 300), 431),
    ],
    "uri_too_long": [Case(says(414, b"GET /" + b"x" * 70_000), 414)],
    "head_timeout": [Case(says(408, b"GET / HTTP/1.1\r\nHost: a\r\n"), 408, settings={"timeouts": {"head": "300ms"}})],
    "body_too_large": [
        Case(answers(413, "POST", "/sink", JSON, b"x" * 2000), 413, settings=SMALL),
        Case(sends_more_than_allowed, 413, settings=SMALL),
    ],
    "body_timeout": [Case(stops_sending, 408, settings={"timeouts": {"stall": "400ms"}})],
    "version_not_supported": [Case(says(505, b"GET / HTTP/2.3\r\nHost: a\r\n\r\n"), 505)],
    "not_implemented": [
        Case(says(501, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), 501),
        Case(says(501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501),
    ],
    "expectation_failed": [Case(says(417, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"), 417)],
    "client_gone": [
        Case(leaves_before_the_answer, 499),
        Case(leaves_within_the_answer, 200),
        Case(leaves_within_its_head, None),
        Case(resets_a_websocket, 101),
    ],
    "client_stalled": [Case(stops_reading, 200, settings={"timeouts": {"stall": "400ms"}})],
    "tls_handshake_failed": [Case(speaks_no_tls, None), Case(trusts_nobody, None)],
    "handshake_timeout": [Case(shakes_no_hands, None, settings={"timeouts": {"handshake": "300ms"}})],
    "bad_proxy_header": [Case(comes_past_the_balancer, None, settings=BALANCED)],
    "too_many_handshakes": [Case(is_the_oldest_of_too_many, None, settings={"workers": 1, "limits": {"handshakes": 1}})],
    "too_many_connections": [Case(comes_too_often, None, settings={"limits": {"connections": 1}})],
    "rate_limited": [Case(asks_twice, 429, settings=LIMITED)],
    "connection_limited": [Case(asks_beside_its_websocket, 429, settings=LIMITED_AT_A_TIME)],
    "idle": [
        Case(says_nothing, None, settings={"timeouts": {"head": "300ms"}}),
        Case(says_nothing_more, None, settings={"timeouts": {"keep_alive": "300ms"}}),
    ],
    "misdirected": [Case(asks_another_name, 421, settings={"tls": {"unknown_name": "misdirected"}})],
    "no_route": [Case(get(404), 404, settings=ONE_ROUTE)],
    "detour_loop": [Case(get(500), 500, settings=FILES_IN_A_CIRCLE)],
    "no_replica": [Case(get(503), 503, peer=lambda house: DEAD, up=False)],
    "connect_refused": [Case(finds_nobody_listening, 502, many_who_listen, upstream=LATE, retried=True)],
    "connect_timeout": [
        Case(get(504), 504, fake(fakes.NeverAccepts), upstream=LATE, timeouts={"connect": "300ms"}, up=False, retried=True)
    ],
    # Nothing connects to a broadcast address.
    "connect_failed": [Case(get(502), 502, lambda house: "127.255.255.255:80", upstream=LATE, up=False, retried=True)],
    "replica_closed_idle": [Case(spends_the_retry_budget, 502, peer=fake(fakes.ClosesOnReuse), settings={"workers": 1}, retried=True)],
    "replica_closed": [
        Case(answers(502, "POST", "/", JSON, b"x"), 502, peer=fake(lambda: fakes.Says(b""))),
        Case(get(502), 502, peer=fake(lambda: fakes.Says(b"")), retried=True),
        Case(is_answered_in_part, 200, peer=fake(fakes.ClosesMidBody)),
        Case(speaks_to_who_dies, 101, peer=fake(DiesInAWebsocket)),
    ],
    "replica_bad_response": [Case(get(502), 502, peer=fake(lambda: fakes.Says(b"SSH-2.0-OpenSSH\r\n\r\n")))],
    "replica_bad_upgrade": [Case(asks_for_a_websocket, 502, peer=fake(lambda: fakes.Says(BAD_UPGRADE)))],
    "first_byte_timeout": [Case(get(504), 504, peer=fake(fakes.NeverAnswers), timeouts={"first_byte": "300ms"})],
    "between_bytes_timeout": [
        Case(is_answered_in_part, 200, peer=fake(fakes.StallsAfterHead), timeouts={"between_bytes": "300ms"})
    ],
    "tunnel_idle": [Case(keeps_a_silent_websocket, 101, timeouts={"tunnel_idle": "300ms"})],
    "draining": [Case(is_told_to_go, 503, settings={"timeouts": {"drain": "500ms"}})],
    "replica_busy": [Case(finds_its_replica_full, 503, upstream={"max_connections": 1, "queue": 0})],
    "not_moved": [Case(leaves_a_question_open, 101)],
    "out_of_descriptors": [Case(finds_no_descriptor_left, 503, settings={"workers": 1}, upstream=LATE)],
}


# Only a kernel that is out of order could provoke these.
UNPROVOKED = {"system"}
# test_http2_abuse.py provokes these.
OF_HTTP2 = {"frame_flood", "header_flood", "http2_error", "rapid_reset"}
# test_passwords.py provokes these.
OF_PASSWORDS = {"bad_password", "passwords_busy"}
# No request ends by it: test_retry_on.py.
OF_RETRIES = {"replica_status"}
# test_route_rules.py provokes this one.
OF_RULES = {"expression_gave_up"}


def node_for(house, case: Case):
    peer = case.peer(house)
    replicas = peer if isinstance(peer, list) else [peer]
    settings = settings_for(replicas, **{"log": {"level": "debug"}, **case.settings})
    settings["upstream"][0].update({**case.upstream, "timeouts": case.timeouts})
    node = house.usher(replicas, settings=settings, wait=False)
    return (node.await_replicas(len(replicas)) if case.up else node), peer


@pytest.mark.parametrize("cause, case", [(cause, case) for cause, cases in CASES.items() for case in cases])
def test_each_cause_is_named(house, cause, case):
    if cause == "out_of_descriptors" and harness.sanitized():
        pytest.skip("UBSan looks at objects through a pipe, for which no descriptor is left")
    node, peer = node_for(house, case)
    case.provoke(node, peer)
    if case.status is None:
        failed = lambda line: line.get("event") == "connection_failed"  # noqa: E731
        line = node.await_line(node.stderr_path, failed, "its line in the log")
        assert line["client"] == "127.0.0.1"
        assert not [line for line in node.access_log if line["error"]]
    else:
        line = node.await_access(lambda line: line["error"])
        assert line["status"] == case.status, line
    assert line["error"].split(":")[0] == cause, line
    if not node.running or cause == "draining":
        return
    wait_for(lambda: node.metric("usher_errors_total", cause=cause) == 1, "its count")
    counted = {name: value for name, value in all_causes(node).items() if value}
    assert counted == {cause: 1}
    assert (node.metric("usher_retries_total", cause=cause) > 0) == case.retried


def all_causes(node) -> dict[str, float]:
    prefix = 'usher_errors_total{cause="'
    lines = node.admin_get("/metrics")[1].decode().splitlines()
    return {line[len(prefix) :].split('"')[0]: float(line.split()[-1]) for line in lines if line.startswith(prefix)}


def test_no_cause_is_forgotten_here_and_none_is_without_a_use(node):
    assert set(all_causes(node)) == set(CASES) | UNPROVOKED | OF_HTTP2 | OF_PASSWORDS | OF_RETRIES | OF_RULES


def test_the_manual_names_each_cause(node):
    manual = (harness.ROOT / "docs" / "operations.md").read_text()
    table = manual.split("### Causes")[1].split("\n### ")[0]
    named = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert named == set(all_causes(node))


def test_what_another_attempt_makes_good_is_no_error(house):
    fake = house.fake(fakes.AnswersAfterTheFirst())
    node = house.usher([fake])
    assert wire.fetch(node.url() + "/").body == b"second try"
    line = node.await_access(lambda line: line["attempts"] == 2)
    assert line["error"] is None
    wait_for(lambda: node.metric("usher_retries_total", cause="replica_closed") == 1, "its count")
    assert not any(all_causes(node).values())


def test_no_replica_says_what_the_last_attempt_met(house):
    peer = house.fake(fakes.NeverAnswers())
    settings = settings_for([peer])
    settings["upstream"][0].update(LATE)
    node = house.usher([peer], settings=settings)
    peer.close()
    assert wire.fetch(node.url() + "/", headers=JSON).status == 503
    assert "connect_refused" in node.await_access(lambda line: line["status"] == 503)["error"]


# --- Websockets ---------------------------------------------------------------------------------------


def closes_by_frame(connection, peer):
    connection.send(wire.masked_close(1000))
    while connection.receive():
        pass


def is_closed_by_frame(connection, peer):
    connection.send(wire.masked(b'{"close": 4001, "reason": "who"}'))
    while connection.receive():
        pass


def just_ends(connection, peer):
    connection.close()


def is_restarted(connection, peer):
    peer.stop()
    while connection.receive():
        pass


@pytest.mark.parametrize(
    "by, how",
    [("client", closes_by_frame), ("client", just_ends), ("replica", is_closed_by_frame), ("replica", is_restarted)],
)
def test_who_closed_a_websocket_in_order_is_told(node, replica, by, how):
    connection = websocket(node)
    wait_for(lambda: "socket" in replica.get("/begun"), "the websocket at the replica")
    how(connection, replica)
    connection.close()
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert line["closed_by"] == by and line["error"] is None
    closed = {side: node.metric("usher_websockets_closed_total", by=side) for side in ("client", "replica", "usher")}
    assert closed == {"client": 0, "replica": 0, "usher": 0, by: 1}
    assert not any(all_causes(node).values())


ENDS = [("client_gone", "client"), ("replica_closed", "replica"), ("tunnel_idle", "usher")]


@pytest.mark.parametrize("cause, by", ENDS)
def test_who_ended_a_websocket_out_of_order_is_told(house, cause, by):
    case = next(case for case in CASES[cause] if case.status == 101)
    node, peer = node_for(house, case)
    case.provoke(node, peer)
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert line["closed_by"] == by and line["error"].startswith(cause)
    wait_for(lambda: node.metric("usher_websockets_closed_total", by=by) == 1, "its count")


def test_a_line_of_another_request_has_no_closer(node):
    wire.fetch(node.url() + "/whoami")
    assert "closed_by" not in node.await_access(lambda line: line["path"] == "/whoami")
