#!/usr/bin/env python3
"""docker-compose.yml as it is, in containers on this machine, with guests who notice: started, scaled from 1 to 4
replicas and back to 2, every container restarted in turn; then with a second usher, and a second stack beside it. Run it
with ./dev compose; docs/open-webui.md says what came of it.

It needs root: it starts a Docker daemon of its own, and ends it, unless one runs already. Ports 80, 81, 443, 444, 8080
and 8443 must be free."""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import wire  # noqa: E402
from guests import PAUSE, Guests, Notice  # noqa: E402
from harness import Child, wait_for  # noqa: E402
from image_as_root import look_at_the_image_as_root  # noqa: E402
from verdict import Verdict, say  # noqa: E402

PROJECT = "usher-compose"
# An address of this machine that the kernel leads to the containers, as it does for clients from outside. On 127.0.0.1
# Docker's own proxy would stand between, which accepts for a container that is ending.
MACHINE = "172.17.0.1"
NODE = f"https://{MACHINE}:443"
NODE_2 = f"https://{MACHINE}:444"
PORTS = (80, 81, 443, 444, 8080, 8443)
GUESTS = 40
LONE = 30  # guests while the only usher is restarted
LONGEST_GAP = 5  # seconds until a container is there again, on a busy machine
FILE = "/_app/immutable/chunks/page.1a2b3c4d.js"
LIMIT = 100_000_000  # bytes of usher's image
PATIENCE = 240  # seconds: containers start slowly on a busy machine
SETTLED = 60
BUILT = 3600  # and images are built, or made from packages


