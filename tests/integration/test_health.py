"""Whether a replica lives and whether it is ready are two facts. What all replicas share, such as their database, is no
reason to leave any of them."""

import concurrent.futures
import itertools
import subprocess
import threading

import fakes
import harness
import pytest
import wire
from harness import free_port, settings_for, wait_for

PAGE = [("Accept", "text/html,application/xhtml+xml")]


@pytest.fixture
def replicas(house):
    return house.replicas()


def states(node) -> list[str]:
    return [each["state"] for each in node.status()["upstreams"][0]["replicas"]]


def await_states(node, *wanted: str) -> None:
    wait_for(lambda: states(node) == list(wanted), f"{wanted}")


def table_of(node) -> str:
    return subprocess.run([harness.usher_binary(), "status", "--admin", node.admin], capture_output=True, text=True, check=True).stdout


def who(node, cookie=None, headers=()) -> wire.Response:
    return wire.fetch(node.url() + "/whoami", headers=[*headers, *([("Cookie", cookie)] if cookie else [])])


def settled(node, count: int) -> dict[str, str]:
    """So many clients or some more, by their cookies, and where they live: some at each of three replicas."""
    known = {}
    while len(known) < count or len(set(known.values())) < 3:
        answer = who(node)
        known[answer.cookie()] = answer.json()["replica"]
    return known


def set_ready(replicas, value: bool, **more: str) -> None:
    words = "".join(f"&{key}={text}" for key, text in more.items())
    for replica in replicas:
        replica.get(f"/set-ready?value={str(value).lower()}{words}")


class Crowd:
    """Clients that know a replica and clients that come for the first time, until it is left; what they were answered."""

    def __init__(self, node, known: dict[str, str]):
        self.node = node
        self.known = known
        self.answers: list[tuple[str, int]] = []
        self.moved: list[str] = []
        self.over = threading.Event()

    def ask(self, cookie: str | None) -> None:
        for turn in itertools.count():
            if self.over.is_set():
                return
            if turn % 3 == 2:
                answer = wire.fetch(self.node.url() + "/echo", "POST", [("Cookie", cookie)] if cookie else [], b"x")
            else:
                answer = who(self.node, cookie, PAGE if turn % 3 == 1 else [])
            self.answers.append(("known" if cookie else "new", answer.status))
            if cookie and answer.status == 200:
                served_by = answer.header("x-replica") or answer.json()["replica"]
                if served_by != self.known[cookie]:
                    self.moved.append(cookie)

    def __enter__(self) -> "Crowd":
        self.pool = concurrent.futures.ThreadPoolExecutor(len(self.known) + 2)
        self.lanes = [self.pool.submit(self.ask, cookie) for cookie in [*self.known, None, None]]
        self.await_more()
        return self

    def await_more(self, count: int = 60) -> None:
        """So many answers from now on."""
        target = len(self.answers) + count
        wait_for(lambda: len(self.answers) >= target or any(lane.done() for lane in self.lanes), f"{count} answers")

    def __exit__(self, *_) -> None:
        self.over.set()
        for lane in self.lanes:
            lane.result()
        self.pool.shutdown()

    @property
    def bad(self) -> list[tuple[str, int]]:
        return [answer for answer in self.answers if answer[1] >= 500]


