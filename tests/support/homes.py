"""What the tests of the store ask nodes: where clients live, and whether the store is up."""

import base64
import contextlib
import hashlib
import hmac
import threading

import wire
from harness import wait_for

# For nodes whose clients are to be given cookies by the test.
KNOWN_SECRET = {"secret": "what every node of this test signs with"}


def state(node) -> str:
    return node.status()["store"]["state"]


def await_up(nodes, timeout: float = 20):
    wait_for(lambda: all(state(node) == "up" for node in nodes), "the store up at every node", timeout)


def home(node, cookie=None):
    answer = wire.fetch(node.url() + "/whoami", headers=[("Cookie", cookie)] if cookie else [])
    assert answer.status == 200
    return answer


def key_of(cookie: str) -> str:
    """Of a client's record, without the prefix."""
    return "client:" + cookie.split("=", 1)[1].split(".")[1]


def moved(cookie: str, secret: str = KNOWN_SECRET["secret"], epoch: int = 2) -> str:
    """The cookie of the same client at the same replica, as a node gives it that has moved it there."""
    name, value = cookie.split("=", 1)
    body = ".".join([*value.split(".")[:3], str(epoch)])
    mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()[:16]
    return f"{name}={body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def settle(nodes, count: int) -> dict[str, str]:
    """So many clients that have moved, each known to the store; their replicas by cookie. The nodes have KNOWN_SECRET."""
    homes = {}
    for turn in range(count):
        first = home(nodes[turn % len(nodes)])
        cookie = moved(first.cookie())
        homes[cookie] = first.json()["replica"]
        again = home(nodes[turn % len(nodes)], cookie)
        assert again.cookie() is None, "the cookie is genuine"
    return homes


def assert_homes(nodes, homes) -> None:
    for node in nodes:
        assert {cookie: home(node, cookie).json()["replica"] for cookie in homes} == homes


class Watch:
    """Every command that a Redis server is sent, but for what its scripts call."""

    def __init__(self, redis):
        self.redis = redis
        self.commands: list[str] = []

    def about(self, kind: str) -> list[str]:
        """Those about clients ("client") or sids ("sid"), until now."""
        self.catch_up()
        return [command for command in self.commands if f":{kind}:" in command]

    def catch_up(self) -> None:
        marker = f"seen {len(self.commands)} {id(self)}"
        self.redis.command("ECHO", marker)
        wait_for(lambda: any(marker in command for command in self.commands), "all commands seen")

    def follow(self, monitor) -> None:
        with contextlib.suppress(Exception):  # the connection is closed when the test is over
            for seen in monitor.listen():
                if seen["client_type"] != "lua":
                    self.commands.append(seen["command"])


@contextlib.contextmanager
def watching(redis):
    watch = Watch(redis)
    with redis.client() as client:
        client.connection_pool.connection_kwargs["socket_timeout"] = None
        with client.monitor() as monitor:
            thread = threading.Thread(target=watch.follow, args=[monitor], daemon=True)
            thread.start()
            watch.catch_up()
            yield watch
