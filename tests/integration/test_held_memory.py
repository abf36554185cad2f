"""What clients that take nothing, and requests that wait, may cost in memory: it is measured, and bounded."""

import contextlib
import socket
import subprocess
import time
from pathlib import Path

import fakes
import h2.settings
import harness
import pytest
import wire
from harness import settings_for, wait_for
from http2 import Http2
from nginx_files import have_nginx

KIB, MIB = 1 << 10, 1 << 20
LISTEN = [{"address": "127.0.0.1:0", "protocols": ["h2", "http/1.1"]}]
SOCKETIO = "/ws/socket.io/?EIO=4&transport=websocket"
PING = b"\x89\x80\0\0\0\0"  # a websocket's, as a client sends it

pytestmark = pytest.mark.skipif(harness.sanitized(), reason="a sanitizer has a memory of its own")


def memory(pid: int) -> int:
    """Bytes of anonymous memory, once it is level."""
    path = Path(f"/proc/{pid}/status")

    def now():
        return next(int(line.split()[1]) * KIB for line in path.read_text().splitlines() if line.startswith("RssAnon:"))

    seen = [now()]

    def level():
        seen.append(now())
        return len(seen) > 5 and max(seen[-5:]) - min(seen[-5:]) < 64 * KIB

    wait_for(level, "level memory", interval=0.1)
    return seen[-1]


# --- Streams whose client takes nothing -------------------------------------------------------------------

STREAMS = 100
MOST_EACH = 40 * KIB


class Silent:
    """Streams of one connection, each with an answer that is larger than what the client lets in."""

    def __init__(self, port: int, path: str, connection_window: int):
        self.client = Http2(f"http://127.0.0.1:{port}", window=16 * KIB, acknowledge=False)
        client = self.client
        client.until(lambda: client.settings)
        if connection_window > 65535:
            client.machine.increment_flow_control_window(connection_window - 65535)
            client.flush()
        self.streams = [client.begin("GET", path) for _ in range(STREAMS)]
        most = min(connection_window, STREAMS * 16 * KIB)
        client.until(lambda: sum(len(client.streams[each].body) for each in self.streams) >= most)


def nginx(folder: Path, replica: int, port: int):
    conf = folder / "nginx.conf"
    conf.write_text(
        f"""daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}
        http {{ access_log off; proxy_max_temp_file_size 0; client_body_temp_path {folder}; proxy_temp_path {folder};
        server {{ listen 127.0.0.1:{port} http2;
        location / {{ proxy_pass http://127.0.0.1:{replica}; proxy_http_version 1.1; }} }} }}"""
    )
    return [have_nginx(), "-c", conf, "-p", folder, "-e", "stderr"]


def haproxy(folder: Path, replica: int, port: int):
    conf = folder / "haproxy.cfg"
    conf.write_text(
        f"""global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{port} proto h2
  default_backend back
backend back
  server one 127.0.0.1:{replica}
"""
    )
    return ["/usr/sbin/haproxy", "-q", "-f", conf]


@contextlib.contextmanager
def peer(make, folder: Path, replica: int):
    port = harness.free_port()
    child = subprocess.Popen([str(word) for word in make(folder, replica, port)], stderr=subprocess.DEVNULL)
    try:

        def listens():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True

        wait_for(listens, "the peer")
        yield child.pid, port
    finally:
        child.terminate()
        child.wait()


def cost_of_each(pid: int, port: int, path: str, connection_window: int) -> float:
    with Http2(f"http://127.0.0.1:{port}") as client:
        assert client.ask("GET", "/whoami").status == 200
    before = memory(pid)
    silent = Silent(port, path, connection_window)
    try:
        return (memory(pid) - before) / STREAMS
    finally:
        silent.client.close()


@pytest.mark.parametrize("connection_window", [65535, 16 * MIB], ids=["connection is shut", "streams are shut"])
def test_a_stream_whose_client_takes_nothing_holds_little(house, tmp_path, connection_window):
    replica = house.replica()
    port = int(replica.address.rsplit(":", 1)[1])
    path = "/blob?bytes=4000000"
    node = house.usher([replica], settings=settings_for([replica], workers=1, listen=LISTEN))
    cost = cost_of_each(node.pid, node.port(), path, connection_window)
    peers = {}
    for make in (nginx, haproxy):
        (folder := tmp_path / make.__name__).mkdir()
        with peer(make, folder, port) as (pid, peer_port):
            peers[make.__name__] = cost_of_each(pid, peer_port, path, connection_window)
    told = ", ".join(f"{name} {each / KIB:.1f}" for name, each in peers.items())
    print(f"KiB for each stream: usher {cost / KIB:.1f}, {told}")
    assert cost < MOST_EACH


# --- Requests that wait -----------------------------------------------------------------------------------

WAITING = 50
BODY = 1 * MIB
# Of a request that waits: its head, what came of its body with it, and all of its objects.
MOST_WAITING = 40 * KIB


def give(connection: socket.socket, most: int) -> int:
    """Sends as much as is taken, in pieces, until nothing more is for a while."""
    connection.settimeout(0.3)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < most:
            sent += connection.send(bytes(16 * KIB))
    return sent


