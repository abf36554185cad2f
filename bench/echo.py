"""A websocket replica that says back what it hears. Answers GET /healthz."""

import asyncio
import http
import sys

import websockets


def health(connection, request):
    if request.path == "/healthz":
        return connection.respond(http.HTTPStatus.OK, "ok\n")
    return None


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    port = int(sys.argv[1])
    async with websockets.serve(echo, "127.0.0.1", port, compression=None, ping_interval=None, process_request=health):
        await asyncio.Future()


asyncio.run(main())
