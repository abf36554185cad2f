"""A Redis Cluster as the store: each key at its master, wherever that moves."""

import pytest
from harness import wait_for
from homes import KNOWN_SECRET, assert_homes, await_up, home, settle, state
from stores import ClusterSetup


@pytest.fixture
def replicas(house):
    return house.replicas()


def setup_of(house, **options) -> ClusterSetup:
    made = ClusterSetup(house.folder / "redis", **options)
    house.children.append(made)
    return made.start()


def test_nodes_share_a_cluster_and_find_each_key(house, replicas):
    store = setup_of(house, password="sesame")
    nodes = [house.usher(replicas, store=store.url, name=name, affinity=KNOWN_SECRET) for name in ("one", "two")]
    await_up(nodes)
    homes = settle(nodes, 30)
    assert_homes(nodes, homes)
    for node in store.nodes[:3]:
        assert node.keys("usher:client:*"), f"{node.name} has no key: the map is not used"
    assert len(store.keys("usher:client:*")) == 30 and all(ttl > 0 for ttl in store.keys().values())
    # One node named is enough; a planned failover is followed by MOVED.
    third = house.usher(replicas, store=store.url.split(",")[0], name="three", affinity=KNOWN_SECRET)
    await_up([third])
    for master in store.nodes[:3]:
        store.failover(master)
    everybody = [*nodes, third]
    homes |= settle(everybody, 30)
    assert len(store.keys("usher:client:*")) == 60
    assert_homes(everybody, homes)
    await_up(everybody)


def test_a_dead_master_costs_only_its_own_keys_and_only_until_the_failover(house, replicas):
    store = setup_of(house, full_coverage=False)
    nodes = [house.usher(replicas, store=store.url, name=name, affinity=KNOWN_SECRET) for name in ("one", "two")]
    await_up(nodes)
    homes = settle(nodes, 30)
    victim = store.nodes[1]
    victim.kill()
    wait_for(lambda: all(state(node) == "down" for node in nodes), "the loss noticed")
    assert_homes(nodes, homes)
    before = store.keys("usher:client:*")
    newcomers = settle(nodes, 30)
    # The two masters that are left still take what is theirs.
    assert len(store.keys("usher:client:*")) > len(before)
    store.await_well()
    await_up(nodes)
    assert_homes(nodes, homes | newcomers)
    assert len(store.keys("usher:client:*")) == 60
    victim.start()
    store.await_well()
    assert_homes(nodes, homes | newcomers)
    for node in nodes:
        changes = [line["event"] for line in node.log if line["event"] in ("store_up", "store_down")]
        assert changes == ["store_up", "store_down", "store_up"]


def test_keys_are_followed_while_their_slots_are_moved(house, replicas):
    """MOVED, and ASK while a slot is on its way."""
    store = setup_of(house)
    node = house.usher(replicas, store=store.url, workers=1, affinity=KNOWN_SECRET)
    await_up([node])
    homes = settle([node], 20)
    old, new = store.nodes[0], store.nodes[1]
    old_id, new_id = store.id_of(old), store.id_of(new)
    slots = {int(old.command("CLUSTER", "KEYSLOT", key)) for key in old.keys("usher:client:*")}
    assert slots
    for slot in slots:
        new.command("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        old.command("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
    for key in old.keys("usher:client:*"):
        old.command("MIGRATE", "127.0.0.1", new.port, key, 0, 5000)
    # Half way: the old master says ASK for what it has given away. A fresh node knows no binding.
    fresh = house.usher(replicas, store=store.url, name="fresh", workers=1, affinity=KNOWN_SECRET)
    await_up([fresh])
    failures = fresh.metric("usher_store_failures_total")
    assert_homes([fresh], homes)
    assert fresh.metric("usher_store_failures_total") == failures
    for slot in slots:
        for owner in (new, old):
            owner.command("CLUSTER", "SETSLOT", slot, "NODE", new_id)
    later = house.usher(replicas, store=store.url, name="later", workers=1, affinity=KNOWN_SECRET)
    await_up([later])
    assert_homes([node, fresh, later], homes)
    assert later.metric("usher_store_failures_total") == 0
    assert len(store.keys("usher:client:*")) == 20


def test_without_any_member_clients_are_served(house, replicas):
    store = setup_of(house)
    node = house.usher(replicas, store=store.url, affinity=KNOWN_SECRET)
    await_up([node])
    homes = settle([node], 6)
    for member in store.nodes:
        member.kill()
    wait_for(lambda: state(node) == "down", "the outage noticed")
    assert_homes([node], homes)
    assert home(node).cookie()
    for member in store.nodes:
        member.start()
    store.await_well()
    await_up([node], 30)
    assert_homes([node], homes)
