"""What systemd sees of usher: notifications, sockets that it has opened, the unit."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import harness
import pytest
import wire
from harness import settings_for, toml, wait_for
from test_replace import replace
from test_tls import certificate, make_certificate, text_of

# Opens sockets as systemd does, and becomes the service.
ACTIVATE = """
import os, socket, sys
addresses, command = sys.argv[1].split(","), sys.argv[2:]
for number, address in enumerate(addresses):
    host, _, port = address.rpartition(":")
    listener = socket.create_server((host, int(port)))
    os.dup2(listener.fileno(), 100 + number)
for number in range(len(addresses)):
    os.dup2(100 + number, 3 + number)
    os.close(100 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(addresses)), LISTEN_FDNAMES=":".join(["usher.socket"] * len(addresses)))
os.execv(command[0], command)
"""


class Manager:
    """The end of $NOTIFY_SOCKET that systemd has."""

    def __init__(self, path: Path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0)
        self.heard: list[dict[str, str]] = []

    def listen(self) -> list[dict[str, str]]:
        while True:
            try:
                lines = self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in lines))

    def await_message(self, wanted: dict[str, str], after: int = 0) -> dict[str, str]:
        def look():
            return next((message for message in self.listen()[after:] if wanted.items() <= message.items()), None)

        return wait_for(look, f"{wanted} of {self.heard}")


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


def test_it_hears_of_the_start_of_reloads_and_of_the_end(house, replica, manager, tmp_path):
    node = house.usher([replica], env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    manager.await_message({"READY": "1"})
    begun = len(manager.listen())
    node.signal(signal.SIGHUP)
    reloading = manager.await_message({"RELOADING": "1"}, begun)
    assert int(reloading["MONOTONIC_USEC"]) > 0
    manager.await_message({"READY": "1"}, begun)
    begun = len(manager.listen())
    node.config.write_text(toml({**node.settings, "workers": "many"}))
    node.signal(signal.SIGHUP)
    assert "failed" in manager.await_message({"READY": "1"}, begun)["STATUS"]
    node.stop()
    assert manager.await_message({"STOPPING": "1"})


def test_an_abstract_socket_is_told_too(house, replica):
    name = f"usher-test-{os.getpid()}"
    manager = Manager(Path("\0" + name))
    house.usher([replica], env={"NOTIFY_SOCKET": "@" + name})
    manager.await_message({"READY": "1"})
    manager.socket.close()


def test_it_is_told_which_process_is_the_main_one(house, replica, manager, tmp_path):
    node = house.usher([replica], env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    manager.await_message({"READY": "1"})
    begun = len(manager.listen())
    pid = replace(node)
    message = manager.await_message({"MAINPID": str(pid)}, begun)
    assert message["READY"] == "1"
    # Only the main process speaks: systemd would not listen to another.
    assert [each for each in manager.heard[begun:] if "READY" in each] == [message]
    # And so the first one may go.
    assert node.wait() == 0
    assert wire.fetch(node.url() + "/whoami").status == 200
    os.kill(pid, signal.SIGTERM)
    manager.await_message({"STOPPING": "1"}, begun)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the last process")


# --- Socket activation --------------------------------------------------------------------------------


class Activated(harness.Usher):
    """Started with sockets that listen already."""

    def __init__(self, folder, settings, addresses: list[str]):
        super().__init__(folder, settings)
        self.addresses = addresses

    def spawn(self, command, env=None, stdin=subprocess.DEVNULL) -> None:
        command[0] = str(Path(shutil.which(command[0]) or command[0]).resolve())
        super().spawn([sys.executable, "-c", ACTIVATE, ",".join(self.addresses), *command], env, stdin)


def test_sockets_of_systemd_are_used(house, replica):
    port, unused = harness.free_port(), harness.free_port()
    settings = settings_for([replica], listen=[{"address": f"127.0.0.1:{port}"}])
    node = house.keep(Activated(house.folder, settings, [f"127.0.0.1:{port}", f"127.0.0.1:{unused}"])).start()
    assert node.listen == [f"http://127.0.0.1:{port}"]
    assert [line["address"] for line in node.events("listener_unused")] == [f"127.0.0.1:{unused}"]
    for _ in range(20):
        assert wire.fetch(node.url() + "/whoami").status == 200
    environment = Path(f"/proc/{node.pid}/environ").read_bytes()
    assert b"LISTEN_FDS=2" in environment, "started in another way than it was meant to be"
    # And it passes them on.
    replace(node)
    for _ in range(20):
        assert wire.fetch(node.url() + "/whoami").status == 200
    node.stop()


def test_who_connects_before_the_start_is_served(house, replica):
    """systemd-socket-activate starts the service when somebody comes."""
    if not harness.have("systemd-socket-activate"):
        pytest.skip("no systemd-socket-activate")
    port = harness.free_port()
    settings = settings_for([replica], listen=[{"address": f"127.0.0.1:{port}"}])

    class OnDemand(harness.Usher):
        def spawn(self, command, env=None, stdin=subprocess.DEVNULL) -> None:
            state = ["-E", f"USHER_STATE={self.state}"]
            super().spawn(["systemd-socket-activate", "-l", f"127.0.0.1:{port}", *state, *command], env, stdin)
            wait_for(lambda: "Listening on" in self.stderr, "the socket")
            self.first = wire.Wire(f"http://127.0.0.1:{port}")
            self.first.request("GET", "/whoami")

    node = house.keep(OnDemand(house.folder, settings)).start()
    with node.first:
        assert node.first.response().status == 200
    node.stop()


def test_variables_for_another_process_are_none_of_its_business(house, replica):
    node = house.usher([replica], env={"LISTEN_PID": "1", "LISTEN_FDS": "2"})
    assert not node.events("listener_unused")
    assert wire.fetch(node.url() + "/whoami").status == 200


# --- The unit -----------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path) -> Path:
    build = Path(harness.usher_binary()).resolve().parent
    if not (build / "CMakeCache.txt").exists() or not harness.have("cmake"):
        pytest.skip("not in its build folder")
    subprocess.run(["cmake", "--install", build, "--prefix", tmp_path / "usr"], check=True, capture_output=True)
    return tmp_path / "usr"


def test_what_is_installed_is_a_binary_and_two_units(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert files == {"bin/usher", "lib/systemd/system/usher.service", "lib/systemd/system/usher.socket"}


def test_systemd_understands_the_units_and_finds_them_hardened(installed):
    if not harness.have("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    units = installed / "lib" / "systemd" / "system"
    text = (units / "usher.service").read_text()
    (start,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    (units / "usher.service").write_text(text.replace(start, f"ExecStart={installed}/bin/usher run"))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, sorted(units.iterdir()))], capture_output=True, text=True)
    ours = [line for line in result.stderr.splitlines() if "usher" in line]
    assert result.returncode == 0 and not ours, result.stderr
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", str(units / "usher.service")]
    result = subprocess.run(security, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr



def documented_credentials() -> str:
    """The drop-in that docs/operations.md gives for keys of root's."""
    text = (harness.ROOT / "docs" / "operations.md").read_text()
    block = text[text.index("# systemctl edit usher") :]
    return "".join(f"{line.strip()}\n" for line in block[: block.index("```")].splitlines())


