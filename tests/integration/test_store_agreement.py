"""What nodes tell each other through the store, and what that costs it."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import harness
import pytest
import wire
from harness import wait_for
from homes import key_of, watching


@pytest.fixture
def replicas(house):
    return house.replicas()


@pytest.fixture
def redis(house):
    return house.redis()


def pair(house, replicas, redis, **extra):
    """Two nodes of two workers each, which hear each other."""
    nodes = [house.usher(replicas, store=redis.url, name=name, **extra) for name in ("one", "two")]
    for node in nodes:
        wait_for(lambda node=node: node.status()["store"] | {"url": ""} == {"url": "", "state": "up", "announcements": "heard"}, "the store up and heard")
    return nodes


def who(node, cookie=None):
    answer = wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)] if cookie else [])
    assert answer.status == 200, answer.status
    return answer


def replica_of(answer) -> str:
    return answer.json()["replica"]


def settle(nodes, count: int, wanted=lambda replica: True) -> dict[str, str]:
    """Clients that both nodes know, until so many live where it is wanted: their replicas by cookie."""
    homes = {}
    while len(homes) < count:
        first = who(nodes[len(homes) % 2])
        if not wanted(replica_of(first)):
            continue
        homes[first.cookie()] = replica_of(first)
    for cookie in homes:
        for node in nodes:
            assert replica_of(who(node, cookie)) == homes[cookie]
    return homes


def test_a_move_by_one_node_is_known_to_the_other_at_once(house, replicas, redis):
    """Its cache would be believed for a minute."""
    nodes = pair(house, replicas, redis)
    homes = settle(nodes, 5)
    with watching(redis) as watch:
        for cookie, home in homes.items():
            key = key_of(cookie)
            other = next(replica for replica in replicas if replica.name != home)
            # What a node does: the binding and the announcement together.
            redis.command("SET", f"usher:{key}", f"2 {other.address}", "PX", "600000")
            redis.command("PUBLISH", "usher:moved", f"{key} 2 {other.address}")
            for node in nodes:
                wait_for(lambda node=node: replica_of(who(node, cookie)) == other.name, "the move known", timeout=5)
        ours = [command for command in watch.about("client") if not command.startswith("SET ")]
    assert not ours, "the announcement says it all"


def test_a_node_that_missed_announcements_asks_again(house, replicas, redis):
    nodes = pair(house, replicas, redis)
    homes = settle(nodes, 5)
    with watching(redis) as watch:
        for cookie in homes:
            who(nodes[0], cookie)
        assert not watch.about("client")
        redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        wait_for(lambda: all(any(line["event"] == "announcements_heard" for line in node.log) for node in nodes), "both subscribed again")
        for cookie, home in homes.items():
            assert replica_of(who(nodes[0], cookie)) == home
        assert {f"GET usher:{key_of(cookie)}" for cookie in homes} <= set(watch.about("client")), "each asked about once more"


def test_a_user_who_may_not_hear_announcements_is_served(house, replicas, redis):
    redis.command("ACL", "SETUSER", "ada", "on", ">ada", "resetchannels", "~usher:*", "+get", "+set", "+pexpire", "+eval", "+select")
    node = house.usher(replicas, store=redis.url.replace("redis://", "redis://ada:ada@"))
    wait_for(lambda: node.status()["store"]["state"] == "up", "the store up")
    missed = wait_for(lambda: [line for line in node.log if line["event"] == "announcements_missed"], "the reason in the log")
    assert len(missed) == 1 and "NOPERM" in missed[0]["reason"]
    assert node.status()["store"]["announcements"] == "missed" and node.metric("usher_store_announcements_heard") == 0
    first = who(node)
    assert replica_of(who(node, first.cookie())) == replica_of(first)


def test_a_user_with_the_documented_rights_is_enough(house, replicas, redis):
    rights = ["~usher:*", "&usher:moved", "+get", "+set", "+pexpire", "+eval", "+select", "+time", "+publish", "+subscribe", "+ping"]
    redis.command("ACL", "SETUSER", "ada", "on", ">ada", "resetchannels", *rights)
    url = redis.url.replace("redis://", "redis://ada:ada@")
    nodes = [house.usher(replicas, store=url, name=name) for name in ("one", "two")]
    for node in nodes:
        wait_for(lambda node=node: node.status()["store"]["announcements"] == "heard", "the store heard")
    settle(nodes, 5)
    assert not [line for line in redis.command("ACL", "LOG") or []]


def test_each_client_of_a_dead_replica_ends_on_one_replica(house, replicas, redis):
    """A thousand first requests after the death, for the same hundred clients, on both nodes at once."""
    nodes = pair(house, replicas, redis)
    victim = replicas[0]
    homes = settle(nodes, 100, lambda name: name == victim.name)
    victim.kill()
    orders = [(node, cookie) for _ in range(5) for cookie in homes for node in nodes]
    assert len(orders) == 1000
    with ThreadPoolExecutor(40) as crowd:
        answers = list(crowd.map(lambda order: (order[1], who(*order)), orders))
    told: dict[str, set] = {}
    for cookie, answer in answers:
        told.setdefault(cookie, set()).add(replica_of(answer))
    assert len(told) == 100 and all(len(names) == 1 for names in told.values()), {cookie: names for cookie, names in told.items() if len(names) > 1}
    # Also for whoever comes later, with the old cookie or the new one.
    for cookie, names in told.items():
        assert {replica_of(who(node, cookie)) for node in nodes} == names
    for cookie, answer in answers[:50]:
        if answer.cookie():
            assert {replica_of(who(node, answer.cookie())) for node in nodes} == told[cookie]


def test_ten_thousand_requests_without_a_cookie_leave_no_key(house, replicas, redis):
    nodes = pair(house, replicas, redis)
    before = redis.keys()
    for node in nodes:
        with wire.Wire(node.url()) as connection:
            for _ in range(5000):
                assert connection.ask("GET", "/whoami").status == 200
    assert set(redis.keys()) - set(before) == set()


def test_ten_thousand_requests_of_a_hundred_known_clients_cost_few_commands_and_no_key(house, replicas, redis):
    """Every worker of both nodes meets every client."""
    nodes = pair(house, replicas, redis)
    clients = [who(nodes[number % 2]).cookie() for number in range(100)]
    began = time.monotonic()

    def ask(order):
        cookie, node = order
        home = set()
        # Each connection is accepted by whichever worker the kernel picks.
        for _ in range(5):
            with wire.Wire(node.url()) as connection:
                for _ in range(10):
                    home.add(replica_of(connection.ask("GET", "/whoami", [("Cookie", cookie)])))
        return cookie, home

    with watching(redis) as watch, ThreadPoolExecutor(8) as crowd:
        homes: dict[str, set] = {}
        for cookie, home in crowd.map(ask, [(cookie, node) for cookie in clients for node in nodes]):
            homes.setdefault(cookie, set()).update(home)
        commands = watch.about("client")
    minutes = 1 + int((time.monotonic() - began) // 60)
    assert all(len(home) == 1 for home in homes.values())
    print(f"{len(commands)} commands in {time.monotonic() - began:.0f} s")
    assert len(commands) < 400 * minutes
    assert {command.split()[0] for command in commands} == {"GET"}, "nothing is written"
    assert not redis.keys("usher:client:*")


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_a_store_that_is_away_costs_known_clients_nothing_and_new_ones_its_time_out_at_most(house, replicas, redis, way):
    nodes = pair(house, replicas, redis)
    clients = list(settle(nodes, 20))

    def latencies(cookies, count):
        took = []
        for number in range(count):
            # A fresh connection for each, as new clients have.
            with wire.Wire(nodes[number % 2].url()) as connection:
                cookie = cookies[number % len(cookies)] if cookies else None
                began = time.monotonic()
                assert connection.ask("GET", "/whoami", [("Cookie", cookie)] if cookie else []).status == 200
                took.append((time.monotonic() - began) * 1000)
        return took

    with_store = statistics.median(latencies(clients, 400))
    getattr(redis, way)()
    # From the first request on: what is not yet known to be down is part of the outage.
    newcomers = latencies(None, 100)
    known = latencies(clients, 400)
    print(f"known clients: {with_store:.2f} ms with the store, {statistics.median(known):.2f} ms without; newcomers: {max(newcomers):.0f} ms at most")
    assert statistics.median(known) - with_store < 1.0 * harness.patience()
    assert max(newcomers) < 250 * harness.patience()
