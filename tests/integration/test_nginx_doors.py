"""Who comes in where, and as whom: servers told apart by their address, trust, unix sockets and odd header names.
nginx and usher are given the same file and asked the same."""

import contextlib
import json
import socket

import nginx_files
import pytest
import wire
from nginx_files import both

pytestmark = pytest.mark.skipif(not nginx_files.have_nginx(), reason="no nginx to compare with")

FORGED = [("X-Forwarded-For", "10.0.0.1")]


@pytest.fixture
def echo():
    made = nginx_files.Echo()
    yield made
    made.close()


def connected(where, port: int) -> socket.socket:
    if str(where).startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(where))
        return made
    return socket.create_connection((str(where), port))


def ask(where, port: int, target: str = "/", headers=(), host: str = "nobody"):
    """A response of that address, or of that unix socket."""
    with contextlib.closing(wire.Wire.over(connected(where, port))) as connection:
        return connection.ask("GET", target, [*headers, ("Connection", "close")], host=host)


def compare(ports, question) -> list:
    """question(port, number) of nginx, and of usher, which must be the same."""
    theirs, ours = (question(port, number) for number, port in enumerate(ports))
    assert theirs == ours
    return ours


def sockets(tmp_path, name: str = "socket"):
    return [tmp_path / server / name for server in ("nginx", "usher")]


# --- Where -------------------------------------------------------------------------------------------


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def test_an_internal_server_answers_at_its_own_address_alone(house, tmp_path):
    text = """
        server { listen PORT; server_name public; return 200 "public"; }
        server { listen 127.0.0.1:PORT; server_name internal; return 200 "internal"; }
        server { listen 127.0.0.2:PORT; server_name second; return 200 "second"; }
        server { listen 127.0.0.2:PORT default_server; server_name third; return 200 "third"; }
        server { listen 127.0.0.3:PORT; server_name public; return 200 "public, inside"; }
        server { listen unix:FOLDER/socket; server_name local; return 200 "local"; }"""
    wheres = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
    with both(house, tmp_path, text) as ports:
        said = {}
        for where in wheres:
            for host in ("public", "internal", "second", "third", "local", "nobody"):
                said[where, host] = compare(ports, lambda port, _, at=where, name=host: ask(at, port, host=name).body)
        assert set(said.values()) == {b"public", b"internal", b"second", b"third", b"public, inside"}
        assert said["127.0.0.4", "internal"] == b"public" and said["127.0.0.1", "public"] == b"internal"
        for host in ("public", "local"):
            assert compare(ports, lambda port, number, name=host: ask(sockets(tmp_path)[number], port, host=name).body) == b"local"


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv4_and_ipv6_may_have_servers_of_their_own(house, tmp_path):
    text = """
        server { listen PORT; listen [::]:PORT; server_name both; return 200 "both"; }
        server { listen PORT; server_name four; return 200 "four"; }
        server { listen [::]:PORT default_server; server_name six; return 200 "six"; }
        server { listen [::1]:PORT; server_name exact; return 200 "exact"; }"""
    text = text.replace('server { listen [::1]:PORT; server_name exact; return 200 "exact"; }', "")
    with both(house, tmp_path, text) as ports:
        said = {
            (where, host): compare(ports, lambda port, _, at=where, name=host: ask(at, port, host=name).body)
            for where in ("127.0.0.1", "::1")
            for host in ("both", "four", "six", "nobody")
        }
        assert said["::1", "four"] == b"six" and said["127.0.0.1", "six"] == b"both"


# --- As whom -----------------------------------------------------------------------------------------


def seen(answer) -> tuple:
    """The status, and what the replica was told of the client."""
    told = {name.lower(): value for name, value in json.loads(answer.body)["headers"]} if answer.status == 200 else {}
    return answer.status, told.get("x-seen")


def test_each_server_and_location_has_its_own_trust(house, tmp_path, echo):
    to_replica = f"proxy_pass http://{echo.address}; proxy_set_header Host $host; proxy_set_header X-Seen $remote_addr;"
    text = f"""
        client_max_body_size 0;
        server {{ listen 127.0.0.1:PORT; server_name trusting; set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;
            location / {{ {to_replica} }}
            location /inside/ {{ allow 10.0.0.1; deny all; {to_replica} }} }}
        server {{ listen 127.0.0.1:PORT; server_name strict;
            location / {{ {to_replica} }}
            location /inside/ {{ allow 10.0.0.1; deny all; {to_replica} }}
            location /believing/ {{ set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP; allow 10.0.0.1; deny all; {to_replica} }} }}
        server {{ listen 127.0.0.1:PORT; server_name other; set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8;
            real_ip_header CF-Connecting-IP; real_ip_recursive on; location / {{ {to_replica} }} }}
        server {{ listen 127.0.0.1:PORT; server_name elsewhere; set_real_ip_from 192.0.2.1; real_ip_header X-Forwarded-For; location / {{ {to_replica} }} }}"""
    fields = [[], FORGED, [("X-Real-IP", "10.0.0.1")], [("CF-Connecting-IP", "203.0.113.7, 10.1.1.1")], [("X-Forwarded-For", "203.0.113.9, 10.0.0.1")]]
    with both(house, tmp_path, text) as ports:
        results = {}
        for host in ("trusting", "strict", "other", "elsewhere"):
            for path in ("/x", "/inside/x", "/believing/x"):
                for number, each in enumerate(fields):
                    results[host, path, number] = compare(ports, lambda port, _, at=(host, path, each): seen(ask("127.0.0.1", port, at[1], at[2], at[0])))
        assert results["trusting", "/inside/x", 1] == (200, "10.0.0.1")
        assert results["strict", "/inside/x", 1] == (403, None), "the trust of another server opens nothing here"
        assert results["strict", "/believing/x", 2] == (200, "10.0.0.1")
        assert results["strict", "/believing/x", 1] == (403, None)
        assert results["other", "/x", 3] == (200, "203.0.113.7")
        assert results["elsewhere", "/x", 1] == (200, "127.0.0.1")


