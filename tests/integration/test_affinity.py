"""One client, one replica: by its cookie, by its sid, on every node."""

import gzip
import itertools
import json
import re
import time
import zlib

import harness
import pytest
import wire
from harness import settings_for, wait_for
from homes import watching
from websockets.sync.client import connect

SOCKETIO = "/ws/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def replicas(house):
    return house.replicas()


@pytest.fixture
def node(house, replicas):
    return house.usher(replicas)


@pytest.fixture
def pair(house, replicas):
    """Two nodes on one Redis."""
    house.store = house.redis()
    return [house.usher(replicas, store=house.store.url, name=name) for name in ("one", "two")]


def who(node, cookie: str | None = None, scheme="http", path="/whoami") -> wire.Response:
    headers = [("Cookie", cookie)] if cookie else []
    return wire.fetch(node.url(scheme) + path, headers=headers)


def replica_of(answer) -> str:
    return answer.json()["replica"]


def affinity_of(node, path="/whoami") -> list[str]:
    return [line["affinity"] for line in node.access_log if line["path"] == path]


# --- The cookie ---------------------------------------------------------------------------------------


def attributes(line: str) -> set[str]:
    return {part.strip().lower() for part in line.split(";")[1:]}


def test_the_first_answer_brings_the_cookie(node):
    (line,) = who(node).all("set-cookie")
    assert re.match(r"usher=[A-Za-z0-9._~-]+;", line)
    assert {"httponly", "samesite=lax", "path=/"} <= attributes(line)
    assert "secure" not in attributes(line) and not any(part.startswith("domain") for part in attributes(line))


def test_the_cookie_is_secure_over_tls(node):
    (line,) = who(node, scheme="https").all("set-cookie")
    assert "secure" in attributes(line)


def test_the_cookie_shows_no_address(node, replicas):
    value = who(node).cookie()
    assert "127.0.0.1" not in value and not any(str(replica.port) in value for replica in replicas)


def test_the_cookie_is_not_sent_again(node):
    cookie = who(node).cookie()
    assert who(node, cookie).cookie() is None


@pytest.mark.parametrize("path", ["/status?code=404", "/status?code=204", "/status?code=500", "/cookies", "/blob?bytes=5"])
def test_the_first_answer_brings_it_whatever_it_is(node, path):
    answer = wire.fetch(node.url() + path)
    assert answer.cookie()


def test_all_that_comes_with_the_cookie_reaches_one_replica(node):
    first = who(node)
    assert {replica_of(who(node, first.cookie())) for _ in range(30)} == {replica_of(first)}


def test_new_clients_spread_over_the_replicas(node):
    assert {replica_of(who(node)) for _ in range(30)} == {"alpha", "beta", "gamma"}


def test_websockets_go_where_the_pages_went(node):
    first = who(node)
    for _ in range(6):
        url = node.url().replace("http", "ws", 1) + "/ws/socket.io/?EIO=4&transport=websocket"
        with connect(url, additional_headers={"Cookie": first.cookie()}) as socket:
            socket.recv(timeout=10)
            socket.send("40{}")
            socket.recv(timeout=10)
            socket.send('420["whoami",{}]')
            packet = socket.recv(timeout=10)
            assert json.loads(packet.removeprefix("430"))[0]["replica"] == replica_of(first)


def test_a_cookie_given_by_a_101_holds_for_pages(node):
    with connect(node.url().replace("http", "ws", 1) + "/ws/socket.io/?EIO=4&transport=websocket&client=upgraded") as socket:
        (cookie,) = (value.split(";")[0] for name, value in socket.response.headers.raw_items() if name.lower() == "set-cookie" and value.startswith("usher="))
        socket.recv(timeout=10)
        answers = {replica_of(who(node, cookie)) for _ in range(10)}
    assert len(answers) == 1


def test_log_in_and_log_out_change_nothing(node):
    first = who(node)
    seen = set()
    for others in ("", "; token=one.two.three", "; token=four.five.six; owui-session=x", ""):
        answer = who(node, first.cookie() + others)
        assert answer.cookie() is None
        seen.add(replica_of(answer))
    assert seen == {replica_of(first)}


