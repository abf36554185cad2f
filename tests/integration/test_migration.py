"""Socket.IO websockets that outlive their replica: real servers, real clients."""

import re
import signal
import time

import engine
import harness
import pytest
import wire
from harness import settings_for, wait_for
from websockets.exceptions import ConnectionClosed

# What the clients of load.mjs say may be said to two replicas.
REPLAY = ["echo", "whoami", "user-join"]


def settings(replicas, **upstream) -> dict:
    made = settings_for(replicas)
    made["upstream"][0] |= {"replay": REPLAY, "quiet": "20ms", **upstream}
    return made


# Each client says something so often: seldom enough that on a slow machine too it has its answer long before, and is quiet then.
INTERVAL = 0.3


def start(house, count=6, names=("alpha", "beta"), replica_args=None, **upstream):
    redis = house.redis().url
    replicas = [house.replica(name, redis=redis, args=replica_args, port=harness.free_port()) for name in names]
    node = house.usher(replicas, settings=settings(replicas, **upstream))
    clients = house.clients([node.url()], count, args=["--interval-ms", str(int(INTERVAL * 1000)), "--tell-acks"])
    clients.await_connected()
    return replicas, node, clients


def moves(node, outcome: str) -> int:
    return len([line for line in node.log if line["event"] == "websocket_moved" and line["outcome"] == outcome])


def of(node, replica) -> dict:
    return next(each for each in node.status()["upstreams"][0]["replicas"] if each["id"] == replica.address)


def at(node, replica) -> int:
    return of(node, replica)["websockets"]


def await_gone_from(node, replica, clients):
    """Nobody is at that replica, and everybody is served."""
    wait_for(lambda: at(node, replica) == 0, f"nobody at {replica.name}")
    wait_for(lambda: sum(each["websockets"] for each in node.status()["upstreams"][0]["replicas"]) == clients.count, "everybody somewhere")


def await_answers(clients):
    """Each client gets an answer to something that it says from now on."""
    before = {name: state["said"] for name, state in clients.report().items()}
    wait_for(lambda: all(state["acked"] > before[name] for name, state in clients.report().items()), "an answer for everybody")


def assert_nobody_noticed(clients):
    """Each client gets an answer to something that it says from now on, and was never disconnected."""
    await_answers(clients)
    clients.stop()
    assert not [event for event in clients.events("disconnect") if event["reason"] != "io client disconnect"]
    assert not clients.events("ack_timeout")


def test_a_websocket_moves_along_the_route_that_files_led_to(house, tmp_path):
    redis = house.redis().url
    replicas = [house.replica(name, redis=redis, port=harness.free_port()) for name in ("alpha", "beta")]
    routes = [{"path": "/", "root": str(tmp_path), "try_files": ["$uri", "@app"]}, {"path": "@app", "match": "named", "upstream": "open-webui"}]
    node = house.usher(replicas, settings=settings(replicas) | {"route": routes})
    clients = house.clients([node.url()], 2, args=["--interval-ms", str(int(INTERVAL * 1000)), "--tell-acks"])
    clients.await_connected()
    left = max(replicas, key=lambda replica: at(node, replica))
    node.admin_get(f"/api/replicas/{left.address}/drain?within=10m", "POST")
    await_gone_from(node, left, clients)
    assert_nobody_noticed(clients)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_replica_that_is_restarted_costs_no_client_its_connection(house, how):
    replicas, node, clients = start(house)
    for replica in replicas:
        getattr(replica, how)()
        await_gone_from(node, replica, clients)
        replica.start()
        node.await_replicas(len(replicas))
    await_answers(clients)  # and everybody is in the room again
    for name in clients.report():
        clients.say(f"emit-room {name} hello")
    wait_for(lambda: {event["client"] for event in clients.events("room")} == set(clients.report()), "a message to each room")
    assert_nobody_noticed(clients)
    assert moves(node, "moved") >= clients.count and not moves(node, "refused")
    reason = "closed" if how == "stop" else "broken"
    assert node.metric("usher_websocket_moves_total", reason=reason, outcome="moved") >= 1
    assert node.metric("usher_websockets_moving") == node.metric("usher_websockets_parked") == 0


