"""llhttp's request fixtures (nodejs/llhttp, test/request/*.md) through the real binary.

    build/venv/bin/python tests/conformance/llhttp_fixtures.py CHECKOUT [-v]

A fixture is octets and what llhttp makes of them. The octets are sent to usher, before a replica that notes what it
gets: every request that llhttp finds complete must arrive with its method, target, fields, body and trailers; nothing
that llhttp finds faulty or incomplete may arrive as a whole request. What usher refuses though llhttp takes it stands
in REFUSED, with the reason; every such row is checked as well. Fixtures about llhttp's own API (pausing, skipping a
body, finishing) and about its lenient modes say nothing of a request and are left out.

llhttp judges the syntax alone, so that most fixtures have no Host: one is added to the HTTP/1.1 requests without it.
"""

import argparse
import re
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import harness  # noqa: E402
from framing import strict  # noqa: E402
from framing.recorder import Recorder  # noqa: E402

# Title of the fixture -> why usher refuses what llhttp takes.
REFUSED = {
    "CONNECT request": "CONNECT is a forward proxy's: 501",
    "CONNECT request with CAPS": "CONNECT is a forward proxy's: 501",
    "CONNECT with body": "CONNECT is a forward proxy's: 501",
    "Underscore in hostname": "CONNECT is a forward proxy's: 501",
    "M-SEARCH request": "the target * belongs to OPTIONS alone (RFC 9112 section 3.2.4): 400",
    "SOURCE request with ICE": "not HTTP: 400",
    "OPTIONS request with RTSP": "not HTTP: 400",
    "ANNOUNCE request with RTSP": "not HTTP: 400",
    "No HTTP version": "HTTP/0.9: 400",
    "CRLF between requests, implicit `keep-alive`": "one empty line before a request is overlooked, not two: 400",
    "Disallow UTF-8 in URI path in strict mode": "a target is ASCII without a fragment (RFC 3986 section 2): 400",
    "Fragment in URI": "a fragment is never sent (RFC 9110 section 4.1): 400",
    "`host:port` and basic auth": "userinfo in an authority is refused (RFC 9110 section 4.2.4): 400",
    "Upgrade GET request": "a websocket without Sec-WebSocket-Key (RFC 6455 section 4.2.1): 400",
    "Multiple tokens with folding and LWS": "a websocket without Sec-WebSocket-Key (RFC 6455 section 4.2.1): 400",
    "POST with `chunked` as last transfer-encoding": "its target has a fragment, and deflate would be a 501: 400",
    "POST with `chunked` as last transfer-encoding (multiple headers)":
        "its target has a fragment, and deflate would be a 501: 400",
}

# Title of the fixture -> the method that llhttp does not know there, and that goes on (RFC 9110 section 9.1).
PASSED_ON = {"Invalid method": "MKCOLA", "HTTP protocol and ANNOUNCE method": "ANNOUNCE"}

# Of one connection, or made anew by whoever forwards (RFC 9110 section 7.6.1).
NOT_COMPARED = {
    "host", "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "te",
    "trailer", "upgrade", "transfer-encoding", "content-length",
}  # fmt: skip


@dataclass
class Message:
    """What llhttp made of one request."""

    start: int
    method: str = ""
    url: str = ""
    version: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    head_complete: bool = False
    complete: bool = False

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name), None)

    @property
    def target(self) -> str:
        """In origin-form."""
        if not self.url.lower().startswith("http://"):
            return self.url
        rest = self.url[len("http://") :]
        at = min((rest.index(mark) for mark in "/?" if mark in rest), default=len(rest))
        return rest[at:] if rest[at:].startswith("/") else "/" + rest[at:]

    @property
    def authority(self) -> str:
        return urlsplit(self.url).netloc if self.url.lower().startswith("http://") else "localhost"


@dataclass
class Fixture:
    place: str
    title: str
    octets: bytes
    messages: list[Message]
    error: bool

    @property
    def complete(self) -> list[Message]:
        return [message for message in self.messages if message.complete]


# --- Reading --------------------------------------------------------------------------------------------

