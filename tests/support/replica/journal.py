"""The request log: one JSON line for each response head, so that tests can see who was served where."""

import json
import time
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs


def affinity_cookie(scope):
    for name, value in scope["headers"]:
        if name != b"cookie":
            continue
        try:
            morsel = SimpleCookie(value.decode("latin-1")).get("usher")
        except CookieError:
            continue
        if morsel:
            return morsel.value
    return None


class Journal:
    """ASGI middleware around the whole replica."""

    def __init__(self, app, replica: str, path: str | None):
        self.app = app
        self.replica = replica
        self.file = open(path, "a", buffering=1) if path else None

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket") or self.file is None:
            return await self.app(scope, receive, send)

        begun = time.time()
        noted = False

        def note(status):
            nonlocal noted
            if not noted:
                noted = True
                self._write(scope, begun, status)

        async def send_and_note(message):
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                note(message["status"])
            elif message["type"] == "websocket.accept":
                note(101)
            elif message["type"] == "websocket.close":
                note(403)
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            note(None)

    def _write(self, scope, begun, status):
        query = parse_qs(scope["query_string"].decode("latin-1"))
        headers = dict(scope["headers"])
        sent = headers.get(b"x-test-sent")
        client = query.get("client", [headers.get(b"x-test-client", b"").decode("latin-1")])[0]
        line = {
            "begun": begun,
            "time": time.time(),
            "replica": self.replica,
            "client": client or None,
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "sid": query.get("sid", [None])[0],
            "cookie": affinity_cookie(scope),
            "status": status,
            "sent": float(sent) if sent else None,  # by the client's clock
            "request_id": headers.get(b"x-request-id", b"").decode("latin-1"),
        }
        self.file.write(json.dumps(line) + "\n")