def wait_over_http2(node, stack) -> None:
    """Each sends as much of its body as its stream's window lets through."""
    client = stack.enter_context(Http2(node.url(), acknowledge=False))
    client.until(lambda: client.settings)
    streams = [client.begin("POST", "/sink", [("content-length", str(BODY))], end=False) for _ in range(WAITING)]
    for stream in streams:
        while (room := min(client.machine.local_flow_control_window(stream), 16 * KIB)) > 0:
            client.machine.send_data(stream, bytes(room))
        client.flush()


def wait_over_http1(node, stack) -> None:
    for _ in range(WAITING):
        connection = stack.enter_context(wire.Wire(node.url()))
        connection.send(b"POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BODY + bytes(48 * KIB))


def await_rate(house, replica, stack):
    settings = settings_for([replica], workers=1, listen=LISTEN, rate_zone=[{"name": "slow", "rate": "1r/m"}])
    settings["route"].append({"path": "/sink", "upstream": "open-webui", "rate_limits": ["slow burst=1000"]})
    node = house.usher([replica], settings=settings)
    wire.fetch(node.url() + "/sink", "POST", body=b"first")
    return node, lambda: node.metric("usher_requests_delayed") == WAITING


def await_place(house, replica, stack):
    settings = settings_for([replica], workers=1, listen=LISTEN)
    settings["upstream"][0].update({"max_connections": 1, "queue_timeout": "10m"})
    node = house.usher([replica], settings=settings)
    occupied = stack.enter_context(wire.Wire(node.url()))
    occupied.request("GET", "/slow?ms=600000")
    wait_for(lambda: node.status()["upstreams"][0]["replicas"][0]["in_flight"] == 1, "the place taken")
    return node, lambda: node.status()["upstreams"][0]["replicas"][0]["queued"] == WAITING


@pytest.mark.parametrize("come", [wait_over_http1, wait_over_http2])
@pytest.mark.parametrize("queue", [await_rate, await_place])
def test_a_request_that_waits_holds_its_head_and_little_of_its_body(house, queue, come):
    replica = house.replica()
    with contextlib.ExitStack() as stack:
        node, all_wait = queue(house, replica, stack)
        before = memory(node.pid)
        come(node, stack)
        wait_for(all_wait, "all of them wait")
        cost = (memory(node.pid) - before) / WAITING
        print(f"{cost / KIB:.1f} KiB for each that waits")
        assert cost < MOST_WAITING


# --- What usher says itself -------------------------------------------------------------------------------


class OverHttp1:
    """A Socket.IO websocket whose client can stop reading."""

    def __init__(self, node):
        self.wire = wire.Wire(node.url(), receive_buffer=4096)
        self.wire.send(wire.handshake(SOCKETIO))
        assert self.wire.read_head().status == 101
        self.wire.read_until(b'0{"sid"')
        self.wire.send(wire.masked(b"40"))
        self.wire.read_until(b"40{")

    def flood(self, most: int) -> bool:
        """Sends pings, and reads nothing. True: it was held back."""
        self.wire.socket.settimeout(2)
        sent = 0
        try:
            while sent < most:
                sent += self.wire.socket.send(PING * 4096)
        except TimeoutError:
            return True
        return False

    def close(self):
        self.wire.close()


class OverHttp2:
    """The same on a stream: the frames of the connection are read, and its stream's window stays as it is."""

    def __init__(self, node):
        self.client = client = Http2(node.url(), acknowledge=False)
        client.until(lambda: client.settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1)
        self.stream = client.begin("CONNECT", SOCKETIO, [("sec-websocket-version", "13")], end=False, protocol="websocket")
        client.until(lambda: b'0{"sid"' in client.streams[self.stream].body)
        client.write(self.stream, wire.masked(b"40"))
        client.until(lambda: b"40{" in client.streams[self.stream].body)

    def flood(self, most: int) -> bool:
        self.client.socket.settimeout(2)
        sent = 0
        try:
            while sent < most:
                self.client.write(self.stream, PING * 4096)
                sent += len(PING) * 4096
        except TimeoutError:
            return True
        return False

    def close(self):
        self.client.close()


@pytest.mark.parametrize("session", [OverHttp1, OverHttp2])
def test_a_parked_websocket_whose_client_does_not_read_is_not_read(house, session):
    replica = house.replica()
    settings = settings_for([replica], workers=1, listen=LISTEN)
    settings["upstream"][0]["park"] = "5m"
    node = house.usher([replica], settings=settings)
    client = session(node)
    try:
        replica.kill()
        wait_for(lambda: node.metric("usher_websockets_parked") == 1, "it is parked")
        before = memory(node.pid)
        held_back = client.flood(64 * MIB)
        grown = memory(node.pid) - before
        print(f"memory grew by {grown / KIB:.0f} KiB")
        assert held_back and grown < 1 * MIB
    finally:
        client.close()


def test_interim_answers_that_an_http2_client_does_not_take_are_held_back(house):
    replica = house.fake(fakes.NeverComesToThePoint())
    node = house.usher([replica], settings=settings_for([replica], workers=1, listen=LISTEN))
    with Http2(node.url(), receive_buffer=4096) as client:
        client.until(lambda: client.settings)
        before = memory(node.pid)
        client.begin("GET", "/")
        wait_for(lambda: replica.held_back or replica.sent >= replica.most or node.access_log, "an end of the interim answers", timeout=60)
        assert memory(node.pid) - before < 1 * MIB
    assert replica.sent < 16 * MIB, f"{replica.sent >> 20} MiB were taken"