FIXTURE = re.compile(
    r"^#+ (?P<title>[^\n]+)\n(?:(?!^#+ )[^\n]*\n)*?"
    r"<!-- meta=\{\"type\": ?\"(?P<type>[^\"]+)\"(?P<more>[^\n]*)\} -->\s*\n```http\n(?P<input>.*?)^```\n"
    r".*?^```log\n(?P<log>.*?)^```",
    re.MULTILINE | re.DOTALL,
)  # fmt: skip
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]+)|([0-7]{1,3})|([rntf]))")


def octets_of(text: str) -> bytes:
    """As test/md-test.ts makes them."""
    text = re.sub(r"\\(\r\n|\r|\n)", "", re.sub(r"\n\Z", "", text))
    text = re.sub(r"\r\n|\r|\n", "\r\n", text)

    def unescape(match: re.Match) -> str:
        if match[3]:
            return {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}[match[3]]
        return chr(int(match[1], 16) if match[1] else int(match[2], 8))

    return ESCAPE.sub(unescape, text).encode()


SPAN = re.compile(r'off=\d+ len=(\d+) span\[(\w+)\]="(.*)"')


def read_log(log: str, octets: bytes) -> tuple[list[Message], bool]:
    """The messages, and whether llhttp ended in an error."""
    messages: list[Message] = []
    last = {"header_field": False}  # spans of one token follow each other
    for line in log.splitlines():
        at = int(match[1]) if (match := re.match(r"off=(\d+) ", line)) else 0
        if line.endswith("message begin"):
            messages.append(Message(at))
            continue
        if " error code=" in line:
            # 22 and 23: another protocol would follow, which is no fault of the request.
            return messages, not re.search(r" code=22 ", line)
        if not messages:
            continue
        message = messages[-1]
        if match := SPAN.match(line):
            text, kind = octets[at : at + int(match[1])], match[2]
            if kind == "body":
                message.body += text
            elif kind == "method":
                message.method += text.decode()
            elif kind == "url":
                message.url += text.decode()
            elif kind == "version":
                message.version += text.decode()
            elif kind in ("header_field", "header_value"):
                add_field(message.trailers if message.head_complete else message.fields, kind, text.decode("latin-1"), last)
        elif " headers complete " in line:
            message.head_complete = True
        elif line.endswith("message complete"):
            message.complete = True
    return messages, False


def add_field(fields: list, kind: str, text: str, last: dict) -> None:
    if kind == "header_field":
        if last["header_field"]:
            fields[-1] = (fields[-1][0] + text, "")
        else:
            fields.append((text, ""))
    else:
        fields[-1] = (fields[-1][0], fields[-1][1] + text)
    last["header_field"] = kind == "header_field"


def fixtures(checkout: Path) -> list[Fixture]:
    found = []
    for path in sorted((checkout / "test" / "request").glob("*.md")):
        text = path.read_text()
        for match in FIXTURE.finditer(text):
            if match["type"] != "request" or "pause" in match["more"] or "skipBody" in match["more"]:
                continue
            octets = octets_of(match["input"])
            messages, error = read_log(match["log"], octets)
            place = f"{path.name}:{text[: match.start()].count(chr(10)) + 1}"
            found.append(Fixture(place, match["title"], with_hosts(octets, messages), messages, error))
    return found


def with_hosts(octets: bytes, messages: list[Message]) -> bytes:
    """A Host for each HTTP/1.1 request whose first line is right and that has none."""
    for message in reversed(messages):
        line, found, rest = octets[message.start :].lstrip(b"\r\n").partition(b"\r\n")
        if found and message.version == "1.1" and b"\r" not in line and message.get("host") is None:
            host = f"Host: {message.authority}\r\n".encode()
            octets = octets[: message.start] + line + found + host + rest
    return octets


# --- Sending --------------------------------------------------------------------------------------------