def test_clients_of_a_unix_socket_are_asked_for_as_with_nginx(house, tmp_path, echo):
    to_replica = f"proxy_pass http://{echo.address}; proxy_set_header Host $host; proxy_set_header X-Seen $remote_addr;"
    rules = {
        "/none/": "deny all;",
        "/some/": "allow 10.0.0.1; deny all;",
        "/unix/": "allow unix:; deny all;",
        "/but/": "deny unix:;",
        "/order/": "deny unix:; allow all;",
        "/world/": "deny 0.0.0.0/0; deny ::/0;",
        "/open/": "",
    }
    locations = "".join(f"location {path} {{ {says} {to_replica} }}\n" for path, says in rules.items())
    text = f"""
        client_max_body_size 0;
        server {{ listen 127.0.0.1:PORT; listen unix:FOLDER/socket; {locations} }}
        server {{ listen unix:FOLDER/trusted; set_real_ip_from unix:; real_ip_header X-Forwarded-For; {locations} }}"""
    with both(house, tmp_path, text) as ports:
        results = {}
        for name in ("socket", "trusted"):
            for path in rules:
                for number, each in enumerate([[], FORGED, [("X-Forwarded-For", "192.0.2.1")]]):

                    def question(port, server, at=(name, path, each)):
                        return seen(ask(sockets(tmp_path, at[0])[server], port, at[1] + "x", at[2]))

                    results[name, path, number] = compare(ports, question)
        for path in rules:
            compare(ports, lambda port, _, at=path: seen(ask("127.0.0.1", port, at + "x")))
        assert results["socket", "/none/", 0] == results["socket", "/some/", 1] == (403, None)
        assert results["socket", "/unix/", 0] == (200, "unix:") and results["socket", "/but/", 0] == (403, None)
        assert results["socket", "/world/", 0] == (200, "unix:")
        assert results["trusted", "/some/", 1] == (200, "10.0.0.1") and results["trusted", "/some/", 2] == (403, None)


def test_clients_behind_a_trusted_socket_have_a_rate_each(house, tmp_path, echo):
    """Of one that is not trusted there is one client, as with nginx."""
    text = f"""
        client_max_body_size 0;
        limit_req_zone $remote_addr zone=z:1m rate=1r/m; limit_req_status 429;
        limit_req_zone $binary_remote_addr zone=y:1m rate=1r/m;
        server {{ listen 127.0.0.1:PORT; return 204; }}
        server {{ listen unix:FOLDER/socket; location / {{ limit_req zone=z; proxy_pass http://{echo.address}; proxy_set_header Host $host; }}
            location /binary {{ limit_req zone=y; proxy_pass http://{echo.address}; proxy_set_header Host $host; }} }}
        server {{ listen unix:FOLDER/trusted; set_real_ip_from unix:; real_ip_header X-Forwarded-For;
            location / {{ limit_req zone=z; proxy_pass http://{echo.address}; proxy_set_header Host $host; }} }}"""
    clients = [[("X-Forwarded-For", f"192.0.2.{number}")] for number in (1, 2, 1)]
    with both(house, tmp_path, text) as ports:
        for name, path, expected in (("socket", "/", [200, 429, 429]), ("socket", "/binary", [200, 429, 429]), ("trusted", "/", [200, 200, 429])):

            def question(port, server, at=(name, path)):
                return [ask(sockets(tmp_path, at[0])[server], port, at[1], each).status for each in clients]

            assert compare(ports, question) == expected, name


# --- With which headers ------------------------------------------------------------------------------

ODD = ["X-User", "X_User", "X.User", "X!User", "x_user", "X-Other", "X_Other", "X.Other", "X~Other", "Content.Type", "X-Plain9"]


@pytest.mark.parametrize("says", ["", "underscores_in_headers on;", "ignore_invalid_headers off;", "underscores_in_headers on; ignore_invalid_headers off;"])
def test_odd_header_names_go_the_way_that_nginx_sends_them(house, tmp_path, echo, says):
    text = f"""
        client_max_body_size 0;
        server {{ listen 127.0.0.1:PORT; {says} location / {{ proxy_pass http://{echo.address}; proxy_set_header Host $host;
            proxy_set_header X-User ""; proxy_set_header X-Made "$http_x_other"; }} }}"""

    def question(port, _):
        told = json.loads(ask("127.0.0.1", port, headers=[(name, "a") for name in ODD]).body)["headers"]
        # usher takes every name that CGI would take for the one that is set.
        return sorted((name, value) for name, value in told if name in (*ODD, "X-Made") and (name.lower()[0], name.lower()[2:]) != ("x", "user"))

    with both(house, tmp_path, text) as ports:
        passed = compare(ports, question)
        assert ("X_Other", "a") in passed if says else ("X_Other", "a") not in passed
        told = json.loads(ask("127.0.0.1", ports[1], headers=[(name, "a") for name in ODD]).body)["headers"]
        assert not [name for name, _ in told if name.lower().endswith("user")]
