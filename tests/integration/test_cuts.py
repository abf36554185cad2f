"""Connections that are cut at every byte of an exchange, on either side of usher and in every way that a
network knows. Nothing hangs, nobody takes a part for the whole, and nothing is left behind."""

import asyncio
import functools

import cuts
import h11
import harness
import pytest
from cuts import Cut, End, Line
from harness import House, Late, settings_for, wait_for

# Sanitizers are slow: there only every third place is cut, a different third for each kind of exchange.
STEP = 3 if harness.sanitized() else 1
ABRUPT = [Cut.FIN, Cut.RST, Cut.HALF]
SCHEMES = ["http", "https"]

# The key and its answer are those of RFC 6455 section 1.3.
HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
CLIENT_FRAMES = [b"\x81\x85\0\0\0\0hallo", b"\x82\xfe\0\x7e\1\2\3\4" + b"x" * 126]
REPLICA_FRAMES = [b"\x81\x05hallo", b"\x82\x7e\0\x7e" + b"y" * 126]

REQUESTS = {
    "GET": b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST with a length": b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
    "POST in chunks": b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nX-Sum: 7\r\n\r\n",
    "handshake": HANDSHAKE,
}
ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nX-Sum: 7\r\n\r\n",
    "until close": b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
}
OLD_GET = b"GET %s HTTP/1.0\r\nHost: a\r\n\r\n"


def head_of(message: bytes) -> int:
    return message.index(b"\r\n\r\n") + 4


def places(name: str, count: int) -> range:
    """Where to cut: after 0, 1, ... bytes, count of them."""
    return range(sum(name.encode()) % STEP, count, STEP)


# --- The parts ----------------------------------------------------------------------------------------


class Front:
    """A node before the scripted replica, and what it must come back to after every test."""

    def __init__(self, house: House, name: str, replica: cuts.Scripted, limit: str, **client_side):
        self.replica = replica
        client_side = {**dict.fromkeys(["handshake", "head", "keep_alive", "stall"], limit), **client_side}
        settings = settings_for([replica], timeouts=client_side)
        limits = dict.fromkeys(["first_byte", "between_bytes", "tunnel_idle"], limit)
        settings["upstream"][0]["timeouts"] = {"keep_alive": "100ms", **limits}
        self.node = house.usher([replica], name=name, settings=settings, workers=1)
        for scheme in SCHEMES:
            self.run([("a first request", functools.partial(self.is_well, scheme))])
        # A probe and the admin's own connection come and go: the least is what stays.
        self.at_rest = min((self.open_now() for _ in range(50)), key=lambda counts: counts["descriptors"])

    def url(self, scheme: str) -> str:
        return self.node.url(scheme)

    def open_now(self) -> dict[str, float]:
        """What the node says is open or under way, and its descriptors."""
        metrics = self.node.metrics()
        gauges = ["connections", "websockets", "replica_requests_in_flight", "replica_websockets"]
        counts = {gauge: sum(metrics[f"usher_{gauge}"].values()) for gauge in gauges}
        return {**counts, "descriptors": self.node.descriptors()}

    async def is_well(self, scheme: str) -> None:
        async with Line(self.url(scheme)) as line:
            await line.send(REQUESTS["GET"] % b"/")
            answer = Answer(await line.receive(), None)
            assert answer.status == 200 and answer.body == b"fine" and answer.complete, answer

    async def earn_a_retry(self) -> None:
        """What is sent again may be a fifth of all."""
        for _ in range(5):
            await self.is_well("http")

    def run(self, cases, at_once: int = 25, deadline: float = 20) -> None:
        """Runs the cases (a name, and what makes the coroutine) side by side; none may hang."""
        failures = []

        async def run_one(name, case):
            await self.gate.acquire()
            try:
                async with asyncio.timeout(deadline * harness.patience()):
                    await case()
            except Exception as error:
                failures.append(f"{name}: {type(error).__name__}: {error}")
            finally:
                self.make_room()

        async def run_all():
            self.gate = asyncio.Semaphore(at_once)
            self.made_room = set()
            await asyncio.gather(*(run_one(name, case) for name, case in cases))

        self.replica.run(run_all(), timeout=600)
        assert not failures, f"{len(failures)} of {len(cases)} cuts:\n" + "\n".join(failures[:10])
        print(f"{len(cases)} cuts")

    def make_room(self) -> None:
        """A case that only waits for a deadline from now on lets the next one begin."""
        task = asyncio.current_task()
        if task not in self.made_room:
            self.made_room.add(task)
            self.gate.release()

    def cut(self, cases) -> None:
        self.run(cases)
        self.run([("afterwards", functools.partial(self.is_well, scheme)) for scheme in SCHEMES])

        counts = {}

        def back():
            counts.update(self.open_now())
            return all(counts[name] <= self.at_rest[name] for name in counts)

        try:
            wait_for(back, "nothing open", interval=0.1)
        except Late:
            raise AssertionError(f"{counts} are open, at rest {self.at_rest}") from None


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    assert harness.usher_binary(), "no usher binary: build it, or name it in USHER_BIN"
    house = House(tmp_path_factory.mktemp("cuts"))
    try:
        yield house
    finally:
        house.close()


