"""Starts and stops the real parts of a test: usher, replicas, redis-server, socket.io clients.

Everything is a child of this process, on a loopback port that the system picked, is ended by its own
process id, and dies with this process even when that is killed. Nothing waits a fixed time: `wait_for`
asks until a condition holds or its deadline has passed.
"""

import contextlib
import functools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests" / "support"
PYTHON = ROOT / "build" / "venv" / "bin" / "python"


# --- Waiting ------------------------------------------------------------------------------------------


class Late(AssertionError):
    """A condition did not come true before its deadline."""


def wait_for(condition, what: str, timeout: float = 20, interval: float = 0.02):
    """The first true value of condition(); `what` says what was waited for when it never came."""
    deadline = time.monotonic() + timeout * patience()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Late(f"not within {timeout * patience():g} s: {what}")
        time.sleep(interval)


# --- The binary under test ----------------------------------------------------------------------------


def usher_binary() -> str | None:
    """USHER_BIN, else the newest of the builds in the tree."""
    if named := os.environ.get("USHER_BIN"):
        return named
    built = [path for preset in ("release", "dev") for path in (ROOT / "build" / preset).rglob("usher") if path.is_file() and os.access(path, os.X_OK)]
    return str(max(built, key=lambda path: path.stat().st_mtime)) if built else None


@functools.lru_cache
def sanitized() -> bool:
    """Whether the binary carries a sanitizer: slower, and with a memory of its own."""
    binary = usher_binary()
    if not binary:
        return False
    code = Path(binary).read_bytes()
    return b"__asan_init" in code or b"__tsan_init" in code


def environment() -> dict[str, str]:
    """Without what is said to the tests: usher would warn of it."""
    return {name: text for name, text in os.environ.items() if not name.startswith(("USHER_BIN", "USHER_TEST_"))}


def patience() -> float:
    return float(os.environ.get("USHER_TEST_PATIENCE", 4 if sanitized() else 1))


def big_bytes() -> int:
    """Size of the big uploads and downloads: 1 GiB, less where a sanitizer makes it long."""
    return int(os.environ.get("USHER_TEST_BIG", (256 << 20) if sanitized() else (1 << 30)))


# --- Processes ----------------------------------------------------------------------------------------


def free_port() -> int:
    """One that the kernel gives to nobody who asks for port 0: it is still free after a restart."""
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(least // 2, least)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Child:
    """A child process whose output goes to files, so that it never waits for a reader."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen | None = None
        self.starts = 0

    def spawn(self, command: list, env: dict | None = None, stdin=subprocess.DEVNULL) -> None:
        # The kernel ends the child when the thread that started it ends; only the main thread lasts.
        assert threading.current_thread() is threading.main_thread()
        assert not self.running, f"{self.name} runs already"
        self.starts += 1
        self.stdout_path = self.folder / f"{self.name}.{self.starts}.out"
        self.stderr_path = self.folder / f"{self.name}.{self.starts}.err"
        guarded = ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)]
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(guarded, stdin=stdin, stdout=out, stderr=err, env={**self.inherited(), **(env or {})}, cwd=self.folder)

    def inherited(self) -> dict[str, str]:
        return dict(os.environ)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 30) -> int:
        return self.process.wait(timeout * patience())

    def kill(self) -> None:
        """SIGKILL, and the end of it awaited."""
        if self.running:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def await_line(self, path: Path, wanted, what: str, timeout: float = 30) -> dict:
        """The first JSON line of a file that `wanted` accepts."""

        def look():
            for line in json_lines(path):
                if wanted(line):
                    return line
            if not self.running:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before: {what}\n{self.stderr}")
            return None

        try:
            return wait_for(look, what, timeout)
        except Late as late:
            raise Late(f"{late}\n{self.stderr[-4000:]}") from None

    def close(self) -> None:
        self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def json_lines(path: Path) -> list[dict]:
    """The whole lines of a file that hold JSON objects; others are somebody else's."""
    try:
        text = Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return []
    lines = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        if line.startswith("{"):
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(line))
    return lines


# --- TOML ---------------------------------------------------------------------------------------------


def toml(table: dict, prefix: str = "") -> str:
    """A nested dict as TOML: dicts are tables, lists of dicts arrays of tables."""
    plain, nested = [], []
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            nested.append(f"\n[{name}]\n{toml(value, name + '.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            nested += [f"\n[[{name}]]\n{toml(item, name + '.')}" for item in value]
        else:
            # JSON's strings, numbers, booleans and arrays of them are TOML's.
            plain.append(f"{key} = {json.dumps(value)}\n")
    return "".join(plain + nested)


# --- usher --------------------------------------------------------------------------------------------

REPORTS = re.compile(r"ERROR: AddressSanitizer|WARNING: ThreadSanitizer|ERROR: LeakSanitizer|runtime error:|Assertion .* failed")

CRASHES = tuple(-number for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE))