def test_a_drained_replica_is_left_at_a_quiet_moment(house):
    replicas, node, clients = start(house)
    count = at(node, replicas[0])
    node.admin_get(f"/api/replicas/{replicas[0].address}/drain?within=10m", "POST")
    await_gone_from(node, replicas[0], clients)
    assert_nobody_noticed(clients)
    assert node.metric("usher_websocket_moves_total", reason="drained", outcome="moved") == count
    assert of(node, replicas[0])["websockets_moved"] == count
    assert node.metric("usher_replica_websockets_moved_total", upstream="open-webui", replica=replicas[0].address) == count
    line = next(line for line in node.log if line["event"] == "websocket_moved")
    assert line["from"] == replicas[0].address and line["to"] == replicas[1].address


def test_whoever_is_never_quiet_leaves_when_the_drain_ends(house):
    replicas, node, clients = start(house, quiet="10m")
    node.admin_get(f"/api/replicas/{replicas[0].address}/drain?within=3s", "POST")
    await_gone_from(node, replicas[0], clients)
    assert_nobody_noticed(clients)


def test_who_has_a_stream_open_is_not_moved_before_it_ends(house):
    replica, other = replicas = house.replicas(["alpha", "beta"])
    node = house.usher(replicas, settings=settings(replicas))

    def order(which, what):
        assert node.admin_get(f"/api/replicas/{which.address}/{what}", "POST")[0] == 200

    order(other, "drain")
    cookies = [wire.fetch(node.url() + "/whoami").cookie() for _ in range(2)]
    sessions = [engine.Session(node, additional_headers={"Cookie": cookie}) for cookie in cookies]
    stream = wire.Wire(node.url())
    stream.send(b"GET /sse?count=100000 HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n\r\n" % cookies[0].encode())
    assert stream.read_head().status == 200
    assert at(node, replica) == 2
    order(other, "undrain")
    order(replica, "drain?within=10m")
    sessions[1].await_packet("40{")
    wait_for(lambda: at(node, replica) == at(node, other) == moves(node, "moved") == 1, "one of them moved")
    stream.close()
    sessions[0].await_packet("40{")
    for session in sessions:
        session.close()


def test_websockets_move_to_a_replica_that_has_joined(house):
    replicas, node, clients = start(house, rebalance=50, slow_start="0s")
    replicas[1].kill()
    await_gone_from(node, replicas[1], clients)
    wait_for(lambda: node.replica_states()[replicas[1].address] == "down", "down")
    replicas[1].start()
    wait_for(lambda: at(node, replicas[0]) == at(node, replicas[1]) == clients.count / 2, "as many at each")
    assert_nobody_noticed(clients)
    assert node.metric("usher_websocket_moves_total", reason="rebalanced", outcome="moved") >= clients.count / 2


def test_a_frozen_replica_is_left_when_it_is_down(house):
    replicas, node, clients = start(house, health={"interval": "200ms", "timeout": "300ms", "fall": 2, "rise": 1})
    replicas[0].signal(signal.SIGSTOP)
    await_gone_from(node, replicas[0], clients)
    replicas[0].signal(signal.SIGCONT)
    assert_nobody_noticed(clients)


def test_sockets_wait_while_no_replica_is_up(house):
    """For longer than Engine.IO would without pings."""
    replicas, node, clients = start(house, count=6, replica_args=["--ping-interval", "1", "--ping-timeout", "3"])
    for replica in replicas:
        replica.kill()
    wait_for(lambda: node.status()["websockets_parked"] == clients.count, "everybody waits")
    until = time.monotonic() + 5
    wait_for(lambda: time.monotonic() > until, "more than a ping's interval and time-out")
    assert node.status()["websockets_parked"] == clients.count
    for replica in replicas:
        replica.start()
    wait_for(lambda: sum(at(node, replica) for replica in replicas) == clients.count, "everybody served")
    assert_nobody_noticed(clients)