@pytest.fixture(scope="module")
def replica(house):
    return house.fake(cuts.Scripted())


@pytest.fixture(scope="module")
def front(house, replica):
    """Waits for long: what ends here is ended by the cut."""
    return Front(house, "patient", replica, "60s")


@pytest.fixture(scope="module")
def hasty(house, replica):
    """Waits for three seconds: what is silent here meets its deadline."""
    return Front(house, "hasty", replica, f"{round(3000 * harness.patience())}ms", handshake="60s")


class Answer:
    """What a client makes of the bytes it got and of how they ended (None: they have not)."""

    def __init__(self, data: bytes, end: End | None, request: bytes = REQUESTS["GET"]):
        self.data, self.end = data, end
        self.status, self.body, self.complete = None, b"", False
        client = h11.Connection(h11.CLIENT)
        method, _, version = request.split(b"\r\n")[0].split()
        headers = [(b"Host", b"a")]
        if request == HANDSHAKE:
            headers += [(b"Upgrade", b"websocket"), (b"Connection", b"upgrade")]
        client.send(h11.Request(method=method, target=b"/", headers=headers))
        client.send(h11.EndOfMessage())
        if data:
            client.receive_data(data)
        if end is End.ORDERLY:
            client.receive_data(b"")
        try:
            while (event := client.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response | h11.InformationalResponse):
                    self.status = event.status_code
                elif isinstance(event, h11.Data):
                    self.body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self.complete = True
                    break
                if self.status == 101:
                    break
        except h11.RemoteProtocolError:
            if end is not End.ORDERLY:  # then it is not the end that is wrong
                raise
        if self.status == 101:
            self.body = client.trailing_data[0]

    def __repr__(self):
        return f"{self.data!r}, then {self.end}"

    def is_error(self, *statuses: int) -> bool:
        return self.status in statuses and self.complete and b'"detail"' in self.body


async def ends(visit: cuts.Visit) -> None:
    """The replica loses the request within a second."""
    try:
        async with asyncio.timeout(harness.patience()):
            await visit.ended.wait()
    except TimeoutError:
        raise AssertionError("the replica's request is still open after a second") from None


async def part(front: Front, line: Line, how: Cut) -> bytes | None:
    """Cuts; what a client that still listens gets until the end."""
    await line.cut(how)
    if how in (Cut.FIN, Cut.RST):
        return None
    if how is Cut.SILENCE:
        front.make_room()
    return await line.receive_all()


# --- The client is cut in its request -----------------------------------------------------------------


async def cut_request(front: Front, scheme: str, request: bytes, sent: int, how: Cut, settled: bool) -> None:
    """`settled`: the replica has seen the head before the cut; else the two race."""
    path, script = front.replica.script(cut=Cut.SILENCE)
    request = request % path.encode()
    async with Line(front.url(scheme)) as line:
        await line.send(request[:sent]) if sent else None
        if settled:
            await script.visited.wait()
        got = await part(front, line, how)
    if sent < head_of(request):
        assert not script.visits, "the replica was asked though the head was cut"
    for visit in script.visits:
        await ends(visit)
        # Who has said everything and is gone before its body was passed on wants no answer any more.
        gone = sent == len(request) and how is not Cut.SILENCE
        assert gone or visit.whole.is_set() == (sent == len(request)), "the replica took a part for the whole"
        assert not visit.tail, visit.tail
    if how is Cut.HALF:
        assert not got, got
    if how is Cut.SILENCE:
        answer = Answer(got, line.end)
        # Without a byte there is no request that could be answered.
        assert answer.is_error(504 if sent == len(request) else 408) if sent else not got, answer


