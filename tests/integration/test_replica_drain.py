"""Draining a replica: by API and command, with a limit, on every node, over restarts, with the store away."""

import signal
import subprocess
import time

import fakes
import harness
import pytest
import wire
from harness import settings_for, wait_for


@pytest.fixture
def replicas(house):
    return house.replicas(["alpha", "beta"])


def drain(node, replica, what="drain", query="") -> dict:
    status, body = node.admin_get(f"/api/replicas/{replica.address}/{what}{query}", "POST")
    assert status == 200, body
    return body


def of(node, replica) -> dict:
    return next(each for each in node.status()["upstreams"][0]["replicas"] if each["id"] == replica.address)


def state(node, replica) -> str:
    return node.replica_states()[replica.address]


def homes(node, count=20) -> set:
    return {wire.fetch(node.url() + "/whoami").json()["replica"] for _ in range(count)}


def at(node, name: str) -> str:
    """The cookie of a client whose home is that replica."""

    def try_one():
        answer = wire.fetch(node.url() + "/whoami")
        return answer.cookie() if answer.json()["replica"] == name else None

    return wait_for(try_one, f"a client at {name}")


def shake_hands(node, cookie: str) -> wire.Wire:
    connection = wire.Wire(node.url())
    connection.send(wire.handshake("/any/terminal", f"Cookie: {cookie}\r\n".encode()))
    return connection


def websocket_to(node, name: str) -> tuple[wire.Wire, str]:
    """An open websocket of a client whose home is that replica, and the client's cookie."""

    cookie = at(node, name)
    connection = shake_hands(node, cookie)
    assert connection.read_head().status == 101
    return connection, cookie


def replica_of(node, cookie) -> str:
    return wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)]).json()["replica"]


def test_clients_with_a_websocket_stay_until_the_limit_and_are_told_to_go(house, replicas):
    node = house.usher(replicas)
    connection, cookie = websocket_to(node, "alpha")
    began = time.monotonic()
    asked = time.monotonic()
    drain(node, replicas[0], query="?within=20s")
    left = of(node, replicas[0])["drain_seconds_left"]
    assert 19 - (time.monotonic() - asked) <= left <= 20
    assert node.metric("usher_replica_drain_seconds_left", upstream="open-webui", replica=replicas[0].address) > 0
    assert replica_of(node, cookie) == "alpha"
    assert homes(node) == {"beta"}
    frame = connection.read_exactly(4)
    assert frame[0] == 0x88 and int.from_bytes(frame[2:4], "big") == 1001
    assert 8 < time.monotonic() - began < 20 * harness.patience(), "in the last seconds, not before"
    connection.send(wire.masked_close(1001))
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert line["closed_by"] == "usher" and "its replica drains" in line["error"]
    assert replica_of(node, cookie) == "beta"
    wait_for(lambda: of(node, replicas[0])["drain_seconds_left"] == 0, "the limit", timeout=30)
    assert state(node, replicas[0]) == "draining" and homes(node) == {"beta"}
    drain(node, replicas[0], "undrain")
    assert "drain_seconds_left" not in of(node, replicas[0])
    assert homes(node) == {"alpha", "beta"}


def test_a_websocket_that_is_undrained_in_time_stays(house, replicas):
    node = house.usher(replicas)
    connection, cookie = websocket_to(node, "alpha")
    drain(node, replicas[0], query="?within=6s")
    drain(node, replicas[0], "undrain")
    drain(node, replicas[1], query="?within=1s")
    wait_for(lambda: of(node, replicas[1])["drain_seconds_left"] == 0, "the other's limit")
    until = time.monotonic() + 6
    wait_for(lambda: time.monotonic() > until, "the time when the first limit would have been")
    connection.send(wire.masked(b"still here"))
    assert b"still here" in connection.receive()
    connection.close()


