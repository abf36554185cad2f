"""HTTP/1.1 through one node, byte for byte."""

import random
import socket

import fakes
import harness
import pytest
import wire
from harness import settings_for, wait_for

JSON = [("Accept", "application/json")]
PAGE = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]


@pytest.fixture
def connection(node):
    with wire.Wire(node.url()) as connection:
        yield connection


def test_a_connection_serves_many_requests(connection):
    for number in range(20):
        answer = connection.ask("GET", f"/whoami?n={number}")
        assert answer.status == 200 and answer.json()["target"] == f"/whoami?n={number}"
        assert (answer.header("connection") or "keep-alive").lower() == "keep-alive"


def test_connections_to_the_replica_are_used_again(house):
    fake = house.fake(fakes.Says(fakes.whole(b"here"), keep=True))
    node = house.usher([fake], name="pooling", workers=1)
    with wire.Wire(node.url()) as connection:
        for _ in range(10):
            assert connection.ask("GET", "/").body == b"here"
        assert len(fake.heads) == 10 and fake.used_connections == 1


def test_http_1_0_gets_an_answer_and_the_end_of_the_connection(node):
    with wire.Wire(node.url()) as connection:
        connection.send(b"GET /whoami HTTP/1.0\r\nHost: old.example\r\n\r\n")
        answer = connection.response()
        assert answer.status == 200 and answer.json()["replica"] == "alpha"
        assert connection.closed_by_peer()


def test_http_1_0_is_never_answered_in_chunks(node):
    with wire.Wire(node.url()) as connection:
        connection.send(b"GET /blob?bytes=200000&chunked=1 HTTP/1.0\r\nHost: old.example\r\n\r\n")
        answer = connection.response()
        assert answer.header("transfer-encoding") is None
        assert len(answer.body) == 200000


def test_connection_close_is_honoured(connection):
    assert connection.ask("GET", "/whoami", [("Connection", "close")]).status == 200
    assert connection.closed_by_peer()


def test_head_has_the_length_and_no_body(connection):
    answer = connection.ask("HEAD", "/blob?bytes=12345")
    assert answer.status == 200 and answer.header("content-length") == "12345"
    assert connection.ask("GET", "/whoami").json()["method"] == "GET"


@pytest.mark.parametrize("code", [204, 304])
def test_an_answer_without_a_body_leaves_the_connection_usable(connection, code):
    answer = connection.ask("GET", f"/status?code={code}")
    assert answer.status == code and answer.header("etag") == '"abc"'
    assert answer.header("transfer-encoding") is None
    assert connection.ask("GET", "/whoami").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_is_passed_on(connection, method):
    assert connection.ask(method, "/whoami", body=b"" if method in ("POST", "PUT", "PATCH") else None).json()["method"] == method


def test_a_body_with_a_length_comes_back_as_it_was(connection):
    body = random.Random(1).randbytes(300_000)
    answer = connection.ask("POST", "/echo", body=body)
    assert answer.body == body and answer.header("content-length") == "300000"


def test_a_chunked_body_comes_back_as_it_was(connection):
    body = random.Random(2).randbytes(200_000)
    connection.request("POST", "/echo", [("Transfer-Encoding", "chunked")])
    for at in range(0, len(body), 7777):
        connection.send_chunk(body[at : at + 7777])
    connection.send_chunk(b"")
    answer = connection.response()
    assert answer.body == body


def test_a_connection_is_used_again_after_a_chunked_request(connection):
    connection.request("POST", "/sink", [("Transfer-Encoding", "chunked")])
    connection.send_chunk(b"x" * 1000)
    connection.send_chunk(b"")
    assert connection.response().json()["bytes"] == 1000
    assert connection.ask("GET", "/whoami").status == 200


def test_a_chunked_request_is_streamed_and_not_collected(connection):
    connection.request("POST", "/echo", [("Transfer-Encoding", "chunked")])
    connection.send_chunk(b"first")
    head = connection.read_head()
    pieces = connection.body_pieces(head)
    assert next(pieces) == b"first"
    connection.send_chunk(b"second")
    assert next(pieces) == b"second"
    connection.send_chunk(b"")
    assert list(pieces) == []


