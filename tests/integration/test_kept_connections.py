"""How many requests a connection carries, and how many idle ones are kept."""

import fakes
import pytest
import wire
from harness import settings_for, wait_for
from http2 import Http2


def node_with(house, replicas, limits=None, **upstream):
    settings = settings_for(replicas)
    settings["workers"] = 1
    settings["limits"] = limits or {}
    settings["listen"] = [{"address": "127.0.0.1:0", "tls": True}, {"address": "127.0.0.1:0"}]
    settings["upstream"][0] |= upstream
    return house.usher(settings=settings).await_replicas(1)


def test_a_client_is_told_with_its_last_answer(house, replica):
    node = node_with(house, [replica], {"connection_requests": 3})
    with wire.Wire(node.url()) as connection:
        said = [connection.ask("GET", "/whoami").header("Connection") for _ in range(3)]
        assert said == [None, None, "close"]
        assert connection.closed_by_peer()


def test_so_is_one_that_asks_usher_itself(house, replica):
    settings = settings_for([replica], limits={"connection_requests": 2})
    settings["route"] = [{"path": "/", "status": 204}]
    node = house.usher(settings=settings)
    with wire.Wire(node.url()) as connection:
        assert [connection.ask("GET", "/").header("Connection") for _ in range(2)] == [None, "close"]
        assert connection.closed_by_peer()


def test_http2_ends_without_losing_a_request(house, replica):
    node = node_with(house, [replica], {"connection_requests": 5})
    with Http2(node.url("https")) as client:
        streams = [client.begin("GET", f"/slow?id=s{number}&ms=200") for number in range(8)]
        assert [client.response(stream).status for stream in streams] == [200] * 8
        assert client.end() == 0
        assert client.last_stream[0] == 2**31 - 1, "those that are on their way are not lost"


@pytest.mark.parametrize("upstream, connections", [({"connection_requests": 3}, 3), ({"idle_connections": 0}, 9), ({}, 1)], ids=str)
def test_a_replicas_connection_carries_so_many(house, upstream, connections):
    fake = house.fake(fakes.Says(fakes.whole(b"good"), keep=True))
    node = node_with(house, [fake], **upstream)
    for _ in range(9):
        assert wire.fetch(node.url() + "/x").status == 200
    assert fake.used_connections == connections


def test_no_more_are_kept_than_were_said(house, replica):
    node = node_with(house, [replica], idle_connections=2, timeouts={"keep_alive": "1m"})
    clients = [wire.Wire(node.url()) for _ in range(6)]
    for number, client in enumerate(clients):
        client.request("GET", f"/slow?id=k{number}&ms=500")
    assert [client.response().status for client in clients] == [200] * 6
    for client in clients:
        client.close()

    def idle() -> int:
        port = f":{replica.port:04X}"
        with open(f"/proc/{node.pid}/net/tcp") as table:
            rows = [line.split() for line in table]
        return sum(row[2].endswith(port) and row[3] == "01" for row in rows)

    wait_for(lambda: idle() == 2, "two idle connections")