def test_who_waits_for_too_long_is_told_to_reconnect(house):
    replica = house.replica()
    node = house.usher([replica], settings=settings([replica], park="1s"))
    session = engine.Session(node)
    replica.kill()
    with pytest.raises(ConnectionClosed) as closed:
        session.await_packet("never", timeout=30)
    assert closed.value.rcvd.code == 1012
    wait_for(lambda: moves(node, "expired") == 1, "its line")


def test_a_client_that_answers_no_pings_does_not_wait_for_ever(house):
    replica = house.replica(args=["--ping-interval", "1", "--ping-timeout", "1"])
    node = house.usher([replica], settings=settings([replica]))
    session = engine.Session(node, answers_pings=False)
    replica.kill()
    with pytest.raises(ConnectionClosed):
        session.await_packet("never", timeout=30)
    wait_for(lambda: moves(node, "client_gone") == 1, "the end of its wait")


def test_one_who_left_a_namespace_is_not_brought_back(house):
    replica = house.replica(port=harness.free_port())
    node = house.usher([replica], settings=settings([replica]))
    session = engine.Session(node)
    session.say("41")
    assert not re.search("disconnect", str(session.heard))
    replica.stop()
    replica.start()
    wait_for(lambda: moves(node, "moved") == 1, "the move")
    session.say("40")
    session.await_packet("40{")
    assert len([packet for packet in session.heard if str(packet).startswith("40{")]) == 2
    session.close()


def test_long_and_binary_messages_go_through(house, replica):
    node = house.usher([replica])
    session = engine.Session(node, compression="deflate")
    assert not session.socket.protocol.extensions
    long = "x" * 900_000
    assert session.ask(1, f'["echo","{long}"]') == f'["{long}"]'
    session.say('451-2["echo",{"_placeholder":true,"num":0}]')
    session.say(b"\0\1\2" * 30_000)
    assert session.packet().startswith("461-2[") and session.packet() == b"\0\1\2" * 30_000
    session.close()


def test_without_migrate_a_websocket_ends_with_its_replica(house, replica):
    node = house.usher([replica], settings=settings([replica], migrate=False))
    session = engine.Session(node, compression="deflate")
    assert session.socket.protocol.extensions
    replica.stop()
    with pytest.raises(ConnectionClosed) as closed:
        session.await_packet("never")
    assert closed.value.rcvd.code == 1012
    assert not moves(node, "moved") and not moves(node, "refused")


def idle_cost(house, replica, migrate: bool) -> float:
    """Bytes of the node for each idle Socket.IO websocket that has a cookie and a token of usual sizes."""
    node = house.usher([replica], name=f"migrate-{migrate}", settings=settings([replica], migrate=migrate) | {"workers": 1})
    token = "x" * 250
    head = f"Cookie: token={token}\r\nOrigin: http://chat.example\r\nUser-Agent: {'u' * 110}\r\nAccept-Language: en-GB,en;q=0.9\r\n".encode()

    def opened() -> wire.Wire:
        connection = wire.Wire(node.url())
        connection.send(wire.handshake(engine.PATH, head))
        assert connection.response().status == 101
        connection.send(wire.masked(f'40{{"token":"{token}"}}'.encode()))
        received = b""
        while b'40{"sid"' not in received:
            received += connection.receive()
        return connection

    connections = [opened() for _ in range(20)]
    before = node.private_memory()
    connections += [opened() for _ in range(300)]
    each = (node.private_memory() - before) / 300
    for connection in connections:
        connection.close()
    node.stop()
    return each


def test_an_idle_websocket_that_can_move_costs_little_more(house, replica):
    if harness.sanitized():
        pytest.skip("a sanitizer has a memory of its own")
    unread, moving = idle_cost(house, replica, False), idle_cost(house, replica, True)
    print(f"an idle websocket: {unread / 1024:.1f} KiB unread, {moving / 1024:.1f} KiB when it can move")
    assert moving < unread + 2048
