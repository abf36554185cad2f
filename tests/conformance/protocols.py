"""The suites of the Engine.IO and the Socket.IO protocol: mocha, run against the Node reference server and against
python-engineio and python-socketio. They keep no cookies, so with two replicas only the sid leads to the right one."""

import concurrent.futures
import json
import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import harness
from comparison import DIRECTLY, Comparison, Way
from http2_bridge import Bridge

HERE = Path(__file__).resolve().parent
WORK = harness.ROOT / "build" / "conformance"
WAYS = [
    Way("plain, 1", "http", 1),
    Way("plain, 2", "http", 2),
    Way("TLS, 1", "https", 1),
    Way("TLS, 2", "https", 2),
    Way("HTTP/2, 1", "h2", 1),
    Way("HTTP/2, 2", "h2", 2),
    Way("TLS, 1, beside a dying replica", "https", 1, beside=True),
]
SERVERS = {
    "Node": ["node", HERE / "servers" / "reference.mjs"],
    "Python": [harness.PYTHON, HERE / "servers" / "reference.py"],
}

# Two connections at once, and the case passes if the server reads the right one first. HTTP promises no order between
# connections, and a proxy with several threads keeps none.
RACES = {
    "engine.io": [
        "Engine.IO protocol close HTTP long-polling forcefully closes the session",
        "Engine.IO protocol upgrade ignores HTTP requests with same sid after upgrade",
    ],
    "socket.io": [
        "Engine.IO protocol close HTTP long-polling should forcefully close the session",
        "Engine.IO protocol upgrade should ignore HTTP requests with same sid after upgrade",
    ],
}


class Server(harness.Child):
    """A process that says {"event":"ready","port":N} when it serves."""

    def __init__(self, folder: Path, name: str, command: list):
        super().__init__(name, folder)
        self.command = command

    def start(self) -> "Server":
        self.spawn(self.command)
        ready = self.await_line(self.stdout_path, lambda line: line.get("event") == "ready", f"{self.name} serves")
        self.address = f"127.0.0.1:{ready['port']}"
        return self


def usher_in_front_of(house: harness.House, servers: list, name: str) -> harness.Usher:
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]
    settings = harness.settings_for(servers, listen=listen)
    settings["upstream"][0]["socketio"] = ["/engine.io/", "/socket.io/"]
    return house.usher(servers, name=name, settings=settings)


def trust(node: harness.Usher, folder: Path) -> dict[str, str]:
    """The environment in which Node and Python believe the node's self-signed certificate."""
    path = folder / f"{node.name}.pem"
    path.write_text(ssl.get_server_certificate(("127.0.0.1", node.port("https"))))
    return {"NODE_EXTRA_CA_CERTS": str(path), "SSL_CERT_FILE": str(path)}


