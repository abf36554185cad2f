"""The PROXY protocol: a balancer that passes TCP on says who the client is; nobody else can."""

import shutil
import socket
import subprocess

import harness
import pytest
import wire
from harness import json_lines, wait_for

CLIENT = "192.0.2.7"
V1 = f"PROXY TCP4 {CLIENT} 203.0.113.1 4711 443\r\n".encode()
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int = 0x21, family: int = 0x11, more: bytes = b"", client: str = CLIENT) -> bytes:
    addresses = socket.inet_aton(client) + socket.inet_aton("203.0.113.1") + bytes([0x12, 0x67, 0x01, 0xBB]) + more
    return SIGNATURE + bytes([command, family]) + len(addresses).to_bytes(2, "big") + addresses


V6 = (
    SIGNATURE + b"\x21\x21\0\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + bytes([0x12, 0x67, 0x01, 0xBB])
)  # fmt: skip


def balanced(house, replica, trusted="127.0.0.0/8", **extra):
    listen = [{"address": "127.0.0.1:0", "proxy_protocol": True}, {"address": "127.0.0.1:0", "tls": True, "proxy_protocol": True}]
    return house.usher([replica], name="balanced", listen=listen, forwarded={"trusted": [trusted]}, **extra)


@pytest.fixture
def behind(house, replica):
    return balanced(house, replica)


def begin(node, header: bytes, scheme: str = "http", pieces: int = 1) -> wire.Wire:
    """A connection on which the balancer has said `header`."""
    raw = socket.create_connection(("127.0.0.1", node.port(scheme)))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(header), max(1, len(header) // pieces)):
        raw.sendall(header[start : start + max(1, len(header) // pieces)])
    if scheme == "https":
        raw = wire.unverified().wrap_socket(raw, server_hostname="localhost")
    connection = wire.Wire.over(raw)
    connection.authority = "chat.example.org"
    return connection


def told(connection: wire.Wire, headers=()) -> dict:
    answer = connection.ask("GET", "/whoami", headers)
    assert answer.status == 200
    return {name: value for name, value in answer.json()["headers"] if name.startswith("x-")}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "header, client",
    [(V1, CLIENT), (v2(), CLIENT), (v2(more=b"\x03\0\x04abcd"), CLIENT), (V6, "2001:db8::7")],
    ids=["v1", "v2", "v2 with a TLV", "v2 over IPv6"],
)
def test_the_client_is_who_the_balancer_says(behind, scheme, header, client):
    for pieces in (1, len(header)):
        with begin(behind, header, scheme, pieces) as connection:
            for _ in range(2):
                seen = told(connection, [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "ftp")])
                assert seen["x-forwarded-for"] == seen["x-real-ip"] == client
                assert seen["x-forwarded-port"] == "443" and seen["x-forwarded-proto"] == scheme
    assert behind.await_access(lambda line: line["path"] == "/whoami")["client"] == client


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(command=0x20), SIGNATURE + b"\x20\0\0\0", SIGNATURE + b"\x21\0\0\0"])
def test_a_balancer_that_speaks_for_itself_is_served_as_itself(behind, header):
    with begin(behind, header) as connection:
        assert told(connection)["x-forwarded-for"] == "127.0.0.1"


def test_header_and_request_may_come_in_one_piece(behind):
    with wire.Wire(behind.url()) as connection:
        connection.send(v2() + b"GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.response().status == 200


def refusals(node) -> list[str]:
    return [line["error"] for line in json_lines(node.stderr_path) if line.get("event") == "connection_failed"]


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 1.2.3.4\r\n", v2(family=0x12), b"\x16\x03\x01"], ids=["http", "v1", "udp", "tls"]
)
def test_what_is_no_header_ends_the_connection(behind, said):
    with wire.Wire(behind.url()) as connection:
        connection.send(said)
        assert connection.closed_by_peer()
    wait_for(lambda: [text for text in refusals(behind) if text.startswith("bad_proxy_header")], "the refusal")
    assert not behind.access_log


def test_only_trusted_balancers_are_listened_to(house, replica):
    node = balanced(house, replica, trusted="10.0.0.0/8")
    with wire.Wire(node.url()) as connection:
        connection.send(V1 + b"GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.closed_by_peer()
    assert "forwarded.trusted" in wait_for(lambda: refusals(node), "the refusal")[0]
    assert not node.access_log


def test_a_header_that_does_not_end_is_given_up(house, replica):
    node = balanced(house, replica, timeouts={"handshake": "300ms"})
    with begin(node, V1[:-1]) as connection:
        assert connection.closed_by_peer()
    wait_for(lambda: node.metric("usher_errors_total", cause="handshake_timeout") == 1, "its count")


def test_limits_count_the_clients_behind_the_balancer(house, replica):
    node = balanced(house, replica, limits={"connections": 1})
    with begin(node, v2()) as first:
        # Counted when its header is read, by whichever worker: before the second one comes.
        assert first.ask("GET", "/whoami").status == 200
        with begin(node, v2(client="192.0.2.8")) as other, begin(node, v2()) as second:
            assert other.ask("GET", "/whoami").status == 200
            assert second.ask("GET", "/whoami").status == 429


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_speaks_it_too(behind):
    command = ["curl", "-sk", "--haproxy-protocol", behind.url("https") + "/whoami"]
    done = subprocess.run(command, capture_output=True, timeout=20 * harness.patience())
    assert done.returncode == 0 and b"x-forwarded-for" in done.stdout