def tampered(cookie: str) -> list[str]:
    name, value = cookie.split("=", 1)
    middle = len(value) // 2
    flipped = "A" if value[middle] != "A" else "B"
    return [
        f"{name}={value[:middle]}{flipped}{value[middle + 1:]}",
        f"{name}={value[:-1]}{'A' if value[-1] != 'A' else 'B'}",
        f"{name}={value[: len(value) // 2]}",
        f"{name}=",
        f"{name}=v1.a.b.c.d",
        f"{name}={'x' * 5000}",
        f'{name}="{value}x"',
        f"{name}=%00%ff",
    ]


@pytest.mark.parametrize("number", range(8))
def test_a_forged_cookie_is_as_good_as_none(node, number):
    genuine = who(node).cookie()
    forged = tampered(genuine)[number]
    answer = who(node, forged)
    assert answer.status == 200
    assert answer.cookie() and answer.cookie() != genuine, "a new cookie replaces the forged one"


def test_a_cookie_of_another_installation_is_as_good_as_none(house, replicas, node):
    stranger = house.usher(replicas, name="stranger")
    assert who(node, who(stranger).cookie()).cookie()


def test_the_name_of_the_cookie_is_a_setting(house, replicas):
    node = house.usher(replicas, name="named", affinity={"cookie": "ow_home"})
    first = who(node)
    cookie = first.cookie("ow_home")
    assert cookie and {replica_of(who(node, cookie)) for _ in range(10)} == {replica_of(first)}


def test_the_access_log_tells_new_from_known(node):
    cookie = who(node).cookie()
    who(node, cookie)
    wait_for(lambda: len(affinity_of(node)) == 2, "two lines in the access log")
    assert affinity_of(node) == ["new", "cookie"]


# --- Several nodes, restarts --------------------------------------------------------------------------


def test_two_nodes_on_one_redis_route_alike(pair):
    one, two = pair
    for _ in range(12):
        first = who(one)
        second = who(two, first.cookie())
        assert replica_of(second) == replica_of(first) and second.cookie() is None
        assert replica_of(who(one, first.cookie())) == replica_of(first)


def test_a_client_of_the_second_node_is_known_to_the_first(pair):
    one, two = pair
    first = who(two)
    assert replica_of(who(one, first.cookie())) == replica_of(first)


def test_nodes_that_start_on_an_empty_redis_agree_on_the_secret(pair, house):
    one, two = pair
    for from_node, to_node in [(one, two), (two, one)]:
        assert who(to_node, who(from_node).cookie()).cookie() is None


def test_a_restarted_node_knows_its_clients(pair):
    one, _ = pair
    first = who(one)
    one.restart().await_replicas(3)
    again = who(one, first.cookie())
    assert replica_of(again) == replica_of(first) and again.cookie() is None


def test_a_restarted_node_without_redis_knows_its_clients(node):
    clients = [who(node) for _ in range(6)]
    node.restart().await_replicas(3)
    for first in clients:
        again = who(node, first.cookie())
        assert replica_of(again) == replica_of(first) and again.cookie() is None


def test_a_fixed_secret_lets_separate_nodes_agree(house, replicas):
    one, two = (house.usher(replicas, name=name, affinity={"secret": "the same on every node, and long"}) for name in ("left", "right"))
    for _ in range(6):
        first = who(one)
        assert replica_of(who(two, first.cookie())) == replica_of(first)


# --- Engine.IO polling without a cookie ---------------------------------------------------------------


def open_polling(node, headers=()) -> tuple[str, wire.Response]:
    answer = wire.fetch(node.url() + SOCKETIO, headers=headers)
    body = answer.body
    if answer.header("content-encoding") == "gzip":
        body = gzip.decompress(body)
    elif answer.header("content-encoding") == "deflate":
        body = zlib.decompress(body)
    assert answer.status == 200 and body.startswith(b"0{"), answer
    return json.loads(body[1:])["sid"], answer