@pytest.mark.parametrize("how", ["503", "hangs"])
def test_what_all_replicas_share_is_no_reason_to_leave_any(house, replicas, how):
    """Open WebUI's /ready is 503 while Redis or the database is away; or has no answer, while one of them hangs."""
    settings = settings_for(replicas)
    settings["upstream"][0]["health"]["timeout"] = "1s"
    node = house.usher(replicas, settings=settings)
    known = settled(node, 6)
    with Crowd(node, known) as crowd:
        set_ready(replicas, False, **({"hangs": "yes"} if how == "hangs" else {}))
        await_states(node, "unready", "unready", "unready")
        crowd.await_more()
        upstream = node.status()["upstreams"][0]
        assert upstream["panic"] is True
        wanted = "status 503 from /ready: Redis not ready" if how == "503" else "no answer in time from /ready"
        assert {each["reason"] for each in upstream["replicas"]} == {wanted}
        assert node.metric("usher_upstream_panic", upstream="open-webui") == 1
        assert node.metric("usher_replica_up", upstream="open-webui", replica=replicas[0].address) == 1
        assert node.metric("usher_replica_ready", upstream="open-webui", replica=replicas[0].address) == 0
        assert node.admin_get("/readyz")[0] == 200
        assert "panic: " in table_of(node)
        set_ready(replicas, True)
        await_states(node, "up", "up", "up")
        crowd.await_more()
    assert not crowd.bad, crowd.bad
    assert {kind for kind, _ in crowd.answers} == {"known", "new"}
    assert not crowd.moved
    assert {who(node, cookie).json()["replica"] for cookie in known} == set(known.values())
    assert {cookie: who(node, cookie).json()["replica"] for cookie in known} == known
    assert node.status()["upstreams"][0]["panic"] is False
    assert node.metric("usher_upstream_panic", upstream="open-webui") == 0
    [began] = node.events("upstream_panic")
    assert began["level"] == "warning" and began["upstream"] == "open-webui" and began["reason"] == wanted
    assert len(node.events("upstream_panic_over")) == 1
    assert not node.events("replica_down") and len(node.events("replica_unready")) == 3


def test_redis_is_away_for_the_replicas_and_for_usher_at_the_same_time(house, replicas):
    """As in docker-compose.yml, where one Valkey is for everything."""
    redis = house.redis()
    nodes = [house.usher(replicas, store=redis.url, name=name) for name in ("one", "two")]
    known = settled(nodes[0], 6)
    with Crowd(nodes[0], known) as one, Crowd(nodes[1], known) as two:
        redis.kill()
        set_ready(replicas, False)
        for node in nodes:
            await_states(node, "unready", "unready", "unready")
            wait_for(lambda node=node: node.status()["store"]["state"] == "down", "the store is down")
        one.await_more()
        two.await_more()
        redis.start()
        set_ready(replicas, True)
        for node in nodes:
            await_states(node, "up", "up", "up")
    for crowd in (one, two):
        assert not crowd.bad and not crowd.moved


def test_new_clients_are_spread_over_all_in_a_panic(house, replicas):
    node = house.usher(replicas)
    set_ready(replicas[:2], False)
    await_states(node, "unready", "unready", "up")
    assert node.status()["upstreams"][0]["panic"] is True
    assert {who(node).json()["replica"] for _ in range(60)} == {"alpha", "beta", "gamma"}


def test_the_share_that_is_a_panic_is_a_setting(house, replicas):
    settings = settings_for(replicas)
    settings["upstream"][0]["health"]["panic"] = 70
    node = house.usher(replicas, settings=settings)
    set_ready(replicas[:2], False)
    await_states(node, "unready", "unready", "up")
    assert node.status()["upstreams"][0]["panic"] is False
    assert {who(node).json()["replica"] for _ in range(30)} == {"gamma"}


def test_one_of_three_that_is_not_ready_keeps_its_clients_and_gets_no_new_ones(house, replicas):
    node = house.usher(replicas)
    known = settled(node, 9)
    clients = house.clients([node.url()], 12)
    before = {each["client"]: each["replica"] for each in clients.await_connected().values()}
    set_ready(replicas[:1], False)
    await_states(node, "unready", "up", "up")
    assert node.status()["upstreams"][0]["panic"] is False
    assert {who(node).json()["replica"] for _ in range(30)} == {"beta", "gamma"}
    for _ in range(3):
        assert {cookie: who(node, cookie).json()["replica"] for cookie in known} == known
    assert {each["client"]: each["replica"] for each in clients.report().values() if each["connected"]} == before
    assert not clients.events("disconnect")
    set_ready(replicas[:1], True)
    await_states(node, "up", "up", "up")
    wait_for(lambda: who(node).json()["replica"] == "alpha", "new clients at alpha again")
    clients.stop()