def test_a_chunked_response_comes_whole(connection):
    answer = connection.ask("GET", "/blob?bytes=1000000&chunked=1&seed=3")
    assert len(answer.body) == 1_000_000
    assert connection.ask("GET", "/whoami").status == 200


def test_expect_100_continue_gets_its_answer_before_the_body(connection):
    connection.request("POST", "/sink", [("Expect", "100-continue"), ("Content-Length", "5")])
    assert connection.read_head().status == 100
    connection.send(b"hallo")
    assert connection.response().json()["bytes"] == 5
    assert connection.ask("GET", "/whoami").status == 200


def test_pipelined_requests_are_answered_in_order(connection):
    connection.send(b"".join(b"GET /whoami?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(10)))
    assert [connection.response().json()["target"] for _ in range(10)] == [f"/whoami?n={number}" for number in range(10)]


def test_a_request_in_single_bytes_is_understood(connection):
    for byte in b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
        connection.send(bytes([byte]))
    assert connection.response().body == b"abc"


def test_every_set_cookie_line_stays_and_keeps_its_place(node, replica):
    answer = wire.fetch(node.url() + "/cookies")
    lines = [line for line in answer.all("set-cookie") if not line.startswith("usher=")]
    assert lines == wire.fetch(replica.url + "/cookies").all("set-cookie")


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/files/a%2Fb%252F//c/../d/./e",
        "/any//thing;p=1?a=b&c=%20+%zz&d=[]{}|",
        "/%C3%A4%FF?q=%00",
        "/api/tasks/chat/id?x=//y/../z",
        "/whoami?",
    ],
)
def test_the_path_is_passed_on_byte_for_byte(connection, target):
    answer = connection.ask("GET", target)
    # uvicorn tells the path as it came, and drops a question mark with nothing behind it.
    assert answer.json()["target"] == target.removesuffix("?")


@pytest.mark.parametrize("host", ["chat.example.org", "chat.example.org:8443", "[::1]:9"])
def test_host_is_passed_on_with_its_port(connection, host):
    headers = connection.ask("GET", "/whoami", host=host).json()["headers"]
    assert [value for name, value in headers if name == "host"] == [host]


def test_end_to_end_headers_are_left_alone(connection):
    sent = [
        ("Origin", "https://chat.example.org"),
        ("Authorization", "Bearer abc"),
        ("x-api-key", "sk-1"),
        ("Cookie", "token=ey.J; other=1"),
        ("Range", "bytes=0-1"),
        ("If-None-Match", '"x", W/"y"'),
        ("Accept-Encoding", "zstd, br, gzip"),
    ]
    headers = connection.ask("GET", "/whoami", sent).json()["headers"]
    for name, value in sent:
        assert [v for n, v in headers if n == name.lower()] == [value]


def test_our_own_cookie_does_not_trouble_those_beside_it(connection):
    cookie = connection.ask("GET", "/whoami").cookie()
    headers = connection.ask("GET", "/whoami", [("Cookie", f"a=1; {cookie}; b=2")]).json()["headers"]
    told = "; ".join(value for name, value in headers if name == "cookie")
    assert told.startswith("a=1; ") and told.endswith("b=2")


def test_hop_by_hop_headers_end_here(connection):
    sent = [("Connection", "keep-alive, X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=1"), ("TE", "trailers"), ("Proxy-Connection", "keep-alive")]
    names = {name for name, _ in connection.ask("GET", "/whoami", sent).json()["headers"]}
    assert not names & {"x-private", "keep-alive", "proxy-connection"}


def test_no_header_of_its_own_says_what_the_front_door_is(connection):
    answer = connection.ask("GET", "/whoami")
    assert answer.all("server") == ["uvicorn"] and answer.header("via") is None
    assert answer.header("x-powered-by") is None


def test_a_large_response_head_passes(connection):
    assert len(connection.ask("GET", "/headers?bytes=50000").header("x-large")) == 50000


def test_a_request_head_of_32_kib_passes(connection):
    assert connection.ask("GET", "/whoami", [("Cookie", "c=" + "x" * 32000)]).status == 200


