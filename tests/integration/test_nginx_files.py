"""One nginx.conf, two servers: the same requests to nginx and to usher, and what came of them compared.

What may differ, and why, stands in one table; anything else is a failure."""

import base64
import contextlib
import json
import re
import socket
import ssl
import subprocess
from urllib.parse import quote

import certificates
import harness
import nginx_files
import pytest
import wire

# (where, name): why it differs. "request": a header that reaches the replica; "response": one of the answer.
EXPLAINED = {
    ("request", "connection"): "each speaks of its own connection to the replica",
    ("request", "keep-alive"): "the same",
    ("request", "upgrade"): "usher passes a websocket's opening on, and nothing else, whatever the file says",
    ("request", "x-request-id"): "usher gives every request one",
    ("request", "traceparent"): "usher gives every request one",
    ("request", "x-forwarded-for"): "usher sends it always, and believes no claim of a client that is no trusted proxy",
    ("request", "x-forwarded-proto"): "usher sends it always",
    ("request", "x-forwarded-host"): "usher sends it always",
    ("request", "x-forwarded-port"): "usher sends it always",
    ("request", "x-real-ip"): "usher sends it always",
    ("request", "content-length"): "a body is streamed, not collected",
    ("request", "transfer-encoding"): "a body is streamed, not collected",
    ("response", "server"): "usher passes the replica's on and has none of its own",
    ("response", "date"): "the same",
    ("response", "connection"): "each speaks of its own connection",
    ("response", "keep-alive"): "the same",
    ("response", "transfer-encoding"): "framing",
    ("response", "content-length"): "framing",
    ("response", "expires"): "Cache-Control, which beats it (RFC 9111 section 5.3), says the same",
}
# Sent by usher whatever the file says, so compared only where nginx sends them too.
IF_NGINX_SENDS = {"x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip"}
# The pages that each makes itself for a status without a text.
OWN_PAGE = {"content-type", "cache-control", "retry-after"}

PATHS = [
    "/",
    "/index.html?x=1",
    "/api/v1/chats/?page=2",
    "/api/config",
    "/api",
    "/ws/socket.io/?EIO=4&transport=polling",
    "/_app/immutable/chunks/a.js",
    "/static/logo.PNG",
    "/documents/1.gif",
    "/documents/x.gif",
    "/images/1.gif",
    "/deep/a%20b/../c//d?q=%20",
    "/chat",
    "/chat/api/x",
    "/plainer/x",
    "/.git/config",
    "/.well-known/acme-challenge/x",
    "/%73ecret",
    "/a%20b",
    "/status/404",
    "/status/302",
    "/users/joe/17",
    "/admin/x",
    "/own/path?b=2",
    "/health",
    "/nginx-health?a=1",
    "/arg?name=value",
    "/42",
    "/files/page.html",
    "/files/",
    "/files/none",
    "/images/own/page.html",
    "/tried/page.html",
    "/robots.txt",
    "/robots.txt/x",
]


# What the replica says, where a file puts it in other words.
REDIRECTS = [
    "http://open-webui:8080/",
    "http://open-webui:8080/two/x?y=z",
    "http://open-webui:8080",
    "https://open-webui:8080/x",
    "http://other:81/deep/er",
    "http://OTHER:81/deep/er",
    "http://10.0.0.1:9999/some/path",
    "/two/x",
    "",
]
COOKIES = [
    "one=1; Path=/two/some/uri/; Domain=localhost; Secure",
    "two=2; path=/two; domain=.LOCALHOST; HttpOnly; SameSite=None",
    "three=3",
    "four=4; Path=/user/joe; Domain=deep.internal.test; Max-Age=5; secure; samesite=Lax",
    "Five=5;Path=/;Domain=x.localhost",
    "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/two/",
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("certificate")).issue("DNS:chat.example.org")


