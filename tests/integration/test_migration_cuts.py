"""The replica of a Socket.IO websocket is cut off between any two frames and within them, while the client does all that
a client of Socket.IO may do: it goes on at the other replica, or is told to reconnect where it has to be. Nothing is
done twice, nothing that wants an answer is lost without a word."""

import asyncio
import functools
import itertools
import json
import re
from collections import Counter

import harness
import pytest
from cuts import Cut
from harness import House, json_lines, settings_for
from scissors import DOWN, UP, Plan, Scissors
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PATH = "/ws/socket.io/?EIO=4&transport=websocket"
NAMES = ("alpha", "beta")
RESTART, NO_CLOSE = 1012, 1006
# An acknowledgement: attachments, namespace, id.
ANSWER = re.compile(r"4[36](?:\d+-)?(?:/[^,]*,)?(\d+)\[")
BIG = 5 << 20


class Player:
    """One client, on the level of packets. Everything that it asks is answered once, or its connection ends."""

    def __init__(self, socket, name: str, answers_pings: bool = True):
        self.socket = socket
        self.name = name
        self.answers_pings = answers_pings
        self.answers: Counter[int] = Counter()
        self.heard: list = []
        self.news = asyncio.Condition()
        self.closed: int | None = None
        self.asked = 0

    async def listen(self) -> None:
        try:
            async for packet in self.socket:
                await self.hear(packet)
        except ConnectionClosed:
            pass
        async with self.news:
            self.closed = self.socket.close_code
            self.news.notify_all()

    async def hear(self, packet) -> None:
        if packet == "2":
            return await self.say("3") if self.answers_pings else None
        async with self.news:
            self.heard.append(packet)
            if isinstance(packet, str) and (answer := ANSWER.match(packet)):
                self.answers[int(answer[1])] += 1
            self.news.notify_all()

    async def say(self, *packets) -> None:
        """Several: the fragments of one message."""
        try:
            await self.socket.send(packets[0] if len(packets) == 1 else packets)
        except ConnectionClosed:
            pass

    async def until(self, condition) -> None:
        async with self.news:
            await self.news.wait_for(lambda: self.closed is not None or condition())

    async def connect(self, namespace: str = "") -> None:
        before = self.count(f"40{namespace}")
        await self.say(f"40{namespace}")
        await self.until(lambda: self.count(f"40{namespace}") > before)

    def count(self, beginning: str) -> int:
        return sum(1 for packet in self.heard if isinstance(packet, str) and packet.startswith(beginning + "{"))

    def id(self) -> str:
        return f"{self.name}/{self.asked}"

    async def ask(self, event: str, namespace: str = "", fragments: int = 1, **more) -> None:
        """An event, and its acknowledgement."""
        self.asked += 1
        number = self.asked
        text = f"42{namespace}{number}" + json.dumps([event, {"id": self.id(), **more}], separators=(",", ":"))
        size = -(-len(text) // fragments)
        await self.say(*(text[at : at + size] for at in range(0, len(text), size)))
        await self.until(lambda: self.answers[number])

    async def ask_binary(self, event: str, *attachments: bytes) -> None:
        self.asked += 1
        number = self.asked
        places = [{"_placeholder": True, "num": each} for each in range(len(attachments))]
        await self.say(f"45{len(attachments)}-{number}" + json.dumps([event, {"id": self.id(), "data": places}]))
        for attachment in attachments:
            await self.say(attachment)
        await self.until(lambda: self.answers[number])


# --- What clients do ----------------------------------------------------------------------------------


async def several_namespaces(player: Player) -> None:
    await player.connect()
    await player.connect("/admin,")
    await player.ask("heartbeat")
    await player.ask("heartbeat", "/admin,")
    await player.say("41/admin,")
    await player.ask("heartbeat")


async def attachments(player: Player) -> None:
    await player.connect()
    await player.ask_binary("echo", b"\0" * 300, b"\1" * 70_000)
    await player.ask_binary("heartbeat", b"\2" * 10)


async def fragments(player: Player) -> None:
    await player.connect()
    await player.ask("heartbeat", fragments=3)
    await player.ask("echo", fragments=5, text="x" * 400)


async def five_megabytes(player: Player) -> None:
    await player.connect()
    await player.ask("echo", text="x" * BIG)


async def floods(player: Player) -> None:
    await player.connect()
    await player.say('42["flood",40]')
    for number in range(20):
        await player.say(f'42["echo",{{"id":"{player.name}/flood{number}"}}]')
    await player.ask("heartbeat")
    ticks = [json.loads(packet[2:])[1] for packet in player.heard if isinstance(packet, str) and packet.startswith('42["tick"')]
    assert ticks == sorted(set(ticks)), ticks


async def a_refused_connect(player: Player) -> None:
    await player.connect()
    await player.say("40/nowhere,")
    await player.until(lambda: any(str(packet).startswith("44/nowhere,") for packet in player.heard))
    await player.ask("heartbeat")


async def deaf_to_pings(player: Player) -> None:
    player.answers_pings = False
    await player.connect()
    await player.ask("heartbeat")
    await player.until(lambda: False)


# Whether one may be told to reconnect, and how many places within each frame are tried.
CLIENTS = {
    several_namespaces: False,
    fragments: True,
    attachments: True,
    five_megabytes: True,
    floods: False,
    a_refused_connect: True,
}


class Scene:
    def __init__(self, house: House):
        self.house = house
        self.plans: dict[str, Plan] = {}
        self.events = [house.folder / f"{name}.events" for name in NAMES]
        args = ["--max-message", 2 * BIG, "--ping-interval", 2, "--ping-timeout", 2]
        self.replicas = [house.replica(name, args=["--events", path, *args]) for name, path in zip(NAMES, self.events)]
        self.relays = [house.fake(Scissors(replica, self.plans)) for replica in self.replicas]
        settings = settings_for(self.relays)
        settings["upstream"][0]["migrate_rate"] = 100_000
        self.node = house.usher(self.relays, settings=settings)
        self.names = itertools.count()

    async def play(self, client, plan: Plan) -> Player:
        name = f"{client.__name__}{next(self.names):05}"  # of one length: the frames are where they were
        self.plans[name] = plan
        url = self.node.url().replace("http", "ws", 1) + f"{PATH}&cut={name}"
        async with asyncio.timeout(30 * harness.patience()):
            async with connect(url, max_size=None, ping_interval=None, compression=None, open_timeout=20) as socket:
                player = Player(socket, name)
                listener = asyncio.ensure_future(player.listen())
                await client(player)
                if player.closed is None:
                    listener.cancel()
                    await asyncio.gather(listener, return_exceptions=True)
        return player

    async def play_all(self, client, plans: list[Plan], at_once: int = 16) -> list[tuple[Plan, Player]]:
        gate = asyncio.Semaphore(at_once)

        async def one(plan):
            async with gate:
                return plan, await self.play(client, plan)

        return await asyncio.gather(*(one(plan) for plan in plans))

    def handled(self) -> Counter:
        return Counter(line["id"] for path in self.events for line in json_lines(path) if line["event"] == "echo")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("cuts"))
    try:
        yield Scene(house)
    finally:
        house.close()


