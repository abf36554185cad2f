"""One nginx.conf, two servers, as in test_nginx_files.py: what shows only over several requests, or between replicas."""

import subprocess

import certificates
import fakes
import harness
import name_server
import nginx_files
import pytest
import wire
from harness import wait_for
from nginx_files import both

pytestmark = pytest.mark.skipif(not nginx_files.have_nginx(), reason="no nginx to compare with")

CHAINS = [
    [],
    [("X-Forwarded-For", "198.51.100.1")],
    [("X-Forwarded-For", "198.51.100.1, 127.0.0.9")],
    [("X-Forwarded-For", "127.0.0.8, 127.0.0.9")],
    [("X-Forwarded-For", "198.51.100.1, 203.0.113.7, 127.0.0.9")],
    [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "127.0.0.9")],
    [("X-Forwarded-For", "2001:db8::1")],
    [("X-Forwarded-For", "198.51.100.1:4711")],
]


@pytest.mark.parametrize("recursive", ["", "real_ip_recursive off;", "real_ip_recursive on;"])
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP"])
def test_the_client_is_whom_nginx_takes(house, tmp_path, recursive, header):
    answers = f"""server {{ listen 127.0.0.1:PORT; set_real_ip_from 127.0.0.0/8; real_ip_header {header}; {recursive}
        location / {{ return 200 "$remote_addr $realip_remote_addr"; }} }}"""
    with both(house, tmp_path, answers) as (theirs, ours):
        for chain in CHAINS:
            # Of several lines of another header nginx believes the first, usher the last.
            if len(chain) > 1 and header != "X-Forwarded-For":
                continue
            asked = [(header, value) for _, value in chain]
            said = [wire.fetch(f"http://127.0.0.1:{port}/", headers=asked).body for port in (theirs, ours)]
            assert said[0] == said[1], asked


@pytest.mark.parametrize("says", ["keepalive_requests 3;", "keepalive_requests 1;", "keepalive_timeout 0;", "keepalive_timeout 0; keepalive_requests 5;"])
def test_a_connection_carries_as_many_requests(house, tmp_path, says):
    def carried(port: int) -> int:
        with wire.Wire(f"http://127.0.0.1:{port}") as connection:
            for number in range(1, 10):
                if connection.ask("GET", "/").header("Connection") == "close":
                    assert connection.closed_by_peer()
                    return number
        return number

    with both(house, tmp_path, f"server {{ listen 127.0.0.1:PORT; {says} location / {{ return 204; }} }}") as (theirs, ours):
        assert carried(theirs) == carried(ours) < 9


class Peer(fakes.FakeReplica):
    """A replica that says one thing, and counts what it was asked."""

    def __init__(self, answer: bytes | None):
        super().__init__()
        self.answer = answer

    async def misbehave(self, head, reader, writer, number):
        if self.answer is None:
            await fakes.for_ever()
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        writer.write(self.answer)
        await writer.drain()
        return self.answer.startswith(b"HTTP/1.1")


def says(status: int) -> bytes:
    return fakes.whole(b"said", f"{status} Said")


@pytest.mark.parametrize("words", ["error timeout", "error timeout invalid_header http_500 http_502 http_503 http_504", "http_404 http_429", "off", "http_503 non_idempotent"])
@pytest.mark.parametrize("first", [says(503), says(500), says(404), says(429), says(200), b"", b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", None], ids=lambda answer: str(answer)[:16])
def test_the_same_requests_are_passed_to_the_next_replica(house, tmp_path, words, first):
    """What the first one says is the client's, or the second one is asked: for each method."""
    bad, good = house.fake(Peer(first)), house.fake(Peer(says(201)))
    text = f"""upstream some {{ server {bad.address} max_fails=0; server {good.address} backup; }}
        server {{ listen 127.0.0.1:PORT; client_max_body_size 0; proxy_read_timeout 1s;
            location / {{ proxy_pass http://some; proxy_set_header Host $host; proxy_next_upstream {words}; proxy_next_upstream_tries 2; }} }}"""
    with both(house, tmp_path, text) as (theirs, ours):
        for method, body in (("GET", None), ("HEAD", None), ("DELETE", None), ("POST", b"x"), ("POST", b"")):
            outcomes = []
            for port in (theirs, ours):
                bad.heads.clear()
                good.heads.clear()
                answer = wire.fetch(f"http://127.0.0.1:{port}/x", method, body=body)
                outcomes.append((answer.status, len(bad.heads), len(good.heads)))
            if is_explained(words, first, method, outcomes):
                continue
            assert outcomes[0] == outcomes[1], (method, body)


def is_explained(words: str, first, method: str, outcomes) -> bool:
    """Where usher does not do as nginx does, as docs/nginx.md says."""
    nginx, usher = outcomes
    # What a replica may have done is done again only when that does no harm, whatever the file says.
    if method == "POST" and "non_idempotent" in words:
        return nginx[2] == 1 and usher[2] == 0
    # A replica that hangs up unheard is asked once more, for an answer that it may yet give.
    return first == b"" and method != "POST" and words != "off" and usher[1:] in ((2, 0), (1, 1))


def test_names_are_asked_of_the_resolver_that_the_file_names(house, tmp_path):
    if not name_server.have_dnsmasq():
        pytest.skip("no dnsmasq")
    server = house.keep(name_server.NameServer(house.folder)).start()
    alpha = house.replica("alpha", host="127.0.0.2")
    beta = house.replica("beta", host="127.0.0.3", port=alpha.port)
    server.know({"app.internal": [alpha.host]})
    text = f"""upstream app.of.another {{ server 127.0.0.1:1; }}
        server {{ listen 127.0.0.1:PORT; client_max_body_size 0; resolver {server.address} valid=1s ipv6=off;
            location / {{ set $app app.internal; proxy_pass http://$app:{alpha.port}; proxy_set_header Host $host; }} }}"""
    with both(house, tmp_path, text) as ports:

        def answering() -> list[str]:
            answers = [wire.fetch(f"http://127.0.0.1:{port}/whoami") for port in ports]
            return [answer.json()["replica"] if answer.status == 200 else "" for answer in answers]

        wait_for(lambda: answering() == ["alpha", "alpha"], "alpha behind both")
        server.know({"app.internal": [beta.host]})
        wait_for(lambda: answering() == ["beta", "beta"], "beta behind both")


def test_sessions_are_resumed_as_long_as_with_nginx(house, tmp_path):
    """`ssl_session_tickets off` with a cache, as in Mozilla's configuration; then without one."""
    chain, key = certificates.Authority(tmp_path).issue("DNS:localhost")
    for cache in ("ssl_session_cache shared:SSL:1m;", ""):
        folder = tmp_path / (cache[:3] or "none")
        folder.mkdir()
        text = f"""server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {chain}; ssl_certificate_key {key}; ssl_session_tickets off;
            ssl_session_timeout 1d; {cache} location / {{ return 204; }} }}"""
        with both(house, folder, text) as ports:
            assert [is_resumed(port, folder / f"{port}") for port in ports] == [bool(cache)] * 2


def is_resumed(port: int, session) -> bool:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"]

    def talk(option: str) -> str:
        said = subprocess.run([*command, option, session], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20 * harness.patience()).stdout
        assert "Cipher is" in said and "(NONE)" not in said, said
        return said

    talk("-sess_out")
    return session.exists() and "Reused, TLSv1.2" in talk("-sess_in")