def test_health_says_whether_a_replica_lives(house, replicas):
    """By a status, and by no answer; its clients go elsewhere."""
    node = house.usher(replicas)
    known = settled(node, 9)
    replicas[0].get("/set-health?value=false")
    replicas[0].get("/set-ready?value=false")
    await_states(node, "down", "up", "up")
    [line] = node.events("replica_down")
    assert line["reason"] == "status 500 from /health"
    homes = {cookie: who(node, cookie).json()["replica"] for cookie in known}
    assert set(homes.values()) == {"beta", "gamma"}
    assert all(homes[cookie] == name for cookie, name in known.items() if name != "alpha")
    replicas[0].get("/set-health?value=true")
    await_states(node, "unready", "up", "up")
    set_ready(replicas[:1], True)
    await_states(node, "up", "up", "up")


def test_replicas_that_all_say_that_they_do_not_live_are_used_as_well(house, replicas):
    node = house.usher(replicas)
    known = settled(node, 6)
    with Crowd(node, known) as crowd:
        for replica in replicas:
            replica.get("/set-health?value=false")
        set_ready(replicas, False)
        await_states(node, "unready", "unready", "unready")
        crowd.await_more()
    assert not crowd.bad
    # One of them is better by now: the others do not live.
    replicas[2].get("/set-health?value=true")
    replicas[1].get("/set-health?value=true")
    set_ready(replicas[1:], True)
    await_states(node, "down", "up", "up")
    assert node.events("replica_down")[-1]["replica"] == replicas[0].address


def test_a_replica_that_starts_gets_nobody_before_it_was_ready_once(house):
    """Also while nobody else is ready, and also when all start together."""
    replicas = [house.keep(harness.Replica(house.folder, name, args=["--not-ready", "Redis not ready"], port=free_port())) for name in ("alpha", "beta")]
    node = house.usher(replicas, wait=False)
    await_states(node, "down", "down")
    for replica in replicas:
        replica.start()
    await_states(node, "starting", "starting")
    assert node.status()["upstreams"][0]["panic"] is False
    page = who(node, headers=PAGE)
    assert page.status == 503 and b'http-equiv="refresh"' in page.body
    assert node.admin_get("/readyz")[0] == 503
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        held = pool.submit(who, node)
        wait_for(lambda: node.status()["requests_held"] == 1, "it waits")
        set_ready(replicas[:1], True)
        assert held.result().json()["replica"] == "alpha"
    # The other one still starts, while the first has ceased to be ready.
    set_ready(replicas[:1], False)
    await_states(node, "unready", "starting")
    assert {who(node).json()["replica"] for _ in range(20)} == {"alpha"}
    assert not [line for line in harness.json_lines(replicas[1].requests_path) if line["path"] == "/whoami"]
    set_ready(replicas[1:], True)
    await_states(node, "unready", "up")
    assert {who(node).json()["replica"] for _ in range(20)} == {"beta"}


def test_a_start_has_an_end(house):
    """Else what answers every probe with 503 would never be used."""
    replica = house.keep(harness.Replica(house.folder, args=["--not-ready", "out of order"], port=free_port()))
    settings = settings_for([replica])
    settings["upstream"][0]["health"]["start"] = "1s"
    node = house.usher(settings=settings)
    await_states(node, "down")
    replica.start()
    await_states(node, "unready")
    assert who(node).status == 200


def test_a_node_that_starts_during_an_outage_serves_at_once(house, replicas):
    set_ready(replicas, False)
    node = house.usher(replicas, wait=False)
    await_states(node, "unready", "unready", "unready")
    assert {who(node).status for _ in range(20)} == {200}


def test_a_node_that_starts_before_what_says_that_it_starts_lets_nobody_in(house):
    replica = house.replica(args=["--not-ready", "Startup not complete"])
    node = house.usher([replica], wait=False)
    await_states(node, "starting")
    assert who(node, headers=PAGE).status == 503
    set_ready([replica], True)
    await_states(node, "up")
    assert who(node).status == 200


