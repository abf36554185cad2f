"""The Socket.IO server, made as Open WebUI makes its own (backend/open_webui/socket/main.py)."""

import json
import time

import socketio


def make_server(name: str, transports: list[str], redis: str | None, options) -> socketio.AsyncServer:
    manager = None
    if redis:
        # redis-py 8 ends an idle subscription after 5 s unless told otherwise.
        manager = socketio.AsyncRedisManager(redis, redis_options={"socket_timeout": None})
    sio = socketio.AsyncServer(
        async_mode="asgi",
        cors_allowed_origins="*" if options.origins == "*" else options.origins.split(";"),
        transports=transports,
        allow_upgrades=options.upgrades,
        always_connect=True,
        client_manager=manager,
        ping_interval=options.ping_interval,
        ping_timeout=options.ping_timeout,
        max_http_buffer_size=options.max_message,
        compression_threshold=options.compression_threshold,
    )
    register(sio, name, EventLog(options.events))
    return sio


class EventLog:
    """One JSON line for each event that was handled and has an id."""

    def __init__(self, path: str | None):
        self.file = open(path, "a", buffering=1) if path else None

    def note(self, event: str, data) -> None:
        if self.file and isinstance(data, dict) and "id" in data:
            self.file.write(json.dumps({"time": time.time(), "event": event, "id": data["id"]}) + "\n")


def register(sio, name: str, log: EventLog) -> None:
    @sio.event
    async def connect(sid, environ, auth):
        pass

    @sio.on("user-join")
    async def user_join(sid, data):
        user = (data or {}).get("auth", {}).get("token", "anonymous")
        await sio.enter_room(sid, f"user:{user}")
        await sio.enter_room(sid, "everyone")
        return {"id": user, "name": user}

    @sio.on("echo")
    async def echo(sid, data):
        log.note("echo", data)
        return data

    @sio.on("heartbeat")
    async def heartbeat(sid, data):
        log.note("heartbeat", data)
        return data

    @sio.on("heartbeat", namespace="/admin")
    async def heartbeat_of_admin(sid, data):
        log.note("heartbeat", data)
        return data

    @sio.on("flood")
    async def flood(sid, count):
        for number in range(count):
            await sio.emit("tick", number, to=sid)

    @sio.on("whoami")
    async def whoami(sid, data=None):
        scope = sio.get_environ(sid)["asgi.scope"]
        return {
            "replica": name,
            "sid": sid,
            "engine_sid": sio.manager.eio_sid_from_sid(sid, "/"),
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]],
        }

    @sio.on("room")
    async def room(sid, data):
        """{"user": room, "text": anything}: to every member, on whichever replica."""
        await sio.emit("events", data["text"], room=f"user:{data['user']}")
