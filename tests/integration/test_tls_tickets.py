"""TLS sessions that are resumed: on any node, after a rotation of the keys, after a restart of all nodes."""

import re
import subprocess
import time

import harness
import pytest
from harness import wait_for
from test_tls import make_certificate

VERSIONS = ["-tls1_2", "-tls1_3"]
REQUEST = b"GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def talk(node, *arguments) -> str:
    """One request with openssl s_client, which stays until the node closes: tickets have come by then."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{node.port('https')}", "-servername", "localhost", "-ign_eof", *map(str, arguments)],
        input=REQUEST, capture_output=True, timeout=30 * harness.patience(),
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert "HTTP/1.1 200" in said, said
    return said


def is_resumed(said: str) -> bool:
    (kind,) = set(re.findall(r"^(New|Reused), TLSv1\.", said, re.M))
    return kind == "Reused"


def resumed(node, session, *arguments) -> bool:
    return is_resumed(talk(node, "-sess_in", session, *arguments))


def key_name(said: str) -> str:
    """Which key has sealed the ticket that the client has now: its first 16 bytes."""
    return re.findall(r"TLS session ticket:\s+0000 - ([0-9a-f -]{47})", said)[-1]


@pytest.fixture
def sites(house, replica, tmp_path):
    """Two nodes with one certificate and one store."""
    redis = house.redis()
    pair = make_certificate(tmp_path, "localhost")
    nodes = [house.usher([replica], store=redis.url, name=name, tls={"certificate": [pair]}) for name in ("one", "two")]
    wait_for(lambda: redis.command("GET", "usher:tickets"), "the secrets in the store")
    return redis, nodes


def secrets(redis) -> list[str]:
    return [line.split(" ")[1] for line in redis.command("GET", "usher:tickets").splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_goes_on_at_another_node(sites, tmp_path, version):
    _, (one, two) = sites
    session = tmp_path / "session"
    talk(one, version, "-sess_out", session)
    assert resumed(two, session, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_outlives_a_rotation_and_a_restart_of_all_nodes(sites, tmp_path, version):
    redis, nodes = sites
    session = tmp_path / "session"
    first = talk(nodes[0], version, "-sess_out", session)
    for node in nodes:
        node.keep_ports()
        node.stop()
    (old,) = secrets(redis)
    made = int(time.time() * 1000) - 20 * 60 * 1000  # long enough ago to be used
    redis.command("SET", "usher:tickets", f"{made} {'n' * 43}\n{made - 1000} {old}\n")
    for node in nodes:
        node.start()
    again = talk(nodes[1], version, "-sess_in", session)
    assert is_resumed(again)
    assert key_name(again) != key_name(first), "the ticket that came back is sealed anew"


def test_a_key_that_is_gone_from_the_ring_opens_nothing(sites, tmp_path):
    redis, nodes = sites
    session = tmp_path / "session"
    talk(nodes[0], "-sess_out", session)
    for node in nodes:
        node.keep_ports()
        node.stop()
    redis.command("SET", "usher:tickets", f"{int(time.time() * 1000)} {'n' * 43}\n")
    nodes[0].start()
    assert not resumed(nodes[0], session)


def test_keys_rotate_by_themselves_also_without_a_store(house, replica, tmp_path):
    node = house.usher([replica], name="alone", tls={"ticket_rotate": "1s"})
    session = tmp_path / "session"
    first = talk(node, "-sess_out", session)
    wait_for(lambda: key_name(talk(node, "-sess_out", session)) != key_name(first), "a ticket under another key")
    assert resumed(node, session)


def test_what_a_client_is_told_is_honest_and_early_data_is_off(sites, tmp_path):
    _, (one, _) = sites
    session = tmp_path / "session"
    said = talk(one, "-tls1_3", "-sess_out", session)
    assert "Max Early Data: 0" in said
    assert f"TLS session ticket lifetime hint: {8 * 3600} (seconds)" in said
    data = tmp_path / "early"
    data.write_bytes(REQUEST)
    assert "Early data was accepted" not in talk(one, "-tls1_3", "-sess_in", session, "-early_data", data)


def test_the_secrets_are_on_no_disk_of_ours_and_in_no_log(sites):
    redis, nodes = sites
    for node in nodes:
        for path in [*node.state.rglob("*"), node.stderr_path]:
            assert not path.is_file() or not any(secret.encode() in path.read_bytes() for secret in secrets(redis))
    assert redis.keys()["usher:tickets"] > 8 * 3600


def test_tickets_can_be_switched_off(house, replica, tmp_path):
    node = house.usher([replica], name="off", tls={"session_tickets": False})
    for version in VERSIONS:
        session = tmp_path / f"session{version}"
        assert "TLS session ticket:" not in talk(node, version, "-sess_out", session)
        if session.exists():
            assert not resumed(node, session, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kept", [0, 1000])
def test_without_tickets_sessions_are_kept_here_if_they_shall_be(house, replica, tmp_path, version, kept):
    node = house.usher([replica], tls={"session_tickets": False, "session_cache": kept})
    session = tmp_path / "session"
    said = talk(node, version, "-sess_out", session)
    assert "TLS session ticket:" not in said or version == "-tls1_3"
    if kept or session.exists():
        assert resumed(node, session, version) == bool(kept)


def test_no_more_sessions_are_kept_than_were_said(house, replica, tmp_path):
    node = house.usher([replica], tls={"session_tickets": False, "session_cache": 2})
    sessions = [tmp_path / f"session{number}" for number in range(4)]
    for session in sessions:
        talk(node, "-tls1_2", "-sess_out", session)
    assert [resumed(node, session, "-tls1_2") for session in (sessions[3], sessions[1], sessions[0])] == [True, False, False]


def test_a_kept_session_ends_with_its_time(house, replica, tmp_path):
    node = house.usher([replica], tls={"session_tickets": False, "session_cache": 10, "ticket_rotate": "5s"})
    session = tmp_path / "session"
    talk(node, "-tls1_2", "-sess_out", session)
    assert resumed(node, session, "-tls1_2")
    wait_for(lambda: not resumed(node, session, "-tls1_2"), "the end of the session", timeout=30)