@pytest.fixture
def echo():
    made = nginx_files.Echo()
    yield made
    made.close()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def told(answer):
    """What the replica was told, when the answer is the replica's."""
    if answer is None or ("x-replica", "echo") not in answer[1] and not answer[2].startswith(b'{"method"'):
        return None
    try:
        return json.loads(answer[2])
    except ValueError:
        return None


def fields(headers) -> dict:
    found: dict = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def words_of(lists) -> list[str]:
    """Of the lists that several fields of one name make together."""
    return sorted({word.strip().lower() for each in lists or [] for word in each.split(",")})


def request_differences(nginx: dict, usher: dict, upstreams: set) -> list[str]:
    wrong = [f"{key}: {nginx[key]!r} -> {usher[key]!r}" for key in ("method", "target", "body") if nginx[key] != usher[key]]
    ours, theirs = fields(usher["headers"]), fields(nginx["headers"])
    for name in sorted(ours.keys() | theirs.keys()):
        if name in IF_NGINX_SENDS and name in theirs and name in ours:
            pass
        elif ("request", name) in EXPLAINED:
            continue
        # Without proxy_set_header Host nginx tells the replica the name of the upstream: a mistake in front of Open WebUI.
        if name == "host" and theirs.get(name, [""])[0] in upstreams:
            continue
        # The sid of a Socket.IO session is read in the answer, which must not be compressed for that.
        if name == "accept-encoding" and ours.get(name) == ["identity"] and "transport=polling" in usher["target"]:
            continue
        if ours.get(name) != theirs.get(name):
            wrong.append(f"the replica's {name}: {theirs.get(name)} -> {ours.get(name)}")
    return wrong


def answer_differences(nginx, usher, target: str, proxied: bool) -> list[str]:
    if nginx is None or usher is None:
        return [] if nginx is usher else [f"an answer: {nginx} -> {usher}"]
    wrong = [] if nginx[0] == usher[0] else [f"status {nginx[0]} -> {usher[0]}"]
    own_page = nginx[0] >= 300 and not proxied and (not nginx[2] or b"<center>nginx" in nginx[2])
    # usher's own is for session affinity.
    mine = [(name, value) for name, value in usher[1] if name != "set-cookie" or not value.startswith("usher")]
    ours, theirs = fields(mine), fields(nginx[1])
    for name in sorted(ours.keys() | theirs.keys()):
        if ("response", name) in EXPLAINED or own_page and name in OWN_PAGE:
            continue
        mine, other = ours.get(name), theirs.get(name)
        if name == "vary":
            mine, other = words_of(mine), words_of(other)
        # RFC 9110 section 15.5.6 wants it of a 405; nginx leaves it out.
        if name == "allow" and not proxied and nginx[0] == 405:
            continue
        # nginx looks at the range after it has added what add_header says of a success.
        if name == "x-kind" and nginx[0] == 416:
            continue
        if nginx[0] == 204 and name == "content-type":
            continue  # of nothing
        # nginx makes a URL of a path, with the port that it listens on, which a container's client cannot reach.
        if name == "location" and mine and other and mine[0].startswith("/") and other[0].split("/", 3)[-1] == mine[0][1:]:
            continue
        if name == "content-type" and not proxied:
            # nginx takes a text's type from the end of the path, if it knows it; usher has default_type.
            if "last-modified" not in theirs and re.search(r"\.\w+(\?|$)", target):
                continue
            # With add_header as well nginx sends two.
            other = list(dict.fromkeys(other or []))
        if sorted(mine or []) != sorted(other or []):
            wrong.append(f"{name}: {other} -> {mine}")
    if not proxied and not own_page and nginx[2] != usher[2]:
        wrong.append(f"body {nginx[2][:200]!r} -> {usher[2][:200]!r}")
    return wrong


