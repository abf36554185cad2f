"""Names that an upstream's own DNS servers know, and nobody else."""

import name_server
import pytest
import wire
from harness import free_port, settings_for, wait_for
from test_reload import rewrite

NAME = "open-webui.internal"

pytestmark = pytest.mark.skipif(not name_server.have_dnsmasq(), reason="no dnsmasq")


@pytest.fixture
def server(house):
    return house.keep(name_server.NameServer(house.folder)).start()


@pytest.fixture
def pair(house, server):
    """alpha and beta behind one name, with one port."""
    alpha = house.replica("alpha", host="127.0.0.2")
    beta = house.replica("beta", host="127.0.0.3", port=alpha.port)
    server.know({NAME: [alpha.host, beta.host]})
    return alpha, beta


def asking(servers, port: int, **upstream) -> dict:
    settings = settings_for([f"{NAME}:{port}"])
    settings["upstream"][0] |= {"nameservers": servers, "resolve": "200ms", **upstream}
    return settings


def test_every_address_is_a_replica_and_new_ones_are_found(house, server, pair):
    alpha, beta = pair
    node = house.usher(settings=asking([server.address], alpha.port)).await_replicas(2)
    assert set(node.replica_states()) == {alpha.address, beta.address}
    assert server.questions() == {("A", NAME), ("AAAA", NAME)}
    server.know({NAME: [beta.host]})
    wait_for(lambda: set(node.replica_states()) == {beta.address}, "alpha forgotten")
    server.know({NAME: [alpha.host, beta.host]})
    node.await_replicas(2)


def test_a_name_that_nobody_knows_keeps_what_was_known(house, server, pair):
    alpha, beta = pair
    node = house.usher(settings=asking([server.address], alpha.port)).await_replicas(2)
    server.know({})
    wait_for(lambda: node.events("resolve_failed"), "the failure")
    assert set(node.replica_states()) == {alpha.address, beta.address}
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_one_server_of_two_is_enough(house, server, pair):
    nobody = f"127.0.0.1:{free_port()}"
    node = house.usher(settings=asking([nobody, server.address], pair[0].port)).await_replicas(2)
    assert wire.fetch(node.url() + "/whoami").status == 200


def test_without_any_server_usher_starts_and_says_so(house, pair):
    nobody = f"127.0.0.1:{free_port()}"
    node = house.usher(settings=asking([nobody], pair[0].port, hold="0s"))
    assert "timed out" in wait_for(lambda: node.events("resolve_failed"), "the failure")[0]["reason"]
    assert wire.fetch(node.url() + "/whoami").status == 503


@pytest.mark.parametrize("family, found", [("any", 2), ("ipv4", 1), ("ipv6", 1)])
def test_addresses_of_one_kind_alone(house, server, family, found):
    alpha = house.replica("alpha", host="127.0.0.1")
    six = house.replica("six", host="::1", port=alpha.port)
    server.know({NAME: ["127.0.0.1", "::1"]})
    node = house.usher(settings=asking([server.address], alpha.port, addresses=family)).await_replicas(found)
    all_of = {"ipv4": alpha.address, "ipv6": six.address}
    assert set(node.replica_states()) == ({all_of[family]} if family in all_of else set(all_of.values()))


def test_another_server_is_asked_after_a_reload(house, server, pair):
    alpha, _ = pair
    other = house.keep(name_server.NameServer(house.folder / "other")).start()
    other.know({NAME: [alpha.host]})
    node = house.usher(settings=asking([server.address], alpha.port)).await_replicas(2)
    rewrite(node, **asking([other.address], alpha.port))
    assert node.admin_get("/api/reload", "POST")[0] == 200
    wait_for(lambda: set(node.replica_states()) == {alpha.address}, "what the other server says")