def run(*command: str, quiet: bool = True, timeout: float = PATIENCE, **options) -> str:
    done = subprocess.run(command, capture_output=quiet, text=True, cwd=ROOT, timeout=timeout, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return (done.stdout or "").strip()


def inspect(kind: str, name: str) -> dict:
    return json.loads(run("docker", kind, "inspect", name))[0]


class Daemon(Child):
    """dockerd, if none answers."""

    def __init__(self, folder: Path):
        super().__init__("dockerd", folder)

    def start(self) -> "Daemon":
        if not self.answers():
            data = os.environ.get("USHER_DOCKER_DATA", str(self.folder / "docker"))
            self.spawn(
                [
                    "dockerd",
                    "--data-root",
                    data,
                    "--exec-root",
                    self.folder / "exec",
                    "--pidfile",
                    self.folder / "dockerd.pid",
                ]
            )
            wait_for(lambda: not self.running or self.answers(), "dockerd answers", 60, 0.5)
            assert self.running, self.stderr[-4000:]
        return self

    @staticmethod
    def answers() -> bool:
        return subprocess.run(["docker", "info"], capture_output=True).returncode == 0

    def close(self) -> None:
        if self.running:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(60)
        self.kill()


class Stack:
    """The containers of docker-compose.yml; `more` is what else stands in .env."""

    def __init__(self, project: str = PROJECT, **more: str):
        self.project = project
        self.environment = {
            **os.environ,
            "WEBUI_SECRET_KEY": secrets.token_hex(32),
            "POSTGRES_PASSWORD": secrets.token_hex(24),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            **more,
        }

    def compose(self, *arguments: str) -> str:
        return run("docker-compose", "-p", self.project, *arguments, env=self.environment)

    def complaint(self, *arguments: str) -> str:
        """What a command says that must fail; nothing if it does not."""
        command = ["docker-compose", "-p", self.project, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, env=self.environment)
        return done.stdout + done.stderr if done.returncode else ""

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "1")

    async def later(self, *arguments: str) -> None:
        """While the guests go on."""
        await asyncio.to_thread(self.compose, *arguments)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).split()

    def status(self) -> dict:
        return json.loads(run("docker", "exec", *self.containers("usher"), "usher", "status", "--json"))

    def up(self) -> list[dict]:
        """The replicas that usher has found, and that are up."""
        try:
            replicas = self.status()["upstreams"][0]["replicas"]
        except (AssertionError, json.JSONDecodeError, IndexError):
            return []
        return [replica for replica in replicas if replica["state"] == "up"]

    def said(self) -> list[str]:
        """What `docker logs` shows of usher."""
        both = {"quiet": False, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return run("docker", "logs", *self.containers("usher"), **both).splitlines()

    def log(self) -> list[dict]:
        """usher's own lines."""
        return [json.loads(line) for line in self.said() if line.startswith("{")]

    def access_log(self) -> list[dict]:
        text = run("docker", "exec", *self.containers("usher"), "cat", "/var/log/usher/access.log")
        return [json.loads(line) for line in text.splitlines()]

    def metric(self, name: str) -> float:
        text = run("docker", "exec", *self.containers("usher"), "curl", "-fsS", "http://127.0.0.1:9180/metrics")
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def line_with(words: str, text: str) -> str:
    return next((line.strip() for line in text.splitlines() if words in line), text)


def answers(url: str) -> bool:
    """Whatever it is that it answers."""
    try:
        return wire.fetch(url).status > 0
    except (OSError, wire.Truncated):
        return False


async def until(condition, what: str, timeout: float = PATIENCE):
    """harness.wait_for, while the guests go on."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        await asyncio.sleep(0.25)


class Run:
    def __init__(self, verdict: Verdict):
        self.verdict = verdict
        self.stack = Stack()
        self.guests = Guests([NODE])

    async def all(self) -> None:
        self.check_the_folder_of_certificates()
        await self.start()
        self.look_at_the_image()
        look_at_the_image_as_root(self.verdict)
        self.look_at_the_logs()
        await self.scale()
        await self.restart_each()
        await self.guests.leave()
        await self.restart_the_only_usher()
        await self.restart_one_of_two()
        self.start_a_second_stack()

    # docker-compose.yml and .env

    def check_the_folder_of_certificates(self) -> None:
        missing = ROOT / "build" / "compose" / "no-certificates"
        said = Stack(USHER_CERTS=str(missing)).complaint("up", "-d", "usher")
        self.verdict.check(str(missing) in said, f"a folder of certificates that is missing is named: {line_with(str(missing), said)}")
        self.verdict.check(not missing.exists(), "and Docker has not made it")
        self.stack.down()

    def start_a_second_stack(self) -> None:
        """Only usher and what it needs: the names are what matters."""
        others = {"USHER_HTTP_PORT": "8080", "USHER_HTTPS_PORT": "8443"}
        said = Stack("usher-beside", **others, OPEN_WEBUI_NETWORK="beside").complaint("up", "-d", "usher")
        self.verdict.check(
            "redis-valkey" in said and "already in use" in said, f"a name that is taken is named: {line_with('already in use', said)}"
        )
        beside = Stack("usher-beside", **others, OPEN_WEBUI_NETWORK="beside", REDIS_CONTAINER_NAME="beside-valkey")
        try:
            beside.compose("up", "-d", "usher")
            pongs = [run("docker", "exec", name, "redis-cli", "ping") for name in ("redis-valkey", "beside-valkey")]
            self.verdict.check(pongs == ["PONG"] * 2, f"a second stack has names of its own: {pongs}")
            networks = [set(inspect("container", each.containers("usher")[0])["NetworkSettings"]["Networks"]) for each in (self.stack, beside)]
            self.verdict.check(networks == [{"openwebui-network"}, {"beside"}], f"and a network of its own: {networks}")
            wait_for(lambda: answers(f"http://{MACHINE}:8080/"), "the second usher", PATIENCE, 0.5)
            self.verdict.check(answers(f"https://{MACHINE}:8443/"), "and ports of its own")
        finally:
            beside.down()

    async def start(self) -> None:
        began = time.monotonic()
        await self.stack.later("up", "-d", "--scale", "open-webui=1")
        await self.replicas(1)
        say(f"       started in {time.monotonic() - began:.0f} s")
        pong = run("docker", "exec", "redis-valkey", "redis-cli", "ping")
        self.verdict.check(pong == "PONG", f"redis-cli ping answers {pong}")
        store = self.stack.status()["store"]
        self.verdict.check(store["state"] == "up", f"usher has its store: {store}")

    async def replicas(self, count: int) -> list[dict]:
        async def found():
            replicas = await asyncio.to_thread(self.stack.up)
            return replicas if len(replicas) == count else None

        return await until(found, f"{count} replicas up")

    def look_at_the_image(self) -> None:
        size = inspect("image", "usher")["Size"]
        self.verdict.check(size < LIMIT, f"usher's image has {size / 1e6:.1f} MB")
        container = self.stack.containers("usher")[0]
        user = run("docker", "exec", container, "sh", "-c", "grep -E '^(Uid|CapEff)' /proc/1/status").split()
        self.verdict.check(
            user[1] == "10001" and int(user[-1], 16) == 0, f"usher runs as {user[1]}, with capabilities {user[-1]}"
        )
        for check in ("curl -fsS -o /dev/null http://localhost/", "wget -q --spider http://127.0.0.1:9180/readyz"):
            done = subprocess.run(["docker", "exec", container, "sh", "-c", check], capture_output=True, text=True)
            self.verdict.check(done.returncode == 0, f"a health check may say: {check} {done.stderr.strip()}")
        written = subprocess.run(["docker", "exec", container, "touch", "/anywhere"], capture_output=True).returncode
        self.verdict.check(written != 0, "its root file system cannot be written")
        strange = [line for line in self.stack.said() if not line.startswith("{")]
        self.verdict.check_none(strange, "lines of its start that are not of its log")

    def look_at_the_logs(self) -> None:
        files = 200
        for _ in range(files):
            assert wire.fetch(NODE + FILE).status == 200
        assert wire.fetch(NODE + "/_app/immutable/gone.js").status == 404
        assert wire.fetch(NODE + "/api/config").status == 200
        wait_for(lambda: any(line["path"] == "/api/config" for line in self.stack.access_log()), "a request in the access log")
        logged = Counter(line["path"] for line in self.stack.access_log() if line["path"].startswith("/_app/"))
        self.verdict.check(
            logged == {"/_app/immutable/gone.js": 1}, f"of {files} files and one that is missing, these have a line: {logged}"
        )
        counted = self.stack.metric("usher_access_log_counted_total")
        self.verdict.check(counted == files, f"and {counted:g} are counted")
        mixed = [line for line in self.stack.log() if "method" in line]
        self.verdict.check_none(mixed, "requests among the lines of docker logs")

    # What the guests notice

    async def step(self, what: str, action, allowed: str = "") -> None:
        """`allowed` says why guests may notice; else nobody may."""
        began = time.time()
        self.guests.answers, self.guests.slowest = 0, 0.0
        await action()
        await until(self.guests.settled, f"{what}: everybody is settled", SETTLED)
        noticed = self.guests.since(began)
        seen = ", ".join(f"{count}x {trouble}" for trouble, count in noticed.most_common(4)) or "nobody notices"
        line = f"{what}: {seen}; {self.guests.answers} answers, the slowest {self.guests.slowest:.1f} s"
        if allowed:
            say(f"       {line} ({allowed}; {time.time() - began:.0f} s)")
        else:
            self.verdict.check(not noticed, line)

    async def scale(self) -> None:
        await self.step(f"{GUESTS} guests come to one replica", lambda: self.guests.arrive(GUESTS))

        async def to_four():
            await self.stack.later("up", "-d", "--no-recreate", "--scale", "open-webui=4")
            await self.replicas(4)

        await self.step("from 1 replica to 4", to_four)
        await self.step(f"{GUESTS} more guests", lambda: self.guests.arrive(GUESTS))
        homes = self.guests.homes()
        self.verdict.check(
            len(homes) == 4, f"all four have guests, new ones slowly at first (slow_start): {sorted(homes.values())}"
        )

        async def to_two():
            await self.stack.later("up", "-d", "--no-recreate", "--scale", "open-webui=2")
            await self.replicas(2)
            await until(lambda: len(self.guests.homes()) == 2, "nobody is at a replica that is gone")

        homes = {guest: guest.page for guest in self.guests.all}
        await self.step("from 4 replicas to 2", to_two)
        moved = Counter(guest.page for guest, home in homes.items() if guest.page != home)
        self.verdict.check(
            len(moved) == 2 and min(moved.values()) >= 0.15 * moved.total(),
            f"who had to move is spread over the rest: {sorted(moved.values())}",
        )

    async def restart_each(self) -> None:
        one, _ = self.stack.containers("open-webui")
        await self.step("one replica is restarted", lambda: self.restart(one, 2))
        await self.step("both replicas are restarted by docs/rolling-restart", self.rolling_restart)
        (postgres,), (redis,), (usher,) = (self.stack.containers(service) for service in ("postgres", "redis", "usher"))
        await self.step("PostgreSQL is restarted", lambda: self.restart(postgres, 2))
        await self.step("Valkey is restarted", lambda: self.restart(redis, 2))
        bad = [line for line in self.stack.access_log() if line["status"] >= 500]
        bad += [line for line in self.stack.log() if line.get("level") == "error"]
        self.verdict.check_none(bad, "5xx in the access log, and errors in usher's own")

    async def rolling_restart(self) -> None:
        began = {container: inspect("container", container)["State"]["StartedAt"] for container in self.stack.containers("open-webui")}
        environment = {**self.stack.environment, "COMPOSE": f"docker-compose -p {self.stack.project}", "WITHIN": "1m"}
        said = await asyncio.to_thread(run, str(ROOT / "docs" / "rolling-restart"), env=environment)
        await self.replicas(2)
        again = {container: inspect("container", container)["State"]["StartedAt"] for container in began}
        self.verdict.check(all(again[each] != began[each] for each in began), f"each was restarted: {said.count('==')} names")

    async def interruption(self, what: str, guests: Guests, action) -> Notice:
        await until(guests.settled, "everybody is settled", SETTLED)
        homes, answers, began = {guest: guest.page for guest in guests.all}, guests.answers, time.time()
        await action()
        took = time.time() - began
        answered = guests.answers - answers
        await until(guests.settled, f"{what}: everybody is settled", SETTLED)
        noticed = guests.noticed(began)
        say(f"       {what} under {len(guests.all)} guests: {noticed}; it took {took:.1f} s, with {answered} answers")
        say(f"       {dict(guests.since(began))}")
        moved = sum(guest.page != home for guest, home in homes.items())
        self.verdict.check(moved == 0, f"{what}: everybody is at the replica that they had ({moved} moved)")
        return noticed

    async def restart_the_only_usher(self) -> None:
        guests = Guests([NODE])
        await guests.arrive(LONE)
        noticed = await self.interruption("the only usher is restarted", guests, lambda: self.stack.later("restart", "usher"))
        self.verdict.check(noticed.closed == LONE, f"of {LONE} websockets {noticed.closed} are closed once")
        self.verdict.check(noticed.seconds < LONGEST_GAP, f"pages are missed for {noticed.seconds:.1f} s, not for the drain's 8 s")
        await guests.leave()
        (usher,) = self.stack.containers("usher")

        def healthy() -> bool:
            return inspect("container", usher)["State"].get("Health", {}).get("Status") == "healthy"

        await until(healthy, "usher's container is healthy")
        self.verdict.check(True, "Docker's health check finds usher healthy")

    async def restart_one_of_two(self) -> None:
        self.stack.environment["COMPOSE_PROFILES"] = "two-nodes"
        await self.stack.later("up", "-d", "--no-recreate", "--scale", "open-webui=2", "usher-2")
        await until(lambda: answers(NODE_2 + "/api/config"), "the second usher answers")
        guests = Guests([NODE, NODE_2])
        await guests.arrive(LONE)
        for service in ("usher", "usher-2"):
            noticed = await self.interruption(f"{service} of two is restarted", guests, lambda service=service: self.stack.later("restart", service))
            self.verdict.check(noticed.refused + noticed.failed == 0, f"{service} of two is restarted: pages do not notice")
            self.verdict.check(noticed.closed <= LONE, f"and nobody's websocket is closed twice ({noticed.closed} closed)")
            await until(lambda: answers(NODE + "/api/config"), "the first usher answers")
            # The next one to be restarted is the one that they come to.
            guests.urls.reverse()
            await until(lambda: asyncio.sleep(2 * PAUSE, True), "everybody has asked there")
        await guests.leave()

    async def restart(self, container: str, replicas: int) -> None:
        await asyncio.to_thread(run, "docker", "restart", container)
        await self.replicas(replicas)


def needed() -> list[str]:
    lacks = [program for program in ("dockerd", "docker", "docker-compose", "debootstrap") if not shutil.which(program)]
    if os.geteuid() != 0:
        lacks.append("the rights of root")
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("0.0.0.0", port))
                continue
            lacks.append(f"port {port}, which somebody else has")
    return lacks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--suite",
        default="trixie",
        choices=["trixie", "bookworm"],
        help="the Debian release under usher's image (trixie)",
    )
    parser.add_argument("--no-build", action="store_true", help="take the image named usher as it is")
    parser.add_argument("--keep", action="store_true", help="leave the containers running at the end")
    asked = parser.parse_args()
    if lacks := needed():
        print(f"missing: {', '.join(lacks)}", file=sys.stderr)
        return 2
    folder = ROOT / "build" / "compose"
    folder.mkdir(parents=True, exist_ok=True)
    verdict = Verdict()
    with Daemon(folder).start():
        run(str(HERE / "images"), quiet=False, timeout=BUILT)
        if not asked.no_build:
            base = f"BASE=debian:{asked.suite}-slim"
            run(
                "docker",
                "build",
                "-t",
                "usher",
                "--build-arg",
                base,
                ".",
                quiet=False,
                timeout=BUILT,
                stdout=sys.stderr,
                env={**os.environ, "DOCKER_BUILDKIT": "0"},
            )
        stack = Run(verdict)
        try:
            asyncio.run(stack.all())
        finally:
            if not asked.keep:
                stack.stack.down()
        server = run("docker", "version", "--format", "{{.Server.Version}}")
        say(f"       Docker {server}, {run('docker-compose', '--version').splitlines()[0]}")
    print("\n".join(["", "did not hold:", *verdict.failures]) if verdict.failures else "\neverything held")
    return 1 if verdict.failures else 0


if __name__ == "__main__":
    sys.exit(main())
