"""The secret that signs cookies: one for all nodes, replaced without anybody losing a replica."""

import subprocess
import time

import harness
import pytest
import wire
from harness import wait_for


@pytest.fixture
def replicas(house):
    return house.replicas()


def who(node, cookie=None):
    answer = wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)] if cookie else [])
    assert answer.status == 200
    return answer


def ring(redis) -> list[str]:
    """The secrets in the store, the newest first."""
    return [line.split(" ")[1] for line in redis.command("GET", "usher:secret").splitlines()]


def node_of(house, replicas, redis, name, **extra):
    node = house.usher(replicas, store=redis.url, name=name, **extra)
    wait_for(lambda: node.status()["store"]["state"] == "up", "the store up")
    return node


def test_a_command_rotates_the_secret_and_no_client_loses_its_replica(house, replicas):
    redis = house.redis()
    nodes = [node_of(house, replicas, redis, name) for name in ("one", "two")]
    before = [who(nodes[turn % 2]) for turn in range(6)]
    (first,) = ring(redis)
    done = subprocess.run([harness.usher_binary(), "rotate-secret", "--admin", nodes[0].admin], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(ring(redis)) == 2, "a second secret")
    assert ring(redis)[1] == first
    wait_for(lambda: any(line["event"] == "secret_rotated" for line in nodes[0].log), "the rotation in the log")
    third = node_of(house, replicas, redis, "three")
    # Not every node need have heard of it yet: nobody signs with it before ten minutes are over.
    after = [who(node) for node in (*nodes, third)]
    for answer in before + after:
        for node in (*nodes, third):
            again = who(node, answer.cookie())
            assert again.json()["replica"] == answer.json()["replica"] and again.cookie() is None
    assert redis.keys()["usher:secret"] > 80 * 24 * 3600
    assert not any(secret in node.stderr for secret in ring(redis) for node in nodes)


def test_a_secret_that_is_old_enough_signs_and_its_predecessor_is_still_believed(house, replicas):
    redis = house.redis()
    old = node_of(house, replicas, redis, "old")
    before = [who(old) for _ in range(6)]
    (first,) = ring(redis)
    old.stop()
    made = int(time.time() * 1000) - 20 * 60 * 1000
    redis.command("SET", "usher:secret", f"{made} {'n' * 43}\n{made - 1000} {first}\n")
    new = node_of(house, replicas, redis, "new")
    for answer in before:
        again = who(new, answer.cookie())
        assert again.json()["replica"] == answer.json()["replica"]
        renewed = again.cookie()
        assert renewed and renewed != answer.cookie(), "signed anew"
        assert who(new, renewed).cookie() is None


def test_a_secret_is_replaced_by_itself_when_it_is_old(house, replicas):
    redis = house.redis()
    made = int(time.time() * 1000) - 31 * 24 * 3600 * 1000
    redis.command("SET", "usher:secret", f"{made} {'o' * 43}\n")
    nodes = [node_of(house, replicas, redis, name) for name in ("one", "two")]
    wait_for(lambda: len(ring(redis)) == 2, "a second secret")
    assert ring(redis)[1] == "o" * 43
    answer = who(nodes[0])
    assert who(nodes[1], answer.cookie()).cookie() is None


def test_a_store_that_lost_its_data_is_told_every_secret_again(house, replicas):
    redis = house.redis()
    node = node_of(house, replicas, redis, "one")
    node.admin_get("/api/secret/rotate", "POST")
    before = wait_for(lambda: ring(redis) if len(ring(redis)) == 2 else None, "a second secret")
    wait_for(lambda: any(line["event"] == "secret_rotated" for line in node.log), "the node knows")
    redis.kill()
    wait_for(lambda: node.status()["store"]["state"] == "down", "the outage noticed")
    redis.start()
    wait_for(lambda: redis.command("GET", "usher:secret"), "the secrets back")
    assert ring(redis) == before


def test_there_is_nothing_to_rotate_without_a_shared_secret(house, replica):
    alone = house.usher([replica])
    status, body = alone.admin_get("/api/secret/rotate", "POST")
    assert status == 409 and b"no shared store" in body
    redis = house.redis()
    given = house.usher([replica], store=redis.url, name="given", affinity={"secret": "0123456789abcdef0123"})
    status, body = given.admin_get("/api/secret/rotate", "POST")
    assert status == 409 and b"affinity.secret is set" in body
