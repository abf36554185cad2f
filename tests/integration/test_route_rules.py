"""What a route does beyond choosing replicas: answers of its own, who may use it, headers, and another path."""

import subprocess

import fakes
import harness
import pytest
import wire
from framing import strict
from framing.recorder import Recorder


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


TRAILERS = b"X-Secret: forged\r\nx_secret: forged\r\nX-User: root\r\nX-User-Email: root@a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Request-Id: mine\r\nDigest: x\r\n"


@pytest.mark.parametrize("asked_for", [True, False])
def test_trailers_do_not_say_what_a_route_sets(house, asked_for):
    recorder = house.fake(Recorder())
    rules = {"path": "/", "upstream": "open-webui", "set_headers": {"X-Secret": "", "X-User": "nobody"}}
    node = house.usher(settings=harness.settings_for([recorder], route=[{**rules, "request_trailers": asked_for}]))
    node.await_replicas(1)
    with wire.Wire(node.url()) as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + TRAILERS + b"\r\n")
        assert connection.response("POST").status == 200
    [note] = recorder.take()
    request, _ = strict.read_request(note)
    assert request.all("X-Secret") == [] and request.all("X-User") == ["nobody"]
    assert request.body == b"hello" and request.trailers == ([("Digest", "x")] if asked_for else [])


def test_trailers_of_a_response_do_not_say_what_a_route_removes(house):
    said = b"HTTP/1.1 200 OK\r\nX-Inner: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Inner: 2\r\nx-inner: 3\r\nX-Sum: 4\r\n\r\n"
    node = node_with(house, house.fake(fakes.Says(said)), {"path": "/hidden", "upstream": "open-webui", "remove_headers": ["X-Inner"]})
    hidden = wire.fetch(node.url() + "/hidden")
    assert hidden.all("x-inner") == [] and hidden.trailers == [("X-Sum", "4")]
    shown = wire.fetch(node.url() + "/shown")
    assert shown.all("x-inner") == ["1"] and len(shown.trailers) == 3


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


# --- Where, and as whom ------------------------------------------------------------------------------


def test_a_route_may_be_for_one_listener_alone(house, replica):
    port = harness.free_port()
    everywhere, inside = f":{port}", f"127.0.0.1:{port}"
    routes = [{"path": "/", "listen": [inside], "status": 200, "body": "inside"}, {"path": "/", "upstream": "open-webui"}]
    node = house.usher(settings=harness.settings_for([replica], listen=[{"address": everywhere}, {"address": inside}], route=routes))
    assert wire.fetch(f"http://127.0.0.1:{port}/whoami").body == b"inside"
    assert wire.fetch(f"http://127.0.0.2:{port}/whoami").json()["headers"], "the same port at another address"
    assert node.status()["listen"]


def test_a_route_may_have_proxies_of_its_own(house, replica):
    who = {"upstream": "open-webui", "set_headers": {"X-Seen": "$remote_addr"}}
    routes = [
        {"path": "/whoami/own", **who, "forwarded": {"trusted": ["127.0.0.1"], "client_header": "X-Client"}},
        {"path": "/whoami/nobody", **who, "forwarded": {"nobody": True}, "allow": ["10.0.0.1"]},
        {"path": "/whoami", **who},
    ]
    node = node_with(house, replica, *routes, forwarded={"trusted": ["127.0.0.0/8"]})
    fields = [("X-Forwarded-For", "10.0.0.1"), ("X-Client", "10.0.0.2"), ("X-User-Email", "a@example.org")]

    def seen(path):
        answer = wire.fetch(node.url() + path, headers=fields)
        return answer.status, dict(answer.json()["headers"]) if answer.status == 200 else {}

    assert seen("/whoami")[1]["x-seen"] == "10.0.0.1"
    assert seen("/whoami/nobody")[0] == 403, "a forged header opens nothing where nobody is believed"
    line = node.await_access(lambda line: line["path"] == "/whoami/nobody")
    assert line["client"] == "127.0.0.1"
    status, told = seen("/whoami/own")
    assert status in (200, 404)
    assert node.await_access(lambda line: line["path"] == "/whoami/own")["client"] == "10.0.0.2"


