"""https:// replicas: verified by name and authority, for requests, websockets and probes."""

import subprocess

import certificates
import pytest
import wire
from harness import settings_for, usher_binary, wait_for


@pytest.fixture
def authority(house):
    return certificates.Authority(house.folder)


def secure(house, authority, names="IP:127.0.0.1", **options):
    chain, key = authority.issue(names)
    return house.replica(args=["--tls-chain", str(chain), "--tls-key", str(key)], **options)


def node_for(house, replica, ca, **options):
    settings = settings_for([f"https://{replica.address}"])
    settings["upstream"][0]["ca"] = str(ca)
    return house.usher(settings=settings, **options)


def test_requests_probes_and_websockets_go_over_tls(house, authority):
    replica = secure(house, authority)
    node = node_for(house, replica, authority.certificate).await_replicas(1)
    assert node.replica_states() == {replica.address: "up"}
    first = wire.fetch(node.url() + "/whoami")
    assert first.status == 200 and first.json()["replica"] == "alpha"
    again = wire.fetch(node.url() + "/blob?bytes=3000000", headers=[("Cookie", first.cookie())])
    assert again.status == 200 and len(again.body) == 3_000_000 and again.cookie() is None
    assert wire.fetch(node.url() + "/whoami?client=known").status == 200
    assert replica.requests("known")
    assert wire.fetch(node.url() + "/sink", "POST", body=b"x" * 1_000_000).json()["bytes"] == 1_000_000
    with wire.Wire(node.url("https")) as connection:
        connection.send(wire.handshake("/any/terminal"))
        assert connection.read_head().status == 101
        connection.send(wire.masked(b"over two legs of TLS"))
        assert b"over two legs of TLS" in connection.receive()
    wait_for(lambda: node.status()["upstreams"][0]["replicas"][0]["version"] == "0.11.0", "the version, asked over TLS")


def test_connections_over_tls_are_kept(house, authority):
    replica = secure(house, authority)
    node = node_for(house, replica, authority.certificate).await_replicas(1)
    with wire.Wire(node.url()) as connection:
        ports = {connection.ask("GET", "/whoami").json()["client"][1] for _ in range(10)}
    assert len(ports) == 1


@pytest.mark.parametrize("names", ["IP:127.0.0.2", "DNS:open-webui"])
def test_a_certificate_for_another_name_is_refused(house, authority, names):
    replica = secure(house, authority, names)
    node = node_for(house, replica, authority.certificate)
    refused(node, replica)


def test_a_certificate_of_another_authority_is_refused(house, authority):
    replica = secure(house, authority)
    node = node_for(house, replica, certificates.Authority(house.folder, "another").certificate)
    refused(node, replica)


def test_a_certificate_may_have_a_name_of_its_own(house, authority):
    replica = secure(house, authority, "DNS:open-webui.internal")
    settings = settings_for([f"https://{replica.address}"])
    settings["upstream"][0].update(ca=str(authority.certificate), tls_name="open-webui.internal")
    node = house.usher(settings=settings).await_replicas(1)
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_who_is_not_verified_may_be_anybody(house, authority):
    replica = secure(house, authority, "DNS:another")
    settings = settings_for([f"https://{replica.address}"])
    settings["upstream"][0]["tls_verify"] = False
    node = house.usher(settings=settings).await_replicas(1)
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_an_upstream_that_verifies_shares_nothing_with_one_that_does_not(house, authority):
    """Both have the same address. The connections, the health and the drain of one are not the other's."""
    replica = secure(house, authority, "DNS:another")
    settings = settings_for([f"https://{replica.address}"], workers=1)
    strict, lax = settings["upstream"][0], {**settings["upstream"][0], "name": "lax", "tls_verify": False}
    strict |= {"ca": str(authority.certificate), "hold": "0s"}
    settings["upstream"].append(lax)
    settings["route"] = [{"path": "/lax/", "upstream": "lax"}, {"path": "/", "upstream": strict["name"]}]
    node = house.usher(settings=settings, wait=False)

    def states():
        return {upstream["name"]: [each["state"] for each in upstream["replicas"]] for upstream in node.status()["upstreams"]}

    wait_for(lambda: states() == {strict["name"]: ["down"], "lax": ["up"]}, "one is down, the other one up")
    for _ in range(20):
        assert wire.fetch(node.url() + "/lax/any?client=lax").status == 404, "the replica's own answer"
        assert wire.fetch(node.url() + "/whoami?client=strict").status in (502, 503)
    assert not replica.requests("strict")
    assert states() == {strict["name"]: ["down"], "lax": ["up"]}
    assert node.admin_get(f"/api/replicas/{replica.address}/drain", "POST")[0] == 200
    assert states()["lax"] == ["draining"]


def refused(node, replica) -> None:
    wait_for(lambda: node.replica_states()[replica.address] == "down", "down")
    line = next(line for line in node.log if line.get("event") == "replica_down")
    assert "certificate" in line["reason"], line
    assert wire.fetch(node.url() + "/whoami?client=refused").status in (502, 503)
    assert not replica.requests("refused")


def test_a_replica_that_speaks_no_tls_is_down(house, authority):
    replica = house.replica()
    node = node_for(house, replica, authority.certificate)
    wait_for(lambda: node.replica_states()[replica.address] == "down", "down")
    assert wire.fetch(node.url() + "/whoami?client=refused").status in (502, 503)
    assert not replica.requests("refused")


def test_check_names_an_authority_that_cannot_be_read(house):
    path = house.folder / "bad.toml"
    path.write_text('[[upstream]]\nname = "a"\nreplicas = ["https://a:1"]\nca = "/nowhere.pem"\n')
    done = subprocess.run([usher_binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "bad.toml:4:6: upstream.ca: /nowhere.pem: cannot be read" in done.stderr
