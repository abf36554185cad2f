"""A Socket.IO client on the level of packets, for what no library would say; over a websocket that the test holds itself."""

import contextlib

import harness
from websockets.sync.client import connect

PATH = "/ws/socket.io/?EIO=4&transport=websocket"


class Session:
    """An open Engine.IO session. Says what it is told and answers pings unless told not to."""

    def __init__(self, node, answers_pings: bool = True, auth: str = "", **options):
        self.socket = connect(node.url().replace("http", "ws", 1) + PATH, open_timeout=20 * harness.patience(), max_size=None, ping_interval=None, **options)
        self.answers_pings = answers_pings
        self.heard: list[str | bytes] = []
        assert self.packet().startswith("0{")
        self.say("40" + auth)
        self.await_packet("40{")

    def say(self, packet) -> None:
        self.socket.send(packet)

    def packet(self, timeout: float = 20):
        """The next packet; pings are answered and not given out."""
        while True:
            packet = self.socket.recv(timeout=timeout * harness.patience())
            self.heard.append(packet)
            if packet != "2":
                return packet
            if self.answers_pings:
                self.say("3")

    def await_packet(self, beginning: str, timeout: float = 20) -> str:
        """The first packet that begins so; those before it are in `heard`."""
        while True:
            packet = self.packet(timeout)
            if isinstance(packet, str) and packet.startswith(beginning):
                return packet

    def ask(self, number: int, event: str) -> str:
        """An event with that acknowledgement id, and its answer."""
        self.say(f"42{number}{event}")
        return self.await_packet(f"43{number}[").removeprefix(f"43{number}")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.socket.close()
