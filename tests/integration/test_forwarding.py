"""What a replica is told about the client, and what no client can make it believe."""

import json
import re

import pytest
import wire
from websockets.sync.client import connect

IDENTITY = [
    "X-Forwarded-Email",
    "X-Forwarded-User",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-User-Email",
    "X-Auth-Request-Email",
    "Remote-User",
    "Tailscale-User-Login",
    "Cf-Access-Authenticated-User-Email",
]


def told(url: str, headers=(), host=None) -> dict:
    """What the replica was told: header name -> list of values."""
    answer = wire.fetch(url + "/whoami", headers=headers, host=host).json()
    found = {"client": answer["client"][0], "scheme": answer["scheme"]}
    for name, value in answer["headers"]:
        found.setdefault(name, []).append(value)
    return found


def test_x_forwarded_for_is_the_peer(node):
    seen = told(node.url())
    assert seen["x-forwarded-for"] == ["127.0.0.1"] and seen["client"] == "127.0.0.1"


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR"])
def test_a_forged_x_forwarded_for_changes_nothing(node, name):
    seen = told(node.url(), [(name, "6.6.6.6"), (name, "7.7.7.7, 8.8.8.8")])
    assert seen["x-forwarded-for"] == ["127.0.0.1"] and seen["client"] == "127.0.0.1"


