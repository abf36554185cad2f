"""The Autobahn testsuite in both of its roles: its fuzzing client against echo servers, its fuzzing server against
echo clients. What it observed in each case is compared, not only its verdict."""

import json
import os
import socket
import subprocess
from pathlib import Path

import harness
from comparison import DIRECTLY, Comparison, Way
from protocols import HERE, WORK, Server, commit, fresh_folder, npm_ci, trust, usher_in_front_of

WAYS = [Way("plain", "http"), Way("TLS", "https")]
ECHO_SERVERS = {
    "ws": ["node", HERE / "servers" / "echo.mjs"],
    "websockets": [harness.PYTHON, HERE / "servers" / "echo.py"],
}
ECHO_CLIENTS = {
    "ws": ["node", HERE / "clients" / "echo.mjs"],
    "websockets": [harness.PYTHON, HERE / "clients" / "echo.py"],
}

# Of a case's report: the verdicts, who ended the connection and how, and which messages and frames came.
OBSERVED = (
    "behavior", "behaviorClose", "result", "resultClose", "received", "closedByMe", "failedByMe", "droppedByMe",
    "wasClean", "wasNotCleanReason", "wasServerConnectionDropTimeout", "wasCloseHandshakeTimeout", "localCloseCode",
    "localCloseReason", "remoteCloseCode", "remoteCloseReason", "rxFrameStats", "txFrameStats",
)  # fmt: skip


class Outcome:
    """What Autobahn saw in one case."""

    def __init__(self, report: dict):
        self.observed = {name: report[name] for name in OBSERVED}
        self.observed["frames"] = [received_frame(line) for line in report["wirelog"] if line[0] == "RF"]
        head = report["httpResponse"] if not report["isServer"] else report["httpRequest"]
        extensions = [line for line in head.splitlines() if line.lower().startswith("sec-websocket-extensions:")]
        self.observed["extensions"] = extensions

    def __eq__(self, other):
        return self.observed == other.observed

    def __str__(self):
        parts = ("behavior", "behaviorClose", "remoteCloseCode", "wasClean", "wasNotCleanReason", "rxFrameStats")
        return " ".join(f"{name}={self.observed[name]}" for name in parts)


def received_frame(line: list) -> list:
    """Without the mask, which a client draws anew for each frame."""
    _, payload, opcode, fin, rsv, masked, _ = line
    return [payload, opcode, fin, rsv, masked]


def reports(folder: Path, agent: str) -> dict[str, Outcome]:
    index = json.loads((folder / "index.json").read_text())[agent]
    return {case: Outcome(json.loads((folder / entry["reportfile"]).read_text())) for case, entry in index.items()}


class Autobahn:
    def __init__(self, role: str, peers: dict[str, list]):
        self.role = role  # "client" or "server": what Autobahn is
        self.name = f"autobahn-fuzzing{role}"
        self.peers = peers

    def wstest(self, suites: Path) -> Path:
        return suites / "autobahn-venv" / "bin" / "wstest"

    def missing(self, suites: Path) -> str | None:
        if (suites / "autobahn-testsuite" / ".git").exists() and self.wstest(suites).is_file():
            return None
        return (
            "git clone https://github.com/crossbario/autobahn-testsuite\n"
            "    and, with a Python 2.7 (CPython or PyPy) that has virtualenv 20.15.1,\n"
            "    python2.7 -m virtualenv autobahn-venv\n"
            "    && autobahn-venv/bin/pip install ./autobahn-testsuite/autobahntestsuite"
        )

    def version(self, suites: Path) -> str:
        return commit(suites / "autobahn-testsuite")

    def run(self, suites: Path, options) -> list[Comparison]:
        npm_ci(HERE)
        return [self.compare(suites, peer, options) for peer in self.peers if options.peer in (None, peer)]

    def compare(self, suites: Path, peer: str, options) -> Comparison:
        found = Comparison(self.name, peer)
        folder = fresh_folder(WORK / "runs" / f"{self.name}-{peer}")
        house = harness.House(folder)
        try:

            def on(way: Way, cases: list[str]) -> dict[str, Outcome]:
                return self.on(way, suites, house, peer, cases)

            for way in (DIRECTLY, *WAYS):
                found.add(way, on(way, options.cases))
            found.look_again(on, WAYS, options.looks)
        finally:
            house.close()
        return found

    def on(self, way: Way, suites: Path, house: harness.House, peer: str, cases: list[str]) -> dict[str, Outcome]:
        run = getattr(self, f"as_{self.role}")
        number = len(list(house.folder.glob("reports-*"))) + 1
        folder = house.folder / f"reports-{number:02}-{way.scheme}-{way.name}"
        folder.mkdir()
        return run(way, suites, house, peer, cases, folder, number)

    def as_client(self, way, suites, house, peer, cases, folder, number):
        server = self.echo_server(house, peer)
        url = f"ws://{server.address}" if way.is_direct else websocket_url(self.node(house, [server]), way)
        spec = {"outdir": str(folder), "servers": [{"agent": peer, "url": url}], "cases": cases, "exclude-cases": []}
        (folder / "spec.json").write_text(json.dumps(spec))
        with open(folder / "wstest.log", "wb") as log:
            command = [self.wstest(suites), "--mode", "fuzzingclient", "--spec", folder / "spec.json"]
            subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=True)
        return reports(folder, peer)

    def echo_server(self, house, peer) -> Server:
        """The one of this house; it serves every way."""
        for child in house.children:
            if isinstance(child, Server):
                return child
        return house.keep(Server(house.folder, f"echo-{peer}", ECHO_SERVERS[peer])).start()

    def node(self, house, servers) -> harness.Usher:
        for child in house.children:
            if isinstance(child, harness.Usher):
                return child
        return usher_in_front_of(house, servers, "usher")

    def as_server(self, way, suites, house, peer, cases, folder, number):
        port = harness.free_port()
        spec = {"outdir": str(folder), "url": f"ws://127.0.0.1:{port}", "cases": cases, "exclude-cases": []}
        (folder / "spec.json").write_text(json.dumps(spec))
        server = harness.Child(f"wstest{number}", folder)
        server.spawn([self.wstest(suites), "--mode", "fuzzingserver", "--webport", 0, "--spec", folder / "spec.json"])
        with server:
            harness.wait_for(lambda: listens(port), "the fuzzing server listens")
            address = f"127.0.0.1:{port}"
            if way.is_direct:
                self.echo_client(peer, f"ws://{address}", address, folder, {})
            else:
                with usher_in_front_of(house, [address], f"usher{number}") as node:
                    self.echo_client(peer, websocket_url(node, way), address, folder, trust(node, folder))
            return reports(folder, peer)

    def echo_client(self, peer, url, host, folder, env) -> None:
        with open(folder / "client.log", "wb") as log:
            command = [*ECHO_CLIENTS[peer], url, peer, host]
            subprocess.run(command, env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT, check=True)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def websocket_url(node: harness.Usher, way: Way) -> str:
    return node.url(way.scheme).replace("http", "ws", 1)


SUITES = [Autobahn("client", ECHO_SERVERS), Autobahn("server", ECHO_CLIENTS)]
