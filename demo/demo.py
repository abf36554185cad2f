#!/usr/bin/env python3
"""Redis, three Socket.IO replicas and two usher nodes on this machine, with a page to watch them: kill
what you like and see the page resume. Run it with ./dev demo; Ctrl-C ends everything.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402

SITE = ROOT / "demo" / "site"
CLIENT = ROOT / "tests" / "support" / "clients" / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
REPLICAS = ("alpha", "beta", "gamma")
NODES = {"one": 8443, "two": 8444}
AWAY = 4  # seconds that something killed stays away


def say(text: str = "") -> None:
    print(text, flush=True)


def clock() -> str:
    return time.strftime("%H:%M:%S")


class Demo:
    def __init__(self, folder: Path, free_ports: bool):
        self.folder = folder
        self.free_ports = free_ports
        self.house = harness.House(folder)
        self.due: dict[str, float] = {}

    def start(self) -> None:
        """Redis, then the replicas that use it, then the nodes in front of them."""
        self.nodes_file = self.folder / "nodes.json"
        self.nodes_file.write_text("[]")
        self.redis = self.house.redis()
        files = {"/": SITE / "index.html", "/page.js": SITE / "page.js", "/style.css": SITE / "style.css"}
        files |= {"/socket.io.min.js": CLIENT, "/nodes.json": self.nodes_file}
        arguments = [part for path, file in files.items() for part in ("--file", f"{path}={file}")]
        # A node that was killed says no goodbye: find out in seconds, not in Open WebUI's 25 + 20.
        arguments += ["--ping-interval", "5", "--ping-timeout", "5"]
        self.replicas = [self.house.replica(name, redis=self.redis.url + "/1", args=arguments) for name in REPLICAS]
        certificate = self.certificate()
        self.nodes = [self.start_node(name, port, certificate) for name, port in NODES.items()]
        self.nodes_file.write_text(json.dumps([node.url("https") for node in self.nodes]))

    def certificate(self) -> dict:
        """One for both nodes, so that a browser that accepted it at one accepts it at the other."""
        chain, key = self.folder / "chain.pem", self.folder / "key.pem"
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        subprocess.run([*command, "-subj", "/CN=usher demo", "-addext", names, "-keyout", key, "-out", chain], check=True, capture_output=True)
        return {"chain": str(chain), "key": str(key)}

    def start_node(self, name: str, port: int, certificate: dict) -> harness.Usher:
        listen = {"address": f"127.0.0.1:{0 if self.free_ports else port}", "tls": True}
        settings = harness.settings_for(
            self.replicas,
            self.redis.url + "/0",
            listen=[listen],
            tls={"certificate": [certificate]},
            log={"access": str(self.folder / f"{name}.access.log")},
        )
        node = self.house.usher(self.replicas, settings=settings, name=f"usher-{name}")
        node.keep_ports()
        return node

    # What to tell

    def introduce(self) -> None:
        first, second = (node.url("https") for node in self.nodes)
        say()
        say(f"  Open   {first}/")
        say(f"  or     {second}/   (the other node; same Redis, same clients)")
        say()
        say("  The certificate is made for this demo: the browser will ask once. Open the page in several")
        say(f"  tabs and browsers. Then kill something; it comes back after {AWAY} s:")
        say()
        self.list_commands()
        say()
        say(f"  Logs are in {self.folder}")
        say("  Ctrl-C ends it all.")
        say()
        say(json.dumps({"event": "ready", "nodes": [first, second], "pids": {child.name: child.pid for child in self.children}}))

    def list_commands(self) -> None:
        for child, what in self.all():
            say(f"    kill -9 {child.pid:<8} # {what}")

    def all(self):
        for node in self.nodes:
            yield node, f"{node.name}, a front-door node ({node.url('https')}): the page goes through the other, to the same replica"
        for replica in self.replicas:
            yield replica, f"replica {replica.name}: its clients move to the others, once"
        yield self.redis, "redis: nobody notices"

    @property
    def children(self) -> list[harness.Child]:
        return [child for child, _ in self.all()]

    # What to watch

    def watch(self) -> None:
        while True:
            for child in self.children:
                self.look_at(child)
            time.sleep(0.2)

    def look_at(self, child: harness.Child) -> None:
        if child.running:
            return
        now = time.monotonic()
        if child.name not in self.due:
            self.due[child.name] = now + AWAY
            say(f"{clock()}  {child.name} ended ({reason(child.process.returncode)}); back in {AWAY} s")
        elif now >= self.due[child.name]:
            del self.due[child.name]
            child.start()
            say(f"{clock()}  {child.name} is back:  kill -9 {child.pid}")


def reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def end(*_):
    raise SystemExit(0)


def missing() -> str | None:
    if not harness.usher_binary():
        return "there is no usher binary: run ./dev demo, which builds it"
    if not CLIENT.exists() or not harness.PYTHON.exists():
        return "run tests/support/setup first"
    if not shutil.which("redis-server"):
        return "redis-server is not installed"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--ports-free", action="store_true", help="take free ports in place of 8443 and 8444")
    options = parser.parse_args()
    if problem := missing():
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    folder = Path(tempfile.mkdtemp(prefix="usher-demo-"))
    demo = Demo(folder, options.ports_free)
    try:
        demo.start()
        demo.introduce()
        demo.watch()
    except AssertionError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        # A second Ctrl-C must not leave half of the children behind.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.house.close()
        shutil.rmtree(folder, ignore_errors=True)
        say("demo: everything has ended")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("USHER_TEST_PATIENCE", "1")
    sys.exit(main())