def test_the_limit_comes_from_the_settings_or_there_is_none(house, replicas):
    settings = settings_for(replicas)
    settings["upstream"][0]["drain"] = "1h"
    node = house.usher(replicas, settings=settings)
    drain(node, replicas[0])
    assert 3500 < of(node, replicas[0])["drain_seconds_left"] <= 3600
    drain(node, replicas[0], query="?within=0s")
    assert "drain_seconds_left" not in of(node, replicas[0])
    assert state(node, replicas[0]) == "draining"


@pytest.mark.parametrize("query", ["?within=", "?within=10", "?within=8d", "?within=200h", "?until=10m", "?x"])
def test_a_limit_that_is_none_is_refused(house, replicas, query):
    node = house.usher(replicas)
    status, body = node.admin_get(f"/api/replicas/{replicas[0].address}/drain{query}", "POST")
    assert status == 400 and b"within" in body
    assert state(node, replicas[0]) == "up"


def test_the_command_says_how_long(house, replicas):
    node = house.usher(replicas)
    command = [harness.usher_binary(), "drain", replicas[0].address, "--within", "5m", "--admin", node.admin]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    assert 290 < of(node, replicas[0])["drain_seconds_left"] <= 300
    table = subprocess.run([harness.usher_binary(), "status", "--admin", node.admin], check=True, capture_output=True, text=True, timeout=30).stdout
    assert "draining 29" in table or "draining 300s" in table


@pytest.mark.parametrize("shared", [False, True])
def test_a_restarted_node_drains_on(house, replicas, shared):
    store = house.redis().url if shared else "memory:"
    node = house.usher(replicas, store=store)
    drain(node, replicas[0], query="?within=1h")
    node.restart()
    node.await_replicas(1)
    assert state(node, replicas[0]) == "draining"
    assert 3500 < of(node, replicas[0])["drain_seconds_left"] <= 3600
    assert homes(node) == {"beta"}


def pair(house, replicas, redis):
    return [house.usher(replicas, store=redis.url, name=name) for name in ("one", "two")]


def assert_told_to_go(connection: wire.Wire) -> None:
    frame = connection.read_exactly(4)
    assert frame[0] == 0x88 and int.from_bytes(frame[2:4], "big") == 1001
    connection.send(wire.masked_close(1001))


def test_a_client_that_another_node_moves_takes_its_websockets_along(house, replicas):
    one, two = pair(house, replicas, house.redis())
    connection, cookie = websocket_to(one, "alpha")
    assert replica_of(one, cookie) == "alpha"
    drain(one, replicas[0], query="?within=1h")
    wait_for(lambda: state(two, replicas[0]) == "draining", "the other node follows")
    # It knows of no websocket.
    assert replica_of(two, cookie) == "beta"
    assert_told_to_go(connection)
    line = one.await_access(lambda line: line["protocol"] == "websocket")
    assert line["closed_by"] == "usher" and "its client has moved" in line["error"]
    assert replica_of(one, cookie) == "beta"


def test_a_client_whose_home_was_frozen_takes_its_websockets_along(house, replicas):
    settings = settings_for(replicas)
    settings["upstream"][0]["health"] = {"interval": "200ms", "timeout": "300ms", "fall": 2, "rise": 1}
    node = house.usher(replicas, settings=settings)
    connection, cookie = websocket_to(node, "alpha")
    replicas[0].signal(signal.SIGSTOP)
    wait_for(lambda: state(node, replicas[0]) == "down", "down")
    assert replica_of(node, cookie) == "beta"
    assert_told_to_go(connection)
    replicas[0].signal(signal.SIGCONT)
    node.await_replicas(2)
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert "its client has moved" in line["error"]


def test_a_handshake_that_is_answered_late_follows_its_client(house, replica):
    late = house.fake(fakes.UpgradesWhenLet())
    node = house.usher([late, replica])
    cookie = at(node, "late")
    connection = shake_hands(node, cookie)
    wait_for(lambda: late.asked, "the handshake at the replica")
    drain(node, late, query="?within=1h")
    assert replica_of(node, cookie) == replica.name
    late.let()
    assert connection.read_head().status == 101
    assert_told_to_go(connection)
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert line["replica"] == late.address and "its client has moved" in line["error"]