def test_a_forged_real_ip_or_forwarded_header_changes_nothing(node):
    seen = told(node.url(), [("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6;proto=https;host=evil")])
    assert "6.6.6.6" not in json.dumps(seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_x_forwarded_proto_is_how_the_client_came(node, scheme):
    forged = "https" if scheme == "http" else "http"
    seen = told(node.url(scheme), [("X-Forwarded-Proto", forged)])
    assert seen["x-forwarded-proto"] == [scheme] and seen["scheme"] == scheme


def test_x_forwarded_host_is_the_host_that_was_asked_for(node):
    seen = told(node.url(), [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Port", "666")], host="chat.example.org:8443")
    assert seen["x-forwarded-host"] == ["chat.example.org:8443"]
    assert "666" not in seen.get("x-forwarded-port", [])


def test_a_trusted_peer_is_believed(house, replica):
    node = house.usher([replica], name="trusting", forwarded={"trusted": ["127.0.0.0/8"]})
    seen = told(node.url(), [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "chat.example.org")])
    assert seen["client"] == "203.0.113.9" and seen["scheme"] == "https"
    assert seen["x-forwarded-host"] == ["chat.example.org"]


def test_a_proxy_in_front_may_have_a_header_of_its_own(house, replica):
    trusted = {"trusted": ["127.0.0.0/8"], "client_header": "CF-Connecting-IP"}
    node = house.usher([replica], name="trusting", forwarded=trusted)
    said = [("CF-Connecting-IP", "203.0.113.9"), ("X-Forwarded-For", "6.6.6.6"), ("X-Real-IP", "7.7.7.7")]
    seen = told(node.url(), said)
    assert seen["client"] == "203.0.113.9"
    assert seen["x-forwarded-for"] == ["203.0.113.9, 127.0.0.1"] and seen["x-real-ip"] == ["203.0.113.9"]
    assert told(node.url(), said[1:])["x-real-ip"] == ["127.0.0.1"]


def test_behind_a_trusted_peer_a_client_still_cannot_choose_its_address(house, replica):
    """The client wrote 6.6.6.6; the trusted proxy appended where it really came from."""
    node = house.usher([replica], name="trusting", forwarded={"trusted": ["127.0.0.0/8"]})
    assert told(node.url(), [("X-Forwarded-For", "6.6.6.6, 203.0.113.9")])["client"] == "203.0.113.9"


def test_a_peer_outside_the_trusted_networks_is_not_believed(house, replica):
    node = house.usher([replica], name="elsewhere", forwarded={"trusted": ["10.0.0.0/8"]})
    assert told(node.url(), [("X-Forwarded-For", "203.0.113.9")])["client"] == "127.0.0.1"


@pytest.mark.parametrize("name", IDENTITY)
def test_identity_headers_of_clients_are_removed(node, name):
    seen = told(node.url(), [(name, "admin@example.org"), (name.lower(), "second"), (name.upper(), "third")])
    assert name.lower() not in seen


def test_underscores_do_not_carry_an_identity_past(node):
    seen = told(node.url(), [("X_Forwarded_Email", "admin@example.org")])
    assert "x-forwarded-email" not in seen


def test_the_operators_own_list_is_stripped(house, replica):
    node = house.usher([replica], name="own", forwarded={"strip": ["X-Acme-Mail"]})
    assert "x-acme-mail" not in told(node.url(), [("X-Acme-Mail", "admin@example.org")])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_websocket_handshake_carries_no_forged_identity(node, scheme):
    forged = {"X-Forwarded-Email": "admin@example.org", "X-Forwarded-For": "6.6.6.6", "X-User-Email": "a@b", "Remote-User": "root"}
    url = node.url(scheme).replace("http", "ws", 1) + "/api/v1/terminals/x/api/terminals/y"
    with connect(url, additional_headers=forged, ssl=wire.unverified() if scheme == "https" else None) as socket:
        socket.send("headers?")
        headers = json.loads(socket.recv(timeout=10))
    names = [name for name, _ in headers]
    assert not {"x-forwarded-email", "x-user-email", "remote-user"} & set(names)
    assert [value for name, value in headers if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert [value for name, value in headers if name == "x-forwarded-proto"] in ([scheme], [scheme.replace("http", "ws", 1)])


def test_a_connection_header_cannot_remove_what_usher_adds(node):
    seen = told(node.url(), [("Connection", "close, X-Forwarded-For, X-Forwarded-Proto, Host")])
    assert seen["x-forwarded-for"] == ["127.0.0.1"] and seen["x-forwarded-proto"] == ["http"]


def test_a_request_id_is_made_and_logged(node):
    seen = told(node.url())
    (identity,) = seen["x-request-id"]
    assert re.fullmatch(r"[0-9a-zA-Z_-]{16,}", identity)
    assert node.await_access(lambda line: line["path"] == "/whoami")["request_id"] == identity
    assert told(node.url())["x-request-id"] != [identity]


def test_a_request_id_that_came_is_passed_on(node):
    assert told(node.url(), [("X-Request-Id", "trace-42")])["x-request-id"] == ["trace-42"]
    assert node.await_access(lambda line: line["request_id"] == "trace-42")


def test_behind_a_balancer_that_ends_tls_nobody_is_sent_to_https_again(house, replica):
    listen = [{"address": "127.0.0.1:0", "redirect_to_https": True}, {"address": "127.0.0.1:0", "tls": True}]
    by_balancer = [("X-Forwarded-Proto", "https")]
    trusting = house.usher([replica], name="trusting", listen=listen, forwarded={"trusted": ["127.0.0.1"]})
    assert wire.fetch(trusting.url() + "/whoami", headers=by_balancer).status == 200
    assert wire.fetch(trusting.url() + "/whoami", headers=[("X-Forwarded-Proto", "http")]).status == 301
    assert wire.fetch(trusting.url() + "/whoami").status == 301
    alone = house.usher([replica], name="alone", listen=listen)
    assert wire.fetch(alone.url() + "/whoami", headers=by_balancer).status == 301, "a client may say anything"


def test_the_header_of_a_proxy_is_believed_from_it_and_taken_away_from_others(house, replica):
    said = [("CF-Connecting-IP", "203.0.113.9")]
    alone = house.usher([replica], name="alone", forwarded={"client_header": "CF-Connecting-IP"})
    assert "cf-connecting-ip" not in told(alone.url(), said)
    behind = house.usher([replica], name="behind", forwarded={"client_header": "CF-Connecting-IP", "trusted": ["127.0.0.1"]})
    seen = told(behind.url(), said)
    assert seen["cf-connecting-ip"] == ["203.0.113.9"] and seen["x-forwarded-for"] == ["203.0.113.9, 127.0.0.1"]


def test_further_identity_headers_stand_beside_the_usual_ones(house, replica):
    node = house.usher([replica], forwarded={"strip_also": ["X-Our-User"]})
    seen = told(node.url(), [("X-Our-User", "joe"), ("X_Our_User", "joe"), *((name, "joe") for name in IDENTITY)])
    assert "joe" not in json.dumps(seen)


def test_the_cookie_comes_back_in_a_frame_of_another_site_if_that_is_wanted(house, replica):
    node = house.usher([replica], affinity={"same_site": "none"})
    assert wire.fetch(node.url("https") + "/whoami").header("set-cookie").endswith("; Path=/; HttpOnly; SameSite=None; Secure; Partitioned")
    assert wire.fetch(node.url() + "/whoami").header("set-cookie").endswith("; Path=/; HttpOnly; SameSite=Lax")
