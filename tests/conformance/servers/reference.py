"""python-engineio and python-socketio on uvicorn, with the options and handlers that the protocol suites ask for.

    python reference.py engine.io|socket.io

Answers /ready, so that a health check finds it well. Says on standard output where it listens.
"""

import json
import socket
import sys

import engineio
import socketio
import uvicorn

OPTIONS = {
    "async_mode": "asgi",
    "cors_allowed_origins": "*",
    "ping_interval": 0.3,
    "ping_timeout": 0.2,
    "max_http_buffer_size": 1_000_000,
}


def engine_app():
    engine = engineio.AsyncServer(**OPTIONS)

    @engine.on("message")
    async def message(sid, data):
        await engine.send(sid, data)

    return engineio.ASGIApp(engine, other_asgi_app=ready)


def socket_app():
    sio = socketio.AsyncServer(**OPTIONS, always_connect=True)

    @sio.on("connect", namespace="/")
    async def connect(sid, environ, auth):
        await sio.emit("auth", auth or {}, to=sid)

    @sio.on("connect", namespace="/custom")
    async def connect_custom(sid, environ, auth):
        await sio.emit("auth", auth or {}, to=sid, namespace="/custom")

    @sio.on("message", namespace="/")
    async def message(sid, *data):
        await sio.emit("message-back", data, to=sid)

    @sio.on("message-with-ack", namespace="/")
    async def message_with_ack(sid, *data):
        return data

    return socketio.ASGIApp(sio, other_asgi_app=ready)


async def ready(scope, receive, send):
    if scope["type"] == "http":
        status = 200 if scope["path"] == "/ready" else 404
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close"})


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(json.dumps({"event": "ready", "port": sockets[0].getsockname()[1]}), flush=True)


if __name__ == "__main__":
    app = {"engine.io": engine_app, "socket.io": socket_app}[sys.argv[1]]()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
