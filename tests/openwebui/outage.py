"""Something that all replicas share is away for a minute: who asks through usher is answered as through nginx, which knows
nothing of readiness."""

import contextlib
import http.client
import itertools
import ssl
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from harness import Child, free_port, wait_for

# What a page asks for; some of it needs the database, some nothing.
PATHS = ["/", "/api/version", "/api/config", "/health", "/manifest.json", "/static/favicon.png", "/_app/version.json"]
LANES = 3  # for each door, of known clients and of new ones


class Nginx(Child):
    """Before the same replicas."""

    def __init__(self, folder: Path, replicas: list[str]):
        super().__init__("nginx", folder)
        self.port = free_port()
        self.prefix = folder / "nginx"
        self.prefix.mkdir()
        servers = " ".join(f"server {address};" for address in replicas)
        (self.prefix / "nginx.conf").write_text(
            f"""events {{}}
http {{
    access_log off;
    upstream webui {{ ip_hash; {servers} }}
    server {{
        listen 127.0.0.1:{self.port};
        location / {{ proxy_pass http://webui; proxy_set_header Host $http_host; }}
    }}
}}
"""
        )

    def start(self) -> "Nginx":
        command = ["nginx", "-c", self.prefix / "nginx.conf", "-p", self.prefix, "-e", "stderr"]
        self.spawn([*command, "-g", f"daemon off; master_process off; pid {self.prefix}/pid;"])
        door = Door("nginx", "127.0.0.1", self.port, tls=False)
        wait_for(lambda: door.ask("/health", None)[0] == 200, "nginx serves")
        return self


class Door:
    def __init__(self, name: str, host: str, port: int, tls: bool = True):
        self.name = name
        self.host, self.port, self.tls = host.strip("[]"), port, tls

    def ask(self, path: str, cookie: str | None) -> tuple[int, str | None]:
        """The status, 0 for none, and the affinity cookie that came."""
        if self.tls:
            connection = http.client.HTTPSConnection(self.host, self.port, context=ssl._create_unverified_context(), timeout=60)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                return 0, None
            given = [part.split(";")[0] for part in response.headers.get_all("Set-Cookie", []) if part.startswith("usher=")]
            return response.status, given[0] if given else None


class Load:
    """Asks at every door, until it is left. Counts the answers: by door, whether the client was known, path and status."""

    def __init__(self, doors: list[Door]):
        self.doors = doors
        self.answers: dict[tuple[str, str, str], Counter] = defaultdict(Counter)
        self.lock = threading.Lock()
        self.over = threading.Event()

    def lane(self, door: Door, known: bool) -> None:
        cookie = door.ask("/health", None)[1] if known else None
        for path in itertools.cycle(PATHS):
            if self.over.is_set():
                return
            status, _ = door.ask(path, cookie)
            with self.lock:
                self.answers[door.name, "known" if known else "new", path][status] += 1
            self.over.wait(0.2)

    def __enter__(self) -> "Load":
        self.threads = [
            threading.Thread(target=self.lane, args=(door, known), daemon=True)
            for door in self.doors
            for known in (True, False)
            for _ in range(LANES)
        ]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(90)

    @property
    def count(self) -> int:
        with self.lock:
            return sum(counter.total() for counter in self.answers.values())

    def failures(self, door: str) -> dict[str, Counter]:
        """By path, how often a client of that door got 5xx or nothing."""
        found: dict[str, Counter] = defaultdict(Counter)
        for (name, kind, path), counter in self.answers.items():
            for status, times in counter.items():
                if name == door and (status == 0 or status >= 500):
                    found[path][f"{status} {kind}"] += times
        return dict(found)


def outage(scene, verdict, say, name: str, stop, start, seconds: float) -> None:
    """`stop` takes it away for so long, `start` brings it back."""
    nodes = [Door(node.name, address, scene.port) for node, address in zip(scene.nodes, scene.addresses, strict=True)]
    beside = Door("nginx", "127.0.0.1", scene.nginx.port, tls=False)
    panics = [len(node.events("upstream_panic")) for node in scene.nodes]
    began = time.time()
    with Load([*nodes, beside]) as load:
        wait_for(lambda: load.count > 50, "some answers")
        stop()
        until = time.monotonic() + seconds
        states = [Counter() for _ in scene.nodes]
        while time.monotonic() < until:
            for node, seen in zip(scene.nodes, states, strict=True):
                upstream = node.status()["upstreams"][0]
                seen["panic" if upstream["panic"] else "calm"] += 1
                seen.update(replica["state"] for replica in upstream["replicas"])
            load.over.wait(1)
        start()
        scene.await_up()
        after = load.count
        wait_for(lambda: load.count > after + 50, "answers after it", 60)
    through_nginx = load.failures("nginx")
    say(f"       {name}: {load.count} answers; nginx: {through_nginx or 'no 5xx'}")
    for node, seen, before in zip(scene.nodes, states, panics, strict=True):
        own = [
            line
            for line in node.access_log
            if line["status"] >= 500 and line["error"] and line["time"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
        ]
        verdict.check_none(own, f"{name}: 5xx of {node.name}'s own")
        failed = load.failures(node.name)
        say(f"       {node.name}: {failed or 'no 5xx'}; it saw {dict(seen)}")
        worse = {path: counter for path, counter in failed.items() if path not in through_nginx}
        verdict.check(not worse, f"{name}: nobody gets a 5xx through {node.name} that nginx's clients do not get: {worse}")
        verdict.check(seen["down"] == 0, f"{name}: {node.name} takes no replica for dead")
        told = len(node.events("upstream_panic")) - before
        verdict.check(seen["panic"] > 0 and told > 0, f"{name}: {node.name} says that the replicas are not ready, and that it uses them")
