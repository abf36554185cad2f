"""The scene: the real Open WebUI twice, what it needs, and two usher nodes before it that one name leads to."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import yaml
from certificates import Authority
from harness import ROOT, Child, House, Redis, Usher, free_port, settings_for, wait_for
from outage import Nginx

HERE = Path(__file__).resolve().parent
FOLDER = ROOT / "build" / "openwebui"
WEBUI = FOLDER / "webui" / "bin"

# A browser takes both addresses of this name for one site, and turns to the other one when the first refuses.
NAME = "localhost"
ADDRESSES = ("[::1]", "127.0.0.1")

STARTING = 120  # seconds: Open WebUI imports much


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
        return response.status == 200
    return False


class Postgres(Child):
    """A cluster of its own, in a folder of its own: PostgreSQL does not run as root."""

    def __init__(self, folder: Path):
        super().__init__("postgres", folder)
        self.data = Path(tempfile.mkdtemp(prefix="usher-e2e-"))
        self.port = free_port()
        self.user = "openwebui"
        self.around: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres", "postgres")
            # A change of user clears the signal that the harness asked for.
            owner = pwd.getpwnam("postgres")
            self.around = [
                "setpriv",
                f"--reuid={owner.pw_uid}",
                f"--regid={owner.pw_gid}",
                "--clear-groups",
                "--pdeathsig",
                "KILL",
                "--",
            ]

    @staticmethod
    def programs() -> Path | None:
        return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)

    def start(self) -> "Postgres":
        """Also again, with what it kept."""
        programs = self.programs()
        if (self.data / "PG_VERSION").exists():
            self.run(programs)
            return self
        initdb = [*self.around, programs / "initdb", "-D", self.data, "-U", self.user, "-A", "trust", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd="/")
        self.run(programs)
        subprocess.run(
            [programs / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "openwebui"], check=True
        )
        return self

    def run(self, programs: Path) -> None:
        options = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=200",
        ]
        self.spawn(
            [
                *self.around,
                programs / "postgres",
                "-D",
                self.data,
                *[part for option in options for part in ("-c", option)],
            ]
        )
        asked = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_for(lambda: subprocess.run(asked).returncode == 0, "PostgreSQL accepts connections", 60)

    def stop(self) -> None:
        """As its operators do ("fast"): without waiting for clients."""
        self.signal(signal.SIGINT)
        self.wait(20)

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/openwebui"

    def close(self) -> None:
        if self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)


class Http(Child):
    """A server that is ready when a path answers 200."""

    def __init__(self, name: str, folder: Path, command, path: str, env: dict | None = None):
        super().__init__(name, folder)
        self.port = free_port()
        self.command = command
        self.path = path
        self.env = env

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def launch(self) -> None:
        self.spawn(self.command(self.port), self.env)

    def await_ready(self) -> None:
        def look():
            assert self.running, f"{self.name} ended with {self.process.returncode}\n{self.stderr[-4000:]}"
            return answers(self.url + self.path)

        wait_for(look, f"{self.name} answers {self.path}", STARTING, 0.2)

    def start(self) -> "Http":
        self.launch()
        self.await_ready()
        return self

    def stop(self) -> int:
        """As Docker stops it: SIGTERM, and SIGKILL after 10 s. Its exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode


class Scene:
    addresses = ADDRESSES  # of the nodes

    def __init__(self, folder: Path, polling: bool):
        self.folder = folder
        self.polling = polling
        self.house = House(folder)
        try:
            self.start()
        except BaseException:
            self.house.close()
            raise

    def start(self) -> None:
        folder, keep = self.folder, self.house.keep
        # As in docker-compose.yml; what it kept is there again after a restart.
        self.redis = keep(Redis(folder, args=["--save", "30", "1"])).start()
        self.postgres = keep(Postgres(folder)).start()
        driver = FOLDER / "driver" / "bin" / "python"
        self.model = keep(Http("model", folder, lambda port: [driver, HERE / "model.py", port], "/v1/models")).start()
        chroma = lambda port: [
            WEBUI / "chroma",
            "run",
            "--host",
            "127.0.0.1",
            "--port",
            port,
            "--path",
            folder / "chroma",
        ]  # noqa: E731
        self.vectors = keep(Http("chroma", folder, chroma, "/api/v2/heartbeat")).start()
        self.data = folder / "data"
        self.data.mkdir()
        self.migrate()
        self.replicas = [keep(self.replica(name)) for name in ("alpha", "beta")]
        # One after the other: two that find the table of settings empty both fill it, and the second one's start fails.
        for replica in self.replicas:
            replica.start()
        self.nginx = keep(Nginx(folder, [replica.address for replica in self.replicas])).start()
        chain, key = Authority(folder).issue(f"DNS:{NAME},IP:127.0.0.1,IP:::1")
        self.port = self.port_of_both()
        self.nodes = [
            self.node(number, address, chain, key) for number, address in zip(("one", "two"), ADDRESSES, strict=True)
        ]

    # Open WebUI

    def environment(self) -> dict[str, str]:
        """What docker-compose.yml sets, for this machine; and that nothing is asked of the internet."""
        return {
            "WEBUI_SECRET_KEY": "a secret of the tests, which is long enough",
            "DATABASE_URL": self.postgres.url,
            "DATA_DIR": str(self.data),
            "ENABLE_WEBSOCKET_SUPPORT": "false" if self.polling else "true",
            "WEBSOCKET_MANAGER": "redis",
            "WEBSOCKET_REDIS_URL": f"{self.redis.url}/1",
            "REDIS_URL": f"{self.redis.url}/0",
            "UVICORN_WORKERS": "1",
            "ENABLE_OLLAMA_API": "false",
            "OPENAI_API_BASE_URL": f"{self.model.url}/v1",
            "OPENAI_API_KEY": "none",
            "DEFAULT_MODELS": "counter",
            "ENABLE_API_KEYS": "true",
            "VECTOR_DB": "chroma",
            "CHROMA_HTTP_HOST": "127.0.0.1",
            "CHROMA_HTTP_PORT": str(self.vectors.port),
            "RAG_EMBEDDING_ENGINE": "openai",
            "RAG_EMBEDDING_MODEL": "stand-in",
            "RAG_OPENAI_API_BASE_URL": f"{self.model.url}/v1",
            "RAG_OPENAI_API_KEY": "none",
            "OFFLINE_MODE": "true",
            "HF_HUB_OFFLINE": "1",
            "ENABLE_VERSION_UPDATE_CHECK": "false",
            "ENABLE_PIP_INSTALL_FRONTMATTER_REQUIREMENTS": "false",
            "ANONYMIZED_TELEMETRY": "false",
            "DO_NOT_TRACK": "true",
            "SCARF_NO_ANALYTICS": "true",
        }

    def migrate(self) -> None:
        """By the very command of docker-compose.yml."""
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        command = [part.replace("$$", "$") for part in services["open-webui-migrate"]["command"]]
        assert command[0] == "python"
        # What `open-webui serve` sets, so that an installed package finds its files.
        environment = self.environment() | {"ENABLE_DB_MIGRATIONS": "true", "FROM_INIT_PY": "true"}
        migration = self.house.keep(Child("migrate", self.folder))
        migration.spawn([WEBUI / "python", *command[1:]], environment)
        assert migration.wait(STARTING) == 0, migration.stderr[-4000:]

    def replica(self, name: str) -> Http:
        command = lambda port: [WEBUI / "open-webui", "serve", "--host", "127.0.0.1", "--port", port]  # noqa: E731
        return Http(name, self.folder, command, "/ready", self.environment() | {"ENABLE_DB_MIGRATIONS": "false"})

    # usher

    @staticmethod
    def port_of_both() -> int:
        while True:
            port = free_port()
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", port))
                return port

    def node(self, number: str, address: str, chain: Path, key: Path) -> Usher:
        """With the defaults, but for its addresses: what is found here is what users get."""
        settings = settings_for(
            [],
            f"{self.redis.url}/2",
            listen=[{"address": f"{address}:{self.port}", "tls": True}],
            tls={"certificate": [{"chain": str(chain), "key": str(key)}]},
            upstream=[{"name": "open-webui", "replicas": [replica.address for replica in self.replicas]}],
        )
        node = self.house.usher(settings=settings, name=f"usher-{number}").await_replicas(len(self.replicas), 60)
        node.keep_ports()
        return node

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def last_served(self) -> tuple[Usher, dict]:
        """The node that served the browser last, and its line about it."""
        lines = [
            (node, line)
            for node in self.nodes
            for line in node.access_log
            if line["replica"] and line["path"].startswith("/api/")
        ]
        return max(lines, key=lambda each: each[1]["time"])

    def front(self) -> Usher:
        return self.last_served()[0]

    def home(self) -> Http:
        replica = self.last_served()[1]["replica"]
        return next(each for each in self.replicas if each.address == replica)

    def other(self, replica: Http) -> Http:
        return next(each for each in self.replicas if each is not replica)

    def await_up(self) -> None:
        """Everything runs, and the nodes know it."""
        for replica in self.replicas:
            replica.await_ready()
        for node in self.nodes:
            node.await_replicas(len(self.replicas), 60)
            wait_for(lambda node=node: node.status()["store"]["state"] == "up", f"{node.name} has its store", 30)

    def close(self) -> None:
        self.house.close()