def poll(node, sid: str, method="GET", body=None) -> wire.Response:
    return wire.fetch(f"{node.url()}{SOCKETIO}&sid={sid}", method, body=body)


def assert_the_session_works(nodes, sid: str) -> None:
    turns = itertools.cycle(nodes)
    assert poll(next(turns), sid, "POST", b"40{}").body == b"OK"
    opened = poll(next(turns), sid)
    assert opened.status == 200 and opened.body.startswith(b"40{"), opened
    for number in range(3):
        assert poll(next(turns), sid, "POST", b'42%d["echo","x"]' % number).status == 200
        answer = poll(next(turns), sid)
        assert answer.status == 200 and answer.body == b'43%d["x"]' % number, answer


def test_polling_without_a_jar_is_routed_by_its_sid(node):
    for _ in range(9):
        sid, _ = open_polling(node)
        assert_the_session_works([node], sid)


def test_polling_without_a_jar_may_change_nodes_at_every_request(pair):
    for turn in range(9):
        sid, _ = open_polling(pair[turn % 2])
        assert_the_session_works([pair[1 - turn % 2], pair[turn % 2]], sid)


def test_the_sid_beats_the_cookie_of_another_client(node):
    """Two tabs without storage: the session is where its sid is."""
    cookies = {}
    for _ in range(40):
        answer = who(node)
        cookies.setdefault(replica_of(answer), answer.cookie())
    assert len(cookies) == 3
    sid, _ = open_polling(node)
    for cookie in cookies.values():
        answer = wire.fetch(f"{node.url()}{SOCKETIO}&sid={sid}", "POST", [("Cookie", cookie)], b"3")
        assert answer.status == 200, answer


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, deflate, br"])
def test_the_sid_is_learnt_though_the_client_asks_for_compression(house, encoding):
    replicas = [house.replica(name, args=["--compression-threshold", "0"]) for name in ("alpha", "beta", "gamma")]
    direct = wire.fetch(replicas[0].url + SOCKETIO, headers=[("Accept-Encoding", encoding)])
    assert direct.header("content-encoding"), "the replica does compress its handshake"
    node = house.usher(replicas)
    for _ in range(6):
        sid, _ = open_polling(node, [("Accept-Encoding", encoding)])
        assert_the_session_works([node], sid)


def test_other_polling_answers_may_be_compressed(house):
    replica = house.replica(args=["--compression-threshold", "0"])
    node = house.usher([replica])
    sid, _ = open_polling(node)
    poll(node, sid, "POST", b"40{}")
    answer = wire.fetch(f"{node.url()}{SOCKETIO}&sid={sid}", headers=[("Accept-Encoding", "gzip")])
    assert answer.header("content-encoding") == "gzip" and gzip.decompress(answer.body).startswith(b"40{")


def test_an_unknown_sid_gets_the_replicas_own_answer(node):
    answer = poll(node, "no-such-session")
    assert answer.status == 400 and b"Invalid session" in answer.body


def test_the_access_log_names_the_sid_as_the_reason(node):
    sid, _ = open_polling(node)
    poll(node, sid, "POST", b"40{}")
    assert node.await_access(lambda line: line["method"] == "POST")["affinity"] == "sid"


# --- What the store holds -----------------------------------------------------------------------------


def test_every_key_has_the_prefix_and_a_ttl(house, pair):
    for _ in range(5):
        cookie = who(pair[0]).cookie()
        who(pair[1], cookie)
        open_polling(pair[0])
    keys = wait_for(house.store.keys, "keys in Redis")
    assert all(key.startswith("usher") for key in keys), keys
    assert all(ttl > 0 for ttl in keys.values()), keys


def test_the_prefix_is_a_setting(house, replicas):
    redis = house.redis()
    settings = settings_for(replicas, redis.url)
    settings["store"]["prefix"] = "chat-a"
    node = house.usher(replicas, settings=settings)
    who(node, who(node).cookie())
    keys = wait_for(redis.keys, "keys in Redis")
    assert all(key.startswith("chat-a") for key in keys), keys