def test_the_documented_credentials_are_understood_and_named_to_usher(installed, tmp_path):
    """systemd replaces %d by a folder with the files that the drop-in names; usher is given what it would be."""
    dropped = documented_credentials()
    if harness.have("systemd-analyze"):
        units = installed / "lib" / "systemd" / "system"
        unit = units / "usher.service"
        (start,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
        unit.write_text(unit.read_text().replace(start, f"ExecStart={installed}/bin/usher run"))
        (units / "usher.service.d").mkdir()
        (units / "usher.service.d" / "override.conf").write_text(dropped)
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
        assert result.returncode == 0 and "usher" not in result.stderr, result.stderr
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    loaded = [line.removeprefix("LoadCredential=").split(":")[0] for line in dropped.splitlines() if line.startswith("LoadCredential=")]
    (variables,) = [line.removeprefix("Environment=") for line in dropped.splitlines() if line.startswith("Environment=")]
    pair = make_certificate(tmp_path, "chat.example.org")
    for name, source in zip(loaded, (pair["chain"], pair["key"]), strict=True):
        (credentials / name).write_bytes(Path(source).read_bytes())
        (credentials / name).chmod(0o400)
    settings = settings_for([], route=[{"status": 200}])
    del settings["upstream"]
    node = harness.Usher(tmp_path, settings, "loaded", env=dict(word.replace("%d", str(credentials)).split("=", 1) for word in variables.split()))
    with node.start():
        assert "CN = chat.example.org" in text_of(certificate(node))
