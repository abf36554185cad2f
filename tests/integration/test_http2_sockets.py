"""Websockets on HTTP/2 connections that do other things, too: a Socket.IO session beside downloads, and a browser's.

USHER_TEST_SESSION is how many seconds the session lives beside 50 downloads (10): the first ten as fast as it goes, the
rest at a pace that leaves the machine to others."""

import json
import os
import time

import browser
import fakes
import h2.settings
import harness
import pytest
import wire
from harness import settings_for, wait_for
from http2 import Http2
from test_websocket_wire import switching

SECONDS = float(os.environ.get("USHER_TEST_SESSION", 10))
HURRY = 10  # seconds
LISTEN = [{"address": "127.0.0.1:0", "tls": True}]
SOCKETIO = "/ws/socket.io/?EIO=4&transport=websocket"
ECHO = "/api/v1/terminals/1/ws?id=1"


class Session:
    """A Socket.IO session on one stream of a connection: answers pings, and tells what it hears."""

    def __init__(self, client: Http2):
        self.client, self.pings = client, 0
        client.until(lambda: client.settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1)
        self.stream = client.begin("CONNECT", SOCKETIO, [("sec-websocket-version", "13")], end=False, protocol="websocket")
        assert self.await_packet("0{")
        self.say("40")
        assert self.await_packet("40{")

    def say(self, packet: str) -> None:
        self.client.write(self.stream, wire.masked(packet.encode()))

    def frame(self) -> tuple[int, bytes] | None:
        """The first octet and the payload of the next one that is here whole."""
        stream = self.client.streams[self.stream]
        assert not stream.over, stream
        if len(stream.body) < 2:
            return None
        length, at = stream.body[1], 2
        if length == 126:
            length, at = int.from_bytes(stream.body[2:4], "big"), 4
        if len(stream.body) < at + length:
            return None
        first, payload, stream.body = stream.body[0], stream.body[at : at + length], stream.body[at + length :]
        return first, payload

    def packet(self) -> str | None:
        """The next one that is here whole; the server's own pings (RFC 6455 section 5.5.2) are answered."""
        while frame := self.frame():
            first, payload = frame
            if first == 0x81:
                return payload.decode()
            assert first == 0x89, frame
            self.client.write(self.stream, bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
        return None

    def await_packet(self, beginning: str) -> str:
        while True:
            packet = self.packet()
            if packet is None:
                self.client.receive()
            elif packet == "2":
                self.pings += 1
                self.say("3")
            elif packet.startswith(beginning):
                return packet


def test_a_session_lives_beside_fifty_downloads(house):
    replica = house.replica(args=["--ping-interval", "2"])
    node = house.usher([replica], settings=settings_for([replica], listen=LISTEN))
    with Http2(node.url("https")) as client:
        session = Session(client)
        downloads: set[int] = set()
        began = time.monotonic()
        asked, fetched, slowest = 0, 0, 0.0
        while (lived := time.monotonic() - began) < SECONDS:
            for each in [each for each in downloads if client.streams[each].over]:
                stream = client.streams.pop(each)
                assert (stream.status, len(stream.body), stream.reset) == (200, 100_000, None)
                downloads.remove(each)
                fetched += 1
            pause = 0 if lived < HURRY else 1000
            while len(downloads) < 50:
                downloads.add(client.begin("GET", f"/blob?bytes=100000&pause_ms={pause}"))
            pause_over = time.monotonic() + pause / 4000
            while time.monotonic() < pause_over:
                client.receive()
            asked += 1
            sent = time.monotonic()
            session.say(f'42{asked}["echo",{asked}]')
            assert json.loads(session.await_packet(f"43{asked}").removeprefix(f"43{asked}")) == [asked]
            slowest = max(slowest, time.monotonic() - sent)
        print(f"{asked} acknowledgements, the slowest after {slowest:.2f} s; {session.pings} pings; {fetched} downloads")
        assert session.pings >= SECONDS / 2 / 3
        assert fetched > 0 and slowest < 5 * harness.patience()
        assert not client.goaway


def test_a_session_that_its_replica_closes_ends_in_order(house):
    """Also when the client has ended its side of the stream first: no reset takes back what it was told."""
    hand = house.fake(fakes.HandsOver())
    node = house.usher([hand], settings=settings_for([hand], listen=LISTEN))
    with Http2(node.url("https")) as client:
        client.until(lambda: client.settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1)
        stream = client.begin("CONNECT", SOCKETIO, [("sec-websocket-version", "13")], end=False, protocol="websocket")
        head, replica = hand.take()
        replica.send(switching(head) + b"\x88\x02\x03\xe8")
        client.until(lambda: client.streams[stream].body == b"\x88\x02\x03\xe8")
        client.write(stream, wire.masked_close(1000), end=True)
        assert replica.read_exactly(8) == wire.masked_close(1000) and replica.closed_by_peer()
        replica.close()
        answer = client.response(stream)
        assert answer.ended and answer.reset is None
    line = node.await_access(lambda line: line["path"] == SOCKETIO.split("?")[0])
    assert line["closed_by"] == "replica" and line["error"] is None


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if not browser.installed():
        pytest.skip("chromium is not installed")
    opened = browser.Browser(tmp_path_factory.mktemp("browser")).start()
    yield opened
    opened.close()


ASK_TWICE = """new Promise((done, failed) => {
  const socket = new WebSocket("wss://" + location.host + "%s");
  const heard = [];
  socket.onopen = () => socket.send("one");
  socket.onerror = () => failed(new Error("refused"));
  socket.onmessage = (event) => {
    heard.push(event.data);
    if (heard.length === 2) { socket.close(); done(heard.join()); } else socket.send("two");
  };
})"""


@pytest.mark.parametrize("offered", [True, False])
def test_a_browsers_websocket_is_a_stream_of_its_pages_connection_where_that_is_offered(house, replica, page, offered):
    node = house.usher([replica], settings=settings_for([replica], listen=LISTEN, http2={"extended_connect": offered}))
    page.open(node.url("https") + "/whoami")
    wait_for(lambda: "replica" in (page.evaluate("document.body?.textContent ?? ''")), "the page")
    assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    before = node.metric("usher_connections_accepted_total")
    assert page.evaluate(ASK_TWICE % ECHO) == "one,two"
    assert page.evaluate("fetch('/whoami').then(answer => answer.status)") == 200
    opened = node.metric("usher_connections_accepted_total") - before
    assert opened == 0 if offered else opened > 0
    assert node.await_access(lambda line: line["path"] == ECHO.split("?")[0])["protocol"] == "websocket"
