"""Routes that answer with files of a folder, and what is never one."""

import hashlib

import harness
import http2
import pytest
import wire


@pytest.fixture
def www(tmp_path):
    folder = tmp_path / "www"
    (folder / ".well-known/acme-challenge").mkdir(parents=True)
    (folder / ".well-known/acme-challenge/token").write_text("token.key")
    (folder / "page.html").write_text("<p>page</p>")
    (folder / ".env").write_text("hidden content")
    (tmp_path / "secret.txt").write_text("hidden content")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up.txt").symlink_to("../secret.txt")
    (folder / "..data").mkdir()
    (folder / "..data/mounted").write_text("mounted")
    (folder / "mounted").symlink_to("..data/mounted")
    (folder / "app").mkdir()
    (folder / "app/index.html").write_text("<p>app</p>")
    return folder


def node_with(house, replica, *routes, **more):
    rest = {"path": "/", "upstream": "open-webui"}
    return house.usher(settings=harness.settings_for([replica], route=[*routes, rest], **more))


def test_a_file_is_answered_with_what_is_to_be_known_of_it(house, replica, www):
    node = node_with(house, replica, {"path": "/files/", "alias": f"{www}/", "add_headers": {"X-Own": "$status"}})
    got = wire.fetch(node.url() + "/files/page.html?x=1")
    assert (got.status, got.body, got.header("content-type")) == (200, b"<p>page</p>", "text/html")
    assert got.header("x-own") == "200" and got.header("content-length") == "11" and got.cookie() is None
    for name, value in (("If-None-Match", got.header("etag")), ("If-Modified-Since", got.header("last-modified"))):
        again = wire.fetch(node.url() + "/files/page.html", headers=[(name, value)])
        assert (again.status, again.body) == (304, b""), name
    changed = wire.fetch(node.url() + "/files/page.html", headers=[("If-None-Match", '"other"'), ("If-Modified-Since", got.header("last-modified"))])
    assert changed.status == 200
    # The same connection goes on after each of these.
    with wire.Wire(node.url()) as connection:
        head = connection.ask("HEAD", "/files/page.html")
        assert (head.status, head.body, head.header("content-length")) == (200, b"", "11")
        refused = connection.ask("DELETE", "/files/page.html")
        assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")
        assert connection.ask("GET", "/files/page.html").body == b"<p>page</p>"
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_nothing_else_of_the_machine_is_a_file(house, replica, www):
    # A path of nginx's own making: "/b../x" is "../x" below the alias.
    routes = [{"path": "/a/", "alias": f"{www}/"}, {"path": "/b", "match": "prefix", "alias": f"{www}/"}]
    routes.append({"path": "/c/", "root": str(www), "try_files": ["$uri", "/$arg_file", "=404"]})
    node = node_with(house, replica, *routes)
    paths = ["none", ".env", "%2eenv", "out.txt", "up.txt", "..data/mounted", "page.html%00", "page.html/", "x/%2e%2e/.env", "%2e%2e%2f.env"]
    outside = ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "x/../../secret.txt"]
    for path in paths + outside:
        for target in (f"/a/{path}", f"/b/{path}", f"/b{path}", f"/c/x?file={path}", f"/c/x?file=/{path}"):
            got = wire.fetch(node.url() + target)
            assert b"hidden content" not in got.body and b"<p>page" not in got.body, target
    for path in paths:
        assert wire.fetch(node.url() + "/a/" + path).status == 404, path
    assert wire.fetch(node.url() + "/b../secret.txt").status == 404
    assert wire.fetch(node.url() + "/a/").status == 403
    assert wire.fetch(node.url() + "/a/mounted").body == b"mounted"


def test_a_challenge_is_answered_before_the_redirect_to_https(house, replica, www):
    listen = [{"address": "127.0.0.1:0", "redirect_to_https": True}, {"address": "127.0.0.1:0", "tls": True}]
    node = node_with(house, replica, {"path": "/.well-known/acme-challenge/", "root": str(www)}, listen=listen)
    got = wire.fetch(node.url() + "/.well-known/acme-challenge/token")
    assert (got.status, got.body) == (200, b"token.key")
    assert wire.fetch(node.url() + "/.well-known/acme-challenge/none").status == 404
    assert wire.fetch(node.url() + "/.well-known/acme-challenge/../../page.html").status == 301
    assert wire.fetch(node.url() + "/").status == 301


