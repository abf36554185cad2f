"""What the tests of the store ask nodes: where clients live, and whether the store is up."""

import wire
from harness import wait_for


def state(node) -> str:
    return node.status()["store"]["state"]


def await_up(nodes, timeout: float = 20):
    wait_for(lambda: all(state(node) == "up" for node in nodes), "the store up at every node", timeout)


def home(node, cookie=None):
    answer = wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)] if cookie else [])
    assert answer.status == 200
    return answer


def settle(nodes, count: int) -> dict[str, str]:
    """So many clients, each known to the store; their replicas by cookie."""
    homes = {}
    for turn in range(count):
        first = home(nodes[turn % len(nodes)])
        homes[first.cookie()] = first.json()["replica"]
        home(nodes[turn % len(nodes)], first.cookie())
    return homes


def assert_homes(nodes, homes) -> None:
    for node in nodes:
        assert {cookie: home(node, cookie).json()["replica"] for cookie in homes} == homes