class Door:
    def __init__(self, front: str, recorder: Recorder):
        parts = urlsplit(front)
        self.address = (parts.hostname, parts.port)
        self.recorder = recorder

    def send(self, fixture: Fixture) -> tuple[list[bytes], bytes]:
        """What the replica got of it, connection by connection, and what the client got."""
        answers = len(fixture.complete) + fixture.error
        with socket.create_connection(self.address, 10) as connection:
            connection.sendall(fixture.octets)
            received = b""
            connection.settimeout(5)
            while received.count(b"HTTP/1.1 ") < answers:
                try:
                    data = connection.recv(1 << 16)
                except (ConnectionResetError, TimeoutError):
                    break
                received += data
                if not data:
                    break
            self.ask_something_else()
            # What is not complete is not to be answered: all that came before has been dealt with now.
            connection.setblocking(False)
            try:
                received += connection.recv(1 << 16)
            except (BlockingIOError, ConnectionResetError):
                pass
        return self.recorder.take_until(b"GET /something-else "), received

    def ask_something_else(self) -> None:
        with socket.create_connection(self.address, 10) as connection:
            connection.sendall(b"GET /something-else HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while connection.recv(1 << 16):
                pass


def whole_requests(note: bytes) -> list[strict.Message]:
    """The requests that are complete in what a replica got."""
    found = []
    while note:
        try:
            request, note = strict.read_request(note)
        except strict.Incomplete:
            break
        found.append(request)
    return found


def difference(request: strict.Message, wanted: Message) -> str | None:
    """Why what arrived is not what llhttp read."""
    if (request.method, request.target) != (wanted.method, wanted.target):
        return f"{request.method} {request.target} for {wanted.method} {wanted.target}"
    if request.body != wanted.body:
        return f"body {request.body!r} for {wanted.body!r}"
    for name, value in wanted.fields:
        value = value.strip(" \t")
        if name.lower() not in NOT_COMPARED and value not in request.all(name):
            return f"{name}: {request.all(name)} for {value!r}"
    # They end here (docs/http.md).
    return f"trailers {request.trailers}" if request.trailers else None


def judge(fixture: Fixture, notes: list[bytes], received: bytes) -> str | None:
    """What is wrong; None if all is as llhttp says."""
    try:
        arrived = [request for note in notes for request in whole_requests(note)]
    except strict.Malformed as fault:
        return f"what arrives is not canonical: {fault}"
    if len(arrived) != len(fixture.complete):
        return f"{len(arrived)} requests arrive for {len(fixture.complete)}"
    for request, wanted in zip(arrived, fixture.complete):
        if (found := difference(request, wanted)) is not None:
            return found
    refused = re.findall(rb"HTTP/1\.1 ([45]\d\d) ", received)
    if not fixture.error and refused and refused != [b"426"]:
        return f"answered with {refused[0].decode()} though nothing is wrong with it"
    return None


def is_refused(fixture: Fixture, notes: list[bytes], received: bytes, status: str) -> bool:
    """The last answer says so, and no more has arrived than would have, had llhttp refused it in the end."""
    arrived = [request for note in notes for request in whole_requests(note)]
    last = received.rpartition(b"HTTP/1.1 ")[2]
    return last.startswith(status.encode()) and len(arrived) <= len(fixture.messages) - 1


# --- Reporting ------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("-v", action="store_true", help="names every fixture")
    options = parser.parse_args()
    found = fixtures(options.checkout)
    assert found, f"no fixtures in {options.checkout}"

    with tempfile.TemporaryDirectory() as folder:
        house = harness.House(Path(folder))
        try:
            recorder = house.fake(Recorder())
            wrong = report(found, Door(house.usher([recorder], workers=1).url(), recorder), options.v)
        finally:
            house.close()
    return 1 if wrong else 0


def report(found: list[Fixture], door: Door, verbose: bool) -> int:
    as_meant, refused, passed, wrong = 0, 0, 0, 0
    unused = {*REFUSED, *PASSED_ON}
    for fixture in found:
        notes, received = door.send(fixture)
        fault = judge(fixture, notes, received)
        reason = REFUSED.get(fixture.title)
        unused.discard(fixture.title)
        name = f"{fixture.place} {fixture.title}"
        if fault is None and reason is None:
            as_meant += 1
            if verbose:
                print(f"as meant  {name}")
        elif reason is not None and is_refused(fixture, notes, received, reason[-3:]):
            refused += 1
            print(f"refused   {name}: {reason}")
        elif [request.method for note in notes for request in whole_requests(note)] == [PASSED_ON.get(fixture.title)]:
            passed += 1
            print(f"passed    {name}: a method that llhttp does not know")
        else:
            wrong += 1
            print(f"WRONG     {name}: {fault or 'listed as refused, but is not'}\n          {fixture.octets!r}\n          {received[:80]!r}")
    for title in unused:
        wrong += 1
        print(f"WRONG     no fixture is called {title!r}")
    print(f"\n{len(found)} fixtures: {as_meant} as llhttp says, {refused} refused and {passed} passed on purpose, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