def test_a_request_head_beyond_the_limit_is_431(connection):
    connection.request("GET", "/whoami", [("X-Big", "x" * 70_000)])
    answer = connection.response()
    assert answer.status == 431 and answer.json()["detail"]


def test_max_body_is_413_as_json_and_the_replica_is_not_asked(house, replica):
    node = house.usher([replica], name="limited", route=[{"upstream": "open-webui", "max_body": "1KiB"}])
    answer = wire.fetch(node.url() + "/sink?client=big", "POST", JSON, body=b"x" * 2000)
    assert answer.status == 413 and answer.json()["detail"]
    assert wire.fetch(node.url() + "/sink?client=small", "POST", body=b"x" * 1000).json()["bytes"] == 1000
    assert {line["client"] for line in replica.requests()} == {"small"}


def test_max_body_holds_for_chunks_too(house, replica):
    node = house.usher([replica], name="limited", route=[{"upstream": "open-webui", "max_body": "1KiB"}])
    with wire.Wire(node.url()) as connection:
        connection.request("POST", "/sink", [("Transfer-Encoding", "chunked"), *JSON])
        connection.send_chunk(b"x" * 2000)
        assert connection.response().status == 413


BAD = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "nul in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
    "bad chunk size": b"POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    "not http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_ambiguous_is_refused_and_never_reaches_a_replica(node, replica, name):
    before = len(replica.requests_path.read_text().splitlines())
    with wire.Wire(node.url()) as connection:
        connection.send(BAD[name])
        assert connection.response().status in (400, 501)
        assert connection.closed_by_peer()
    if name != "bad chunk size":  # Its head was good; the abort is what the replica sees.
        seen = replica.requests_path.read_text().splitlines()[before:]
        assert all('"/ready"' in line or '"/api/version"' in line for line in seen)


def test_a_host_without_a_route_is_404(house, replica):
    node = house.usher([replica], name="hosts", route=[{"host": "chat.example.org", "upstream": "open-webui"}])
    assert wire.fetch(node.url() + "/whoami", host="chat.example.org:8443").status == 200
    answer = wire.fetch(node.url() + "/whoami", headers=JSON, host="other.example.org")
    assert answer.status == 404 and answer.json()["detail"]


def test_the_most_specific_host_and_the_longest_path_win(house):
    names = ("exact", "wild", "any", "long")
    replicas = house.replicas(names)
    node = house.usher(
        settings={
            **settings_for(["127.0.0.1:1"]),
            "upstream": [{"name": r.name, "replicas": [r.address], "health": {"interval": "200ms"}} for r in replicas],
            "route": [
                {"host": "*", "upstream": "any"},
                {"host": "*.example.org", "upstream": "wild"},
                {"host": "chat.example.org", "upstream": "exact"},
                {"host": "chat.example.org", "path": "/api/", "upstream": "long"},
                {"host": "chat.example.org", "path": "/gone", "status": 410},
                {"host": "old.example.org", "redirect": "https://new.example.org"},
            ],
        }
    )
    node.await_replicas(4)

    def asked(host, path="/whoami"):
        before = {replica.name: len(replica.requests()) for replica in replicas}
        wire.fetch(f"{node.url()}{path}?client=x", host=host)
        return wait_for(lambda: [replica.name for replica in replicas if len(replica.requests()) > before[replica.name]], "a replica's log")[0]

    assert asked("chat.example.org") == "exact"
    assert asked("CHAT.example.org") == "exact"
    assert asked("chat.example.org", "/api/version") == "long"
    assert asked("files.example.org") == "wild"
    assert asked("elsewhere.net") == "any"
    assert wire.fetch(node.url() + "/gone", host="chat.example.org").status == 410
    moved = wire.fetch(node.url() + "/", host="old.example.org")
    assert moved.status in (301, 302, 307, 308) and moved.header("location").startswith("https://new.example.org")


def test_redirect_to_https_keeps_host_and_path(house, replica):
    node = house.usher([replica], name="redirects", listen=[{"address": "127.0.0.1:0", "redirect_to_https": True}, {"address": "127.0.0.1:0", "tls": True}])
    answer = wire.fetch(node.url() + "/a%2Fb?c=d", host="chat.example.org")
    assert answer.status in (301, 308)
    location = answer.header("location")
    assert location.startswith("https://chat.example.org") and location.endswith("/a%2Fb?c=d")


