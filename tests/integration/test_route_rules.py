"""What a route does beyond choosing replicas: answers of its own, who may use it, headers, and another path."""

import subprocess

import fakes
import harness
import pytest
import wire


def node_with(house, replica, *routes, **more):
    rest = {"path": "/", "upstream": "open-webui"}
    return house.usher(settings=harness.settings_for([replica], route=[*routes, rest], **more))


def test_headers_are_set_from_variables_for_the_replica(house, replica):
    rules = {
        "path": "/whoami",
        "upstream": "open-webui",
        "set_headers": {
            "X-Who": "$remote_addr:$scheme:$request_method",
            "X-Where": "${host}$request_uri",
            "X-Asked": "$http_x_asked/$arg_a/$cookie_c",
            "Authorization": "",
            "X-Forwarded-Proto": "https",
        },
    }
    node = node_with(house, replica, rules)
    asked = [("Authorization", "Bearer 1"), ("X-Asked", "yes"), ("Cookie", "b=1; c=2"), ("X-Who", "forged")]
    told = wire.fetch(node.url() + "/whoami?a=%0d%0a", headers=asked, host="Chat.example:81").json()
    seen = {name: value for name, value in told["headers"]}
    assert seen["x-who"] == "127.0.0.1:http:GET"
    assert seen["x-where"] == "chat.example/whoami?a=%0d%0a"
    assert seen["x-asked"] == "yes/%0d%0a/2"
    assert seen["x-forwarded-proto"] == "https" and "authorization" not in seen
    assert seen["host"] == "Chat.example:81"


def test_the_host_that_a_replica_is_told_may_be_set(house, replica):
    node = node_with(house, replica, {"path": "/whoami", "upstream": "open-webui", "set_headers": {"Host": "inner.example"}})
    seen = dict(wire.fetch(node.url() + "/whoami", host="outer.example").json()["headers"])
    assert seen["host"] == "inner.example" and seen["x-forwarded-host"] == "outer.example"


def test_a_decoded_path_cannot_add_a_header(house, replica):
    node = node_with(house, replica, {"path": "/go", "redirect": "https://example.org$uri", "redirect_status": 301})
    answer = wire.fetch(node.url() + "/go/%0d%0aSet-Cookie:%20a=1")
    assert answer.status == 301 and answer.header("location") == "https://example.org/go/%0D%0ASet-Cookie: a=1"
    assert answer.all("set-cookie") == []


def test_response_headers_are_added_and_removed(house, replica):
    rules = {
        "path": "/",
        "upstream": "open-webui",
        "add_headers": {"X-Always": "$status", "X-Twice": ["1", "2"]},
        "add_headers_on_success": {"X-Good": "yes"},
        "remove_headers": ["Content-Type"],
    }
    node = house.usher(settings=harness.settings_for([replica], route=[rules, {"path": "/gone", "status": 410, "add_headers": {"X-Own": "1"}}]))
    good = wire.fetch(node.url() + "/whoami")
    assert good.header("x-always") == "200" and good.all("x-twice") == ["1", "2"] and good.header("x-good") == "yes"
    assert good.header("content-type") is None and good.cookie()
    assert wire.fetch(node.url() + "/gone").header("x-own") == "1"


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"deny": ["127.0.0.0/8"]}, 403),
        ({"allow": ["10.0.0.0/8"]}, 403),
        ({"allow": ["127.0.0.1"]}, 200),
        ({"allow": ["127.0.0.0/8"], "deny": ["127.0.0.1"]}, 403),
        ({"deny": ["10.0.0.0/8"]}, 200),
    ],
)
def test_networks_are_allowed_and_denied(house, replica, rules, status):
    node = node_with(house, replica, {"path": "/whoami", "upstream": "open-webui", **rules})
    # However the path is written that the replica would read as this one.
    for path in ("/whoami", "/%77hoami", "/x/../whoami", "//whoami") if status == 403 else ("/whoami",):
        assert wire.fetch(node.url() + path).status == status, path


def test_who_is_denied_is_whom_a_trusted_proxy_names(house, replica):
    rules = {"path": "/whoami", "upstream": "open-webui", "deny": ["192.0.2.0/24"]}
    node = node_with(house, replica, rules, forwarded={"trusted": ["127.0.0.0/8"]})
    assert wire.fetch(node.url() + "/whoami", headers=[("X-Forwarded-For", "192.0.2.7")]).status == 403
    assert wire.fetch(node.url() + "/whoami", headers=[("X-Forwarded-For", "198.51.100.7")]).status == 200


def test_a_route_answers_with_a_text(house, replica):
    node = node_with(
        house,
        replica,
        {"path": "/text", "match": "exact", "status": 200, "body": "it is $host\n", "access_log": False},
        {"path": "^/user/(?<name>[a-z]+)$", "match": "regex", "status": 201, "body": '{"name":"$name"}', "content_type": "application/json"},
    )
    answer = wire.fetch(node.url() + "/text", host="chat.example")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"it is chat.example\n", "text/plain")
    answer = wire.fetch(node.url() + "/user/joe")
    assert (answer.status, answer.json(), answer.header("content-type")) == (201, {"name": "joe"}, "application/json")
    wire.fetch(node.url() + "/whoami")
    lines = harness.wait_for(lambda: [line["path"] for line in harness.json_lines(node.stdout_path) if "path" in line], "an access log")
    assert "/text" not in lines