def test_a_node_that_hears_no_announcements_learns_of_a_move_from_the_cookie(house, replicas):
    redis = house.redis()
    redis.command("ACL", "SETUSER", "deaf", "on", ">deaf", "resetchannels", "~usher:*", "+get", "+set", "+pexpire", "+eval", "+select")
    one = house.usher(replicas, store=redis.url.replace("redis://", "redis://deaf:deaf@"), name="one")
    two = house.usher(replicas, store=redis.url, name="two")
    for node in (one, two):
        wait_for(lambda node=node: node.status()["store"]["state"] == "up", "the store up")
    connection, cookie = websocket_to(one, "alpha")
    drain(two, replicas[0], query="?within=1h")
    moved = wire.fetch(two.url() + "/whoami", headers=[("Cookie", cookie)])
    assert moved.json()["replica"] == "beta"
    assert replica_of(one, moved.cookie()) == "beta"
    assert_told_to_go(connection)


def test_websockets_are_looked_after_when_announcements_were_missed(house, replicas):
    """A client that has nothing but its websocket asks for nothing that would show where it lives."""
    redis = house.redis()
    node = house.usher(replicas, store=redis.url)
    wait_for(lambda: node.status()["store"] == node.status()["store"] | {"state": "up", "announcements": "heard"}, "the store up")
    stays, _ = websocket_to(node, "beta")
    goes, cookie = websocket_to(node, "alpha")
    redis.command("SET", f"usher:client:{cookie.split('=', 1)[1].split('.')[1]}", f"2 {replicas[1].address}", "PX", "600000")
    redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    assert_told_to_go(goes)
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert "its client has moved" in line["error"]
    assert of(node, replicas[1])["websockets"] == 1
    stays.close()


def test_every_node_follows_within_seconds(house, replicas):
    redis = house.redis()
    one, two = pair(house, replicas, redis)
    drain(one, replicas[0], query="?within=1h")
    wait_for(lambda: state(two, replicas[0]) == "draining", "the other node follows", timeout=6)
    assert of(two, replicas[0])["drain_seconds_left"] > 3500
    # A node that comes later knows from its first moment.
    three = house.usher(replicas, store=redis.url, name="three", wait=False)
    assert state(three, replicas[0]) == "draining"
    drain(three, replicas[0], "undrain")
    for node in (one, two):
        wait_for(lambda node=node: state(node, replicas[0]) == "up", "everybody follows", timeout=6)
    keys = redis.keys("usher:drain:*")
    assert list(keys) == [f"usher:drain:{replicas[0].address}"] and all(life > 0 for life in keys.values())


def test_without_the_store_a_node_keeps_what_it_knows_and_tells_it_later(house, replicas):
    redis = house.redis()
    one, two = pair(house, replicas, redis)
    drain(one, replicas[0], query="?within=1h")
    wait_for(lambda: state(two, replicas[0]) == "draining", "the other node follows")
    redis.pause()
    for node in (one, two):
        wait_for(lambda node=node: node.status()["store"]["state"] == "down", "the outage")
    drain(one, replicas[1], query="?within=1h")
    assert state(one, replicas[1]) == "draining" and state(two, replicas[0]) == "draining"
    redis.resume()
    wait_for(lambda: state(two, replicas[1]) == "draining", "told when the store is back")


def test_a_store_that_lost_everything_is_told_again(house, replicas):
    redis = house.redis()
    one, two = pair(house, replicas, redis)
    drain(one, replicas[0], query="?within=1h")
    wait_for(lambda: state(two, replicas[0]) == "draining", "the other node follows")
    redis.command("FLUSHALL")
    wait_for(lambda: redis.keys("usher:drain:*"), "told again")
    assert state(one, replicas[0]) == state(two, replicas[0]) == "draining"
