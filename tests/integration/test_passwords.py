"""HTTP Basic authentication of a route: who is let in, what a replica sees, and what checking costs others."""

import base64
import concurrent.futures
import contextlib
import hashlib
import os
import socket
import subprocess
import threading

import harness
import pytest
import wire
from http2 import Http2
from harness import wait_for

LISTEN = [{"address": "127.0.0.1:0", "protocols": ["h2", "http/1.1"]}]
# bcrypt of "secret" with 2^11 rounds: more than a tenth of a second.
SLOW = "$2b$11$YBE9NWmi15MSy2ZbnnY1mOEXni/u1b73w4MMITCCBn5TgEIOadldC"
# The same with 2^6 rounds: some milliseconds.
QUICK = "$2b$06$YBE9NWmi15MSy2ZbnnY1mO/EQmwAZd7H6letjPNOu/CPui1WJ48E2"
SHA = "{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()).decode()


def basic(name: str, password: str) -> list:
    return [("Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())]


JOE = basic("joe", "secret")


@pytest.fixture
def passwords(tmp_path):
    path = tmp_path / "htpasswd"
    path.write_text(f"joe:{SHA}\n")
    return path


def node_with(house, replica, passwords, *routes, **rules):
    """One worker, which must not wait; only that path has a password."""
    mine = {"path": "/whoami", "upstream": "open-webui", "basic_auth": {"realm": "Staff of $host", "file": str(passwords)}, **rules}
    settings = harness.settings_for([replica], workers=1, listen=LISTEN)
    settings["route"] = [*(route for route in settings["route"] if route["path"] != mine["path"]), mine, *routes]
    return house.usher([replica], settings=settings)


def test_who_knows_a_password_is_let_in(house, replica, passwords):
    node = node_with(house, replica, passwords, {"path": "/text", "status": 200, "body": "hello", "basic_auth": {"realm": "Staff", "file": str(passwords)}})
    with wire.Wire(node.url()) as connection:
        asked = connection.ask("GET", "/whoami", host="chat.example")
        assert asked.status == 401 and asked.header("www-authenticate") == 'Basic realm="Staff of chat.example"'
        for wrong in (basic("joe", "Secret"), basic("ann", "secret"), basic("joe", ""), [("Authorization", "Bearer secret")]):
            refused = connection.ask("GET", "/whoami", wrong)
            assert refused.status == 401 and refused.header("www-authenticate"), wrong
        for _ in range(2):
            answer = connection.ask("GET", "/whoami", JOE)
            assert answer.status == 200
            assert dict(answer.json()["headers"])["authorization"] == JOE[0][1], "it goes on to the replica, as with nginx"
        assert connection.ask("GET", "/begun").status == 200, "of a route without passwords"
        assert connection.ask("GET", "/text").status == 401 and connection.ask("GET", "/text", JOE).body == b"hello"
    line = node.await_access(lambda line: line["status"] == 401 and line.get("error"))
    assert line["error"] == "bad_password: of joe" and line["replica"] == ""


def test_a_body_that_comes_meanwhile_is_not_lost(house, replica, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text(f"joe:{SLOW}\n")
    node = node_with(house, replica, slow, path="/sink")
    with wire.Wire(node.url()) as connection:
        sent = connection.ask("POST", "/sink", JOE, os.urandom(300_000))
        assert sent.status == 200, sent
        refused = connection.ask("POST", "/sink", basic("joe", "x"), b"a body")
        assert refused.status == 401


def test_over_http2_and_for_websockets(house, replica, passwords):
    node = node_with(house, replica, passwords, path="/")
    with contextlib.closing(Http2(node.url())) as client:
        streams = [client.begin("GET", "/whoami", [("authorization", value[0][1])]) for value in (JOE, basic("joe", "x"), JOE)]
        client.until(lambda: all(client.streams[each].ended for each in streams))
        assert [client.streams[each].status for each in streams] == [200, 401, 200]
        assert client.streams[streams[1]].header("www-authenticate")
    opening = "/ws/socket.io/?EIO=4&transport=websocket"
    for headers, status in ([], b"401"), (JOE, b"101"):
        with wire.Wire(node.url()) as connection:
            connection.send(wire.handshake(opening, "".join(f"{name}: {value}\r\n" for name, value in headers).encode()))
            assert connection.read_until(b"\r\n").split()[1] == status


def test_a_slow_hash_holds_nobody_else_up(house, replica, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text(f"joe:{SLOW}\n")
    node = node_with(house, replica, slow)

    def ask(number):
        with wire.Wire(node.url()) as connection:
            return connection.ask("GET", "/whoami", basic("joe", f"wrong {number}")).status

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        guesses = [pool.submit(ask, number) for number in range(4)]
        with wire.Wire(node.url()) as connection:
            served = 0
            while not all(guess.done() for guess in guesses):
                assert connection.ask("GET", "/begun").status == 200
                served += 1
    assert [guess.result() for guess in guesses] == [401] * 4
    assert served > 8, "a worker that waited would have served one for each hash"


def test_too_many_guesses_at_a_time_are_told_so(house, replica, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text(f"joe:{SLOW}\n")
    node = node_with(house, replica, slow)
    with contextlib.ExitStack() as guesses:
        for number in range(200):
            connection = guesses.enter_context(wire.Wire(node.url()))
            connection.request("GET", "/whoami", [*basic("joe", f"wrong {number}"), ("Accept", "application/json")])
        answer = connection.response()
        assert answer.status == 503 and answer.json()["detail"] and answer.header("retry-after")
    line = node.await_access(lambda line: line["status"] == 503)
    assert line["error"] == "passwords_busy: the password of joe", line
    wait_for(lambda: node.metric("usher_errors_total", cause="passwords_busy") >= 1, "its count")


def ask_from(node, source: str, given: list) -> wire.Response:
    with wire.Wire.over(socket.create_connection(("127.0.0.1", node.port()), source_address=(source, 0)), timeout=60) as connection:
        return connection.ask("GET", "/whoami", [*given, ("Accept", "application/json")], host="chat.example")


def test_a_hundred_guessers_keep_nobody_out(house, replica, tmp_path):
    people = [f"person{number}" for number in range(25)]
    file = tmp_path / "htpasswd"
    file.write_text("".join(f"{name}:{QUICK}\n" for name in ["joe", *people]))
    node = node_with(house, replica, file)
    over = threading.Event()
    begun = [0] * 100

    def guess(number):
        while not over.is_set():
            begun[number] += 1
            ask_from(node, f"127.0.3.{number + 1}", basic("joe", f"{number}-{begun[number]}"))

    with concurrent.futures.ThreadPoolExecutor(len(begun)) as pool:
        guessers = [pool.submit(guess, number) for number in range(len(begun))]
        try:
            wait_for(lambda: min(begun) > 1, "each has guessed wrong once", timeout=60)
            statuses = [ask_from(node, "127.0.0.1", basic(name, "secret")).status for name in people]
        finally:
            over.set()
        for guesser in guessers:
            guesser.result()
    assert statuses == [200] * len(people)
    assert node.metric("usher_errors_total", cause="bad_password") >= len(begun)


def test_an_address_that_fails_waits_for_longer_and_longer(house, replica, passwords):
    passwords.write_text(f"joe:{SHA}\nann:{SHA}\n")
    node = node_with(house, replica, passwords)
    ann = basic("ann", "secret")
    source, other = "127.0.0.9", "127.0.0.10"
    assert ask_from(node, source, ann).status == 200
    assert [ask_from(node, source, basic("joe", "the same")).status for _ in range(50)] == [401] * 50, "one guess"
    for number in range(5):
        assert ask_from(node, source, basic("joe", f"wrong {number}")).status == 401

    def wait_told_before(guess) -> int:
        """The longest that is asked for until the guess is looked at."""
        told = [0]

        def looked_at():
            answer = ask_from(node, source, guess)
            told.append(int(answer.header("retry-after") or 0))
            return answer.status == 401

        wait_for(looked_at, "its next guess", timeout=60)
        return max(told)

    waits = [wait_told_before(basic("joe", f"later {number}")) for number in range(3)]
    assert 0 < waits[0] <= 1 < waits[1] <= 2 < waits[2] <= 4
    refused = ask_from(node, source, JOE)
    assert refused.status == 429 and refused.json()["detail"], "the right one is not even looked at"
    assert ask_from(node, source, ann).status == 200, "this one is remembered"
    assert ask_from(node, other, basic("joe", "wrong")).status == 401
    line = node.await_access(lambda line: line["status"] == 429)
    assert line["error"] == "passwords_busy: 6 wrong passwords from this address"
    wait_for(lambda: ask_from(node, source, JOE).status == 200, "whoever waits gets in", timeout=60)


def test_a_file_that_has_changed_is_read_again(house, replica, passwords):
    node = node_with(house, replica, passwords)
    ask = lambda given: wire.fetch(node.url() + "/whoami", headers=given).status  # noqa: E731
    assert ask(JOE) == 200
    other = passwords.with_suffix(".new")
    other.write_text("joe:{PLAIN}changed\n")
    other.rename(passwords)
    wait_for(lambda: ask(basic("joe", "changed")) == 200, "the new password")
    wait_for(lambda: ask(JOE) == 401, "what each worker remembered of the old one is worth nothing")


@pytest.mark.parametrize(
    ("rules", "without", "with_password"),
    [
        ({"deny": ["127.0.0.0/8"]}, 403, 403),
        ({"allow": ["127.0.0.0/8"]}, 401, 200),
        ({"allow": ["127.0.0.0/8"], "satisfy": "any"}, 200, 200),
        ({"allow": ["10.0.0.0/8"], "satisfy": "any"}, 401, 200),
        ({"deny": ["127.0.0.0/8"], "satisfy": "any"}, 401, 200),
        ({"satisfy": "any"}, 401, 200),
        ({"basic_auth": {"realm": "$spared", "file": "FILE"}}, 200, 200),
    ],
)
def test_networks_and_passwords_together(house, replica, passwords, rules, without, with_password):
    if "basic_auth" in rules:
        rules = {"basic_auth": {**rules["basic_auth"], "file": str(passwords)}}
    mine = {"path": "/whoami", "upstream": "open-webui", "basic_auth": {"realm": "Staff", "file": str(passwords)}, **rules}
    spared = {"name": "spared", "source": "$remote_addr", "default": "Staff", "entry": [{"match": "127.0.0.1", "value": "off"}]}
    settings = harness.settings_for([replica], map=[spared])
    settings["route"].append(mine)
    node = house.usher([replica], settings=settings)
    assert wire.fetch(node.url() + "/whoami").status == without
    assert wire.fetch(node.url() + "/whoami", headers=JOE).status == with_password


def test_without_the_file_nothing_is_good(tmp_path):
    path = tmp_path / "usher.toml"
    path.write_text(harness.toml({"route": [{"path": "/", "status": 404, "basic_auth": {"realm": "Staff", "file": str(tmp_path / "none")}}]}))
    checked = subprocess.run([harness.usher_binary(), "check", "-c", path], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 1 and str(tmp_path / "none") in checked.stderr