def test_a_header_that_a_route_sets_is_set_in_every_spelling(house, replica):
    rules = {"path": "/whoami", "upstream": "open-webui", "set_headers": {"X-User": "", "X-Role": "guest"}}
    node = node_with(house, replica, rules)
    spelled = [("X_User", "root"), ("X.User", "root"), ("x-user", "root"), ("X_Role", "admin"), ("X!Role", "admin"), ("X_Other", "kept")]
    told = wire.fetch(node.url() + "/whoami", headers=spelled).json()["headers"]
    assert [value for name, value in told if name.endswith("role")] == ["guest"]
    assert not [name for name, _ in told if name.endswith("user")]
    assert ("x_other", "kept") in [tuple(each) for each in told]


def test_a_long_identity_header_is_stripped_too(house, replica):
    name = "X-" + "Very-" * 20 + "Long-User"
    node = house.usher(settings=harness.settings_for([replica], forwarded={"strip": [name]}))
    told = wire.fetch(node.url() + "/whoami", headers=[(name, "root"), (name.replace("-", "_"), "root"), (name + "s", "kept")]).json()["headers"]
    assert [value for key, value in told if key.startswith("x-very") or key.startswith("x_very")] == ["kept"]


ENDLESS = "a" * 40 + "!"  # 2^40 ways to fail


@pytest.mark.parametrize(
    "rules",
    [
        {"redirect": "https://example.org/$kind"},
        {"status": 200, "body": "you are $kind"},
        {"upstream": "open-webui", "set_headers": {"X-Kind": "$kind"}},
        {"upstream": "open-webui", "add_headers": {"X-Kind": "$kind"}},
        {"status": 200, "body": "x", "add_headers": {"X-Kind": "$kind"}},
        {"upstream": "open-webui", "rate_limits": ["by_kind"]},
        {"upstream": "open-webui", "connection_limits": ["by_kind 5"]},
    ],
    ids=lambda rules: "-".join(rules),
)
def test_a_map_that_cannot_be_decided_decides_nothing(house, replica, rules):
    maps = [{"name": "kind", "source": "$http_x_kind", "default": "good", "entry": [{"match": "~^(a+)+$", "value": "bad"}]}]
    zones = {"rate_zone": [{"name": "by_kind", "key": "$kind", "rate": "1000r/s"}], "connection_zone": [{"name": "by_kind", "key": "$kind"}]}
    needed = {kind: zone for kind, zone in zones.items() if kind.replace("zone", "limits") in rules}
    node = node_with(house, replica, {"path": "/whoami", **rules}, map=maps, **needed)
    assert wire.fetch(node.url() + "/whoami", headers=[("X-Kind", "aaaa")]).status in (200, 302)
    answer = wire.fetch(node.url() + "/whoami", headers=[("X-Kind", ENDLESS)])
    assert answer.status == 500 and answer.header("x-kind") is None
    line = node.await_access(lambda line: line["status"] == 500)
    assert line["error"].startswith("expression_gave_up") and "kind" in line["error"]
    assert node.metric("usher_errors_total", cause="expression_gave_up") == 1
    assert wire.fetch(node.url() + "/whoami").status in (200, 302), "others are served on"


def test_a_route_that_cannot_be_told_is_logged_and_counted(house, replica):
    node = node_with(house, replica, {"path": "^/(a+)+$", "match": "regex", "status": 204})
    assert wire.fetch(node.url() + "/" + ENDLESS).status == 500
    line = node.await_access(lambda line: line["status"] == 500)
    assert line["error"].startswith("expression_gave_up")
    assert node.metric("usher_errors_total", cause="expression_gave_up") == 1


def test_a_log_that_cannot_be_decided_is_written(house, replica, tmp_path):
    maps = [{"name": "kind", "source": "$http_x_kind", "default": "", "entry": [{"match": "~^(a+)+$", "value": "1"}]}]
    node = node_with(house, replica, map=maps, log={"access": "stdout", "when": "$kind"})
    assert wire.fetch(node.url() + "/silent").status == 404
    assert wire.fetch(node.url() + "/endless", headers=[("X-Kind", ENDLESS)]).status == 404
    node.await_access(lambda line: line["path"] == "/endless")
    assert not [line for line in node.access_log if "silent" in line["path"]]