@pytest.mark.parametrize("address, host", [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")])
def test_without_a_host_it_leads_to_the_address_that_was_asked(house, replica, address, host):
    listen = [{"address": address, "redirect_to_https": True}, {"address": address, "tls": True}]
    node = house.usher([replica], name="redirects", listen=listen)
    with socket.create_connection((host.strip("[]"), node.port()), 20 * harness.patience()) as connection:
        connection.sendall(b"GET /a?b HTTP/1.0\r\n\r\n")
        head = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert head.startswith(b"HTTP/1.1 301 ")
    assert f"\r\nLocation: https://{host}:{node.port('https')}/a?b\r\n".encode() in head


def test_an_options_passes_as_many_proxies_as_it_says(node, replica):
    for left, passed_on in ((None, None), ("5", "4"), ("1", "0"), ("x", "x")):
        asked = [("Max-Forwards", left)] if left else []
        headers = wire.fetch(node.url() + "/whoami?client=passed", method="OPTIONS", headers=asked).json()["headers"]
        assert dict(headers).get("max-forwards") == passed_on
    answer = wire.fetch(node.url() + "/whoami?client=last", method="OPTIONS", headers=[("Max-Forwards", "0")])
    assert (answer.status, answer.body) == (200, b"")
    assert replica.requests("passed") and not replica.requests("last")
    # Other methods may ignore it (RFC 9110 section 7.6.2).
    assert dict(wire.fetch(node.url() + "/whoami", headers=[("Max-Forwards", "0")]).json()["headers"])["max-forwards"] == "0"


def test_via_passes_as_it_came(connection):
    told = connection.ask("GET", "/whoami", [("Via", "1.1 other")]).json()["headers"]
    assert [value for name, value in told if name == "via"] == ["1.1 other"]
    assert "via" not in dict(connection.ask("GET", "/whoami").json()["headers"])


def test_a_version_that_is_not_served_is_not_to_be_tried_again(node):
    with wire.Wire(node.url()) as connection:
        connection.send(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n")
        answer = connection.response()
    assert answer.status == 505 and answer.header("retry-after") is None


@pytest.fixture
def lonely(house):
    """A node whose only replica does not exist."""
    return house.usher(["127.0.0.1:1"], wait=False)


def test_without_a_replica_a_page_gets_the_waiting_page(lonely):
    answer = wire.fetch(lonely.url() + "/", headers=PAGE)
    assert answer.status == 503 and answer.header("content-type").startswith("text/html")
    assert answer.header("retry-after")
    text = answer.body.decode().lower()
    assert "<html" in text and ("http-equiv=\"refresh\"" in text or "location.reload" in text or "settimeout" in text)
    assert "no-store" in (answer.header("cache-control") or "")


@pytest.mark.parametrize("path, headers", [("/api/config", PAGE), ("/", JSON), ("/", []), ("/ws/socket.io/?EIO=4&transport=polling", [("Accept", "*/*")])])
def test_without_a_replica_a_program_gets_json(lonely, path, headers):
    answer = wire.fetch(lonely.url() + path, headers=headers)
    assert answer.status == 503 and answer.header("content-type").startswith("application/json")
    assert isinstance(answer.json()["detail"], str) and answer.header("retry-after")


def test_error_pages_carry_no_version(lonely):
    for headers in (PAGE, JSON):
        answer = wire.fetch(lonely.url() + "/", headers=headers)
        assert answer.header("server") is None or not any(letter.isdigit() for letter in answer.header("server"))
        assert b"0.1.0" not in answer.body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_connection_is_used_again_after_an_error_unless_it_says_close(lonely, method):
    with wire.Wire(lonely.url()) as connection:
        answer = connection.ask(method, "/", PAGE)
        assert answer.status == 503
        if answer.header("connection") == "close":
            assert connection.closed_by_peer(), "nothing behind the head of a HEAD"
        else:
            assert connection.ask(method, "/", PAGE).status == 503
