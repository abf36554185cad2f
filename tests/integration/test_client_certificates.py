"""Certificates of clients: who must show one, and what the replica is told of it."""

import hashlib
import socket
import ssl

import harness
import pytest
import wire
from certificates import Authority
from harness import wait_for
from nginx_files import have_nginx
from test_tls import s_client
from websockets.sync.client import connect

FORGED = [("X-Client-Cert-Subject", "CN=forged"), ("x_client_cert_subject", "CN=forged"), ("X-Client-Cert-Fingerprint", "00")]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "clients")


def serve(house, replica, authority, policy: str, **extra):
    tls = {"client_certificate": policy, "client_ca": str(authority.certificate)}
    return house.usher([replica], name=policy, tls=tls, **extra)


def with_certificate(authority, version=None) -> tuple[ssl.SSLContext, str]:
    chain, key = authority.issue()
    context = wire.unverified()
    if version:
        context.maximum_version = version
    context.load_cert_chain(chain, key)
    return context, hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain.read_text())).hexdigest()


def told(node, context=None, scheme="https") -> dict:
    with wire.Wire(node.url(scheme), context=context) as connection:
        answer = connection.ask("GET", "/whoami", FORGED)
        assert answer.status == 200
        return {name: value for name, value in answer.json()["headers"] if "cert" in name}


@pytest.mark.parametrize("policy", ["request", "require"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_replica_is_told_whose_certificate_it_was(house, replica, authority, policy, version):
    node = serve(house, replica, authority, policy)
    context, fingerprint = with_certificate(authority, version)
    assert told(node, context) == {"x-client-cert-subject": "CN=leaf", "x-client-cert-fingerprint": fingerprint}


def test_nobody_can_forge_it(house, replica, authority):
    node = serve(house, replica, authority, "request", forwarded={"trusted": ["127.0.0.0/8"]})
    assert told(node) == {}
    assert told(node, scheme="http") == {}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_is_still_the_clients(house, replica, authority, version):
    node = serve(house, replica, authority, "require")
    context, fingerprint = with_certificate(authority, version)
    with wire.Wire(node.url("https"), context=context) as first:
        assert first.ask("GET", "/whoami").status == 200
        session = first.socket.session
    raw = wire.socket.create_connection(("127.0.0.1", node.port("https")))
    with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
        connection = wire.Wire.over(again)
        connection.authority = "localhost"
        headers = dict(connection.ask("GET", "/whoami").json()["headers"])
        assert again.session_reused and headers["x-client-cert-fingerprint"] == fingerprint


def test_who_must_show_one_and_does_not_is_refused(house, replica, authority, tmp_path):
    node = serve(house, replica, authority, "require")
    stranger, _ = with_certificate(Authority(tmp_path, "stranger"))
    for context in (None, stranger):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            told(node, context)
    assert not [line for line in node.access_log if line["path"] == "/whoami"]
    wait_for(lambda: node.metric("usher_errors_total", cause="tls_handshake_failed") == 2, "both are counted")


def test_a_websocket_opens_with_one(house, replica, authority):
    node = serve(house, replica, authority, "require")
    context, _ = with_certificate(authority)
    url = node.url("https").replace("https", "wss") + "/api/v1/terminals/x/api/terminals/y"
    with connect(url, ssl=context) as socket:
        socket.send("hello")
        assert socket.recv(timeout=10 * harness.patience()) == "hello"


def test_further_authorities_are_trusted_without_being_named(house, replica, authority, tmp_path):
    other = Authority(tmp_path, "others")
    tls = {"client_certificate": "require", "client_ca": str(authority.certificate), "trusted_ca": str(other.certificate)}
    node = house.usher([replica], tls=tls)
    for signer in (authority, other):
        context, fingerprint = with_certificate(signer)
        assert told(node, context)["x-client-cert-fingerprint"] == fingerprint
    named = s_client(node.port("https"), "-tls1_2").split("Client Certificate Types")[0]
    assert "CN = clients" in named and "CN = others" not in named
    only = house.usher([replica], name="only", tls={"client_certificate": "require", "trusted_ca": str(other.certificate)})
    assert told(only, with_certificate(other)[0])
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        told(only, with_certificate(authority)[0])


class Chain:
    """root, intermediate 1, intermediate 2, leaf: the client shows all but the root."""

    def __init__(self, folder):
        self.root = Authority(folder, "root")
        issuer, self.between = self.root, []
        for number in (1, 2):
            certificate, key = issuer.issue("DNS:between", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"], f"between{number}")
            issuer = Authority(folder, f"between{number}")
            issuer.certificate.write_bytes(certificate.read_bytes())
            issuer.key.write_bytes(key.read_bytes())
            self.between.append(certificate.read_text())
        leaf, self.key = issuer.issue()
        self.shown = folder / "shown.pem"
        self.shown.write_text(leaf.read_text() + "".join(reversed(self.between)))


DEPTH_CONF = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_client_certificate {ca};
    ssl_verify_client on;
    {depth}
    location / {{ return 200 "in"; }}
  }}
}}
"""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("depth, lets_in", [("", False), ("ssl_verify_depth 1;", False), ("ssl_verify_depth 2;", True)])
def test_so_many_intermediate_certificates_may_stand_between_as_with_nginx(house, tmp_path, depth, lets_in, version):
    chain = Chain(tmp_path)
    own, own_key = Authority(tmp_path, "servers").issue()
    conf, port = tmp_path / "nginx.conf", harness.free_port()
    nginx = have_nginx()
    programs = ["usher"] if not nginx else ["usher", "nginx"]
    context = wire.unverified()
    context.maximum_version = version
    context.load_cert_chain(chain.shown, chain.key)
    for program in programs:
        conf.write_text(DEPTH_CONF.format(folder=tmp_path, port=port, chain=own, key=own_key, ca=chain.root.certificate, depth=depth))
        child = house.keep(harness.Child(f"{program}-depth", tmp_path))
        command = [nginx, "-c", conf, "-p", tmp_path] if program == "nginx" else [harness.usher_binary(), "run", "-c", conf]
        child.spawn(command, {"USHER_STATE": str(tmp_path / "state"), "USHER_ADMIN": "off"})
        wait_for(lambda: listens(port), f"{program} to listen")
        assert is_let_in(port, context) == lets_in, program
        child.process.terminate()
        child.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_let_in(port: int, context) -> bool:
    try:
        with wire.Wire(f"https://127.0.0.1:{port}", context=context) as connection:
            return connection.ask("GET", "/").status == 200
    except (OSError, ssl.SSLError, AssertionError, EOFError):
        return False