# --- What is not Open WebUI ---------------------------------------------------------------------------


class Stranger(fakes.Fake):
    """Answers requests for its own name, and everything else with this status. The heads that came."""

    def __init__(self, name: str, status: str = "421 Misdirected Request"):
        super().__init__()
        self.name = name.encode()
        self.status = status
        self.heads: list[bytes] = []

    async def serve(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            known = b"\r\nHost: " + self.name + b"\r\n" in head
            paths = (b"GET /ready ", b"GET /health ", b"GET /api/version ")
            if known and not head.startswith(paths):
                writer.write(fakes.whole(b"served"))
            else:
                writer.write(fakes.whole(b"{}", "404 Not Found" if known else self.status))

    @property
    def hosts(self) -> set[bytes]:
        return {line[6:] for head in list(self.heads) for line in head.split(b"\r\n") if line.startswith(b"Host: ")}


@pytest.mark.parametrize("status", ["404 Not Found", "400 Bad Request", "421 Misdirected Request", "301 Moved Permanently", "503 Service Unavailable"])
def test_a_replica_that_knows_neither_path_nor_name_is_used(house, status):
    replica = house.fake(Stranger("chat.example.org", status))
    node = house.usher(settings=settings_for([replica]))
    looks = len(replica.heads)
    wait_for(lambda: len(replica.heads) >= looks + 12, "some looks at it")
    answer = wire.fetch(node.url() + "/", host="chat.example.org")
    assert (answer.status, answer.body) == (200, b"served")
    assert states(node) == ["unready" if status.startswith("503") else "up"]


@pytest.mark.parametrize(
    "route, health, host",
    [
        ({"host": "chat.example.org"}, {}, "chat.example.org"),
        ({"hosts": ["*.example.net", "chat.example.org"]}, {}, "chat.example.org"),
        ({"host": "*", "set_headers": {"Host": "inner.example.org"}}, {}, "inner.example.org"),
        ({"host": "chat.example.org"}, {"host": "probe.example.org"}, "probe.example.org"),
    ],
)
def test_probes_ask_for_the_host_that_requests_get(house, route, health, host):
    replica = house.fake(Stranger(host, "503 Service Unavailable"))
    settings = settings_for([replica], route=[{"path": "/", "upstream": "open-webui", **route}])
    settings["upstream"][0]["health"].update(health)
    node = house.usher(settings=settings).await_replicas(1)
    wait_for(lambda: len(replica.heads) >= 6, "some looks at it")
    assert replica.hosts == {host.encode()}
    assert states(node) == ["up"]


# --- Without probes -----------------------------------------------------------------------------------


def nginx_like(house, replicas):
    servers = "".join(f"server {replica.address} max_fails=2;" for replica in replicas)
    conf = house.folder / "nginx.conf"
    conf.write_text(
        f"upstream app {{ {servers} }}\n"
        f"server {{ listen 127.0.0.1:{free_port()}; location / {{ proxy_pass http://app; proxy_set_header Host $host; }} }}\n"
    )
    return house.usher(settings=None, args=["-c", conf], env={"USHER_ADMIN": "127.0.0.1:0"})


def test_under_an_nginx_conf_nobody_is_asked_and_what_requests_find_counts(house):
    replicas = house.replicas(("alpha", "beta"))
    node = nginx_like(house, replicas)
    assert {who(node).json()["replica"] for _ in range(20)} == {"alpha", "beta"}
    set_ready(replicas, False)
    replicas[0].kill()
    assert {who(node).json()["replica"] for _ in range(20)} == {"beta"}
    await_states(node, "down", "up")
    replicas[0].start()
    await_states(node, "up", "up")
    wait_for(lambda: who(node).json()["replica"] == "alpha", "clients at alpha again")
    journals = [line["path"] for replica in replicas for line in harness.json_lines(replica.requests_path)]
    assert journals and "/ready" not in journals and "/health" not in journals
