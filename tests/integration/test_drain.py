"""SIGTERM: requests finish, websockets are closed in order and one after the other, and it ends in time. How those fare who
come meanwhile: test_restart.py."""

import asyncio
import signal
import time

import fakes
import harness
import pytest
import wire
from harness import wait_for
from websockets.asyncio.client import connect

WHOLE = b"\x81\x7e\x03\xe8" + b"x" * 1000  # A text frame as a server sends it.
MASKED = b"\x81\xfe\x03\xe8" + b"\0\0\0\0" + b"x" * 1000  # And a client.
CLOSE = b"\x88\x02\x03\xe9"  # 1001


def node_for(house, replica, drain: str, **extra):
    return house.usher([replica], timeouts={"drain": drain}, **extra)


def open_websocket(node, path: str = "/any/where") -> wire.Wire:
    connection = wire.Wire(node.url())
    connection.send(wire.handshake(path))
    assert connection.response().status == 101
    return connection


def everything(connection) -> bytes:
    """What comes until the other side ends."""
    data = b""
    while piece := connection.receive():
        data += piece
    return data


def masked_close(data: bytes) -> bool:
    """Is this exactly one Close 1001 as a client sends it?"""
    if len(data) != 8 or data[:2] != b"\x88\x82":
        return False
    mask, payload = data[2:6], data[6:]
    return bytes(byte ^ mask[i] for i, byte in enumerate(payload)) == b"\x03\xe9"


class Timed:
    """Ends the node and measures how long that takes."""

    def __init__(self, node):
        self.node = node
        self.began = time.monotonic()
        node.signal(signal.SIGTERM)

    def assert_over(self, at_least: float, at_most: float) -> None:
        assert self.node.wait() == 0
        took = time.monotonic() - self.began
        assert at_least <= took <= at_most + 2 * harness.patience(), took


# --- Websockets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_websockets_are_told_near_the_end_and_not_all_at_once(house, replica, scheme):
    node = node_for(house, replica, "9s", workers=2)
    url = node.url(scheme).replace("http", "ws", 1) + "/any/where?id=crowd"
    tls = {"ssl": wire.unverified()} if scheme == "https" else {}
    count = 120

    async def one(began) -> tuple[float, int]:
        async with connect(url, **tls) as socket:
            began.append(1)
            await socket.wait_closed()
            return time.monotonic(), socket.close_code

    async def all_of_them():
        opened = []
        tasks = [asyncio.create_task(one(opened)) for _ in range(count)]
        while len(opened) < count:
            await asyncio.sleep(0.02)
        began = time.monotonic()
        node.signal(signal.SIGTERM)
        return began, await asyncio.gather(*tasks)

    began, ends = asyncio.run(all_of_them())
    assert node.wait() == 0 and time.monotonic() - began < 9 + 2 * harness.patience()
    assert {code for _, code in ends} == {1001}
    times = sorted(end - began for end, _ in ends)
    # 500 a second until a second and a half before the end: from 7.26 s to 7.5 s, looked at every 50 ms.
    assert times[0] >= 7.2 and times[-1] < 9 + harness.patience()
    assert times[-1] - times[0] > 0.09, times
    codes = [abort["code"] for abort in replica.get("/aborts")]
    assert len(codes) == count and set(codes) == {1001}
    lines = [line for line in node.access_log if line["protocol"] == "websocket"]
    assert len(lines) == count
    assert all(line["closed_by"] == "usher" and line["error"].startswith("draining") for line in lines)


def test_a_close_waits_for_the_end_of_the_replicas_frame(house):
    """The replica is in the middle of a frame; it ends it when it hears our Close."""
    fake = house.fake(fakes.SaysUpgraded(first=WHOLE[:500], then=WHOLE[500:] + CLOSE))
    node = node_for(house, fake, "3s")
    with open_websocket(node) as client:
        assert client.read_exactly(500) == WHOLE[:500]
        timed = Timed(node)
        assert client.read_exactly(len(WHOLE) - 500 + len(CLOSE)) == WHOLE[500:] + CLOSE
        client.send(wire.masked_close())
        assert everything(client) == b"", "nothing behind a Close"
    timed.assert_over(1.9, 3)
    wait_for(lambda: masked_close(fake.heard), "the Close at the replica")


def test_a_close_waits_for_the_end_of_the_clients_frame(house):
    fake = house.fake(fakes.SaysUpgraded())
    node = node_for(house, fake, "3s")
    with open_websocket(node) as client:
        client.send(MASKED[:500])
        wait_for(lambda: len(fake.heard) == 500, "half a frame at the replica")
        timed = Timed(node)
        assert client.read_exactly(len(CLOSE)) == CLOSE
        client.send(MASKED[500:] + masked_text_and_close())
        assert everything(client) == b""
    timed.assert_over(1.9, 3)
    wait_for(lambda: len(fake.heard) >= len(MASKED) + 8, "the frame and the Close at the replica")
    assert fake.heard[: len(MASKED)] == MASKED and masked_close(fake.heard[len(MASKED) :])


