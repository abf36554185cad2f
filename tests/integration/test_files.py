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
    return folder


def node_with(house, replica, *routes, **more):
    rest = {"path": "/", "upstream": "open-webui"}
    return house.usher(settings=harness.settings_for([replica], route=[*routes, rest], **more))


def test_a_file_is_answered_with_what_is_to_be_known_of_it(house, replica, www):
    node = node_with(house, replica, {"path": "/files/", "root": str(www), "replace_path": "/", "add_headers": {"X-Own": "$status"}})
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
    node = node_with(house, replica, {"path": "/", "match": "exact", "root": str(www)}, {"path": "/a/", "root": str(www), "replace_path": "/"})
    for path in ("none", "", ".env", "%2eenv", "out.txt", "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "page.html%00", "page.html/"):
        got = wire.fetch(node.url() + "/a/" + path)
        assert b"hidden content" not in got.body and b"<p>page" not in got.body, path
    for path in ("none", "", ".env", "%2eenv", "out.txt", "page.html%00", "page.html/", "x/%2e%2e/.env"):
        assert wire.fetch(node.url() + "/a/" + path).status == 404, path


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
