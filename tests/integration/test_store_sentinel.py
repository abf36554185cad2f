"""A store behind Sentinels: found, followed, and missed."""

import pytest
from harness import wait_for
from homes import KNOWN_SECRET, assert_homes, await_up, home, settle, state
from stores import SentinelSetup


@pytest.fixture
def replicas(house):
    return house.replicas()


def setup_of(house, **options) -> SentinelSetup:
    made = SentinelSetup(house.folder / "redis", **options)
    house.children.append(made)
    return made.start()


def ushers_at(server) -> int:
    """Connections that are neither a replica's, nor a Sentinel's, nor this one."""
    with server.client() as asker:
        clients = asker.client_list()
    return sum(client["name"] == "" and client["flags"] == "N" and client["cmd"] != "client|list" for client in clients)


def test_nodes_follow_a_planned_failover(house, replicas):
    store = setup_of(house)
    nodes = [house.usher(replicas, store=store.url, name=name, affinity=KNOWN_SECRET) for name in ("one", "two")]
    await_up(nodes)
    homes = settle(nodes, 9)
    before = store.master()
    after = store.failover()
    assert after is not before
    # The old master lives and is read-only; nobody stays with it. Two workers and the control thread each.
    wait_for(lambda: ushers_at(after) == 6 and ushers_at(before) == 0, "all at the new master")
    await_up(nodes)
    assert_homes(nodes, homes)
    homes |= settle(nodes, 4)
    assert len(after.keys("usher:client:*")) == 13
    assert_homes(nodes, homes)


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_nodes_follow_when_the_master_is_lost(house, replicas, way):
    store = setup_of(house)
    nodes = [house.usher(replicas, store=store.url, name=name, affinity=KNOWN_SECRET) for name in ("one", "two")]
    await_up(nodes)
    homes = settle(nodes, 9)
    old = store.master()
    getattr(old, way)()
    assert_homes(nodes, homes)
    newcomers = {first.cookie(): first.json()["replica"] for first in (home(nodes[turn % 2]) for turn in range(4))}
    new = store.await_other_master(old)
    await_up(nodes)
    assert_homes(nodes, homes | newcomers)
    assert len(new.keys("usher:client:*")) == len(homes), "who has not moved needs no record"
    # Each change is one line, whatever the number of workers and attempts.
    for node in nodes:
        changes = [line["event"] for line in node.log if line["event"] in ("store_up", "store_down")]
        assert changes == ["store_up", "store_down", "store_up"]
        assert [line for line in node.log if line["event"] == "store_up"][0]["store"].startswith("redis+sentinel://")


def test_one_sentinel_is_enough_to_find_the_master(house, replica):
    store = setup_of(house)
    store.sentinels[0].kill()
    store.sentinels[1].signal(19)  # SIGSTOP: it takes the connection and says nothing
    node = house.usher([replica], store=store.url)
    await_up([node])
    store.sentinels[1].signal(18)


def test_without_a_sentinel_that_knows_clients_are_served(house, replicas):
    store = setup_of(house)
    node = house.usher(replicas, store=store.url.replace("mymaster", "nobody"))
    wait_for(lambda: any(line["event"] == "store_down" and "knows no master of this name" in line["error"] for line in node.log), "the reason in the log")
    assert state(node) == "down" and node.metric("usher_store_up") == 0
    first = home(node)
    assert home(node, first.cookie()).json()["replica"] == first.json()["replica"]


def test_sentinels_are_told_the_password_when_they_ask(house, replica):
    store = setup_of(house, password="sesame", sentinel_password="sesame")
    await_up([house.usher([replica], store=store.url)])
    wrong = house.usher([replica], store=store.url.replace("sesame", "simsim"), name="wrong")
    wait_for(lambda: any(line["event"] == "store_down" and "WRONGPASS" in line["error"] for line in wrong.log), "the reason in the log")
    assert "simsim" not in wrong.stderr


def test_sentinels_without_a_password_are_told_none(house, replica):
    store = setup_of(house, password="sesame")
    await_up([house.usher([replica], store=store.url)])