@pytest.mark.parametrize("version, size", [("h1", 64 << 20), ("h2", 12 << 20)])
def test_a_big_file_comes_whole_and_never_lies_in_memory(house, replica, www, version, size):
    piece = bytes(range(256)) * 4096
    with open(www / "big.bin", "wb") as big:
        for _ in range(size // len(piece)):
            big.write(piece)
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]
    node = node_with(house, replica, {"path": "/big.bin", "root": str(www)}, workers=1, listen=listen)
    before = node.rss()
    if version == "h1":
        body = wire.fetch(node.url() + "/big.bin").body
    else:
        with http2.Http2(node.url("https")) as client:
            body = bytes(client.ask("GET", "/big.bin").body)
    assert hashlib.sha256(body).digest() == hashlib.sha256(piece * (size // len(piece))).digest()
    if not harness.sanitized():
        assert node.rss() - before < 8 << 20


def test_an_application_of_one_page_answers_what_is_no_file(house, replica, www):
    node = node_with(
        house,
        replica,
        {"path": "/", "host": "spa.example", "root": str(www), "try_files": ["$uri", "$uri/", "/app/index.html"]},
        {"path": "/app/index.html", "host": "spa.example", "match": "exact", "root": str(www), "add_headers": {"X-Own": "$uri of $request_uri"}},
    )
    with wire.Wire(node.url()) as connection:
        connection.authority = "spa.example"
        for target in ("/none/at/all?x=1", "/app/"):
            got = connection.ask("GET", target)
            assert (got.status, got.body) == (200, b"<p>app</p>"), target
            assert got.header("x-own") == f"/app/index.html of {target}"
        assert connection.ask("GET", "/page.html").body == b"<p>page</p>"
        moved = connection.ask("GET", "/app?x=1")
        assert (moved.status, moved.header("location")) == (301, "/app/?x=1")


def test_what_is_no_file_goes_to_a_replica_by_name(house, replica, www):
    named = {"path": "@app", "match": "named", "upstream": "open-webui", "set_headers": {"X-Led": "$uri"}}
    node = node_with(house, replica, {"path": "/", "host": "app.example", "root": str(www), "try_files": ["$uri", "@app"]}, {**named, "host": "app.example"})
    told = wire.fetch(node.url() + "/whoami?z=1", host="app.example").json()
    assert dict(told["headers"])["x-led"] == "/whoami"
    body = b"body" * 100_000
    assert wire.fetch(node.url() + "/echo", method="POST", body=body, host="app.example").body == body
    assert wire.fetch(node.url() + "/page.html", host="app.example").body == b"<p>page</p>"
    # What is decoded in a path is encoded again where it comes to stand in a query.
    led = {"path": "/led/", "root": str(www), "try_files": ["/$arg_name", "/whoami?path=$uri&$args"]}
    other = node_with(house, replica, led)
    got = wire.fetch(other.url() + "/led/a%0d%0aX-Injected:%20%23b%25?z=%20").json()
    assert got["target"] == "/whoami?path=/led/a%0D%0AX-Injected:%20%23b%&z=%20"
    assert "x-injected" not in dict(got["headers"])
    # Its name is no path that a client could ask for.
    with wire.Wire(node.url()) as connection:
        assert connection.ask("GET", "@app").status == 400
    assert wire.fetch(node.url() + "/@app").status == 404


def test_paths_that_lead_to_each_other_come_to_an_end(house, replica, www):
    node = node_with(house, replica, {"path": "/loop/", "root": str(www), "try_files": ["$uri", "/loop/x"]})
    assert wire.fetch(node.url() + "/loop/y").status == 500
    assert node.await_access(lambda line: line["path"] == "/loop/y")["error"].startswith("detour_loop")


def test_where_a_path_has_led_the_limits_count_once_and_access_is_asked_again(house, replica, www):
    zone = {"name": "slow", "rate": "1r/m"}
    node = node_with(
        house,
        replica,
        {"path": "/", "host": "one.example", "root": str(www), "rate_limits": ["slow"], "try_files": ["$uri", "/page.html"]},
        {"path": "/", "host": "two.example", "root": str(www), "try_files": ["$uri", "/page.html"]},
        {"path": "/page.html", "host": "two.example", "root": str(www), "deny": ["0.0.0.0/0"]},
        rate_zone=[zone],
    )
    assert wire.fetch(node.url() + "/x", host="one.example").status == 200
    assert wire.fetch(node.url() + "/x", host="one.example").status == 429
    assert wire.fetch(node.url() + "/x", host="two.example").status == 403


def test_a_part_of_a_file_is_read_from_there(house, replica, www):
    text = bytes(range(256)) * 4096
    (www / "big.bin").write_bytes(text)
    node = node_with(house, replica, {"path": "/big.bin", "root": str(www), "etag": False})
    with wire.Wire(node.url()) as connection:
        for first, last in ((0, 0), (70_001, 900_000), (len(text) - 1, len(text) - 1)):
            got = connection.ask("GET", "/big.bin", headers=[("Range", f"bytes={first}-{last}")])
            assert (got.status, got.body) == (206, text[first : last + 1])
            assert got.header("content-range") == f"bytes {first}-{last}/{len(text)}" and got.header("etag") is None
        whole = connection.ask("GET", "/big.bin", headers=[("Range", "bytes=0-1,5-6")])
        assert (whole.status, whole.body, whole.header("accept-ranges")) == (200, text, "bytes")
        head = connection.ask("HEAD", "/big.bin", headers=[("Range", "bytes=0-1")])
        assert (head.status, head.header("content-length")) == (200, str(len(text)))
        refused = connection.ask("GET", "/big.bin", headers=[("Range", f"bytes={len(text)}-")])
        assert (refused.status, refused.header("content-range")) == (416, f"bytes */{len(text)}")
