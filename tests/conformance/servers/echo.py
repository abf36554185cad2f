"""An echo server of Python's websockets. Answers /ready, so that a health check finds it well."""

import asyncio
import contextlib
import http
import json
import logging

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


def answer_ready(connection, request):
    return connection.respond(http.HTTPStatus.OK, "") if request.path == "/ready" else None


async def main():
    # A ping of its own, because a case took long, would be no answer to anything.
    options = {"process_request": answer_ready, "max_size": None, "ping_interval": None}
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # broken frames are what many cases are about
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        print(json.dumps({"event": "ready", "port": server.sockets[0].getsockname()[1]}), flush=True)
        await server.serve_forever()


asyncio.run(main())
