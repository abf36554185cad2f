"""What goes on to a replica, beside nginx and HAProxy: the same octets to each, and what became of them."""

import contextlib
import shutil
import socket
from dataclasses import dataclass, field
from types import SimpleNamespace

import harness
import nginx_files
import pytest
import wire
from framing.recorder import Recorder
from harness import wait_for

pytestmark = pytest.mark.skipif(not nginx_files.have_nginx() or not shutil.which("haproxy", path="/usr/sbin"), reason="no peers to ask")

FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
NGINX = """events {{}}
http {{
    access_log off;
    {temporary}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{replica};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }}
        location /app/ {{
            proxy_pass http://{replica}/base/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Secret "";
            proxy_set_header X-User nobody;
        }}
    }}
}}
"""
HAPROXY = """defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 30s
frontend all
    bind 127.0.0.1:{port}
    default_backend replica
backend replica
    server one {replica}
"""


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        wire.Wire(f"http://127.0.0.1:{port}").close()
        return True
    return False


@dataclass
class Seen:
    """A request as a replica has it. strict.py reads what usher makes alone: peers spell and order in their own way."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes | None = b""  # None: it broke off
    trailers: list[bytes] = field(default_factory=list)


def read_one(note: bytes) -> tuple[Seen, bytes]:
    head, _, rest = note.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    seen = Seen(method, target, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)})
    length = int(seen.fields.get("content-length", 0))
    seen.body, rest = rest[:length], rest[length:]
    while "transfer-encoding" in seen.fields:
        size, _, rest = rest.partition(b"\r\n")
        if not size:
            return Seen(method, target, seen.fields, None), b""
        if int(size, 16) > 0:
            seen.body, rest = seen.body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
            continue
        while line := (cut := rest.partition(b"\r\n"))[0]:
            seen.trailers.append(line)
            rest = cut[2]
        return seen, cut[2]
    return seen, rest


class Peer:
    """One proxy before a replica of its own, which notes what it gets."""

    def __init__(self, port: int, recorder: Recorder):
        self.port, self.recorder = port, recorder

    def ask(self, *pieces: bytes) -> tuple[int, list[Seen]]:
        """The status, and the requests that have reached the replica by then."""
        status = self.status(*pieces)
        assert self.status(b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == 200
        seen = []
        for note in self.recorder.take():
            while note:
                request, note = read_one(note)
                seen.append(request)
        others = [request for request in seen if request.target == "/other"]
        assert len(others) == 1
        return status, [request for request in seen if request.target != "/other"]

    def status(self, *pieces: bytes) -> int:
        with socket.create_connection(("127.0.0.1", self.port), 20 * harness.patience()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                client.sendall(piece)
            received = b""
            while b"\r\n" not in received:
                data = client.recv(1 << 16)
                assert data, received
                received += data
        return int(received.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    """nginx, HAProxy, usher as it is, and usher with nginx's file."""
    house = harness.House(tmp_path_factory.mktemp("peers"))
    with contextlib.ExitStack() as running:
        running.callback(house.close)
        made = {}
        for name in ("nginx", "haproxy", "usher", "usher with nginx's file"):
            recorder = house.fake(Recorder())
            if name == "usher":
                made[name] = Peer(house.usher([recorder], workers=1).port(), recorder)
                continue
            folder = tmp_path_factory.mktemp("peer")
            for kind in FOLDERS:
                (folder / kind).mkdir()
            port = harness.free_port()
            path = folder / "peer.conf"
            temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in FOLDERS[:2])
            text = HAPROXY if name == "haproxy" else NGINX
            path.write_text(text.format(port=port, replica=recorder.address, temporary=temporary))
            if name == "nginx":
                child = nginx_files.Nginx(SimpleNamespace(folder=folder, path=path)).start()
            elif name == "haproxy":
                child = harness.Child("haproxy", folder)
                child.spawn([shutil.which("haproxy", path="/usr/sbin"), "-f", path, "-db"])
            else:
                child = house.usher(settings=None, name="as-nginx", args=["-c", path], env={"USHER_ADMIN": "127.0.0.1:0"})
            running.enter_context(child)
            wait_for(lambda port=port, child=child: accepts(port) or not child.running, name)
            assert child.running, child.stderr
            made[name] = Peer(port, recorder)
        yield made


def get(target: bytes = b"/", host: bytes = b"a", version: bytes = b"1.1", method: bytes = b"GET") -> bytes:
    return b"%s %s HTTP/%s\r\nHost: %s\r\n\r\n" % (method, target, version, host)


def chunked(text: bytes, path: bytes = b"/") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s" % (path, text)


# --- What has been read is judged before anything is sent ---------------------------------------------

BAD_BODIES = {
    "no size": chunked(b"x"),
    "no size behind a good chunk": chunked(b"5\r\nhello\r\nx"),
    "a chunk longer than its size": chunked(b"5\r\nhello!\r\n0\r\n\r\n"),
    "a size beyond all": chunked(b"fffffffffffffffff\r\n"),
}


