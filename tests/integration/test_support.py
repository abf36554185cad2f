"""The parts themselves, without usher between them: what they cannot show directly, no test shows."""

import time

import harness
import pytest
import wire
from harness import wait_for


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_clients_reach_a_replica_directly(bare_house, transport):
    replica = bare_house.replica("alpha")
    clients = bare_house.clients([replica.url], 3, transport=transport)
    states = clients.await_connected()
    wait_for(lambda: min(state["acked"] for state in clients.report().values()) > 0, "an ack for each client")
    assert {state["replica"] for state in states.values()} == {"alpha"}
    assert {line["client"] for line in replica.requests()} == {"clients-0", "clients-1", "clients-2"}
    clients.stop()
    assert not clients.events("http_error")


def test_polling_without_affinity_fails_so_the_tests_would_notice(bare_house):
    replicas = bare_house.replicas(("alpha", "beta"))
    clients = bare_house.clients([replica.url for replica in replicas], 4, transport="polling", args=["--per-request-random"])
    wait_for(lambda: any(event["status"] == 400 and "Invalid session" in event["body"] for event in clients.events("http_error")), "Invalid session")


def test_a_client_goes_to_another_node_when_its_own_dies(bare_house):
    replicas = bare_house.replicas(("alpha", "beta"))
    clients = bare_house.clients([replica.url for replica in replicas], 6)
    clients.await_connected()
    replicas[0].kill()
    wait_for(lambda: all(state["connected"] and state["replica"] == "beta" for state in clients.report().values()), "everybody at beta")


def test_rooms_cross_replicas_through_redis(bare_house):
    redis = bare_house.redis()
    replicas = bare_house.replicas(("alpha", "beta"), redis=redis.url + "/1")
    clients = [bare_house.clients([replica.url], 1, name=f"at-{replica.name}") for replica in replicas]
    for each in clients:
        each.await_connected()
    clients[0].say("emit-room at-beta-0 hello")
    wait_for(lambda: [event["data"] for event in clients[1].events("room")] == ["hello"], "the event at the other replica")


def test_a_replica_notes_the_abort_of_a_stream(bare_house):
    replica = bare_house.replica()
    with wire.Wire(replica.url) as connection:
        connection.request("GET", "/sse?id=gone&count=1000")
        events = wire.sse_events(connection, connection.read_head())
        next(events)
    left = time.time_ns()
    aborts = wait_for(lambda: replica.get("/aborts"), "the abort")
    assert aborts[0]["id"] == "gone"
    assert aborts[0]["time_ns"] - left < 1e9


def test_redis_can_be_killed_and_come_back_on_its_port(bare_house):
    redis = bare_house.redis()
    redis.command("SET", "a", "1", "EX", "60")
    assert redis.keys() == {"a": 60}
    port = redis.port
    redis.kill()
    assert not redis.answers()
    redis.start()
    assert redis.port == port and redis.keys() == {}


def test_settings_are_written_as_toml(tmp_path):
    import tomllib

    settings = harness.settings_for(["127.0.0.1:1"], "redis://127.0.0.1:2", forwarded={"trusted": ["127.0.0.0/8"]})
    assert tomllib.loads(harness.toml(settings)) == settings
