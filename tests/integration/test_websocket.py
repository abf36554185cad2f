"""Upgrades on any path, passed on frame by frame."""

import contextlib
import json
import os
import socket as sockets
import time

import fakes
import harness
import pytest
import wire
from harness import wait_for
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from wire import handshake, masked

TERMINAL = "/api/v1/terminals/x/api/terminals/y"


def open_socket(node, path=TERMINAL, scheme="http", **options):
    tls = {"ssl": wire.unverified()} if scheme == "https" else {}
    return connect(node.url(scheme).replace("http", "ws", 1) + path, open_timeout=20, max_size=None, **tls, **options)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("path", [TERMINAL, "/any/where?token=%20x"])
def test_text_and_binary_come_back(node, scheme, path):
    with open_socket(node, path, scheme) as socket:
        for message in ("hallo", "ä" * 1000, b"\0\1\2" * 500, ""):
            socket.send(message)
            assert socket.recv(timeout=10) == message


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_message_of_4_mib_comes_back(node, scheme, compression):
    message = os.urandom(4 << 20)
    with open_socket(node, scheme=scheme, compression=compression) as socket:
        socket.send(message)
        assert socket.recv(timeout=60) == message


@pytest.mark.parametrize("code, reason", [(1000, "done"), (1001, ""), (1012, "restart"), (4001, "who are you"), (4004, "ä" * 61)])
def test_the_replicas_close_code_and_reason_reach_the_client(node, code, reason):
    with open_socket(node) as socket:
        socket.send(json.dumps({"close": code, "reason": reason}))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


def test_permessage_deflate_is_negotiated_end_to_end(node):
    with open_socket(node, compression="deflate") as socket:
        assert [extension.name for extension in socket.protocol.extensions] == ["permessage-deflate"]
        socket.send("a" * 100_000)
        assert socket.recv(timeout=10) == "a" * 100_000


def test_subprotocols_are_passed_on(node):
    with open_socket(node, subprotocols=["ours", "theirs"]) as socket:
        assert socket.subprotocol == "ours"


def test_a_ping_is_answered_by_the_replica(node):
    with open_socket(node) as socket:
        assert socket.ping().wait(10)


def test_the_affinity_cookie_comes_with_the_101(node):
    with open_socket(node) as socket:
        cookies = [value for name, value in socket.response.headers.raw_items() if name.lower() == "set-cookie"]
    assert any(cookie.startswith("usher=") for cookie in cookies)


def test_frames_behind_the_handshake_in_one_packet_are_not_lost(node):
    with wire.Wire(node.url()) as connection:
        connection.send(handshake(TERMINAL) + masked(b"early"))
        assert connection.response().status == 101
        assert connection.read_exactly(7) == b"\x81\x05early"


def test_frames_cut_into_bytes_arrive(node):
    with wire.Wire(node.url()) as connection:
        connection.send(handshake(TERMINAL))
        assert connection.response().status == 101
        for byte in masked(b"bytes"):
            connection.send(bytes([byte]))
        assert connection.read_exactly(7) == b"\x81\x05bytes"


def test_a_refused_upgrade_is_an_ordinary_answer(node):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(node, "/no/such/socket")
    assert refused.value.response.status_code == 403


def test_a_connection_outlives_a_refused_upgrade(node):
    with wire.Wire(node.url()) as connection:
        connection.send(handshake("/whoami"))
        assert connection.response().status == 403
        # uvicorn ends its side after the refusal; the client's may stay or end, but not hang.
        with contextlib.suppress(wire.Truncated, OSError):
            assert connection.ask("GET", "/whoami").status == 200


def test_an_upgrade_to_something_else_is_an_ordinary_request(node):
    with wire.Wire(node.url()) as connection:
        answer = connection.ask("GET", "/whoami", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")])
        assert answer.status == 200 and answer.json()["replica"] == "alpha"
        assert connection.ask("GET", "/whoami").status == 200


def test_a_websocket_without_a_replica_is_503(house):
    node = house.usher(["127.0.0.1:1"], wait=False)
    with pytest.raises(InvalidStatus) as refused:
        open_socket(node)
    assert refused.value.response.status_code == 503


def test_the_client_going_away_is_seen_by_the_replica(node):
    with wire.Wire(node.url()) as connection:
        connection.send(handshake(TERMINAL))
        assert connection.response().status == 101
        wait_for(lambda: sockets_of(node) == 1, "one websocket counted")
    wait_for(lambda: sockets_of(node) == 0, "no websocket counted")


def sockets_of(node) -> int:
    return sum(replica["websockets"] for replica in node.status()["upstreams"][0]["replicas"])


def test_the_replicas_death_ends_the_websocket(node, replica):
    with open_socket(node) as socket:
        replica.kill()
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)


def test_the_replicas_sigterm_says_1012(node, replica):
    with open_socket(node) as socket:
        replica.stop()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd.code == 1012


def test_a_silent_tunnel_is_closed_after_tunnel_idle(house, replica):
    settings = harness.settings_for([replica])
    settings["upstream"][0]["timeouts"] = {"tunnel_idle": "500ms"}
    node = house.usher([replica], name="idle", settings=settings)
    with wire.Wire(node.url(), timeout=10) as connection:
        connection.send(handshake(TERMINAL))
        assert connection.response().status == 101
        began = time.monotonic()
        while connection.receive():
            pass
        assert time.monotonic() - began > 0.3


def test_an_idle_websocket_costs_little_memory(house, replica):
    if harness.sanitized():
        pytest.skip("a sanitizer has a memory of its own")
    node = house.usher([replica], name="many", workers=1)
    # TLS buffers and tables reach their size with the first connections.
    connections = [opened(node) for _ in range(20)]
    before = node.private_memory()
    connections += [opened(node) for _ in range(200)]
    each = (node.private_memory() - before) / 200
    print(f"{each / 1024:.1f} KiB for each idle websocket over plain http")
    for connection in connections:
        connection.close()
    assert each < 16 * 1024


def opened(node) -> wire.Wire:
    connection = wire.Wire(node.url())
    connection.send(handshake(TERMINAL))
    assert connection.response().status == 101
    return connection


def test_a_half_closed_client_still_gets_its_answer(house):
    node = house.usher([house.fake(fakes.AnswersAtTheEnd())], name="half")
    with wire.Wire(node.url()) as connection:
        connection.send(handshake("/any/thing"))
        assert connection.response().status == 101
        connection.send(b"last words")
        connection.socket.shutdown(sockets.SHUT_WR)
        assert connection.read_exactly(10) == b"last words"
        assert connection.closed_by_peer()


def test_socket_io_works_over_wss(house, node):
    clients = house.clients([node.url("https")], 2)
    clients.await_connected()
    wait_for(lambda: min(state["acked"] for state in clients.report().values()) > 0, "acks")
    clients.stop()
    assert not clients.events("http_error") and not clients.events("connect_error")