def test_a_map_makes_a_variable_of_others(house, replica):
    maps = [
        {"name": "tool", "source": "$http_user_agent", "default": "a browser", "entry": [
            {"match": "", "value": "nobody"},
            {"match": "~*(?<name>curl|wget)/(\\d+)", "value": "$name $2 of ${site}"},
        ]},
        {"name": "site", "source": "$host", "hostnames": True, "entry": [{"match": "*.example.org", "value": "us"}, {"match": "www.*", "value": "www"}]},
        {"name": "outcome", "source": "$status", "default": "fair", "entry": [{"match": "~^[45]", "value": ""}]},
    ]  # fmt: skip
    node = node_with(
        house,
        replica,
        {"path": "/whoami", "upstream": "open-webui", "set_headers": {"X-Tool": "$tool", "X-Site": "$site"}, "add_headers": {"X-Outcome": "$outcome"}},
        {"path": "/gone", "status": 410, "body": "$tool\n", "add_headers": {"X-Outcome": "$outcome"}},
        map=maps,
    )
    answer = wire.fetch(node.url() + "/whoami", headers=[("User-Agent", "CURL/8.1")], host="chat.EXAMPLE.org:80")
    seen = dict(answer.json()["headers"])
    assert (seen["x-tool"], seen["x-site"], answer.header("x-outcome")) == ("CURL 8 of us", "us", "fair")
    seen = dict(wire.fetch(node.url() + "/whoami", headers=[("User-Agent", "Mozilla"), ("X-Site", "forged")], host="example.org").json()["headers"])
    assert seen["x-tool"] == "a browser" and "x-site" not in seen
    gone = wire.fetch(node.url() + "/gone", headers=[("User-Agent", "")], host="www.example.com")
    assert gone.status == 410 and gone.body == b"nobody\n" and gone.header("x-outcome") is None


def test_the_replica_may_be_asked_for_another_path(house, replica):
    node = node_with(house, replica, {"path": "/inner/", "match": "prefix", "upstream": "open-webui", "replace_path": "/"})
    assert wire.fetch(node.url() + "/inner/whoami?x=1").json()["replica"]
    line = harness.wait_for(lambda: [line for line in harness.json_lines(node.stdout_path) if line.get("path") == "/inner/whoami"], "the line of what was asked")
    assert line[0]["status"] == 200


def test_444_closes_the_connection_without_an_answer(house, replica):
    node = node_with(house, replica, {"path": "/closed", "status": 444})
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/closed")
        assert connection.receive() == b""


def test_a_route_says_how_often_a_request_is_sent(house, replica):
    """A GET is sent again when its replica closes without an answer, unless one attempt is all it has."""
    fake = house.fake(fakes.ClosesUnanswered())
    once = {"path": "/once", "upstream": "open-webui", "attempts": 1}
    node = house.usher(settings=harness.settings_for([fake], route=[once, {"path": "/", "upstream": "open-webui"}]), wait=False)
    node.await_replicas(1)
    for path, attempts in (("/once", 1), ("/twice", 2)):
        assert wire.fetch(node.url() + path, headers=[("Accept", "application/json")]).status == 502
        assert node.await_access(lambda line, path=path: line["path"] == path)["attempts"] == attempts


def test_a_kept_connection_that_is_over_is_no_attempt(house):
    fake = house.fake(fakes.ClosesOnReuse())
    rules = {"path": "/", "upstream": "open-webui", "attempts": 1}
    node = house.usher(settings=harness.settings_for([fake], workers=1, route=[rules]), wait=False).await_replicas(1)
    with wire.Wire(node.url()) as connection:
        assert [connection.ask("GET", "/").body for _ in range(3)] == [b"fresh"] * 3


def test_redirects_and_cookies_of_a_replica_are_put_in_other_words(house):
    answer = (
        b"HTTP/1.1 302 Found\r\nLocation: http://inner:8080/x?y\r\nSet-Cookie: a=1; Domain=inner; Path=/app/z\r\n"
        b"Set-Cookie: b=2; Path=/\r\nContent-Length: 0\r\n\r\n"
    )
    rules = {
        "path": "/",
        "upstream": "open-webui",
        "rewrite_location": [{"from": "~^http://inner:(\\d+)(?<rest>.*)$", "to": "https://$host/p$1$rest"}],
        "rewrite_cookie_domain": [{"from": "inner", "to": "$host"}],
        "rewrite_cookie_path": [{"from": "/app/", "to": "/"}],
        "cookie_flags": ["b secure samesite=lax"],
    }
    fake = house.fake(fakes.Says(answer))
    node = house.usher(settings=harness.settings_for([fake], route=[rules]), wait=False).await_replicas(1)
    said = wire.fetch(node.url() + "/x", host="chat.example")
    assert said.header("Location") == "https://chat.example/p8080/x?y"
    cookies = [value for name, value in said.headers if name.lower() == "set-cookie"]
    assert cookies[:2] == ["a=1; Domain=chat.example; Path=/z", "b=2; Path=/; Secure; SameSite=Lax"]
    assert len(cookies) == 3 and cookies[2].startswith("usher="), "usher's own stays as it is"


def test_a_rule_that_cannot_be_is_refused_with_its_place(house, tmp_path):
    path = tmp_path / "usher.toml"
    rules = '[[route]]\nupstream = "open-webui"\n{}\n'
    for text, error in (
        ('cookie_flags = ["a crisp"]', ':3:17: route.cookie_flags: expected a cookie\'s name and what becomes of it'),
        ('[[route.rewrite_location]]\nfrom = "~("\nto = "/"', ':4:8: the expression "("'),
        ('[[route.rewrite_location]]\nfrom = "/a"\nto = "$2"', ':5:6: unknown variable "$2"; only an expression has groups'),
    ):
        path.write_text(rules.format(text))
        done = subprocess.run([harness.usher_binary(), "check", "-c", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and f"{path}{error}" in done.stderr, done.stderr
