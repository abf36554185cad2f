"""A stand-in for one Open WebUI replica: the same server libraries, the same paths, none of the models.

When it serves, one line on standard output says so: {"event":"ready","name":...,"port":...,"pid":...}
"""

import argparse
import json
import os
import socket
from pathlib import Path

import socketio
import uvicorn

from endpoints import Endpoints
from journal import Journal
from request import Request
from sockets import make_server

SOCKETIO = "/ws/socket.io/"


class Replica:
    def __init__(self, endpoints: Endpoints, sio, guarded: bool = True):
        self.endpoints = endpoints
        self.guarded = guarded
        self.sockets = socketio.ASGIApp(sio, socketio_path=SOCKETIO)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.sockets(scope, receive, send)
        if not scope["path"].startswith(SOCKETIO):
            return await self.endpoints(scope, receive, send)
        if self.guarded and scope["type"] == "http" and lost_its_upgrade(scope):
            return await Request(scope, receive, send).answer_json({"detail": "Invalid WebSocket upgrade request"}, 400)
        await self.sockets(scope, receive, send)


def lost_its_upgrade(scope) -> bool:
    """Open WebUI's WebsocketUpgradeGuardMiddleware."""
    return b"transport=websocket" in scope["query_string"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="replica")
    parser.add_argument("--host", default="127.0.0.1", help="an address, or unix:/path")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--transports", default="websocket,polling", help="comma separated")
    parser.add_argument("--origins", default="*", help="CORS_ALLOW_ORIGIN, separated by semicolons")
    parser.add_argument("--unguarded", action="store_true", help="Engine.IO itself answers who lost the Upgrade")
    parser.add_argument("--upgrades", action="store_true", help="offer the upgrade from polling to websocket")
    parser.add_argument("--redis", help="redis://... for the Socket.IO manager")
    parser.add_argument("--log", help="request log, JSON lines")
    parser.add_argument("--events", help="log of handled Socket.IO events that have an id, JSON lines")
    parser.add_argument("--version", default="0.11.0", help="what /api/version says")
    parser.add_argument("--not-ready", metavar="WHY", help="/ready says so with 503, from the start")
    parser.add_argument("--ping-interval", type=float, default=25)
    parser.add_argument("--ping-timeout", type=float, default=20)
    parser.add_argument("--max-message", type=int, default=1_000_000, help="bytes of the longest packet")
    parser.add_argument("--compression-threshold", type=int, default=1024, help="0 compresses even the polling handshake")
    parser.add_argument("--keep-alive", type=float, default=5, help="uvicorn's timeout_keep_alive")
    parser.add_argument("--tls-chain", help="serve https with this certificate")
    parser.add_argument("--tls-key")
    parser.add_argument("--file", action="append", default=[], metavar="/path=FILE", help="serve FILE at /path")
    return parser.parse_args()


def bind(host: str, port: int) -> socket.socket:
    if host.startswith("unix:"):
        path = Path(host.removeprefix("unix:"))
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        return listener
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class Server(uvicorn.Server):
    """Says that it is ready when it is, and not before."""

    def __init__(self, config, name: str, port: int):
        super().__init__(config)
        self.ready = {"event": "ready", "name": name, "port": port, "pid": os.getpid()}

    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(json.dumps(self.ready), flush=True)


def main():
    options = arguments()
    files = dict(pair.split("=", 1) for pair in options.file)
    endpoints = Endpoints(options.name, options.version, {path: Path(file) for path, file in files.items()}, options.not_ready)
    sio = make_server(options.name, options.transports.split(","), options.redis, options)
    app = Journal(Replica(endpoints, sio, not options.unguarded), options.name, options.log)
    listener = bind(options.host, options.port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips="*",
        timeout_keep_alive=options.keep_alive,
        ssl_certfile=options.tls_chain,
        ssl_keyfile=options.tls_key,
    )
    port = 0 if listener.family == socket.AF_UNIX else listener.getsockname()[1]
    Server(config, options.name, port).run(sockets=[listener])


main()
