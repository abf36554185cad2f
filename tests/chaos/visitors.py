"""The part of the crowd that is no socket.io client: visitors with a cookie jar who load pages and post, one
request after the other, through any node; and strangers without a jar, each of whom asks once."""

import asyncio
import contextlib
import random
import threading
import time
from dataclasses import dataclass

import h11
from http_client import Failed, Http

PATIENCE = 30  # seconds; longer than any replica is frozen
AVOID_FOR = 5  # seconds for which a node that failed is not asked, as long as there is another
STRANGER = "stranger"


@dataclass
class Visit:
    """One request as its client saw it. `status` is 0 when the answer did not come whole."""

    client: str
    method: str
    node: str
    good_at: float  # its connection was well then, for all that the client knows
    sent: float = 0
    answered: float = 0
    status: int = 0
    error: str = ""


class Visitors:
    """`visitors` each ask about once in `every` seconds; there are `strangers` a second."""

    def __init__(self, nodes: list[str], visitors: int, every: float, strangers: float):
        self.nodes = nodes
        self.count, self.every, self.strangers = visitors, every, strangers
        self.visits: list[Visit] = []
        self.failed_at: dict[str, float] = {}
        self.loop = asyncio.new_event_loop()
        self.stopping = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=[self.run()], daemon=True)

    def start(self) -> "Visitors":
        self.thread.start()
        return self

    def stop(self) -> None:
        """Until the last request under way has come to its end."""
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(PATIENCE + 10)
        assert not self.thread.is_alive(), "the visitors do not end"

    async def run(self) -> None:
        await asyncio.gather(*(self.live(f"visitor-{number}") for number in range(self.count)), self.send_strangers())

    async def pause(self, mean: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(random.expovariate(1 / mean), 2 * mean)):
                await self.stopping.wait()

    def pick(self) -> str:
        good = [node for node in self.nodes if time.time() - self.failed_at.get(node, 0) > AVOID_FOR]
        return random.choice(good or self.nodes)

    async def live(self, name: str) -> None:
        jar: dict[bytes, bytes] = {}
        await self.pause(self.every)
        while not self.stopping.is_set():
            # A few requests on each connection, then perhaps through the other node.
            await self.on_one_connection(name, jar, random.randint(1, 8))

    async def send_strangers(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self.stopping.is_set():
                group.create_task(self.on_one_connection(STRANGER, {}, 1))
                await self.pause(1 / self.strangers)

    async def on_one_connection(self, name: str, jar: dict[bytes, bytes], requests: int) -> None:
        visit = Visit(name, "", self.pick(), time.time())
        try:
            async with Http(visit.node) as http:
                await self.ask(http, visit, jar)
                for _ in range(requests - 1):
                    await self.pause(self.every)
                    if self.stopping.is_set() or not http.reusable:
                        break
                    visit = Visit(name, "", visit.node, visit.answered)
                    await self.ask(http, visit, jar)
        except (OSError, Failed, h11.RemoteProtocolError, TimeoutError) as error:
            visit.answered, visit.status = time.time(), 0
            visit.error = f"{type(error).__name__}: {error}"
            self.visits.append(visit)
            self.failed_at[visit.node] = time.time()
        if name != STRANGER:
            await self.pause(self.every)

    async def ask(self, http: Http, visit: Visit, jar: dict[bytes, bytes]) -> None:
        visit.sent = time.time()
        headers = [("X-Test-Sent", str(visit.sent))]
        if jar:
            headers.append(("Cookie", "; ".join(f"{name.decode()}={value.decode()}" for name, value in jar.items())))
        body = random.randbytes(random.randrange(1, 2000)) if random.random() < 0.3 else None
        visit.method = "GET" if body is None else "POST"
        client = "" if visit.client == STRANGER else f"?client={visit.client}"
        async with asyncio.timeout(PATIENCE):
            await http.begin(visit.method, ("/whoami" if body is None else "/echo") + client, headers, body)
            head = await http.head()
            answer = await http.body()
        if body is not None and head.status_code == 200 and answer != body:
            raise Failed("the echo is another")
        for name, value in head.headers:
            if name == b"set-cookie":
                key, _, text = value.split(b";")[0].partition(b"=")
                jar[key] = text
        visit.answered, visit.status = time.time(), head.status_code
        self.visits.append(visit)