def in_a_long_frame(watched: Plan, plan: Plan) -> bool:
    """Half of a message that is passed on as it comes: not even a Close can follow it. A reset that comes later takes
    along what was not read yet."""
    long = [(begin, end) for begin, end in itertools.pairwise(watched.boundaries(DOWN)) if end - begin > 64 << 10]
    return plan.direction == DOWN and any(begin < plan.after and (plan.after < end or plan.how is Cut.RST) for begin, end in long)


def places(watched: Plan) -> list[Plan]:
    """Between any two frames in order, and at the beginning and in the middle of each by a reset."""
    found = []
    for direction in (UP, DOWN):
        boundaries = watched.boundaries(direction)
        found += [Plan(direction, at, Cut.FIN) for at in boundaries]
        for begin, end in itertools.pairwise(boundaries):
            found += [Plan(direction, at, Cut.RST) for at in {begin + 1, (begin + end) // 2, end}]
    return found


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_replica_is_cut_off_at_every_frame(scene, client):
    watched = Plan()
    alone = asyncio.run(scene.play(client, watched))
    assert alone.closed is None and all(alone.answers[number] == 1 for number in range(1, alone.asked + 1))
    ends = asyncio.run(scene.play_all(client, places(watched)))
    carried = 0
    for plan, player in ends:
        where = f"{plan.direction} after {plan.after} bytes, {plan.how}: {player.closed} {player.heard[-3:]}"
        if player.closed is None:
            carried += 1
            assert all(player.answers[number] == 1 for number in range(1, player.asked + 1)), where
        else:
            expected = (RESTART, NO_CLOSE) if in_a_long_frame(watched, plan) else (RESTART,)
            assert CLIENTS[client] and player.closed in expected, where
            assert max(player.answers.values(), default=0) <= 1, where
    repeated = [name for name, times in scene.handled().items() if times > 1]
    assert not repeated, "handled twice"
    print(f"{len(ends)} cuts: {carried} carried on, {len(ends) - carried} told to reconnect")


def test_a_client_that_answers_no_pings_is_not_carried_on_for_ever(scene):
    watched = Plan()
    play = functools.partial(scene.play_all, deaf_to_pings, at_once=100)
    ((_, alone),) = asyncio.run(play([watched]))
    assert alone.closed
    assert all(player.closed for _, player in asyncio.run(play(places(watched))))
