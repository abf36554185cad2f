"""Which certificate a client is shown, and what it is told that asks for a name of nobody's."""

import socket
import ssl
import subprocess

import harness
import pytest
import wire
from certificates import openssl
from test_tls import s_client

SUBJECTS = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["-newkey", "rsa:2048"]}


def make(folder, name: str, kind: str) -> dict:
    stem = folder / f"{kind}-{name.replace('*', 'any')}"
    openssl(
        "req", "-x509", *SUBJECTS[kind], "-nodes", "-days", "2", "-subj", f"/CN={kind} {name}", "-addext", f"subjectAltName=DNS:{name}",
        "-keyout", f"{stem}.key", "-out", f"{stem}.pem",
    )
    return {"chain": f"{stem}.pem", "key": f"{stem}.key"}


@pytest.fixture
def both(house, replica, tmp_path):
    """A node with two certificates for each of two names."""
    names = ("chat.example.org", "*.example.net")
    pairs = [make(tmp_path, name, kind) for name in names for kind in ("rsa", "ecdsa")]
    return house.usher([replica], name="both", tls={"certificate": pairs})


OLD = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]
RSA = ["-sigalgs", "RSA-PSS+SHA256"]


@pytest.mark.parametrize(
    "name, arguments, shown",
    [
        ("chat.example.org", [], "ecdsa chat.example.org"),
        ("chat.example.org", RSA, "rsa chat.example.org"),
        ("chat.example.org", OLD, "rsa chat.example.org"),
        ("a.example.net", [], "ecdsa *.example.net"),
        ("a.example.net", RSA, "rsa *.example.net"),
        ("a.b.example.net", [], "ecdsa chat.example.org"),
        ("other.example", OLD, "rsa chat.example.org"),
    ],
)
def test_each_client_gets_the_certificate_of_the_name_that_it_can_verify(both, name, arguments, shown):
    said = s_client(both.port("https"), "-servername", name, *arguments)
    assert f"subject=CN = {shown}\n" in said, said


def ask(node, name: str) -> int:
    with socket.create_connection(("127.0.0.1", node.port("https"))) as raw:
        with wire.unverified().wrap_socket(raw, server_hostname=name) as secured:
            with wire.Wire.over(secured) as connection:
                connection.authority = name
                return connection.ask("GET", "/whoami").status


def test_a_name_of_nobodys_is_served_unless_the_settings_say_otherwise(house, replica, tmp_path):
    pair = make(tmp_path, "chat.example.org", "ecdsa")
    served = {
        policy: house.usher([replica], name=policy, tls={"certificate": [pair], "unknown_name": policy})
        for policy in ("default", "misdirected", "refuse")
    }
    assert all(ask(node, "chat.example.org") == 200 for node in served.values())
    assert ask(served["default"], "other.example") == 200
    assert ask(served["misdirected"], "other.example") == 421
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        ask(served["refuse"], "other.example")
    # Who names nobody is served.
    assert "Cipher is (NONE)" not in s_client(served["refuse"].port("https"), "-noservername")


def test_ciphers_are_those_of_the_settings(house, replica):
    node = house.usher(
        [replica], name="narrow",
        tls={"ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305", "ciphersuites": "TLS_AES_256_GCM_SHA384"},
    )
    port = node.port("https")
    assert "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384" in s_client(port)
    assert "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305" in s_client(port, "-tls1_2")
    assert "Cipher is (NONE)" in s_client(port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")


@pytest.mark.parametrize("key", ["ciphers", "ciphersuites"])
def test_ciphers_that_nobody_knows_are_named_by_check(house, tmp_path, key):
    pair = make(tmp_path, "chat.example.org", "ecdsa")
    config = tmp_path / "usher.toml"
    config.write_text(harness.toml({"tls": {key: "MAGIC", "certificate": [pair]}}))
    done = subprocess.run([harness.usher_binary(), "check", "-c", config], capture_output=True, text=True)
    assert done.returncode == 1 and f"tls.{key}" in done.stderr and "MAGIC" in done.stderr
