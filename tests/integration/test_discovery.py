"""Replicas by name: every address is one; they come, vanish and move, and names fail to resolve."""

import tempfile
from pathlib import Path

import harness
import pytest
import wire
from harness import settings_for, wait_for

NAME = "open-webui"


@pytest.fixture
def hosts(house):
    hosts = harness.Hosts(house.folder)
    if not hosts.work():
        pytest.skip("no mount namespace here")
    return hosts


def whoami(node, cookie=None) -> wire.Response:
    return wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)] if cookie else [])


def named(port: int, resolve: str) -> dict:
    settings = settings_for([f"{NAME}:{port}"])
    settings["upstream"][0]["resolve"] = resolve
    return settings


def at(house, name: str, host: str, port: int = 0):
    return house.replica(name, host=host, port=port)


def pair(house, hosts):
    """alpha and beta behind one name, with one port."""
    alpha = at(house, "alpha", "127.0.0.2")
    beta = at(house, "beta", "127.0.0.3", alpha.port)
    hosts.set({NAME: [alpha.host, beta.host]})
    return alpha, beta


def test_every_address_is_a_replica_and_new_ones_are_found(house, hosts):
    alpha, beta = pair(house, hosts)
    node = house.usher(settings=named(alpha.port, "200ms"), hosts=hosts).await_replicas(2)
    assert set(node.replica_states()) == {alpha.address, beta.address}
    gamma = at(house, "gamma", "127.0.0.4", alpha.port)
    hosts.set({NAME: [alpha.host, beta.host, gamma.host]})
    node.await_replicas(3)
    wait_for(lambda: whoami(node).json()["replica"] == "gamma", "a client at gamma")


def test_a_vanished_address_drains_and_is_forgotten_when_nobody_uses_it(house, hosts):
    alpha, beta = pair(house, hosts)
    node = house.usher(settings=named(alpha.port, "200ms"), hosts=hosts).await_replicas(2)

    def client_of_alpha():
        answer = whoami(node)
        return answer.cookie() if answer.json()["replica"] == "alpha" else None

    cookie = wait_for(client_of_alpha, "a client at alpha")
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?interval_ms=50&count=1000", [("Cookie", cookie)])
        events = wire.sse_events(connection, connection.read_head())
        next(events)
        hosts.set({NAME: [beta.host]})
        wait_for(lambda: node.replica_states()[alpha.address] == "draining", "draining")
        assert {whoami(node).json()["replica"] for _ in range(20)} == {"beta"}
        before = next(events)["n"]
        assert next(events)["n"] == before + 1
    wait_for(lambda: set(node.replica_states()) == {beta.address}, "alpha forgotten")


def test_a_failed_connect_resolves_the_name_at_once(house, hosts):
    """As after `docker compose up` has made a container anew: another address, long before `resolve` is over."""
    alpha, beta = pair(house, hosts)
    node = house.usher(settings=named(alpha.port, "30m"), hosts=hosts).await_replicas(2)
    for replica in (alpha, beta):
        replica.kill()
    gamma = at(house, "gamma", "127.0.0.4", alpha.port)
    hosts.set({NAME: [gamma.host]})
    wait_for(lambda: whoami(node).status == 200, "the new address", timeout=10)
    assert node.replica_states()[gamma.address] == "up"


def test_a_name_that_no_longer_resolves_keeps_its_replicas(house, hosts):
    alpha, beta = pair(house, hosts)
    node = house.usher(settings=named(alpha.port, "100ms"), hosts=hosts).await_replicas(2)
    hosts.set({})
    wait_for(lambda: [line for line in node.log if line.get("event") == "resolve_failed"], "the failure in the log")
    assert {whoami(node).json()["replica"] for _ in range(20)} == {"alpha", "beta"}
    assert set(node.replica_states().values()) == {"up"}


def test_a_replica_at_a_unix_socket(house):
    with tempfile.TemporaryDirectory() as short:  # a socket's path has at most 107 bytes
        replica = house.replica(host=f"unix:{Path(short) / 'open-webui.sock'}")
        node = house.usher([replica])
        assert list(node.replica_states()) == [replica.address]
        first = whoami(node)
        assert first.status == 200 and first.json()["replica"] == "alpha"
        again = whoami(node, first.cookie())
        assert again.status == 200 and again.cookie() is None
        replica.kill()
        wait_for(lambda: node.replica_states()[replica.address] == "down", "down")
        replica.start()
        wait_for(lambda: whoami(node, first.cookie()).status == 200, "back")


def test_a_replica_at_an_ipv6_address(house):
    replica = house.replica(host="::1")
    node = house.usher([replica])
    assert list(node.replica_states()) == [f"[::1]:{replica.port}"]
    first = whoami(node)
    assert first.json()["replica"] == "alpha"
    assert whoami(node, first.cookie()).cookie() is None
