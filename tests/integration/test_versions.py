"""Replicas of different versions: shown, new clients go to the newest, and nobody meets two while the old one lives."""

import fakes
import pytest
import wire
from harness import settings_for, wait_for

OLD, NEW = "0.10.9", "0.11.0"


def at(house, name: str, version: str):
    return house.replica(name, args=["--version", version])


def node_for(house, replicas, policy: str | None = None, **options):
    settings = settings_for(replicas, **options)
    if policy:
        settings["upstream"][0]["versions"] = policy
    node = house.usher(replicas, settings=settings)
    wait_for(lambda: all(each["version"] for each in shown(node)), "the versions")
    return node


def shown(node) -> list[dict]:
    return node.status()["upstreams"][0]["replicas"]


def whoami(node, cookie=None) -> wire.Response:
    return wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)] if cookie else [])


def homes(node, count=20) -> set:
    return {whoami(node).json()["replica"] for _ in range(count)}


def test_versions_are_shown_and_a_difference_is_told(house):
    replicas = [at(house, "alpha", OLD), at(house, "beta", NEW)]
    node = node_for(house, replicas)
    assert {each["id"]: each["version"] for each in shown(node)} == {replicas[0].address: OLD, replicas[1].address: NEW}
    assert node.metric("usher_replica_info", upstream="open-webui", replica=replicas[0].address, version=OLD) == 1
    assert node.metric("usher_upstream_versions", upstream="open-webui") == 2
    line = wait_for(lambda: next((line for line in node.log if line.get("event") == "versions_differ"), None), "the line")
    assert line["versions"] == f"{OLD}, {NEW}"


def test_new_clients_go_to_the_newest_version(house):
    # As text, 0.9.9 would come after 0.11.0.
    replicas = [at(house, "old", "0.9.9"), at(house, "new", NEW), at(house, "middle", OLD)]
    node = node_for(house, replicas)
    assert homes(node) == {"new"}
    replicas[1].kill()
    assert homes(node) == {"middle"}


def test_or_to_any_if_so_set(house):
    node = node_for(house, [at(house, "old", OLD), at(house, "new", NEW)], "any")
    assert homes(node, 60) == {"old", "new"}


def client_at(node, name: str) -> str:
    def try_one():
        answer = whoami(node)
        return answer.cookie() if answer.json()["replica"] == name else None

    return wait_for(try_one, f"a client at {name}")


def test_a_client_stays_at_its_version_until_that_is_gone(house):
    old = [at(house, "old-1", OLD), at(house, "old-2", OLD)]
    new = [at(house, "new-1", NEW), at(house, "new-2", NEW)]
    secret = {"secret": "the nodes sign with this one secret"}
    cookie = client_at(node_for(house, old, affinity=secret), "old-1")
    settings = settings_for([*old, *new], affinity=secret)
    node = house.usher([*old, *new], settings=settings, name="later")
    wait_for(lambda: all(each["version"] for each in shown(node)), "the versions")
    assert homes(node) == {"new-1", "new-2"}
    assert whoami(node, cookie).json()["replica"] == "old-1"
    node.admin_get(f"/api/replicas/{old[0].address}/drain", "POST")
    moved = whoami(node, cookie)
    assert moved.json()["replica"] == "old-2", "of the same version"
    cookie = moved.cookie()
    node.admin_get(f"/api/replicas/{old[1].address}/drain", "POST")
    assert whoami(node, cookie).json()["replica"] == "old-2", "draining is no reason to meet another version"
    for replica in old:
        replica.kill()
    assert whoami(node, cookie).json()["replica"] in ("new-1", "new-2")


def test_a_replica_upgraded_in_place_is_asked_again(house):
    replica = at(house, "alpha", OLD)
    node = node_for(house, [replica])
    replica.kill()
    wait_for(lambda: node.replica_states()[replica.address] == "down", "down")
    replica.args = ["--version", NEW]
    replica.start()
    wait_for(lambda: node.replica_states()[replica.address] == "up", "up")
    assert shown(node)[0]["version"] == NEW


@pytest.mark.parametrize("body", [b"not json", b'{"version": 11}', b'{"version": "a b"}', b'{"version": "' + b"9" * 65 + b'"}', b"[]", b" " * 5000])
def test_what_is_no_version_is_none(house, body):
    class Odd(fakes.Fake):
        async def serve(self, reader, writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(fakes.whole(body if head.startswith(b"GET /api/version ") else b"{}"))

    node = house.usher([house.fake(Odd())])
    assert shown(node)[0]["version"] == ""
    assert node.replica_states()[shown(node)[0]["id"]] == "up"