def settings_for(replicas, store: str = "memory:", **extra) -> dict:
    """Settings of a node on free ports; `extra` replaces whole top-level tables."""
    base = {
        "workers": 2,
        "listen": [
            {"address": "127.0.0.1:0"},
            {"address": "127.0.0.1:0", "tls": True, "protocols": ["http/1.1"]},
        ],
        "store": {"url": store},
        "upstream": [
            {
                "name": "open-webui",
                "replicas": [address_of(replica) for replica in replicas],
                "health": {"interval": "200ms", "timeout": "2s", "fall": 2, "rise": 1},
            }
        ],
        "route": [{"host": "*", "path": "/", "upstream": "open-webui"}],
        "admin": {"address": "127.0.0.1:0"},
    }
    return {**base, **extra}


class Hosts:
    """Names of its own for one process: a file that it sees as /etc/hosts, and that a test changes as it goes."""

    def __init__(self, folder: Path):
        self.path = Path(folder) / "hosts"
        self.set({})
        namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        self.around = [*namespace, "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(self.path)]

    def set(self, names: dict[str, list[str]]) -> None:
        lines = [f"{address} {name}\n" for name, addresses in names.items() for address in addresses]
        self.path.write_text("127.0.0.1 localhost\n" + "".join(lines))

    def work(self) -> bool:
        """A container may be without the right to it."""
        return subprocess.run([*self.around, "true"], capture_output=True).returncode == 0


def address_of(replica) -> str:
    return replica if isinstance(replica, str) else replica.address


class Usher(Child):
    """One node. `settings` is a dict for usher.toml, a text that is the file, or None for no file."""

    def __init__(
        self,
        folder: Path,
        settings,
        name: str = "usher",
        env: dict | None = None,
        args: list | None = None,
        hosts: "Hosts | None" = None,
        descriptors: str | None = None,  # its limits when it starts, as prlimit takes them: "soft:hard"
    ):
        super().__init__(name, folder)
        self.settings = settings
        self.hosts = hosts
        self.descriptor_limits = descriptors
        self.env = env or {}
        self.args = args or []
        self.state = self.folder / f"{name}.state"
        self.listen: list[str] = []
        self.admin: str | None = None

    def inherited(self) -> dict[str, str]:
        return environment()

    def start(self, timeout: float = 30) -> "Usher":
        command = [*(self.hosts.around if self.hosts else []), usher_binary(), "run"]
        if self.descriptor_limits:
            command = ["prlimit", f"--nofile={self.descriptor_limits}", "--", *command]
        if self.settings is not None:
            self.config = self.folder / f"{self.name}.toml"
            self.config.write_text(self.settings if isinstance(self.settings, str) else toml(self.settings))
            command += ["-c", self.config]
        self.spawn(command + self.args, {"USHER_STATE": str(self.state), **self.env})
        ready = self.await_line(self.stderr_path, lambda line: line.get("event") == "ready", f"{self.name}'s ready line", timeout)
        self.listen, self.admin = ready["listen"], ready.get("admin")
        return self

    def url(self, scheme: str = "http") -> str:
        return next(url for url in self.listen if url.startswith(scheme + "://"))

    def port(self, scheme: str = "http") -> int:
        return int(self.url(scheme).rsplit(":", 1)[1])

    def keep_ports(self) -> None:
        """The next start binds the ports of this one."""
        for entry, url in zip(self.settings["listen"], self.listen, strict=True):
            entry["address"] = url.split("://", 1)[1]
        self.settings["admin"]["address"] = self.admin.split("://", 1)[1]

    def restart(self) -> "Usher":
        self.keep_ports()
        self.stop()
        return self.start()

    def stop(self, timeout: float = 40) -> None:
        """SIGTERM; a clean end is part of every test."""
        self.signal(signal.SIGTERM)
        code = self.wait(timeout)
        assert code == 0, f"{self.name} exited with {code} on SIGTERM\n{self.stderr[-4000:]}"

    def assert_no_crash(self) -> None:
        code = self.process.poll() if self.process else None
        assert code not in CRASHES, f"{self.name} died of {signal.Signals(-code).name}\n{self.stderr[-4000:]}"

    def assert_no_reports(self) -> None:
        for path in self.folder.glob(f"{self.name}.*.err"):
            text = path.read_text(errors="replace")
            found = REPORTS.search(text)
            assert not found, f"{path.name}:\n{text[found.start():][:8000]}"

    def close(self) -> None:
        if self.running:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                # A test that leaves connections open has no right to wait for their drain.
                self.signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        self.assert_no_crash()
        self.kill()
        self.kill_successors()
        self.assert_no_reports()

    def kill_successors(self) -> None:
        """Those that have replaced it (SIGUSR2) and outlived it."""
        for line in self.log:
            if line.get("event") == "replacing":
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{line['pid']}/exe") == os.path.realpath(usher_binary()):
                        os.kill(line["pid"], signal.SIGKILL)

    # What it says of itself.

    @property
    def access_log(self) -> list[dict]:
        return [line for line in json_lines(self.stdout_path) if "method" in line]

    def await_access(self, wanted, timeout: float = 10) -> dict:
        return self.await_line(self.stdout_path, lambda line: "method" in line and wanted(line), "a line in the access log", timeout)

    @property
    def log(self) -> list[dict]:
        return json_lines(self.stderr_path)

    def status(self) -> dict:
        return json.loads(self.admin_get("/api/status")[1])

    def admin_get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        headers = {} if method == "GET" else {"X-Usher-Admin": "1"}
        request = urllib.request.Request(self.admin + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10 * patience()) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample; 0 when there is none."""
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "")
        for line in self.admin_get("/metrics")[1].decode().splitlines():
            sample, _, value = line.rpartition(" ")
            if sample == wanted:
                return float(value)
        return 0.0

    def replica_states(self) -> dict[str, str]:
        return {replica["address"]: replica["state"] for upstream in self.status()["upstreams"] for replica in upstream["replicas"]}

    def await_replicas(self, count: int, timeout: float = 20) -> "Usher":
        """Until so many replicas are up."""
        wait_for(lambda: list(self.replica_states().values()).count("up") == count, f"{count} replicas up at {self.name}", timeout)
        return self

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every sample of /metrics: by its name, then by its labels as they are written."""
        samples: dict[str, dict[str, float]] = {}
        for line in self.admin_get("/metrics")[1].decode().splitlines():
            if not line.startswith("#"):
                name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
                samples.setdefault(name, {})[labels or ""] = float(value)
        return samples

    def serving_pid(self) -> int:
        """Of the process that serves now, whichever was started first."""
        return self.status()["pid"]

    def events(self, name: str) -> list[dict]:
        """The lines of the process log with this event."""
        return [line for line in self.log if line.get("event") == name]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def private_memory(self) -> int:
        """Bytes of anonymous memory: the heap, not the mapped files."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")

    def rss(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


# --- Replicas -----------------------------------------------------------------------------------------


class Replica(Child):
    """At 127.0.0.1 and a port of the kernel's choice, else at `host` (an address, or unix:/path) and `port`."""

    def __init__(
        self,
        folder: Path,
        name: str = "alpha",
        redis: str | None = None,
        args: list | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        super().__init__(name, folder)
        self.redis = redis
        self.args = args or []
        self.host = host
        self.port = port
        self.requests_path = self.folder / f"{name}.requests"

    def start(self) -> "Replica":
        command = [PYTHON, SUPPORT / "replica", "--name", self.name, "--log", self.requests_path]
        command += ["--host", self.host, "--port", self.port]
        if self.redis:
            command += ["--redis", self.redis]
        self.spawn(command + self.args)
        self.port = self.await_line(self.stdout_path, lambda line: line.get("event") == "ready", f"replica {self.name}")["port"]
        return self

    @property
    def address(self) -> str:
        if self.host.startswith("unix:"):
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def requests(self, client: str | None = None) -> list[dict]:
        """What this replica was asked for by test clients; health checks carry no client."""
        return [line for line in json_lines(self.requests_path) if line["client"] and client in (None, line["client"])]

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=10 * patience()) as response:
            return json.loads(response.read())

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        self.wait(15)


# --- Redis --------------------------------------------------------------------------------------------


class Redis(Child):
    """`tls`: an Authority (certificates.py) whose certificate it shows, and shows its clients'; then
    it speaks nothing else. `secured` is what redis-py needs to talk to it: a password, TLS."""

    def __init__(self, folder: Path, name: str = "redis", args: list | None = None, tls=None, password: str | None = None):
        super().__init__(name, folder)
        self.args = args or []
        self.port = 0
        self.tls = tls
        self.secured = {}
        if password:
            self.args = [*self.args, "--requirepass", password]
            self.secured["password"] = password
        if tls:
            chain, key = tls.issue()
            self.args = [*self.args, "--tls-cert-file", chain, "--tls-key-file", key, "--tls-ca-cert-file", tls.certificate]
            self.secured |= {"ssl": True, "ssl_ca_certs": str(tls.certificate), "ssl_certfile": str(chain), "ssl_keyfile": str(key)}

    def start(self) -> "Redis":
        for _ in range(5):
            port = self.port or free_port()
            ports = ["--port", 0, "--tls-port", port] if self.tls else ["--port", port]
            self.spawn(["redis-server", *ports, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.folder, *self.args])
            wait_for(lambda: not self.running or self.answers(port), "redis-server answers PING")
            if self.running:
                self.port = port
                return self
        raise AssertionError(self.stdout)

    def answers(self, port: int | None = None) -> bool:
        with contextlib.suppress(OSError):
            return self.command("PING", port=port) == "PONG"
        return False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        password = self.secured.get("password")
        return f"{'rediss' if self.tls else 'redis'}://{f':{password}@' if password else ''}{self.address}"

    def pause(self) -> None:
        """Alive, connected and silent."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def client(self, port: int | None = None):
        """A redis-py client: one connection, for a with statement."""
        import redis

        return redis.Redis(port=port or self.port, socket_timeout=5, decode_responses=True, **self.secured)

    def command(self, *words: str, port: int | None = None):
        """One command on a connection of its own."""
        import redis

        with self.client(port) as client:
            try:
                answer = client.execute_command(*words)
            except redis.exceptions.ConnectionError as error:
                raise ConnectionError(str(error)) from None
            return "PONG" if answer is True and words[0] == "PING" else answer

    def keys(self, pattern: str = "*") -> dict[str, int]:
        """Every key with its TTL in seconds (-1: none)."""
        with self.client() as client:
            return {key: client.ttl(key) for key in client.scan_iter(pattern)}


# --- Clients ------------------------------------------------------------------------------------------


class Clients(Child):
    """A process of socket.io clients (tests/support/clients/load.mjs)."""

    def __init__(self, folder: Path, nodes: list[str], count: int, name: str = "clients", transport: str = "websocket", args: list | None = None):
        super().__init__(name, folder)
        self.nodes = nodes
        self.count = count
        self.transport = transport
        self.args = args or []

    def start(self) -> "Clients":
        command = ["node", SUPPORT / "clients" / "load.mjs", "--nodes", ",".join(self.nodes), "--clients", self.count]
        command += ["--transport", self.transport, "--prefix", self.name, *self.args]
        self.spawn(command, stdin=subprocess.PIPE)
        return self

    def say(self, line: str) -> None:
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def events(self, kind: str | None = None, since: float = 0) -> list[dict]:
        return [line for line in json_lines(self.stdout_path) if kind in (None, line["event"]) and line["time"] >= since]

    def report(self) -> dict[str, dict]:
        """The state of every client, by its id."""
        before = len(self.events("report"))
        self.say("report")
        wait_for(lambda: len(self.events("report")) > before, f"{self.name}'s report")
        return {state["client"]: state for state in self.events("report")[-1]["clients"]}

    def replicas(self, since: float = 0) -> dict[str, list[str]]:
        """Which replicas each client was told, in the order of its connects."""
        told: dict[str, list[str]] = {}
        for event in self.events("replica", since):
            told.setdefault(event["client"], []).append(event["replica"])
        return told

    def await_connected(self, timeout: float = 60) -> dict[str, dict]:
        def all_connected():
            states = self.report()
            good = [state for state in states.values() if state["connected"] and state.get("replica")]
            return states if len(good) == self.count else None

        return wait_for(all_connected, f"all {self.count} of {self.name} connected", timeout, interval=0.25)

    def stop(self) -> None:
        if self.running:
            self.say("stop")
            self.wait(15)

    def close(self) -> None:
        self.kill()
        if self.process is not None and self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


# --- Everything together ------------------------------------------------------------------------------


# A node without a file is something else: settings=None.
USUAL = object()


class House:
    """Keeps what a test starts and ends all of it, in the reverse order, whatever happens."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.children: list[Child] = []

    def keep(self, child):
        self.children.append(child)
        return child

    def redis(self, **options) -> Redis:
        return self.keep(Redis(self.folder, **options)).start()

    def replica(self, name: str = "alpha", **options) -> Replica:
        return self.keep(Replica(self.folder, name, **options)).start()

    def replicas(self, names=("alpha", "beta", "gamma"), **options) -> list[Replica]:
        return [self.replica(name, **options) for name in names]

    def usher(self, replicas=(), store: str = "memory:", name: str = "usher", env=None, args=None, settings=USUAL, wait=True, hosts=None, descriptors=None, **extra) -> Usher:
        """A started node; `settings` replaces everything, `extra` single tables of settings_for."""
        if settings is USUAL:
            settings = settings_for(replicas, store, **extra)
        node = self.keep(Usher(self.folder, settings, name, env, args, hosts, descriptors)).start()
        return node.await_replicas(len(replicas)) if wait and replicas else node

    def clients(self, nodes, count: int, **options) -> Clients:
        return self.keep(Clients(self.folder, nodes, count, **options)).start()

    def fake(self, fake):
        """A misbehaving server of fakes.py."""
        self.children.append(fake)
        return fake.start()

    def close(self) -> None:
        failures = []
        for child in reversed(self.children):
            try:
                child.close()
            except AssertionError as error:
                failures.append(str(error))
        assert not failures, "\n".join(failures)


def have(program: str) -> bool:
    return shutil.which(program) is not None