# Of the files that begin with "files": what only they answer.
FILE_PATHS = [
    "/about.html",
    "/about.html?x=1",
    "/about",
    "/none/deep/in/the/app?x=1",
    "/link.html",
    "/linked/about.html",
    "/linked",
    "/empty",
    "/empty/",
    "/a%20b",
    "/a%20b/",
    "/a%20b?x=%20",
    "/assets/app.js",
    "/assets/none.js",
    "/assets",
    "/assets/",
    "/pretty/about",
    "/pretty/folder",
    "/pretty/folder/",
    "/pretty/folder?x=1",
    "/pretty/none",
    "/loop/x",
    "/app/there.own",
    "/app/none/x%20y?z=%20",
    "/query/x?y=1",
    "/unavailable/x",
    "/index.html/",
    "/about.html/x",
    "/files",
    "/files?x=1",
    "/aliased/page.html",
    "/aliased/",
    "/aliased",
    "/aliased/none",
    "/unslashed/page.html",
    "/unslashed",
    "/unslashed/",
    "/halved/es/page.html",
    "/one",
    "/by/page.html",
    "/by/none",
    "/tries/about.html",
    "/tries/none",
    "/tries/",
    "/tries/pretty/folder",
    "/spa/app/there.own",
    "/spa/raw/page.html",
    "/spa/absolute/",
    "/spa/absolute/x",
    "/spa/empty",
    "/spa/empty/",
    "/by-name/x?site=site",
    "/by-name/x?site=none",
    "/plain/x",
    *(f"/file.{ending}" for ending in nginx_files.TYPED),
]
TOLD = "Tue, 14 Nov 2023 22:13:20 GMT"
BEFORE = "Tue, 14 Nov 2023 22:13:19 GMT"
TAG = f'"{nginx_files.MODIFIED:x}-{len("<p>files/page.html</p>") + 1:x}"'
FILE_CONDITIONS = [
    [("If-None-Match", TAG)],
    [("If-None-Match", f'"x", W/{TAG}')],
    [("If-None-Match", "*")],
    [("If-None-Match", '"x"')],
    [("If-None-Match", TAG), ("If-Modified-Since", BEFORE)],
    [("If-None-Match", '"x"'), ("If-Modified-Since", TOLD)],
    [("If-Modified-Since", TOLD)],
    [("If-Modified-Since", BEFORE)],
    [("If-Match", TAG)],
    [("If-Match", "*")],
    [("If-Match", '"x"')],
    [("If-Unmodified-Since", TOLD)],
    [("If-Unmodified-Since", BEFORE)],
    [("Range", "bytes=0-3")],
    [("Range", "bytes=3-")],
    [("Range", "bytes=-4")],
    [("Range", "bytes=4-9999")],
    [("Range", "bytes=9999-")],
    [("Range", "bytes=x")],
    [("Range", "lines=0-3")],
    [("Range", "bytes=0-3"), ("If-Range", TAG)],
    [("Range", "bytes=0-3"), ("If-Range", '"x"')],
    [("Range", "bytes=0-3"), ("If-Range", TOLD)],
    [("Range", "bytes=0-3"), ("If-Range", BEFORE)],
    [("Range", "bytes=0-3"), ("If-None-Match", TAG)],
]


def file_requests_of(name):
    for path in FILE_PATHS:
        yield name, "GET", path, [], b""
    for path in ("/files/page.html", "/aliased/page.html", "/about.html"):
        for headers in FILE_CONDITIONS:
            yield name, "GET", path, headers, b""
        yield name, "HEAD", path, [], b""
        yield name, "POST", path, [("Content-Type", "text/plain")], b"x"
        yield name, "DELETE", path, [], b""


