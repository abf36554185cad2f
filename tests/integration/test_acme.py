"""ACME's HTTP challenges: what one node is given, every node answers, before any redirect."""

import subprocess
import time
import urllib.error
import urllib.request

import fakes
import harness
import pytest
import wire
from harness import wait_for
from homes import watching

TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
ANSWER = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
PATH = "/.well-known/acme-challenge/"
REDIRECTING = [{"address": "127.0.0.1:0", "redirect_to_https": True}, {"address": "127.0.0.1:0", "tls": True}]


def order(node, method: str, token: str = TOKEN, body: str = "") -> int:
    request = urllib.request.Request(node.admin + "/api/acme/" + token, method=method, data=body.encode() if body else None, headers={"X-Usher-Admin": "1"})
    try:
        with urllib.request.urlopen(request, timeout=10 * harness.patience()) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def command(node, *arguments: str):
    line = [harness.usher_binary(), "acme-token", *arguments, "--admin", node.admin]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


def is_the_replicas(answer) -> bool:
    """As that of any other path: it knows no such page."""
    return answer.status == 404 and answer.header("server") == "uvicorn"


def test_any_node_answers_what_another_was_given(house, replica):
    redis = house.redis()
    one, two = (house.usher([replica], store=redis.url, name=name, listen=REDIRECTING) for name in ("one", "two"))
    assert wire.fetch(two.url() + PATH + TOKEN).status == 301
    assert order(one, "PUT", body=ANSWER) == 200
    wait_for(lambda: wire.fetch(two.url() + PATH + TOKEN).status == 200, "the other node has it, a second later")
    for node in (one, two):
        for url in (node.url(), node.url("https")):
            got = wire.fetch(url + PATH + TOKEN)
            assert (got.status, got.body) == (200, ANSWER.encode()) and got.cookie() is None
        assert wire.fetch(node.url() + PATH + TOKEN, "HEAD").header("content-length") == str(len(ANSWER))
        assert wire.fetch(node.url() + PATH + TOKEN, "POST", body=b"x").status == 301
        assert wire.fetch(node.url() + PATH + "other").status == 301
    assert order(two, "DELETE") == 200
    assert wire.fetch(one.url() + PATH + TOKEN).status == 301
    assert is_the_replicas(wire.fetch(one.url("https") + PATH + TOKEN))


def test_the_command_is_what_a_hook_calls(house, replica):
    node = house.usher([replica])
    done = command(node, TOKEN, ANSWER)
    assert done.returncode == 0, done.stderr
    assert wire.fetch(node.url() + PATH + TOKEN).body == ANSWER.encode()
    assert command(node, TOKEN, "--remove").returncode == 0
    assert wire.fetch(node.url() + PATH + TOKEN).body != ANSWER.encode()
    for wrong in ([TOKEN, "of-another.x"], ["a/b", "a/b.x"]):
        refused = command(node, *wrong)
        assert refused.returncode == 1 and refused.stderr, wrong


@pytest.mark.parametrize(
    ("method", "token", "body", "status"),
    [
        ("PUT", TOKEN, ANSWER + "\n", 200),
        ("POST", TOKEN, ANSWER, 200),
        ("PUT", TOKEN, "", 400),
        ("PUT", TOKEN, "<script>", 400),
        ("PUT", TOKEN, "other." + ANSWER, 400),
        ("PUT", "a.b", "a.b.c", 400),
        ("PUT", TOKEN, "x" * 5000, 413),
        ("DELETE", "%2e", "", 400),
        ("GET", TOKEN, "", 405),
    ],
)
def test_only_key_authorizations_are_taken(house, replica, method, token, body, status):
    assert order(house.usher([replica]), method, token, body) == status


def test_a_store_that_is_away_is_told_to_the_hook_and_stops_nobody(house, replica):
    nowhere = house.fake(fakes.RefusesConnections())
    node = house.usher([replica], store=f"redis://{nowhere.address}")
    assert order(node, "PUT", body=ANSWER) == 503
    assert is_the_replicas(wire.fetch(node.url() + PATH + TOKEN))
    silent = house.usher([replica], store=house.fake(fakes.RedisSilent()).url, name="silent")
    assert order(silent, "PUT", body=ANSWER) == 503
    assert is_the_replicas(wire.fetch(silent.url() + PATH + TOKEN))


def test_the_store_is_asked_when_the_limits_of_the_route_are_passed_and_once_in_a_moment(house, replica):
    redis = house.redis()
    settings = {
        "rate_zone": [{"name": "one", "key": "$binary_remote_addr", "rate": "1r/m"}],
        "route": [{"host": "*", "path": "/", "upstream": "open-webui", "rate_limits": ["one burst=9 nodelay"]}],
    }
    node = house.usher([replica], store=redis.url, listen=REDIRECTING, **settings)
    wait_for(lambda: node.status()["store"]["state"] == "up", "the store up")
    with watching(redis) as watch:
        answers = [wire.fetch(node.url() + PATH + f"token{number}").status for number in range(30)]
        assert answers == [301] * 10 + [429] * 20
        assert len(watch.about("acme")) == 10
    other = house.usher([replica], store=redis.url, listen=REDIRECTING, name="other")
    with watching(redis) as watch:
        began = time.monotonic()
        for _ in range(100):
            assert wire.fetch(other.url() + PATH + TOKEN).status == 301
        assert 1 <= len(watch.about("acme")) <= 2 * (2 + time.monotonic() - began)
    # It has been asked for just now; what this node is given is answered at once all the same.
    assert order(other, "PUT", body=ANSWER) == 200
    assert wire.fetch(other.url() + PATH + TOKEN).body == ANSWER.encode()
