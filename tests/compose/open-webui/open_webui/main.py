"""One replica: its name is its container's. Without the schema it does not start; without Redis it is not ready."""

import json
import os
import socket
from pathlib import Path

import open_webui.config  # noqa: F401
import redis.asyncio
import socketio
from open_webui.env import DATABASE_URL
from sqlalchemy import create_engine, text

NAME = socket.gethostname()
DATA = Path("/app/backend/data")

with create_engine(DATABASE_URL).connect() as connection:
    connection.execute(text("select count(*) from chat"))

websockets = os.environ["ENABLE_WEBSOCKET_SUPPORT"] == "true"
sio = socketio.AsyncServer(
    async_mode="asgi",
    transports=["websocket"] if websockets else ["polling"],
    cors_allowed_origins="*",
    always_connect=True,
    client_manager=socketio.AsyncRedisManager(os.environ["WEBSOCKET_REDIS_URL"]),
)
sockets = socketio.ASGIApp(sio, socketio_path="/ws/socket.io")
database = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


@sio.on("user-join")
async def user_join(sid, data):
    """Its acknowledgement says which replica this is."""
    return {"replica": NAME}


async def ready() -> bool:
    try:
        return bool(await database.ping())
    except redis.exceptions.RedisError:
        return False


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"].startswith("/ws/"):
        return await sockets(scope, receive, send)
    status, body = 200, {"status": True, "replica": NAME}
    if scope["path"] == "/ready" and not await ready():
        status, body = 503, {"detail": "Redis not ready"}
    elif scope["path"] == "/_app/immutable/gone.js":
        status, body = 404, {"detail": "Not Found"}
    elif scope["path"] == "/api/visits":
        # One file for all replicas, as for what users upload.
        with open(DATA / "visits", "a") as visits:
            visits.write(f"{NAME}\n")
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
