"""A store over TLS: who is believed, and what is said of who is not."""

import subprocess

import harness
import pytest
import wire
from certificates import Authority
from harness import wait_for
from homes import KNOWN_SECRET, assert_homes, settle


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def node_with(house, replicas, store: dict, name: str = "usher", wait=True):
    settings = {**harness.settings_for(replicas), "store": store, "affinity": KNOWN_SECRET}
    return house.usher(replicas, settings=settings, name=name, wait=wait)


def store_state(node) -> str:
    return node.status()["store"]["state"]


def await_reason(node, *reasons: str) -> None:
    def said():
        return any(line["event"] == "store_down" and any(reason in line["error"] for reason in reasons) for line in node.log)

    wait_for(said, f"{reasons} in the log")
    assert store_state(node) == "down"
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_nodes_share_a_redis_that_speaks_tls(house, authority):
    replicas = house.replicas()
    redis = house.redis(tls=authority, password="p w", args=["--tls-auth-clients", "no"])
    url = redis.url.replace("p w", "p%20w")
    nodes = [node_with(house, replicas, {"url": url, "ca": str(authority.certificate)}, name) for name in ("one", "two")]
    wait_for(lambda: all(store_state(node) == "up" for node in nodes), "the store up")
    assert_homes(nodes, settle(nodes, 6))
    assert len(redis.keys("usher:client:*")) == 6
    # It comes back by itself, also when the server ends without a close_notify.
    redis.kill()
    wait_for(lambda: all(store_state(node) == "down" for node in nodes), "the outage noticed")
    redis.start()
    wait_for(lambda: all(store_state(node) == "up" for node in nodes), "the store back")


def test_a_redis_of_an_unknown_authority_is_refused(house, authority, tmp_path, replica):
    redis = house.redis(tls=authority, args=["--tls-auth-clients", "no"])
    other = Authority(tmp_path, "other")
    node = node_with(house, [replica], {"url": redis.url, "ca": str(other.certificate)})
    await_reason(node, "the certificate of 127.0.0.1 is refused: self-signed certificate in certificate chain")
    node = node_with(house, [replica], {"url": redis.url}, name="system")
    await_reason(node, "the certificate of 127.0.0.1 is refused: ")


def test_a_redis_with_the_certificate_of_another_host_is_refused(house, authority, replica):
    redis = house.redis(tls=authority, args=["--tls-auth-clients", "no"])
    chain, key = authority.issue("DNS:redis.example")
    redis.kill()
    redis.args += ["--tls-cert-file", chain, "--tls-key-file", key]
    redis.secured["ssl_check_hostname"] = False
    redis.start()
    node = node_with(house, [replica], {"url": redis.url, "ca": str(authority.certificate)})
    await_reason(node, "the certificate of 127.0.0.1 is refused: IP address mismatch")


def test_a_client_certificate_is_shown_when_it_is_asked_for(house, authority, replica):
    redis = house.redis(tls=authority)
    chain, key = authority.issue("DNS:usher")
    store = {"url": redis.url, "ca": str(authority.certificate)}
    node = node_with(house, [replica], {**store, "cert": str(chain), "key": str(key)}, name="known")
    wait_for(lambda: store_state(node) == "up", "the store up")
    # With TLS 1.3 the server says so after our first command; the reset of its socket may come first.
    await_reason(node_with(house, [replica], store, name="unknown"), "certificate required", "Connection reset by peer")


def test_a_plain_redis_is_no_store_over_tls(house, authority, replica):
    redis = house.redis()
    node = node_with(house, [replica], {"url": redis.url.replace("redis:", "rediss:"), "ca": str(authority.certificate)})
    # It takes what we say for the beginning of a command, and waits for more.
    await_reason(node, "no connection within 2 s")


@pytest.mark.parametrize("key", ["ca", "cert"])
def test_check_names_a_file_that_cannot_be_read(house, tmp_path, key):
    file = tmp_path / "usher.toml"
    store = {"url": "rediss://127.0.0.1", key: "/nowhere.pem", **({"key": "/nowhere.key"} if key == "cert" else {})}
    file.write_text(harness.toml({"store": store}))
    done = subprocess.run([harness.usher_binary(), "check", "-c", file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "usher.toml:4:" in done.stderr and f"store.{key}: /nowhere.pem: cannot be read: No such file or directory" in done.stderr
