"""Names that an upstream's own DNS servers know, and nobody else."""

import signal
import subprocess

import harness
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
    assert {question for question in server.questions() if question[0] != "PTR"} == {("A", NAME), ("AAAA", NAME)}
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


# --- What people call a replica -----------------------------------------------------------------------


def usher(node, *arguments: str) -> subprocess.CompletedProcess:
    command = [harness.usher_binary(), *arguments, "--admin", node.admin]
    return subprocess.run(command, capture_output=True, text=True, timeout=60 * harness.patience())


def hosts(node) -> dict[str, str]:
    return {replica["id"]: replica.get("host", "") for replica in node.status()["upstreams"][0]["replicas"]}


def test_replicas_are_called_by_the_names_of_their_hosts(house, server, pair):
    alpha, beta = pair
    names = {"stack_open-webui_1.internal": [alpha.host], "stack_open-webui_2.internal": [beta.host]}
    server.know({**names, NAME: [alpha.host, beta.host]})
    node = house.usher(settings=asking([server.address], alpha.port)).await_replicas(2)
    wait_for(lambda: hosts(node) == {alpha.address: "stack_open-webui_1.internal", beta.address: "stack_open-webui_2.internal"}, "the names")
    assert "stack_open-webui_1.internal" in usher(node, "status").stdout
    for name in ("stack_open-webui_1", "STACK_open-webui_1.internal", f"stack_open-webui_1:{alpha.port}", alpha.address):
        assert usher(node, "drain", name).returncode == 0, name
        assert node.replica_states() == {alpha.address: "draining", beta.address: "up"}
        assert usher(node, "undrain", name).returncode == 0, name
        wait_for(lambda: node.replica_states() == {alpha.address: "up", beta.address: "up"}, "undrained")
    (first, *_) = node.events("replica_draining")
    assert (first["replica"], first["name"]) == (alpha.address, "stack_open-webui_1.internal")
    beta.kill()
    down = wait_for(lambda: node.events("replica_down"), "beta down")[0]
    assert down["name"] == "stack_open-webui_2.internal"
    # An address that another container has got is called by its name.
    server.know({"stack_open-webui_7.internal": [alpha.host], NAME: [alpha.host, beta.host]})
    wait_for(lambda: hosts(node)[alpha.address] == "stack_open-webui_7.internal", "the new name")


def test_a_name_of_nobody_and_a_name_of_two_are_answered_with_those_there_are(house, server, pair):
    alpha, beta = pair
    node = house.usher(settings=asking([server.address], alpha.port)).await_replicas(2)
    nobody = usher(node, "drain", "gamma")
    assert nobody.returncode == 1 and "no replica is called gamma" in nobody.stderr
    for name in ("", "my replica", "a/b", "x?y=1", "%2e", "\n"):
        done = usher(node, "drain", name)
        assert done.returncode == 1 and f"no replica is called {name}" in done.stderr, name
    two = usher(node, "drain", NAME)
    assert two.returncode == 1 and "the name of 2 replicas" in two.stderr
    for said in (nobody.stderr, two.stderr):
        assert f"{alpha.address} ({NAME}" in said and f"{beta.address} ({NAME}" in said
    server.know({NAME: [beta.host]})
    wait_for(lambda: set(node.replica_states()) == {beta.address}, "alpha forgotten")
    assert usher(node, "drain", NAME).returncode == 0
    assert node.replica_states() == {beta.address: "draining"}


def test_status_says_that_a_name_does_not_resolve(house, server, pair):
    alpha, _ = pair
    server.know({})
    node = house.usher(settings=asking([server.address], alpha.port, hold="0s"))
    wait_for(lambda: node.events("resolve_failed"), "the failure")
    (unresolved,) = node.status()["upstreams"][0]["unresolved"]
    assert unresolved["name"] == f"{NAME}:{alpha.port}" and unresolved["reason"]
    table = usher(node, "status").stdout
    assert f"{NAME}:{alpha.port} does not resolve: " in table and "no replica is known" in table
    assert "none is known" in usher(node, "drain", NAME).stderr
    server.know({NAME: [alpha.host]})
    node.await_replicas(1)
    assert node.status()["upstreams"][0]["unresolved"] == []


def test_a_reload_that_changes_how_replicas_are_reached_keeps_what_is_known(house, server, pair):
    alpha, beta = pair
    node = house.usher(settings=asking([server.address], alpha.port, hold="0s", health={"active": False})).await_replicas(2)
    server.process.send_signal(signal.SIGSTOP)
    secure = asking([server.address], alpha.port, hold="0s", health={"active": False})
    secure["upstream"][0]["replicas"] = [f"https://{NAME}:{alpha.port}"]
    rewrite(node, upstream=secure["upstream"])
    assert node.admin_get("/api/reload", "POST")[0] == 200
    assert {replica["id"] for replica in node.status()["upstreams"][0]["replicas"]} == {alpha.address, beta.address}
    server.process.send_signal(signal.SIGCONT)
