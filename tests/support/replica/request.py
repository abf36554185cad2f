"""One ASGI HTTP request with the few helpers that the endpoints need."""

import asyncio
import json
import time
from urllib.parse import parse_qsl


class Request:
    def __init__(self, scope, receive, send):
        self.scope = scope
        self.receive = receive
        self._send = send
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        self.finished = False

    @property
    def method(self) -> str:
        return self.scope["method"]

    @property
    def path(self) -> str:
        return self.scope["path"]

    @property
    def target(self) -> str:
        """The request target as it stood on the wire."""
        query = self.scope["query_string"].decode("latin-1")
        return self.scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")

    def header(self, name: str):
        for key, value in self.scope["headers"]:
            if key == name.encode():
                return value.decode("latin-1")
        return None

    def header_pairs(self) -> list:
        return [[k.decode("latin-1"), v.decode("latin-1")] for k, v in self.scope["headers"]]

    def number(self, name: str, default: int) -> int:
        return int(self.query.get(name, default))

    async def body(self):
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("client left in the middle of its body")
            if message.get("body"):
                yield message["body"]
            more = message.get("more_body", False)

    async def start(self, status: int = 200, headers=()) -> None:
        pairs = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        self.finished = True
        await self._send({"type": "http.response.body", "body": data})

    async def answer(self, body: bytes, content_type: str, status: int = 200, headers=()) -> None:
        await self.start(status, [("content-type", content_type), ("content-length", str(len(body))), *headers])
        await self.finish(b"" if self.method == "HEAD" else body)

    async def answer_json(self, value, status: int = 200, headers=()) -> None:
        await self.answer(json.dumps(value).encode(), "application/json", status, headers)

    def watch_for_abort(self, aborts: list) -> asyncio.Task:
        """Records the moment at which the client goes away before the response is finished."""

        async def watch():
            while (await self.receive())["type"] != "http.disconnect":
                pass
            if not self.finished:
                aborts.append({"id": self.query.get("id"), "path": self.path, "time_ns": time.time_ns()})

        return asyncio.create_task(watch())
