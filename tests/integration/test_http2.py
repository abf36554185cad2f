"""HTTP/2 between clients and usher: what HTTP/1.1 can, with many streams on one connection."""

import hashlib
import json
import secrets
import shutil
import signal
import socket
import subprocess

import fakes
import h2.settings
import harness
import pytest
import wire
from framing import strict
from framing.recorder import Recorder
from harness import settings_for, wait_for
from http2 import Http2, Stream

NO_ERROR, PROTOCOL_ERROR, CANCEL = 0, 1, 8
LISTEN = [
    {"address": "127.0.0.1:0", "protocols": ["h2", "http/1.1"]},
    {"address": "127.0.0.1:0", "tls": True},
]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A replica and a node for all tests that want nothing special."""
    if not harness.usher_binary():
        pytest.fail("no usher binary: build it, or name it in USHER_BIN")
    house = harness.House(tmp_path_factory.mktemp("parts"))
    try:
        replica = house.replica()
        yield replica, house.usher([replica], settings=settings_for([replica], listen=LISTEN))
    finally:
        house.close()


@pytest.fixture
def door(parts):
    return parts[1]


@pytest.fixture(params=["http", "https"])
def client(door, request):
    with Http2(door.url(request.param)) as connection:
        yield connection


def named() -> tuple[str, tuple[str, str]]:
    """An id, and the header that gives it to a request."""
    name = secrets.token_hex(8)
    return name, ("x-request-id", name)


def line_of(node, name: str) -> dict:
    return node.await_access(lambda line: line["request_id"] == name)


def with_http2(house, replica, listen=LISTEN, **extra):
    return house.usher([replica], settings=settings_for([replica], listen=listen, **extra))


# --- Requests and responses ---------------------------------------------------------------------------


def test_a_request_reaches_the_replica_as_http1_would_carry_it(door, client):
    name, header = named()
    answer = client.ask("GET", "/whoami?a=b", [header, ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-own", "é")])
    assert answer.status == 200 and answer.ended
    seen = wire.Response("", 200, "", [])
    seen.body = answer.body
    seen = seen.json()
    fields = {name.lower(): value for name, value in seen["headers"]}
    assert seen["method"] == "GET" and seen["target"] == "/whoami?a=b" and seen["http_version"] == "1.1"
    assert fields["host"] == client.authority
    assert fields["cookie"] == "a=1; b=2"
    assert fields["x-forwarded-proto"] == client.scheme
    assert fields["te"] == "trailers"
    assert [name for name, _ in seen["headers"] if name.startswith(":")] == []
    assert len(answer.all("set-cookie")) == 1
    line = line_of(door, name)
    assert line["protocol"] == "h2" and line["status"] == 200 and line["affinity"] == "new"


def test_the_cookie_keeps_the_client_on_its_replica(house):
    replicas = house.replicas(["alpha", "beta", "gamma"])
    node = house.usher(replicas, settings=settings_for(replicas, listen=LISTEN))
    with Http2(node.url("https")) as client:
        first = client.ask("GET", "/whoami")
        cookie = first.header("set-cookie").split(";")[0]
        homes = set()
        for stream in [client.begin("GET", "/whoami", [("cookie", cookie)]) for _ in range(20)]:
            answer = client.response(stream)
            assert answer.all("set-cookie") == []
            homes.add(answer.body.split(b'"replica": "')[1].split(b'"')[0])
    assert len(homes) == 1


@pytest.mark.parametrize("method, code, status", [("HEAD", 200, 200), ("GET", 204, 204), ("GET", 304, 304), ("GET", 500, 500)])
def test_responses_without_a_body_end_with_their_head(client, method, code, status):
    answer = client.ask(method, f"/status?code={code}")
    assert answer.status == status and answer.ended and answer.reset is None
    assert (answer.body == b"") == (status != 500)


def test_bodies_stream_both_ways_under_flow_control(client):
    body = bytes(range(256)) * 4096
    answer = client.ask("POST", "/echo", body=body)
    assert answer.status == 200 and answer.ended
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
    sized = client.ask("POST", "/sink", [("content-length", str(len(body)))], body=body)
    assert f'"bytes": {len(body)}'.encode() in sized.body


def test_an_echo_comes_back_before_the_request_has_ended(client):
    stream = client.begin("POST", "/echo", end=False)
    for word in (b"one", b"two", b"three"):
        client.write(stream, word)
        client.until(lambda: client.streams[stream].body.endswith(word))
    client.write(stream, b"", end=True)
    assert client.response(stream).body == b"onetwothree"


def test_expect_100_continue_gets_its_answer_before_the_body(client):
    stream = client.begin("POST", "/sink", [("expect", "100-continue"), ("content-length", "5")], end=False)
    client.until(lambda: client.streams[stream].interim)
    answer = client.streams[stream]
    assert answer.interim[0][":status"] == "100" and answer.status is None
    client.write(stream, b"hallo", end=True)
    assert json.loads(client.response(stream).body)["bytes"] == 5


def test_trailers_of_a_response_come_behind_its_body(house):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\nConnection: x\r\n\r\n"
    node = house.usher([], wait=False, settings=settings_for([house.fake(fakes.Says(chunked)).address], listen=LISTEN))
    node.await_replicas(1)
    with Http2(node.url("https")) as client:
        answer = client.ask("GET", "/")
        assert (answer.body, answer.trailers, answer.ended) == (b"abc", [("x-sum", "42")], True)


def test_trailers_of_a_request_end_here(house):
    recorder = house.fake(Recorder())
    node = house.usher([], wait=False, settings=settings_for([recorder.address], listen=LISTEN))
    node.await_replicas(1)
    with Http2(node.url("https")) as client:
        stream = client.begin("POST", "/", end=False)
        client.write(stream, b"hello")
        client.machine.send_headers(stream, [("digest", "x"), ("x-user-email", "root@a")], end_stream=True)
        client.flush()
        assert client.response(stream).status == 200
        [seen] = recorder.take()
    request, rest = strict.read_request(seen)
    assert (request.body, request.trailers, rest) == (b"hello", [], b"")


def test_a_hundred_streams_share_a_connection(client):
    streams = [client.begin("GET", f"/blob?bytes={20_000 + number}") for number in range(100)]
    assert [len(client.response(stream).body) for stream in streams] == [20_000 + number for number in range(100)]


def test_large_heads_pass_and_larger_ones_are_refused(client):
    assert client.ask("GET", "/whoami", [("x-large", "x" * 40_000)]).status == 200
    assert client.ask("GET", "/whoami", [("x-large", "x" * 70_000)]).status == 431
    assert client.ask("GET", "/headers?bytes=60000").status == 200


def test_an_early_answer_ends_the_upload(door, client):
    stream = client.begin("POST", "/nothing/here", [("content-length", "10000000")], end=False)
    answer = client.response(stream)
    assert answer.status == 404 and answer.ended
    client.until(lambda: client.streams[stream].reset is not None)
    assert client.streams[stream].reset == NO_ERROR
    assert client.ask("GET", "/whoami").status == 200


def test_a_route_of_usher_itself_answers(house, replica):
    routes = [{"host": "*", "path": "/gone", "status": 410}, {"host": "*", "path": "/", "upstream": "open-webui"}]
    node = house.usher([replica], settings=settings_for([replica], listen=LISTEN, route=routes))
    with Http2(node.url("https")) as client:
        stream = client.begin("POST", "/gone", end=False)
        assert client.response(stream).status == 410
        client.until(lambda: client.streams[stream].reset is not None)
        assert client.streams[stream].reset == NO_ERROR


# --- Strictness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, path, fields, pseudo, status",
    [
        ("GET", "/", [("host", "other")], {}, 400),
        ("GET", "/", [], {"authority": "user@host"}, 400),
        ("GET", "/a#b", [], {}, 400),
        ("GET", "/", [("expect", "something")], {}, 417),
        ("TRACE", "/", [], {}, 501),
        ("trace", "/", [], {}, 501),
        ("connect", "/", [], {}, 501),
        ("PRI", "/", [], {}, 400),
        ("CONNECT", None, [], {"scheme": None}, 501),
        ("CONNECT", "/", [], {"protocol": "other"}, 501),
        ("CONNECT", "/", [], {"protocol": "websocket"}, 400),
    ],
)
def test_what_http1_refuses_is_refused(client, method, path, fields, pseudo, status):
    client.until(lambda: h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL in client.settings)
    assert client.ask(method, path, fields, **pseudo).status == status
    assert client.ask("GET", "/whoami").status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [("connection", "close")],
        [("transfer-encoding", "chunked")],
        [("upgrade", "h2c")],
        [("te", "gzip")],
        [("Upper", "case")],
        [("x-own", "a\r\nb: c")],
        [("x-own", " padded ")],
        [("content-length", "1"), ("content-length", "1")],
        [("content-length", "5")],
    ],
    ids=str,
)
def test_malformed_requests_reset_their_stream_alone(client, fields):
    stream = client.begin("GET", "/whoami", fields)
    assert client.response(stream).reset == PROTOCOL_ERROR
    assert client.ask("GET", "/whoami").status == 200


@pytest.mark.parametrize("method", ["FOO", "get", "M-SEARCH", "-BLARGH", "PROPFIND"])
def test_other_methods_go_on_as_with_http1(house, method):
    recorder = house.fake(Recorder())
    node = house.usher([], wait=False, settings=settings_for([recorder.address], listen=LISTEN))
    node.await_replicas(1)
    with Http2(node.url("https")) as client:
        assert client.ask(method, "/").status == 200
    [seen] = recorder.take()
    request, _ = strict.read_request(seen)
    assert request.method == method


@pytest.mark.parametrize("body, end", [(b"hell", True), (b"hello!", True), (b"hello!", False)])
def test_a_request_whose_body_contradicts_its_length_is_not_executed(house, body, end):
    recorder = house.fake(Recorder())
    node = house.usher([], wait=False, settings=settings_for([recorder.address], listen=LISTEN, workers=1))
    node.await_replicas(1)
    with Http2(node.url("https")) as client:
        for _ in range(5):
            # Head and body in one piece.
            stream = client.machine.get_next_available_stream_id()
            client.streams[stream] = Stream()
            pseudo = {"method": "POST", "scheme": "https", "authority": "a", "path": "/bad"}
            fields = [(f":{name}", value) for name, value in pseudo.items()] + [("content-length", "5")]
            client.machine.send_headers(stream, fields)
            client.machine.send_data(stream, body, end_stream=end)
            client.flush()
            assert client.response(stream).reset == PROTOCOL_ERROR
        assert client.ask("GET", "/good").status == 200
    seen = b"".join(recorder.take())
    assert b"/good" in seen and b"/bad" not in seen


def test_identity_headers_are_stripped(client):
    answer = client.ask("GET", "/whoami", [("x-forwarded-email", "a@b"), ("x_forwarded_user", "root"), ("x-forwarded-for", "1.2.3.4")])
    assert b"a@b" not in answer.body and b"root" not in answer.body and b"1.2.3.4" not in answer.body


# --- One that stalls stalls nobody else ---------------------------------------------------------------


def test_a_reader_that_stalls_stalls_only_itself_and_costs_little(house, replica):
    node = with_http2(house, replica, listen=[{"address": "127.0.0.1:0", "protocols": ["h2"]}])
    with Http2(node.url(), window=1000) as client:
        assert client.ask("GET", "/status").status == 200
        before = node.rss()
        client.acknowledge = False
        stalled = [client.begin("GET", "/blob?bytes=50000000") for _ in range(20)]
        client.until(lambda: all(len(client.streams[stream].body) == 1000 for stream in stalled))
        client.acknowledge = True
        for _ in range(20):
            assert client.ask("GET", "/whoami").status == 200
        assert node.rss() - before < 20 * (1 << 20)


def test_an_upload_that_its_replica_does_not_take_stalls_only_itself(house, replica):
    stuck = house.fake(fakes.NeverAnswers())
    settings = settings_for([replica], listen=LISTEN)
    settings["upstream"].append({**settings["upstream"][0], "name": "stuck", "replicas": [stuck.address]})
    settings["route"].insert(0, {"host": "*", "path": "/stuck", "upstream": "stuck"})
    node = house.usher([replica], settings=settings, wait=False)
    wait_for(lambda: set(node.replica_states().values()) == {"up"}, "both are up")
    with Http2(node.url("https")) as client:
        upload = client.begin("POST", "/stuck", end=False)

        def stalled():
            """Nothing more may be sent, though the server has seen all."""
            # Below zero when the server's settings came after the first data (RFC 9113 section 6.9.2).
            while (room := client.machine.local_flow_control_window(upload)) > 0:
                client.write(upload, b"x" * room)
            pongs = client.pongs
            client.machine.ping(b"12345678")
            client.flush()
            client.until(lambda: client.pongs > pongs)
            return client.machine.local_flow_control_window(upload) <= 0

        wait_for(stalled, "the upload stalls")
        for _ in range(20):
            assert client.ask("POST", "/sink", body=b"x" * 200_000).status == 200


def test_a_stalled_reader_is_given_up(house, replica):
    node = with_http2(house, replica, timeouts={"stall": "1s"})
    with Http2(node.url("https"), window=1000) as client:
        client.acknowledge = False
        stream = client.begin("GET", "/blob?bytes=5000000")
        assert client.response(stream).reset == CANCEL
        client.acknowledge = True
        assert client.ask("GET", "/status").status == 200
    line = node.await_access(lambda line: line["path"].startswith("/blob"))
    assert line["error"].startswith("client_stalled")


def test_a_stalled_upload_is_answered_with_408(house, replica):
    node = with_http2(house, replica, timeouts={"stall": "1s"})
    with Http2(node.url("https")) as client:
        stream = client.begin("POST", "/sink", [("content-length", "10")], end=False)
        client.write(stream, b"12345")
        assert client.response(stream).status == 408


def test_a_client_that_takes_its_request_back_frees_the_replica(parts, door, client):
    replica = parts[0]
    before = len(replica.get("/aborts"))
    name, header = named()
    stream = client.begin("GET", "/sse?count=100000", [header])
    client.until(lambda: client.streams[stream].body)
    client.reset(stream)
    wait_for(lambda: len(replica.get("/aborts")) > before, "the replica sees it")
    line = line_of(door, name)
    assert line["error"].startswith("client_gone") and line["protocol"] == "h2"


def test_a_broken_response_is_seen_to_be_broken(house):
    fake = house.fake(fakes.ClosesMidBody("length"))
    node = house.usher([], wait=False, settings=settings_for([fake.address], listen=LISTEN))
    node.await_replicas(1)
    with Http2(node.url("https")) as client:
        answer = client.ask("GET", "/")
        assert not answer.ended and answer.reset == 2
        assert answer.body == b"first"


# --- Websockets ---------------------------------------------------------------------------------------


def open_websocket(client, header=("x-own", "1"), path="/api/v1/terminals/1/ws?id=1") -> int:
    client.until(lambda: client.settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1)
    stream = client.begin("CONNECT", path, [("sec-websocket-version", "13"), header], end=False, protocol="websocket")
    client.until(lambda: client.streams[stream].status)
    return stream


def frame_of(text: bytes) -> bytes:
    return bytes([0x81, len(text)]) + text


def test_a_websocket_by_extended_connect(door, client):
    name, header = named()
    stream = open_websocket(client, header)
    answer = client.streams[stream]
    assert answer.status == 200 and answer.header("sec-websocket-accept") is None
    for word in (b"hello", b"there"):
        client.write(stream, wire.masked(word))
        client.until(lambda: frame_of(word) in client.streams[stream].body)
    assert client.ask("GET", "/whoami").status == 200
    client.write(stream, wire.masked_close(1000))
    client.until(lambda: b"\x88" in client.streams[stream].body)
    client.write(stream, b"", end=True)
    assert client.response(stream).ended
    line = line_of(door, name)
    assert line["protocol"] == "websocket"
    assert line["status"] == 101 and line["bytes_in"] > 0 and line["bytes_out"] > 0
    wait_for(lambda: door.metric("usher_websockets") == 0, "it is counted out")


def test_a_websocket_that_is_reset_is_over_at_the_replica(door, client):
    name, header = named()
    stream = open_websocket(client, header)
    client.reset(stream)
    line = line_of(door, name)
    assert line["protocol"] == "websocket"
    assert line["closed_by"] == "client"
    assert client.ask("GET", "/whoami").status == 200


def test_a_websocket_is_not_starved_by_downloads(client):
    stream = open_websocket(client)
    downloads = [client.begin("GET", "/blob?bytes=30000000") for _ in range(10)]
    client.until(lambda: all(client.streams[each].body for each in downloads))
    for number in range(20):
        word = b"%04d" % number
        before = sum(len(client.streams[each].body) for each in downloads)
        client.write(stream, wire.masked(word))
        client.until(lambda: frame_of(word) in client.streams[stream].body)
        assert sum(len(client.streams[each].body) for each in downloads) - before < 16 << 20
    for each in downloads:
        client.reset(each)


class Page(fakes.FakeReplica):
    """Whatever it is asked."""

    async def misbehave(self, head, reader, writer, number):
        writer.write(fakes.whole(b"page"))
        return True


def test_a_page_where_a_websocket_should_be_opens_none(house):
    node = house.usher([], wait=False, settings=settings_for([house.fake(Page()).address], listen=LISTEN))
    node.await_replicas(1)
    with Http2(node.url("https")) as client:
        stream = open_websocket(client)
        assert client.response(stream).status == 502


def test_extended_connect_need_not_be_offered(house, replica):
    node = with_http2(house, replica, http2={"extended_connect": False})
    with Http2(node.url("https")) as client:
        assert client.ask("GET", "/whoami").status == 200
        assert not client.settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
        stream = client.begin("CONNECT", "/ws", [("sec-websocket-version", "13")], end=False, protocol="websocket")
        assert client.response(stream).reset == PROTOCOL_ERROR


# --- The end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_drain_lets_streams_finish_and_websockets_go_in_order(house, replica, scheme):
    node = with_http2(house, replica, timeouts={"drain": "10s"})
    with Http2(node.url(scheme)) as client:
        socket_stream = open_websocket(client)
        slow = client.begin("GET", "/slow?ms=1500")
        node.signal(signal.SIGTERM)
        client.until(lambda: len(client.goaway) >= 2)
        assert client.goaway == [NO_ERROR, NO_ERROR]
        assert client.last_stream[0] == 2**31 - 1 and client.last_stream[1] == slow
        assert client.response(slow).status == 200
        client.until(lambda: b"\x88" in client.streams[socket_stream].body)
        client.write(socket_stream, wire.masked_close(1001), end=True)
        assert client.end() == NO_ERROR
    assert node.wait() == 0


def test_an_idle_connection_is_told_and_closed(house, replica):
    node = with_http2(house, replica, timeouts={"keep_alive": "500ms"})
    with Http2(node.url("https")) as client:
        assert client.ask("GET", "/whoami").status == 200
        assert client.end() == NO_ERROR


def test_a_connection_that_asks_nothing_is_closed(house, replica):
    node = with_http2(house, replica, timeouts={"head": "500ms"})
    for scheme in ("http", "https"):
        with Http2(node.url(scheme)) as client:
            assert client.end() == NO_ERROR
    with socket.create_connection(("127.0.0.1", node.port())) as silent:
        silent.settimeout(20 * harness.patience())
        silent.sendall(b"PR")
        assert silent.recv(100) == b""


def test_both_protocols_on_a_plain_listener(door):
    assert wire.fetch(door.url() + "/whoami").status == 200
    assert wire.fetch(door.url() + "/echo", "PUT", body=b"x").status == 200
    with wire.Wire(door.url()) as slow:
        for piece in (b"P", b"O", b"ST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", b"x"):
            slow.send(piece)
        assert slow.response().status == 200
    with Http2(door.url()) as client:
        assert client.ask("GET", "/whoami").status == 200


def test_prior_knowledge_on_a_unix_socket(house, replica, tmp_path):
    path = tmp_path / "front.sock"
    node = with_http2(house, replica, listen=[{"address": f"unix:{path}", "protocols": ["h2"]}])
    with Http2(f"unix:{path}") as client:
        stream = open_websocket(client)
        client.write(stream, wire.masked(b"hello"))
        client.until(lambda: frame_of(b"hello") in client.streams[stream].body)
        slow = client.begin("GET", "/slow?ms=500")
        node.signal(signal.SIGTERM)
        assert client.response(slow).status == 200
        client.until(lambda: b"\x88" in client.streams[stream].body)
        client.write(stream, wire.masked_close(1001), end=True)
        assert client.end() == NO_ERROR
    assert node.wait() == 0


def test_too_many_connections_are_answered_with_429(house, replica):
    node = with_http2(house, replica, limits={"connections": 1})
    with Http2(node.url("https")) as first, Http2(node.url("https")) as second:
        assert first.ask("GET", "/whoami").status == 200
        assert second.ask("GET", "/whoami").status == 429
        assert second.end() == NO_ERROR


# --- Clients that others wrote ------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl(door):
    for arguments, url in ((["--http2", "-k"], door.url("https")), (["--http2-prior-knowledge"], door.url())):
        command = ["curl", "-sS", *arguments, "-w", "%{http_version} %{http_code}", "-o", "/dev/null", "-d", "@-", f"{url}/sink"]
        ran = subprocess.run(command, input=b"x" * 300_000, capture_output=True, timeout=60)
        assert ran.stdout == b"2 200", ran.stderr


@pytest.mark.skipif(not shutil.which("h2load"), reason="no h2load")
def test_h2load(door):
    for url in (door.url("https"), door.url()):
        command = ["h2load", "-n", "2000", "-c", "10", "-m", "20", f"{url}/status"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in ran.stdout, ran.stdout
