"""TLS towards clients."""

import re
import ssl
import subprocess

import certificates
import harness
import pytest
import wire

# Old protocol versions are only offered by openssl when its own floor is lowered.
LOWEST = ["-cipher", "DEFAULT@SECLEVEL=0"]


def s_client(port: int, *arguments: str) -> str:
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20 * harness.patience(),
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("flag, version", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken(node, flag, version):
    assert re.search(rf"^New, {re.escape(version)}, Cipher is (?!\(NONE\))", s_client(node.port("https"), flag), re.M)


@pytest.mark.parametrize("flag", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(node, flag):
    said = s_client(node.port("https"), flag, *LOWEST)
    assert "Cipher is (NONE)" in said
    assert "alert protocol version" in said, said


def test_a_client_cannot_renegotiate(node):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{node.port('https')}", "-tls1_2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        for line in client.stdout:
            if "Extended master secret" in line:
                break
        # On a line of its own that is its command for it.
        said, _ = client.communicate("R\n", timeout=20 * harness.patience())
    assert "RENEGOTIATING" in said and "no renegotiation" in said
    assert wire.fetch(node.url("https") + "/whoami").status == 200


def test_min_version_1_3_refuses_1_2(house, replica):
    node = house.usher([replica], name="strict", tls={"min_version": "1.3"})
    assert "Cipher is (NONE)" in s_client(node.port("https"), "-tls1_2")
    assert "TLSv1.3" in s_client(node.port("https"), "-tls1_3")


def test_alpn_picks_http_1_1(node):
    assert "ALPN protocol: http/1.1" in s_client(node.port("https"), "-alpn", "http/1.1")


def test_a_client_without_alpn_or_sni_is_served(node):
    assert "Cipher is (NONE)" not in s_client(node.port("https"), "-noservername")
    assert wire.fetch(node.url("https") + "/whoami").status == 200


def certificate(node) -> bytes:
    return ssl.get_server_certificate(("127.0.0.1", node.port("https"))).encode()


def text_of(pem: bytes) -> str:
    return subprocess.run(["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True, check=True).stdout.decode()


def test_the_self_signed_certificate_is_fit_for_a_browser(node):
    text = text_of(certificate(node))
    assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text
    assert "X509v3 Subject Alternative Name" in text


def test_the_self_signed_certificate_outlives_a_restart(node):
    before = certificate(node)
    node.restart()
    assert certificate(node) == before


def test_the_private_key_is_for_the_owner_alone(node):
    certificate(node)
    keys = [path for path in node.state.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert keys and all(path.stat().st_mode & 0o077 == 0 for path in keys)


def make_certificate(folder, name: str):
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", chain]
    subprocess.run(command, check=True, capture_output=True)
    return {"chain": str(chain), "key": str(key)}


def test_an_own_certificate_is_shown(house, replica, tmp_path):
    pair = make_certificate(tmp_path, "chat.example.org")
    node = house.usher([replica], name="own", tls={"certificate": [pair]})
    assert "CN = chat.example.org" in text_of(certificate(node))


def test_the_certificate_can_come_from_flags(house, replica, tmp_path):
    pair = make_certificate(tmp_path, "flags.example.org")
    settings = harness.settings_for([replica])
    node = house.usher(settings=settings, name="flags", args=["--tls-chain", pair["chain"], "--tls-key", pair["key"]])
    assert "CN = flags.example.org" in text_of(certificate(node))


def test_the_name_that_is_asked_for_chooses_the_certificate(house, replica, tmp_path):
    pairs = [make_certificate(tmp_path, name) for name in ("first.example.org", "second.example.org")]
    node = house.usher([replica], name="sni", tls={"certificate": pairs})
    port = node.port("https")
    for name, shown in [("second.example.org", "second"), ("first.example.org", "first"), ("other.example.org", "first")]:
        said = s_client(port, "-servername", name) if name else ""
        assert f"CN = {shown}.example.org" in said


def test_a_key_that_does_not_fit_is_said_and_another_certificate_is_shown(house, replica, tmp_path):
    pair = {**make_certificate(tmp_path, "a.example.org"), "key": make_certificate(tmp_path, "b.example.org")["key"]}
    node = house.usher([replica], tls={"certificate": [pair]})
    (said,) = node.events("certificate_unusable")
    assert pair["key"] in said["reason"] and pair["chain"] in said["reason"] and said["shown_instead"] == "self-signed certificate"
    assert "CN = a.example.org" not in text_of(certificate(node))


@pytest.mark.parametrize(
    ("host", "where"),
    [("chat.example.org:8443", ": open https://chat.example.org:8443/"), ("[::1]", ": open https://[::1]/"), ("<script>", ""), ("", "")],
)
def test_plain_http_on_the_tls_port_is_told_where_to_go(node, host, where):
    with wire.Wire(node.url("https").replace("https", "http")) as connection:
        connection.send(f"GET /a HTTP/1.1\r\nHost: {host}\r\nCookie: {'x' * 20_000}\r\n\r\n".encode())
        answer = connection.response()
        assert (answer.status, answer.body.decode()) == (400, f"This port speaks https{where}\n")
        assert connection.receive() == b""
    assert wire.fetch(node.url("https") + "/whoami").status == 200


def test_a_handshake_that_never_comes_is_given_up(house, replica):
    node = house.usher([replica], name="short", timeouts={"handshake": "300ms"})
    with wire.Wire(node.url("https").replace("https", "http"), timeout=10) as connection:
        assert connection.closed_by_peer()


def test_a_session_is_resumed(node):
    context = wire.unverified()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with wire.Wire(node.url("https"), context=context) as first:
        assert first.ask("GET", "/whoami").status == 200
        session = first.socket.session
    import socket as sockets

    with sockets.create_connection(("127.0.0.1", node.port("https"))) as raw:
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
            assert again.session_reused


def test_the_end_of_a_response_is_announced(node):
    """close_notify, without which a client cannot tell the end from a cut."""
    with wire.Wire(node.url("https")) as connection:
        connection.request("GET", "/whoami", [("Connection", "close")])
        assert connection.response().status == 200
        assert connection.socket.recv(1) == b""  # A cut raises SSLEOFError.


def test_the_group_for_dhe_can_be_chosen(house, replica, tmp_path):
    group = tmp_path / "dhparam.pem"
    certificates.openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe3072", "-out", group)
    chain, key = make_certificate_of_rsa(tmp_path)
    tls = {"ciphers": "DHE-RSA-AES128-GCM-SHA256", "certificate": [{"chain": str(chain), "key": str(key)}]}
    chosen = house.usher([replica], name="chosen", tls={**tls, "dh_parameters": str(group)})
    usual = house.usher([replica], name="usual", tls=tls)
    ask = ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")
    assert "Server Temp Key: DH, 3072 bits" in s_client(chosen.port("https"), *ask)
    assert "Server Temp Key: DH, 2048 bits" in s_client(usual.port("https"), *ask)


def test_a_file_without_a_group_is_said_and_nothing_starts(house, replica, tmp_path):
    chain, key = make_certificate_of_rsa(tmp_path)
    for file, why in ((key, "holds no PEM DH parameters"), (tmp_path / "none.pem", "none.pem")):
        tls = {"dh_parameters": str(file), "certificate": [{"chain": str(chain), "key": str(key)}]}
        node = harness.Usher(tmp_path, harness.settings_for([replica], tls=tls), f"bad-{why[0]}")
        with pytest.raises(AssertionError, match="ended with"), node:
            node.start()
        assert why in node.stderr


def make_certificate_of_rsa(folder):
    chain, key = folder / "rsa.pem", folder / "rsa.key"
    if not chain.exists():
        subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        certificates.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", chain)
    return chain, key