def masked_text_and_close() -> bytes:
    """A frame that comes too late to be passed on, and the answer to a Close."""
    return wire.masked(b"too late") + wire.masked_close()


def test_nothing_follows_a_close(house):
    """What an end says behind our Close to the other goes nowhere."""
    fake = house.fake(fakes.SaysUpgraded(then=WHOLE * 3 + CLOSE))
    node = node_for(house, fake, "3s")
    with open_websocket(node) as client:
        timed = Timed(node)
        assert client.read_exactly(len(CLOSE)) == CLOSE
        client.send(wire.masked(b"more") * 3 + wire.masked_close())
        assert everything(client) == b""
    timed.assert_over(1.9, 3)
    wait_for(lambda: masked_close(fake.heard), "the Close at the replica")


def test_the_closing_handshake_ends_it_before_the_time_is_over(house):
    fake = house.fake(fakes.SaysUpgraded(then=CLOSE, end=True))
    node = node_for(house, fake, "8s")
    with open_websocket(node) as client:
        timed = Timed(node)
        client.socket.settimeout(60)
        assert client.read_exactly(len(CLOSE)) == CLOSE
        told = time.monotonic()
        client.send(wire.masked_close())
        assert everything(client) == b"" and time.monotonic() - told < 2 * harness.patience()
    timed.assert_over(6.4, 7.1)


@pytest.mark.parametrize("half", [b"", WHOLE[:500]])
def test_ends_that_never_answer_do_not_hold_it_up(house, half):
    """Not even in the middle of a frame, where no Close can be said."""
    node = node_for(house, house.fake(fakes.SaysUpgraded(first=half)), "2s")
    with open_websocket(node) as client:
        assert client.read_exactly(len(half)) == half
        Timed(node).assert_over(1.2, 2)
        assert everything(client) == (b"" if half else CLOSE)


def test_a_websocket_that_closes_by_itself_is_not_the_front_doors_doing(house, replica):
    node = node_for(house, replica, "10s")
    with open_websocket(node) as client:
        timed = Timed(node)
        client.send(wire.masked_close(1000))
        assert client.read_exactly(2)[0] == 0x88
    timed.assert_over(0, 5)
    (line,) = [line for line in node.access_log if line["protocol"] == "websocket"]
    assert line["closed_by"] == "client" and line["error"] is None


def test_a_silent_websocket_is_closed_in_order_too(house):
    fake = house.fake(fakes.SaysUpgraded(then=CLOSE, end=True))
    settings = harness.settings_for([fake])
    settings["upstream"][0]["timeouts"] = {"tunnel_idle": "400ms"}
    node = house.usher([fake], settings=settings)
    with open_websocket(node) as client:
        assert client.read_exactly(len(CLOSE)) == CLOSE
        client.send(wire.masked_close())
        assert everything(client) == b""
    wait_for(lambda: masked_close(fake.heard), "the Close at the replica")
    line = node.await_access(lambda line: line["protocol"] == "websocket")
    assert line["closed_by"] == "usher" and line["error"].startswith("tunnel_idle")


# --- Requests -----------------------------------------------------------------------------------------


def test_a_response_that_does_not_end_in_time_is_cut_so_that_its_client_notices(house, replica):
    node = node_for(house, replica, "1s")
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/sse?count=100000")
        head = connection.read_head()
        timed = Timed(node)
        with pytest.raises(wire.Truncated):
            list(connection.body_pieces(head))
    timed.assert_over(0.85, 1)
    line = node.access_log[-1]
    assert line["path"] == "/sse" and line["error"].startswith("draining") and line["status"] == 200


def test_a_request_without_an_answer_is_told_503_at_the_end(house, replica):
    node = node_for(house, replica, "1s")
    with wire.Wire(node.url()) as connection:
        connection.request("GET", "/slow?id=never&ms=60000", [("Accept", "application/json")])
        wait_for(lambda: "never" in replica.get("/begun"), "the request at the replica")
        timed = Timed(node)
        answer = connection.response()
        assert answer.status == 503 and answer.json()["detail"] and answer.header("connection") == "close"
        assert int(answer.header("retry-after")) > 0
    timed.assert_over(0.85, 1)
    assert node.access_log[-1]["error"].startswith("draining")


def test_a_second_signal_leaves_a_line_for_what_it_cuts(house, replica):
    node = node_for(house, replica, "30s")
    with wire.Wire(node.url()) as connection, open_websocket(node):
        connection.request("GET", "/sse?count=100000")
        connection.read_head()
        timed = Timed(node)
        wait_for(lambda: any(line.get("event") == "draining" for line in node.log), "the drain")
        node.signal(signal.SIGTERM)
        timed.assert_over(0, 1)
    assert sorted((line["protocol"], line["error"].split(":")[0]) for line in node.access_log) == [
        ("h1", "draining"),
        ("websocket", "draining"),
    ]
