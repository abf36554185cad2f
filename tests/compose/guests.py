"""Browsers as the compose stack meets them: each has a cookie, a Socket.IO websocket that stays open and is opened
again when it ends, and asks for a page twice a second. What goes wrong is noted with its time."""

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from dataclasses import dataclass

import h11
from http_client import Failed, Http
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

URL = "https://127.0.0.1:443"
PAUSE = 0.5  # seconds between two requests of one guest
TRUSTING = ssl._create_unverified_context()


@dataclass
class Trouble:
    time: float
    what: str


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

    async def visit(self, once: bool = False) -> None:
        while True:
            try:
                async with Http(URL) as http:
                    while True:
                        began = time.time()
                        head, body = await asyncio.wait_for(http.ask("GET", "/api/visits", self.headers()), 30)
                        self.keep((name.decode(), value.decode()) for name, value in head.headers)
                        self.page = json.loads(body)["replica"]
                        self.house.answered(time.time() - began)
                        if once:
                            return
                        await asyncio.sleep(PAUSE)
                        if not http.reusable:
                            break
            except (OSError, Failed, h11.RemoteProtocolError, asyncio.TimeoutError) as error:
                self.house.note(f"page: {str(error) or type(error).__name__}")
                await asyncio.sleep(PAUSE)

    async def listen(self) -> None:
        while True:
            try:
                await self.socket_io()
            except (OSError, WebSocketException, InvalidHandshake, asyncio.TimeoutError) as error:
                self.house.note(f"websocket: {str(error) or type(error).__name__}")
            self.socket = None
            await asyncio.sleep(PAUSE)

    async def socket_io(self) -> None:
        """One websocket, for as long as it lives. A second answer to CONNECT is a move: join again, as pages do."""
        url = URL.replace("https", "wss") + "/ws/socket.io/?EIO=4&transport=websocket"
        options = {"ssl": TRUSTING, "additional_headers": self.headers(), "ping_interval": None, "open_timeout": 30}
        async with connect(url, **options) as websocket:
            async for message in websocket:
                if message.startswith("0"):
                    await websocket.send("40{}")
                elif message.startswith("40"):
                    await websocket.send('420["user-join",{}]')
                elif message == "2":
                    await websocket.send("3")
                elif message.startswith("430"):
                    self.socket = json.loads(message[3:])[0]["replica"]
            self.house.note(f"websocket: closed with {websocket.close_code}")


class Guests:
    def __init__(self):
        self.all: list[Guest] = []
        self.tasks: list[asyncio.Task] = []
        self.troubles: list[Trouble] = []
        self.answers = 0
        self.slowest = 0.0

    def note(self, what: str) -> None:
        self.troubles.append(Trouble(time.time(), what))

    def answered(self, seconds: float) -> None:
        self.answers += 1
        self.slowest = max(self.slowest, seconds)

    def since(self, began: float) -> Counter[str]:
        return Counter(trouble.what for trouble in self.troubles if trouble.time >= began)

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