def test_a_client_that_has_not_moved_leaves_nothing(house, pair):
    before = wait_for(house.store.keys, "keys in Redis")
    for _ in range(50):
        first = who(pair[0])
        for node in pair:
            assert replica_of(who(node, first.cookie())) == replica_of(first)
    assert set(house.store.keys()) == set(before)


def test_a_client_that_moves_leaves_one_key(house, replicas, pair):
    first = who(pair[0])
    home = next(replica for replica in replicas if replica.name == replica_of(first))
    home.kill()
    wait_for(lambda: all(node.replica_states()[home.address] == "down" for node in pair), "both know that it is down")
    again = [who(node, first.cookie()) for node in pair]
    assert replica_of(again[0]) == replica_of(again[1]) != home.name
    assert again[0].cookie() == again[1].cookie() and ".2." in again[0].cookie()
    assert list(house.store.keys("usher:client:*")) == [f"usher:client:{first.cookie().split('=', 1)[1].split('.')[1]}"]


def test_a_sid_that_nobody_knows_is_asked_about_once_in_a_moment(house, pair):
    def requests() -> int:
        with watching(house.store) as watch:
            for _ in range(200):
                assert poll(pair[0], "no-such-session").status == 400
            return len(watch.about("sid"))

    began = time.monotonic()
    asked = requests()
    # Each worker, each second; two may ask at the same time.
    assert 1 <= asked <= 2 * (2 + time.monotonic() - began)


def test_an_address_keeps_no_more_sessions_than_it_may(house, replicas):
    redis = house.redis()
    node = house.usher(replicas, store=redis.url, limits={"sids": 20})
    wait_for(lambda: node.status()["store"]["state"] == "up", "the store up")
    sids = [open_polling(node) for _ in range(50)]
    assert len(redis.keys("usher:sid:*")) == 20
    assert node.metric("usher_sids_not_kept_total") == 30
    for sid, answer in sids[:20]:
        assert poll(node, sid, "POST", b"40{}").status == 200
    # What is beyond it is found by its client's cookie.
    for sid, answer in sids[20:]:
        assert wire.fetch(f"{node.url()}{SOCKETIO}&sid={sid}", "POST", [("Cookie", answer.cookie())], b"40{}").status == 200
    # Another address has its own.
    with wire.Wire(node.url(), source="127.0.0.9") as other:
        assert other.ask("GET", SOCKETIO).status == 200
    assert len(redis.keys("usher:sid:*")) == 21


def test_only_harmless_commands_are_sent_to_redis(house, pair):
    for _ in range(5):
        who(pair[1], who(pair[0]).cookie())
        open_polling(pair[0])
    stats = house.store.command("INFO", "commandstats")
    used = {name.removeprefix("cmdstat_").split("|")[0] for name in stats}
    assert not used & {"keys", "scan", "flushall", "flushdb", "publish", "config", "monitor"}, used


def test_the_database_of_the_url_is_used(house, replicas):
    redis = house.redis()
    node = house.usher(replicas, store=redis.url + "/3")
    who(node, who(node).cookie())
    wait_for(lambda: "db3" in redis.command("INFO", "keyspace"), "keys in database 3")
    assert "db0" not in redis.command("INFO", "keyspace")


def test_a_redis_that_wants_a_password_gets_it(house, replicas):
    redis = harness.Redis(house.folder, "locked", args=["--requirepass", "geheim"])
    house.keep(redis)
    redis.answers = lambda port=None: port_answers(port)  # PING is refused without the password.
    redis.start()
    node = house.usher(replicas, store=f"redis://:geheim@127.0.0.1:{redis.port}", name="with-password")
    wait_for(lambda: node.status()["store"]["state"] == "up", "the store up")
    assert "geheim" not in node.stderr + json.dumps(node.status())


def port_answers(port) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