class DyingReplica:
    """Clients of another upstream of the same node, whose one replica is killed every two seconds."""

    PATH = "/ws/"  # where they come; no suite does
    EVERY = 2.0

    def __init__(self, house: harness.House, servers: list):
        self.replica = house.replica("dying", port=harness.free_port())
        settings = harness.settings_for(servers)
        settings["upstream"][0]["socketio"] = ["/engine.io/", "/socket.io/"]
        settings["upstream"].append({**settings["upstream"][0], "name": "dying", "replicas": [self.replica.address], "socketio": [self.PATH]})
        settings["route"].append({"path": self.PATH, "upstream": "dying"})
        self.node = house.usher(servers, name="beside", settings=settings, wait=False).await_replicas(len(servers) + 1)
        self.clients = house.clients([self.node.url("https")], 50, args=["--interval-ms", "100"])
        self.clients.await_connected()
        self.deaths = 0

    def die_beside(self, work):
        """What work() gives; the replica dies until then."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            result = pool.submit(work)
            while not concurrent.futures.wait([result], self.EVERY).done:
                self.replica.kill()
                self.replica.start()
                self.deaths += 1
            return result.result()


class Protocol:
    """One of the two suites, named like its repository."""

    def __init__(self, protocol: str):
        self.protocol = protocol
        self.name = f"{protocol}-protocol"
        self.get = f"git clone https://github.com/socketio/{self.name}"

    def missing(self, suites: Path) -> str | None:
        return None if (suites / self.name / "test-suite" / "package.json").is_file() else self.get

    def version(self, suites: Path) -> str:
        return commit(suites / self.name)

    def prepare(self, suites: Path, as_published: bool) -> Path:
        """A copy whose address comes from the environment, and whose websockets are those of browser_like.mjs."""
        copy = WORK / self.name
        original, skipped = suites / self.name / "test-suite", shutil.ignore_patterns("node_modules")
        shutil.copytree(original, copy, dirs_exist_ok=True, ignore=skipped)
        source = (copy / "test-suite.js").read_text()
        source, count = re.subn(r'^const URL = "[^"]*";$', "const URL = process.env.SUITE_URL;", source, flags=re.M)
        assert count == 1, f"{self.name} has its address elsewhere than expected"
        (copy / "test-suite.js").write_text(source)
        if not as_published:
            with open(copy / "node-imports.js", "a") as imports:
                imports.write(f'await import("{(HERE / "clients" / "browser_like.mjs").as_uri()}");\n')
        npm_ci(copy)
        return copy

    def mocha(self, copy: Path, url: str, env: dict, only: list[str]) -> dict[str, str]:
        command = [copy / "node_modules" / ".bin" / "mocha", "--exit", "--reporter", "json", "test-suite.js"]
        if only:
            command += ["--grep", "^(" + "|".join(map(re.escape, only)) + ")$"]
        environment = {**os.environ, "SUITE_URL": url, **env}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)
        report = json.loads(done.stdout[done.stdout.index("{\n") :])
        assert len({test["fullTitle"] for test in report["tests"]}) == len(report["tests"])
        return {test["fullTitle"]: "fail" if test["err"] else "pass" for test in report["tests"]}

    def run(self, suites: Path, options) -> list[Comparison]:
        npm_ci(HERE)
        copy = self.prepare(suites, options.as_published)
        return [self.compare(copy, server, options) for server in SERVERS if options.peer in (None, server)]

    def compare(self, copy: Path, server: str, options) -> Comparison:
        found = Comparison(self.name, server, RACES[self.protocol])
        folder = fresh_folder(WORK / "runs" / f"{self.name}-{server}")
        house = harness.House(folder)
        try:
            command = [*SERVERS[server], self.protocol]
            servers = [house.keep(Server(folder, f"replica{number}", command)).start() for number in (1, 2)]
            nodes = {count: usher_in_front_of(house, servers[:count], f"usher{count}") for count in (1, 2)}

            beside = DyingReplica(house, servers[:1])

            def on(way: Way, only: list[str] = ()) -> dict[str, str]:
                if way.is_direct:
                    return self.mocha(copy, f"http://{servers[0].address}", {}, only)
                if way.beside:
                    trusting = trust(beside.node, folder)
                    return beside.die_beside(lambda: self.mocha(copy, beside.node.url(way.scheme), trusting, only))
                node = nodes[way.replicas]
                if way.scheme == "h2":
                    with Bridge(node.url("https")) as bridge:
                        return self.mocha(copy, bridge.url, {}, only)
                return self.mocha(copy, node.url(way.scheme), trust(node, folder), only)

            for _ in range(options.repeat):
                for way in (DIRECTLY, *WAYS):
                    found.add(way, on(way))
            found.look_again(on, WAYS, options.looks)
            assert beside.deaths, "nothing has died"
        finally:
            house.close()
        return found


def fresh_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def commit(checkout: Path) -> str:
    command = ["git", "-C", checkout, "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def npm_ci(folder: Path) -> None:
    """Installs what package-lock.json says, unless it is there."""
    lock, stamp = (folder / "package-lock.json").read_text(), folder / "node_modules" / ".stamp"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, check=True)
    stamp.write_text(lock)