def request_cuts(front, scheme, how):
    for name, request in REQUESTS.items():
        head = head_of(request % b"/00000")
        for sent in places(name, len(request % b"/00000") + 1):
            for settled in (False, True) if sent >= head and how is not Cut.SILENCE else (False,):
                case = functools.partial(cut_request, front, scheme, request, sent, how, settled)
                yield f"{name}, {how} after {sent} bytes, settled={settled}", case


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("how", ABRUPT)
def test_a_request_is_cut_at_every_byte(front, scheme, how):
    front.cut(list(request_cuts(front, scheme, how)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_request_falls_silent_at_every_byte(hasty, scheme):
    hasty.cut(list(request_cuts(hasty, scheme, Cut.SILENCE)))


@pytest.fixture(scope="module")
def shy(house, replica):
    """As hasty, in a handshake too."""
    return Front(house, "shy", replica, f"{round(3000 * harness.patience())}ms")


async def cut_record(front: Front, crossed: int, how: Cut, reached: list) -> None:
    """Cuts what really crosses the wire: the handshake's records, and the one that holds the request."""
    path, script = front.replica.script(cut=Cut.SILENCE)
    async with Line(front.url("https"), most=crossed, cut=how) as line:
        if how is Cut.SILENCE:
            front.make_room()
            await line.await_end() if line.broken_off else reached.append(crossed)
            return
        if not line.broken_off:
            await line.send(REQUESTS["POST with a length"] % path.encode())
        if not line.broken_off:
            reached.append(crossed)
    for visit in script.visits:
        await ends(visit)


def cut_records(front: Front, how: Cut) -> None:
    reached = []
    front.cut(
        [
            (f"{how} after {crossed} bytes", functools.partial(cut_record, front, crossed, how, reached))
            for crossed in places("tls", 900)
        ]
    )
    # The last cuts came after the last byte: none was forgotten.
    assert reached and min(reached) > 400


@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_tls_is_cut_at_every_byte_of_its_records(front, how):
    cut_records(front, how)


def test_tls_falls_silent_at_every_byte_of_its_handshake(shy):
    cut_records(shy, Cut.SILENCE)


# --- The replica is cut in its answer -----------------------------------------------------------------


def closed_in_order(how: Cut) -> bool:
    return how in (Cut.FIN, Cut.HALF)


async def ask(front: Front, scheme: str, request: bytes, how: Cut | None = None) -> Answer:
    """One request on a connection of its own, read until usher ends it or the answer is complete."""
    async with Line(front.url(scheme)) as line:
        await line.send(request)
        if how is Cut.SILENCE:
            front.make_room()
        data = b""
        while more := await line.receive():
            data += more
            answer = Answer(data, None, request)
            if answer.complete:
                return answer
        return Answer(data, line.end, request)


async def cut_answer(front: Front, scheme: str, request: bytes, framing: str, sent: int, how: Cut) -> None:
    whole = ANSWERS[framing]
    head = head_of(whole)
    repeatable = request != REQUESTS["POST with a length"] and how is not Cut.SILENCE
    if sent < head and repeatable:
        await front.earn_a_retry()
    path, script = front.replica.script(whole[:sent], how)
    answer = await ask(front, scheme, request % path.encode(), how)
    until_close = framing == "until close"
    if sent < head:
        assert answer.is_error(504 if how is Cut.SILENCE else 502), answer
        if repeatable:
            assert len(script.visits) == 2, "a GET is tried again, once for each replica"
        else:
            assert len(script.visits) < 2, "what the replica may have done was asked for again"
    elif until_close and closed_in_order(how):
        # Nothing tells an end from a cut here.
        assert answer.status == 200 and answer.complete and answer.body == whole[head:sent], answer
    elif sent == len(whole) and not until_close:
        assert answer.status == 200 and answer.complete, answer
    elif request == OLD_GET:
        # Only a reset tells this client that something is missing; it may take what was there along.
        assert not answer.complete and answer.end is End.RESET, f"looks complete: {answer}"
    else:
        assert not answer.complete, f"looks complete: {answer}"
        assert answer.status == 200 and answer.body == Answer(whole[:sent], None).body, answer
    for visit in script.visits:
        if how in (Cut.HALF, Cut.SILENCE):
            await ends(visit)


def answer_cuts(front, scheme, how):
    for framing, answer in ANSWERS.items():
        for method in ("GET", "POST with a length"):
            for sent in places(framing, len(answer)):
                case = functools.partial(cut_answer, front, scheme, REQUESTS[method], framing, sent, how)
                yield f"{method}, {framing}, {how} after {sent} bytes", case
    framing = "until close"
    for sent in range(head_of(ANSWERS[framing]), len(ANSWERS[framing])):
        case = functools.partial(cut_answer, front, scheme, OLD_GET, framing, sent, how)
        yield f"HTTP/1.0, {framing}, {how} after {sent} bytes", case


def whole_answers(front, scheme, how):
    """Apart from the others: a connection that is cut in the pool may cost the next request an attempt."""
    for framing, answer in ANSWERS.items():
        for request in (REQUESTS["GET"], OLD_GET):
            case = functools.partial(cut_answer, front, scheme, request, framing, len(answer), how)
            yield f"{request}, {framing}, {how} after the last byte", case


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("how", ABRUPT)
def test_an_answer_is_cut_at_every_byte(front, scheme, how):
    front.cut(list(answer_cuts(front, scheme, how)))
    front.cut(list(whole_answers(front, scheme, how)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_answer_falls_silent_at_every_byte(hasty, scheme):
    hasty.cut(list(answer_cuts(hasty, scheme, Cut.SILENCE)))
    # The connection that falls silent is kept for a moment: another case must not be sent on it.
    for case in whole_answers(hasty, scheme, Cut.SILENCE):
        hasty.cut([case])


# --- The client is cut in the answer ------------------------------------------------------------------


async def leave_answer(front: Front, scheme: str, framing: str, sent: int, how: Cut) -> None:
    """The replica has sent so much and goes on; the client leaves when it has read what there is of it."""
    part_of_answer = ANSWERS[framing][:sent]
    path, script = front.replica.script(part_of_answer, Cut.SILENCE)
    there = Answer(part_of_answer, None)
    async with Line(front.url(scheme)) as line:
        await line.send(REQUESTS["GET"] % path.encode())
        await script.visited.wait()
        await script.visits[0].answered.wait()
        data, got = b"", Answer(b"", None)
        while (got.status, got.body) != (there.status, there.body):
            data += (more := await line.receive())
            assert more, Answer(data, line.end)
            got = Answer(data, None)
        assert not got.complete, got
        await part(front, line, how)
    await ends(script.visits[0])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("how", ABRUPT)
def test_a_client_leaves_at_every_byte_of_an_answer(front, scheme, how):
    front.cut(
        [
            (f"{framing}, {how} after {sent} bytes", functools.partial(leave_answer, front, scheme, framing, sent, how))
            for framing, answer in ANSWERS.items()
            for sent in places(framing, len(answer))
        ]
    )


async def read_some(front: Front, scheme: str, path: str, read: int, how: Cut) -> None:
    """The answer is there; the client reads so many bytes of it and is cut."""
    async with Line(front.url(scheme)) as line:
        await line.send(REQUESTS["GET"] % path.encode())
        data = b""
        while len(data) < read:
            data += (more := await line.receive(read - len(data)))
            assert more, Answer(data, line.end)
        rest = await part(front, line, how)
    if rest is not None:
        answer = Answer(data + rest, line.end)
        assert answer.status == 200 and answer.body == b"0123456789" and answer.complete, answer


def reading_cuts(front, scheme, how):
    path, _ = front.replica.script(ANSWERS["length"])
    whole = front.replica.run(ask(front, scheme, REQUESTS["GET"] % path.encode()), timeout=60).data
    # A client that has ended its side before there was an answer is gone: one that read of it is not.
    for read in places("reading", len(whole)):
        yield f"{how} after {read + 1} bytes", functools.partial(read_some, front, scheme, path, read + 1, how)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("how", ABRUPT)
def test_a_client_stops_reading_at_every_byte(front, scheme, how):
    front.cut(list(reading_cuts(front, scheme, how)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_client_falls_silent_in_its_reading(hasty, scheme):
    hasty.cut(list(reading_cuts(hasty, scheme, Cut.SILENCE)))


# --- Websockets ---------------------------------------------------------------------------------------


def without_goodbye(data: bytes, frames: list[bytes], masked: bool) -> bytes:
    """What was passed on. Between two frames of a silent peer usher says Close 1001, and within one nothing."""
    sent = b"".join(frames)
    boundaries = (len(sent), len(frames[0]), 0)
    place = next((at for at in boundaries if data[at : at + 1] == b"\x88"), None)
    if place is None:
        return data
    goodbye = data[place:]
    assert goodbye[0] == 0x88 and goodbye[1] == (0x82 if masked else 0x02), goodbye
    return data[:place]


async def switch(line: Line, path: str, frames: bytes) -> None:
    """Shakes hands, until the frames have come that stand behind the 101."""
    await line.send(HANDSHAKE % path.encode())
    data = b""
    while (answer := Answer(data, None, HANDSHAKE)).status != 101 or len(answer.body) < len(frames):
        data += (more := await line.receive())
        assert more, Answer(data, line.end, HANDSHAKE)
    assert answer.body == frames


async def cut_switch(front: Front, scheme: str, sent: int, how: Cut) -> None:
    """The replica is cut in its 101 or in the frames behind it."""
    spoken = SWITCH + b"".join(REPLICA_FRAMES)
    path, script = front.replica.script(spoken[:sent], how)
    async with Line(front.url(scheme)) as line:
        await line.send(HANDSHAKE % path.encode())
        if how is Cut.SILENCE:
            front.make_room()
        if sent < len(SWITCH):
            data = b""
            while not (answer := Answer(data, None, HANDSHAKE)).complete:
                data += (more := await line.receive())
                assert more, Answer(data, line.end, HANDSHAKE)
            assert answer.is_error(504 if how is Cut.SILENCE else 502), answer
            return
        answer = Answer(await line.receive_all(), line.end, HANDSHAKE)
        passed = answer.body if how is not Cut.SILENCE else without_goodbye(answer.body, REPLICA_FRAMES, masked=False)
        assert answer.status == 101 and passed == spoken[len(SWITCH) : sent], answer
        assert answer.end is End.ORDERLY, answer
        if how is Cut.HALF:
            # The client may still speak; a replica that has ended its side may still listen.
            await line.send(b"".join(CLIENT_FRAMES))
    if how in (Cut.HALF, Cut.SILENCE):
        visit = script.visits[-1]
        await ends(visit)
        heard = visit.tail if how is Cut.HALF else without_goodbye(visit.tail, CLIENT_FRAMES, masked=True)
        assert heard == (b"".join(CLIENT_FRAMES) if how is Cut.HALF else b""), visit.tail


async def cut_frames(front: Front, scheme: str, sent: int, how: Cut) -> None:
    """The client is cut in its frames."""
    farewell = b"\x88\x00"
    said = b"".join(REPLICA_FRAMES)
    path, script = front.replica.script(SWITCH + said, Cut.SILENCE, farewell)
    async with Line(front.url(scheme)) as line:
        await switch(line, path, said)
        if sent:
            await line.send(b"".join(CLIENT_FRAMES)[:sent])
        await line.cut(how)
        if how is Cut.HALF:
            assert await line.receive_all() == farewell and line.end is End.ORDERLY, line.end
        elif how is Cut.SILENCE:
            front.make_room()
            rest = await line.receive_all()
            assert without_goodbye(said + rest, REPLICA_FRAMES, masked=False) == said and line.end is End.ORDERLY, rest
    visit = script.visits[-1]
    await ends(visit)
    heard = visit.tail if how is not Cut.SILENCE else without_goodbye(visit.tail, CLIENT_FRAMES, masked=True)
    assert heard == b"".join(CLIENT_FRAMES)[:sent], visit.tail


def websocket_cuts(front, scheme, how):
    for sent in places("switch", len(SWITCH + b"".join(REPLICA_FRAMES)) + 1):
        yield f"the replica, {how} after {sent} bytes", functools.partial(cut_switch, front, scheme, sent, how)
    for sent in places("frames", len(b"".join(CLIENT_FRAMES)) + 1):
        yield f"the client, {how} after {sent} bytes", functools.partial(cut_frames, front, scheme, sent, how)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("how", ABRUPT)
def test_a_websocket_is_cut_at_every_byte(front, scheme, how):
    front.cut(list(websocket_cuts(front, scheme, how)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_websocket_falls_silent_at_every_byte(hasty, scheme):
    hasty.cut(list(websocket_cuts(hasty, scheme, Cut.SILENCE)))