def requests_of(rendered):
    for name in rendered.names():
        if rendered.name.startswith("files"):
            yield from file_requests_of(name)
        for path in PATHS if name != "stranger.invalid" else PATHS[:4] + ["/42", "/health"]:
            yield name, "GET", path, [("X-Test", "1"), ("Cookie", "token=abc; other=1"), ("User-Agent", "differential")], b""
        yield f"{name}:8080", "GET", "/api/with-port", [("X_Under", "1"), ("Accept", "text/html")], b""
        yield name, "POST", "/api/chat/completions", [("Content-Type", "application/json")], b"x" * 100
        yield name, "POST", "/big/upload", [("Content-Type", "text/plain")], b"x" * 2000
        yield name, "HEAD", "/api/head", [], b""
        yield name, "OPTIONS", "/api/options", [("Origin", "https://chat.example.org")], b""
        if "proxy_cookie" in rendered.text:
            for path in ("/api", "/own", "/plain"):
                for to in REDIRECTS:
                    yield name, "GET", f"{path}/status/302?to={quote(rendered.with_replica(to))}", [], b""
                refresh = quote(rendered.with_replica("3; url=http://open-webui:8080/x"))
                cookies = "".join("&cookie=" + quote(cookie) for cookie in COOKIES)
                yield name, "GET", f"{path}/x?refresh={refresh}{cookies}", [], b""
        if "auth_basic" not in rendered.text:
            continue
        for user in [*nginx_files.PASSWORDS, "nobody"]:
            for password in ("secret", "Secret"):
                given = [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]
                for path in ("/api/config", "/admin/x", "/own/path", "/static/x", "/chat", "/files/page.html", "/none"):
                    yield name, "GET", path, given, b""


@pytest.mark.parametrize("name", nginx_files.FILES)
@pytest.mark.skipif(not nginx_files.have_nginx(), reason="no nginx to compare with")
def test_usher_serves_what_nginx_serves(house, tmp_path, echo, pair, name):
    compare(house, tmp_path, echo, pair, name)