@pytest.mark.parametrize("data", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_request_that_is_answered_400_is_not_executed(peers, data):
    for name, peer in peers.items():
        for _ in range(3):
            assert peer.ask(data) == (400, []), name


# --- Methods, versions, hosts -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["FOO", "M-SEARCH", "-BLARGH", "PROPFIND", "SETUP"])
def test_a_method_that_a_proxy_need_not_understand_goes_on(peers, method):
    for name, peer in peers.items():
        status, [seen] = peer.ask(get(method=method.encode()))
        assert (status, seen.method) == (200, method), name


@pytest.mark.parametrize("method", ["get", "Get", "G.T"])
def test_so_it_does_in_any_spelling(peers, method):
    for name in ("haproxy", "usher"):
        status, [seen] = peers[name].ask(get(method=method.encode()))
        assert (status, seen.method) == (200, method), name


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_methods_for_proxies_do_not(peers, method):
    for name in ("nginx", "usher", "usher with nginx's file"):
        status, seen = peers[name].ask(get(method=method.encode()))
        assert status in (405, 501) and seen == [], name


NORMALISED = {
    "white space before an extension": (chunked(b"5 ;a\r\nhello\r\n0\r\n\r\n"), "a"),
    "white space behind the semicolon": (chunked(b"5; a\r\nhello\r\n0\r\n\r\n"), "a"),
    "white space around the equals sign": (chunked(b"5;a = b\r\nhello\r\n0\r\n\r\n"), "a"),
    "absolute-form with an empty port": (get(b"http://a:/"), "a"),
    "Host with sub-delims": (get(host=b"0.0.0.0=5000"), "0.0.0.0=5000"),
    "Host with all of them": (get(host=b"a!$&'()*+,;=b"), "a!$&'()*+,;=b"),
    "an empty port": (get(host=b"a:"), "a"),
    "an empty port of IPv6": (get(host=b"[::1]:"), "[::1]"),
    "HTTP/1.2": (get(version=b"1.2"), "a"),
    "HTTP/1.9": (get(version=b"1.9"), "a"),
}


@pytest.mark.parametrize("data, host", NORMALISED.values(), ids=NORMALISED)
def test_what_all_accept_goes_on_in_its_usual_form(peers, data, host):
    for name, peer in peers.items():
        status, [seen] = peer.ask(data)
        assert status == 200, name
        if name != "haproxy":
            assert seen.fields["host"] == host and seen.target == "/", name


def test_the_host_of_an_absolute_form_replaces_host(peers):
    # RFC 9112 section 3.2.2. HAProxy 2.6 refuses it.
    for name in ("nginx", "usher", "usher with nginx's file"):
        status, [seen] = peers[name].ask(get(b"http://b/c"))
        assert (status, seen.target, seen.fields["host"]) == (200, "/c", "b"), name


# --- With nginx's file --------------------------------------------------------------------------------

REFUSED_PATHS = ["/..", "/%00", "/a%zz", "/%2e%2e", "/a%4", "/%", "/a/../..", "/app/%2e%2e/%2e%2e", "//..", "/a%2f..%2f.."]
PASSED_PATHS = ["/a//../b", "/a/%2e%2e/b", "/a%2f..", "/%252e", "/a?%zz", "/a?%00", "/./x", "/a%7f"]


@pytest.mark.parametrize("path", REFUSED_PATHS)
def test_a_path_that_nginx_refuses_is_refused(peers, path):
    assert peers["nginx"].ask(get(path.encode())) == (400, [])
    assert peers["usher with nginx's file"].ask(get(path.encode())) == (400, [])
    for name in ("haproxy", "usher"):
        status, [seen] = peers[name].ask(get(path.encode()))
        assert (status, seen.target) == (200, path), name


@pytest.mark.parametrize("path", PASSED_PATHS)
def test_an_odd_path_passes_as_it_came(peers, path):
    for name, peer in peers.items():
        status, [seen] = peer.ask(get(path.encode()))
        assert (status, seen.target) == (200, path), name


REPLACED = [
    "..%5c..%5capi",
    "%22%3C%3E%5C%5E%60%7B%7C%7D",
    '"<>\\^`{|}',
    "a%20b|c",
    "a|b",
    "%25%23%3f;a=b,c:d@e!$&'()*+~[]",
    "a%2fb",
    "/x|y",
    "./\\x",
    "%7f%c3%a9",
    "x?a=%5c|",
]


@pytest.mark.parametrize("path", REPLACED)
def test_a_path_that_is_put_below_another_is_escaped_as_nginx_does(peers, path):
    told = []
    for name in ("nginx", "usher with nginx's file"):
        status, [seen] = peers[name].ask(get(b"/app/" + path.encode()))
        assert status == 200, name
        told.append(seen.target)
    assert told[0].startswith("/base/") and told[1] == told[0]


def test_trailers_of_a_request_reach_no_replica(peers):
    trailers = chunked(b"5\r\nhello\r\n0\r\nX-Secret: x\r\nX-User: root\r\nDigest: y\r\n\r\n", b"/app/")
    for name in ("nginx", "usher", "usher with nginx's file"):
        status, [seen] = peers[name].ask(trailers)
        assert (status, seen.body, seen.trailers) == (200, b"hello", []), name
