"""The HTTP endpoints and the terminal websocket of the stand-in replica."""

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl

from request import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import blob  # noqa: E402

CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Endpoints:
    def __init__(self, name: str, version: str, files: dict[str, Path], not_ready: str | None = None):
        self.name = name
        self.version = version
        self.files = files
        self.not_ready = not_ready  # why, if it is not
        self.hangs = False  # as while a database does
        self.lives = True
        self.begun: list[str] = []
        self.aborts: list[dict] = []
        self.routes = {
            "/health": self.health,
            "/ready": self.get_ready,
            "/set-ready": self.set_ready,
            "/set-health": self.set_health,
            "/api/version": self.get_version,
            "/api/config": self.config,
            "/api/chat/completions": self.chat,
            "/whoami": self.whoami,
            "/echo": self.echo,
            "/blob": self.blob,
            "/sink": self.sink,
            "/sse": self.sse,
            "/slow": self.slow,
            "/begun": self.get_begun,
            "/aborts": self.get_aborts,
            "/cookies": self.cookies,
            "/status": self.status,
            "/headers": self.headers,
            "/refuse": self.refuse,
        }

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            return await self.terminal(scope, receive, send)
        request = Request(scope, receive, send)
        if "id" in request.query:
            self.begun.append(request.query["id"])
        handler = self.routes.get(request.path, self.file)
        try:
            await handler(request)
        except ConnectionError:
            self.aborts.append({"id": request.query.get("id"), "path": request.path, "time_ns": time.time_ns()})

    async def health(self, request):
        await request.answer_json({"status": self.lives}, 200 if self.lives else 500)

    async def get_ready(self, request):
        if self.hangs:
            await asyncio.sleep(3600)
        if not self.not_ready:
            return await request.answer_json({"status": True})
        await request.answer_json({"detail": self.not_ready}, 503)

    async def set_ready(self, request):
        ready = request.query["value"] == "true"
        self.not_ready = None if ready else request.query.get("detail", "Redis not ready")
        self.hangs = "hangs" in request.query
        await request.answer_json({"ready": ready})

    async def set_health(self, request):
        self.lives = request.query["value"] == "true"
        await request.answer_json({"lives": self.lives})

    async def get_version(self, request):
        await request.answer_json({"version": self.version, "deployment_id": ""})

    async def config(self, request):
        await request.answer_json(
            {
                "status": True,
                "name": "Open WebUI",
                "version": self.version,
                "default_locale": "",
                "oauth": {"providers": {}},
                "features": {"auth": True, "enable_websocket": True},
            }
        )

    async def chat(self, request):
        """With a session the answer comes by the websocket, as a task; else it streams here."""
        wish = json.loads(b"".join([piece async for piece in request.body()]))
        if wish.get("session_id"):
            return await request.answer_json({"status": True, "task_ids": ["1"], "chat_id": "1"})
        await request.start(200, [("content-type", "text/event-stream; charset=utf-8")])
        await request.write(b'data: {"id": "1", "choices": []}\n\n')
        await request.finish(b"data: [DONE]\n\n")

    async def whoami(self, request):
        await request.answer_json(
            {
                "replica": self.name,
                "method": request.method,
                "target": request.target,
                "scheme": request.scope["scheme"],
                "http_version": request.scope["http_version"],
                "headers": request.header_pairs(),
                "client": request.scope["client"],
            }
        )

    async def echo(self, request):
        headers = [("content-type", request.header("content-type") or "application/octet-stream"), ("x-replica", self.name)]
        if length := request.header("content-length"):
            headers.append(("content-length", length))
        await request.start(200, headers)
        async for piece in request.body():
            await request.write(piece)
        await request.finish()

    async def blob(self, request):
        total = request.number("bytes", 1024)
        headers = [("content-type", "application/octet-stream")]
        if request.query.get("chunked") != "1":
            headers.append(("content-length", str(total)))
        await request.start(200, headers)
        watch = request.watch_for_abort(self.aborts)
        pause = request.number("pause_ms", 0) / 1000
        if request.method != "HEAD":
            for piece in blob.pieces(request.number("seed", 1), total):
                if pause:
                    await asyncio.wait([watch], timeout=pause)
                if watch.done():
                    return
                await request.write(piece)
        await request.finish()
        watch.cancel()

    async def sink(self, request):
        sha = hashlib.sha256()
        total = 0
        async for piece in request.body():
            sha.update(piece)
            total += len(piece)
        await request.answer_json({"bytes": total, "sha256": sha.hexdigest(), "replica": self.name})

    async def sse(self, request):
        interval = request.number("interval_ms", 50) / 1000
        await request.start(200, [("content-type", "text/event-stream"), ("cache-control", "no-cache")])
        watch = request.watch_for_abort(self.aborts)
        for number in range(request.number("count", 100)):
            if watch.done():
                return
            event = json.dumps({"n": number, "time_ns": time.time_ns()})
            await request.write(f"data: {event}\n\n".encode())
            await asyncio.sleep(interval)
        await request.finish()
        watch.cancel()

    async def slow(self, request):
        watch = request.watch_for_abort(self.aborts)
        await asyncio.wait([watch], timeout=request.number("ms", 1000) / 1000)
        if not watch.done():
            await request.answer_json({"replica": self.name})
            watch.cancel()

    async def get_begun(self, request):
        """The ids of requests, in the order in which they came."""
        await request.answer_json(self.begun)

    async def get_aborts(self, request):
        await request.answer_json(self.aborts)

    async def cookies(self, request):
        """Several Set-Cookie lines, as at sign-out."""
        lines = [f"{name}=; Path=/; HttpOnly; Max-Age=0" for name in ("token", "oui-session", "oauth_id_token")]
        lines.append("last=a b, c=d; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
        await request.answer_json({}, 200, [("set-cookie", line) for line in lines])

    async def status(self, request):
        code = request.number("code", 200)
        if code in (204, 304):
            await request.start(code, [("etag", '"abc"'), ("x-replica", self.name)])
            return await request.finish()
        await request.answer_json({"detail": f"status {code}"}, code)

    async def headers(self, request):
        """A response head of a chosen size."""
        size = request.number("bytes", 1000)
        await request.answer_json({}, 200, [("x-large", "x" * size)])

    async def refuse(self, request):
        """Sends its response before it has read the request's body."""
        await request.answer_json({"replica": self.name}, request.number("code", 413))

    async def file(self, request):
        path = self.files.get(request.path)
        if path is None:
            return await request.answer_json({"detail": "Not Found", "target": request.target}, 404)
        await request.answer(path.read_bytes(), CONTENT_TYPES.get(path.suffix, "application/octet-stream"))

    async def terminal(self, scope, receive, send):
        """Echoes text and binary; {"close": code, "reason": "..."} closes with exactly that."""
        await receive()
        name = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("id")
        if name:
            self.begun.append(name)
        if not (scope["path"].startswith("/api/v1/terminals/") or scope["path"].startswith("/any/")):
            return await send({"type": "websocket.close"})
        offered = scope.get("subprotocols") or [None]
        await send({"type": "websocket.accept", "subprotocol": offered[0]})
        while (message := await receive())["type"] == "websocket.receive":
            if (close := close_request(message.get("text"))) is not None:
                return await send({"type": "websocket.close", **close})
            if message.get("text") == "headers?":
                message = {"text": json.dumps([[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]])}
            if message.get("text") is not None:
                await send({"type": "websocket.send", "text": message["text"]})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
        abort = {"id": name, "path": scope["path"], "time_ns": time.time_ns()}
        self.aborts.append({**abort, "code": message.get("code"), "reason": message.get("reason")})


def close_request(text):
    if not text or not text.startswith('{"close"'):
        return None
    wish = json.loads(text)
    return {"code": wish["close"], "reason": wish.get("reason", "")}