def imported(rendered):
    """The usher.toml that import-nginx makes of it."""
    made = rendered.folder / "usher.toml"
    done = subprocess.run([harness.usher_binary(), "import-nginx", rendered.path, "-o", made], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.parametrize("name", ["docs-full-example", "regex-names", "security-headers", "request-headers", "allow-deny", "maps", "limits", "passwords", "files-single-page", "files-forms", "files-types", "redirects-and-cookies"])
@pytest.mark.skipif(not nginx_files.have_nginx(), reason="no nginx to compare with")
def test_the_imported_file_serves_what_nginx_serves(house, tmp_path, echo, pair, name):
    compare(house, tmp_path, echo, pair, name, imported)


def test_check_says_what_would_be_served_and_refuses_with_the_line(house, tmp_path):
    path = tmp_path / "nginx.conf"
    path.write_text("events {}\nhttp {\n  server {\n    listen 8080;\n    location / { proxy_pass http://a:1; auth_request /x; }\n  }\n}\n")

    def check(*more):
        return subprocess.run([harness.usher_binary(), "check", "-c", path, *more], capture_output=True, text=True, timeout=60)

    refused = check()
    assert refused.returncode == 1
    assert f'{path}:5:41: "auth_request" is not served' in refused.stderr
    served = check("--lenient")
    assert served.returncode == 0, served.stderr
    assert "* prefix / -> a-1" in served.stdout and '"auth_request" is not served' in served.stdout


@contextlib.contextmanager
def both(house, tmp_path, echo, pair, name, settings_of=lambda rendered: rendered.path):
    """nginx and usher with that file: what was made of it for each, and a client."""
    for server in ("nginx", "usher"):
        (tmp_path / server).mkdir()
    theirs = nginx_files.Rendered(name, tmp_path / "nginx", echo.address, *pair)
    ours = nginx_files.Rendered(name, tmp_path / "usher", echo.address, *pair)
    client = nginx_files.Client(apart=name == "passwords")
    with nginx_files.Nginx(theirs).start() as nginx:
        node = house.usher(settings=None, args=["-c", settings_of(ours)], env={"USHER_ADMIN": "127.0.0.1:0"})
        for port in theirs.ports.values():
            harness.wait_for(lambda port=port: accepts(port) or not nginx.running, f"nginx on {port}")
        assert nginx.running, nginx.stderr
        yield theirs, ours, client
        client.close()
        node.stop()


def compare(house, tmp_path, echo, pair, name, *settings_of):
    wrong = []
    with both(house, tmp_path, echo, pair, name, *settings_of) as (theirs, ours, client):
        upstreams = {echo.address, *(line.split()[0] for line in theirs.text.split("upstream ")[1:])}
        for host, method, target, headers, body in requests_of(theirs):
            for port in theirs.ports:
                tls = port in theirs.tls
                answers = [client.ask(side.ports[port], tls, host, method, target, headers, body) for side in (theirs, ours)]
                answers = [side.as_in_the_file(answer) for side, answer in zip((theirs, ours), answers, strict=True)]
                seen = [told(answer) for answer in answers]
                found = answer_differences(*answers, target, proxied=bool(seen[0] or seen[1]))
                if seen[0] and seen[1]:
                    found += request_differences(*seen, upstreams)
                wrong += [f"{method} {host}:{port}{target} {headers}: {each}" for each in found]
    assert not wrong, "\n".join(wrong[:40])


PAST, FUTURE = "Thu, 01 Jan 1970 00:00:01 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
CODINGS = ["gzip", "GZIP;q=0.5, br", "br, gzip;q=0", "br", "*", "gzip;q=2", "deflate, gzip", "identity;q=1, gzip;q=0.001"]
# What a replica answers with: (headers, bytes of the body).
ANSWERS = [
    ([], 1000),
    (["Content-Type: text/html; charset=utf-8", 'ETag: "abc"', "Accept-Ranges: bytes"], 1000),
    (["Content-Type: text/html", 'ETag: W/"abc"', "Vary: Cookie, Accept-Encoding"], 1000),
    (["Content-Type: text/html", "ETag: abc", "Vary: Cookie"], 1000),
    (["Content-Type: TEXT/CSS"], 1000),
    (["Content-Type: image/svg+xml", "Cache-Control: no-transform"], 1000),
    (["Content-Type: application/xml", "Last-Modified: " + PAST], 1000),
    (["Content-Type: application/octet-stream"], 1000),
    (["Content-Type: "], 1000),
    (["Content-Type: text/html"], 19),
    (["Content-Type: text/html"], 20),
    (["Content-Type: text/html"], 39),
    (["Content-Type: text/html"], 40),
    (["Content-Type: text/html"], 0),
    (["Content-Type: text/html", "Transfer-Encoding: chunked"], 5),
    (["Content-Type: text/html", "Content-Encoding: br"], 1000),
    *((["Content-Type: text/html", f"{name}: {value}", f"Cache-Control: {control}"], 1000)
      for name, value in (("Expires", PAST), ("Expires", FUTURE), ("Expires", "0"), ("X-No", "expiry"), ("ETag", '"abc"'), ("Last-Modified", PAST))
      for control in ("", "max-age=1, No-Cache", "no-store", "private", "private-x", "public")),
]  # fmt: skip


def requests_for_codings(rendered):
    """(method, target, headers), for each coding and for each answer."""
    places = [word for word in re.findall(r"location (?:= )?(\S+)", rendered.text) if not word.startswith("/files")]
    places += ["/files/page.html", "/files/none", "/status/403", "/status/404", "/status/206", "/status/500"]
    for target in places:
        for coding in CODINGS:
            yield "GET", target, [("Accept-Encoding", coding), ("X-Body", "1000")]
        for more in ([], [("Via", "1.1 a")], [("Via", "1.1 a"), ("Authorization", "Basic eDp5")]):
            asked = [("Accept-Encoding", "gzip"), *more]
            yield "HEAD", target, [*asked, ("X-Body", "1000")]
            # Only a replica's answer depends on what is asked of it.
            for headers, size in ANSWERS if target.endswith("/") else ANSWERS[:1]:
                yield "GET", target, [*asked, ("X-Body", str(size)), *(("X-Answer", header) for header in headers)]


@pytest.mark.parametrize("name", [name for name in nginx_files.FILES if name.startswith("gzip")])
@pytest.mark.parametrize("settings_of", [lambda rendered: rendered.path, imported], ids=["as it is", "imported"])
@pytest.mark.skipif(not nginx_files.have_nginx(), reason="no nginx to compare with")
def test_usher_compresses_what_nginx_compresses(house, tmp_path, echo, pair, name, settings_of):
    wrong, compressed = [], 0
    with both(house, tmp_path, echo, pair, name, settings_of) as (theirs, ours, client):
        for method, target, headers in requests_for_codings(theirs):
            for port in theirs.ports:
                tls = port in theirs.tls
                nginx, usher = (client.ask(side.ports[port], tls, "chat.example.org", method, target, headers) for side in (theirs, ours))
                compressed += ("content-encoding", "gzip") in nginx[1]
                of_nginx = b"<center>nginx" in nginx[2] or (method == "HEAD" and nginx[0] >= 400 and ("x-replica", "echo") not in nginx[1])
                if nginx[0] == usher[0] and of_nginx:
                    continue  # pages of their own
                found = [] if nginx[0] == usher[0] else [f"status {nginx[0]} -> {usher[0]}"]
                a, b = fields(nginx[1]), fields(usher[1])
                found += [f"{key}: {a.get(key)} -> {b.get(key)}" for key in ("content-encoding", "etag") if a.get(key) != b.get(key)]
                if words_of(a.get("vary")) != words_of(b.get("vary")):
                    found.append(f"vary: {a.get('vary')} -> {b.get('vary')}")
                if a.get("accept-ranges") != b.get("accept-ranges"):
                    found.append(f"accept-ranges: {a.get('accept-ranges')} -> {b.get('accept-ranges')}")
                if ("content-length" in a) != ("content-length" in b):
                    found.append(f"content-length: {a.get('content-length')} -> {b.get('content-length')}")
                if nginx[2] != usher[2]:
                    found.append(f"body {nginx[2][:100]!r} -> {usher[2][:100]!r}")
                wrong += [f"{method} {port}{target} {headers}: {each}" for each in found]
    assert compressed > 40
    assert not wrong, "\n".join(wrong[:40])


def test_the_file_says_who_may_connect(house, replica, tmp_path, pair):
    """ssl_verify_client, and a balancer that speaks the PROXY protocol."""
    authority = certificates.Authority(tmp_path, "clients")
    https, plain = harness.free_port(), harness.free_port()
    path = tmp_path / "nginx.conf"
    path.write_text(f"""
events {{}}
http {{
    ssl_certificate {pair[0]};
    ssl_certificate_key {pair[1]};
    ssl_ciphers HIGH:!aNULL:!MD5;
    server {{
        listen 127.0.0.1:{https} ssl;
        ssl_client_certificate {authority.certificate};
        ssl_verify_client on;
        location / {{ proxy_pass http://{harness.address_of(replica)}; proxy_set_header Host $host; }}
    }}
    server {{
        listen 127.0.0.1:{plain} proxy_protocol;
        set_real_ip_from 127.0.0.0/8;
        real_ip_header proxy_protocol;
        location / {{ return 200 "$remote_addr $server_port"; }}
    }}
}}
""")
    house.usher(settings=None, args=["-c", path], env={"USHER_ADMIN": "127.0.0.1:0"})
    context = wire.unverified()
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)), wire.Wire(f"https://127.0.0.1:{https}", context=context) as nobody:
        nobody.ask("GET", "/whoami")
    context.load_cert_chain(*authority.issue())
    with wire.Wire(f"https://127.0.0.1:{https}", context=context) as known:
        assert dict(known.ask("GET", "/whoami").json()["headers"])["x-client-cert-subject"] == "CN=leaf"
    with socket.create_connection(("127.0.0.1", plain)) as raw:
        raw.sendall(b"PROXY TCP4 192.0.2.7 203.0.113.1 4711 443\r\n")
        balanced = wire.Wire.over(raw)
        balanced.authority = "chat.example.org"
        assert balanced.ask("GET", "/").body == b"192.0.2.7 443"
