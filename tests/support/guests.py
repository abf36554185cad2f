"""Browsers, as far as a proxy can tell: each has a cookie, a Socket.IO websocket that stays open and is opened again when
it ends, after the pauses of the library of Open WebUI's page, and asks for a page twice a second, on a kept connection
where it may. Of several addresses it tries the next one when one refuses. What goes wrong is noted with its time."""

import asyncio
import contextlib
import errno
import json
import random
import ssl
import time
from collections import Counter
from dataclasses import dataclass

import h11
from http_client import Failed, Http
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

NOBODY_THERE = (errno.ECONNREFUSED, errno.EHOSTUNREACH)
PAUSE = 0.5  # seconds between two requests of one guest
TRUSTING = ssl._create_unverified_context()


@dataclass
class Trouble:
    time: float
    what: str


@dataclass
class Stay:
    """What `Guests` looks for: a page and an event of Socket.IO whose answers name the replica."""

    page: str = "/api/visits"
    event: str = "user-join"


class Guest:
    """`page` and `socket` are the replicas that answered last."""

    def __init__(self, house: "Guests"):
        self.house = house
        self.cookie: str | None = None
        self.page: str | None = None
        self.socket: str | None = None
        self.arrived = asyncio.Event()

    def headers(self) -> list[tuple[str, str]]:
        return [("Cookie", self.cookie)] if self.cookie else []

    def keep(self, headers) -> None:
        for name, value in headers:
            if name.lower() == "set-cookie" and value.startswith("usher="):
                self.cookie = value.split(";")[0]

    async def live(self) -> None:
        # The first answer brings the cookie that everything else comes with.
        await self.visit(once=True)
        self.arrived.set()
        await asyncio.gather(self.visit(), self.listen())

    async def reach(self, use) -> None:
        """use(url) with the first address that does not refuse."""
        for url in self.house.urls[:-1]:
            try:
                return await use(url)
            except OSError as error:
                if error.errno not in NOBODY_THERE:
                    raise
        return await use(self.house.urls[-1])

    async def visit(self, once: bool = False) -> None:
        while True:
            try:
                await self.reach(lambda url: self.visit_on(url, once))
                if once:
                    return
            except (OSError, Failed, h11.RemoteProtocolError, asyncio.TimeoutError) as error:
                self.house.note("page", error)
                await asyncio.sleep(PAUSE)

    async def visit_on(self, url: str, once: bool) -> None:
        async with Http(url) as http:
            while True:
                began = time.time()
                head, body = await asyncio.wait_for(http.ask("GET", self.house.stay.page, self.headers()), 30)
                self.keep((name.decode(), value.decode()) for name, value in head.headers)
                self.page = json.loads(body)["replica"]
                self.house.answered(time.time() - began)
                if once:
                    return
                await asyncio.sleep(PAUSE)
                # Neither does a browser ask on a connection of which it has seen the end.
                if not http.reusable or http.line.something_came():
                    return

    async def listen(self) -> None:
        failed, lost = 0, None
        while True:
            self.joined = asyncio.get_running_loop().create_future()
            self.joined.add_done_callback(lambda _, lost=lost: self.house.back_again(lost))
            try:
                await self.reach(self.socket_io)
            except (OSError, WebSocketException, InvalidHandshake, asyncio.TimeoutError) as error:
                self.house.note("websocket", error)
            self.socket = None
            if self.joined.done():
                failed, lost = 0, time.time()
            # reconnectionDelay 1 s, reconnectionDelayMax 5 s, randomizationFactor 0.5
            await asyncio.sleep(min(5, 2**failed * random.uniform(0.5, 1.5)))
            failed += 1

    async def socket_io(self, url: str) -> None:
        """One websocket, for as long as it lives. A second answer to CONNECT is a move: join again, as pages do."""
        options = {"ssl": TRUSTING} if url.startswith("https") else {}
        options |= {"additional_headers": self.headers(), "ping_interval": None, "open_timeout": 30}
        target = url.replace("http", "ws", 1) + "/ws/socket.io/?EIO=4&transport=websocket"
        async with connect(target, **options) as websocket:
            async for message in websocket:
                if message.startswith("0"):
                    await websocket.send("40{}")
                elif message.startswith("40"):
                    await websocket.send(f'420["{self.house.stay.event}",{{}}]')
                elif message == "2":
                    await websocket.send("3")
                elif message.startswith("430"):
                    self.socket = json.loads(message[3:])[0]["replica"]
                    if not self.joined.done():
                        self.joined.set_result(None)
            self.house.note(f"websocket: closed with {websocket.close_code}")


@dataclass
class Notice:
    """What guests noticed of an interruption."""

    refused: int  # connections for pages
    failed: int  # pages otherwise
    seconds: float  # from the first page that did not come to the last
    closed: int  # websockets
    without: float  # how long a guest was without a websocket, at the most

    def __str__(self) -> str:
        return (
            f"{self.refused} connections refused and {self.failed} requests failed within {self.seconds:.1f} s; "
            f"{self.closed} websockets closed, {self.without:.1f} s without one at the most"
        )


class Guests:
    def __init__(self, urls: list[str], stay: Stay | None = None):
        self.urls = urls
        self.stay = stay or Stay()
        self.all: list[Guest] = []
        self.tasks: list[asyncio.Task] = []
        self.troubles: list[Trouble] = []
        self.absences: list[tuple[float, float]] = []  # when a websocket was there again; how long it was not
        self.answers = 0
        self.slowest = 0.0

    def note(self, what: str, error: BaseException | None = None) -> None:
        if error is not None:
            refused = isinstance(error, OSError) and error.errno in NOBODY_THERE
            what += ": refused" if refused else f": {str(error) or type(error).__name__}"
        self.troubles.append(Trouble(time.time(), what))

    def answered(self, seconds: float) -> None:
        self.answers += 1
        self.slowest = max(self.slowest, seconds)

    def back_again(self, lost: float | None) -> None:
        if lost is not None:
            self.absences.append((time.time(), time.time() - lost))

    def since(self, began: float) -> Counter[str]:
        return Counter(trouble.what for trouble in self.troubles if trouble.time >= began)

    def noticed(self, began: float) -> Notice:
        since = [trouble for trouble in self.troubles if trouble.time >= began]
        pages = [trouble for trouble in since if trouble.what.startswith("page")]
        refused = sum(trouble.what == "page: refused" for trouble in pages)
        closed = sum(trouble.what.startswith("websocket: closed") for trouble in since)
        return Notice(
            refused,
            len(pages) - refused,
            pages[-1].time - pages[0].time if pages else 0,
            closed,
            max((seconds for back, seconds in self.absences if back >= began), default=0),
        )

    async def arrive(self, count: int) -> None:
        new = [Guest(self) for _ in range(count)]
        self.all += new
        self.tasks += [asyncio.create_task(guest.live()) for guest in new]

    def settled(self) -> bool:
        """Everybody has a websocket, at the replica that answers their pages."""
        return all(guest.socket and guest.socket == guest.page for guest in self.all)

    def homes(self) -> Counter[str]:
        return Counter(guest.page for guest in self.all)

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self.tasks, return_exceptions=True)
