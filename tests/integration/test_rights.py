"""Whose rights usher has: it begins as root, becomes an account, and still reads what only root may read.

The folders stand outside of pytest's, which nobody but their owner may enter."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import harness
import pytest
import wire
from harness import settings_for, wait_for
from test_replace import replace
from test_tls import certificate, make_certificate, text_of

ACCOUNT = "www-data"  # Debian's, in every installation
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights up")


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="usher-rights-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def keys(folder):
    """A folder of keys as Let's Encrypt keeps them."""
    path = folder / "live"
    path.mkdir(mode=0o700)
    return path


def pair(keys: Path, name: str) -> dict:
    made = make_certificate(keys, name)
    os.chmod(made["key"], 0o600)
    return made


def settings(keys: Path, name: str, **extra) -> dict:
    made = settings_for([], tls={"certificate": [pair(keys, name)]}, user=ACCOUNT, **extra)
    made.pop("upstream")
    return {**made, "route": [{"status": 200, "body": "here"}]}


class Node(harness.Usher):
    def __init__(self, folder, settings, **options):
        super().__init__(folder, settings, "rights", **options)

    def shows(self, name: str) -> bool:
        return f"CN = {name}" in text_of(certificate(self))


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def readers_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = status_of(int(path.name))
        except (OSError, ValueError):
            continue
        if status["Name"] == "usher-reader" and int(status["PPid"]) == pid:
            found.append(int(path.name))
    return found


def account():
    return pwd.getpwnam(ACCOUNT)


def test_it_becomes_the_account_and_keeps_nothing_but_the_right_to_bind(folder, keys):
    with Node(folder, settings(keys, "one.example.org")).start() as node:
        for thread in Path(f"/proc/{node.pid}/task").iterdir():
            status = status_of(int(thread.name))
            assert set(status["Uid"].split()) == {str(account().pw_uid)}
            assert set(status["Gid"].split()) == {str(account().pw_gid)}
            expected = {str(group) for group in os.getgrouplist(ACCOUNT, account().pw_gid)}
            assert set(status["Groups"].split()) == expected
            assert int(status["CapPrm"], 16) & ~(1 << 10) == 0, "CAP_NET_BIND_SERVICE at most"
            assert status["NoNewPrivs"] == "1"
        (reader,) = readers_of(node.pid)
        held = int(status_of(reader)["CapPrm"], 16)
        assert held & ~(1 << 1 | 1 << 2) == 0, "CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH at most"
        links = [os.readlink(path) for path in Path(f"/proc/{reader}/fd").iterdir()]
        assert sorted(link.split(":")[0] for link in links) == ["/dev/null"] * 3 + ["socket"], "no listener of the node's"
        assert wire.fetch(node.url() + "/").body == b"here"
        assert node.state.stat().st_uid == account().pw_uid and node.state.stat().st_mode & 0o777 == 0o700
        node.stop()
        wait_for(lambda: not Path(f"/proc/{reader}").exists() or status_of(reader)["State"].startswith("Z"), "the end of the reader")


def test_keys_of_root_are_read_at_the_start_when_renewed_and_at_a_reload(folder, keys):
    with Node(folder, settings(keys, "one.example.org")).start() as node:
        assert node.shows("one.example.org")
        made = node.settings["tls"]["certificate"][0]
        renewed = pair(keys, "two.example.org")
        for what in ("chain", "key"):
            os.replace(renewed[what], made[what])
        wait_for(lambda: node.shows("two.example.org"), "the renewed certificate")
        node.settings["tls"]["certificate"] = [pair(keys, "three.example.org")]
        node.config.write_text(harness.toml(node.settings))
        node.config.chmod(0o600)  # settings may be root's as well
        node.signal(signal.SIGHUP)
        wait_for(lambda: node.shows("three.example.org"), "the certificate that the new settings name")
        assert not node.events("certificate_refused") and not node.events("reload_failed")
        # And none of it is kept where the account could read it.
        assert not list(node.state.glob("certificate-*"))


def test_the_process_that_replaces_it_reads_them_too(folder, keys):
    with Node(folder, settings(keys, "one.example.org")).start() as node:
        node.config.chmod(0o600)
        pid = replace(node)
        assert set(status_of(pid)["Uid"].split()) == {str(account().pw_uid)}
        made = node.settings["tls"]["certificate"][0]
        renewed = pair(keys, "two.example.org")
        for what in ("chain", "key"):
            os.replace(renewed[what], made[what])
        wait_for(lambda: node.shows("two.example.org"), "the renewed certificate")


def test_it_binds_ports_of_root_and_writes_logs_that_root_has_made(folder, keys):
    log = folder / "access.log"
    port = next(number for number in range(900, 1023) if is_free(number))
    made = settings(keys, "one.example.org", log={"access": str(log)})
    made["listen"].append({"address": f"127.0.0.1:{port}"})
    with Node(folder, made).start() as node:
        assert wire.fetch(f"http://127.0.0.1:{port}/").status == 200
        wait_for(lambda: log.exists() and log.read_text(), "a line of the log")
        assert log.stat().st_uid == account().pw_uid
        node.stop()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("user, said", [("no-such-account", "no such account"), ("www-data:no-such-group", "no such group"), ("54321", "name a group as well")])
def test_an_account_that_is_not_there_is_named(folder, keys, user, said):
    file = folder / "usher.toml"
    file.write_text(harness.toml({**settings(keys, "one.example.org"), "user": user}))
    done = run(folder, "run", "-c", file)
    assert done.returncode == 1 and f'user "{user}"' in done.stderr and said in done.stderr
    assert run(folder, "check", "-c", file).returncode == 1


def test_root_without_the_right_to_become_another_user_is_told_what_it_needs(folder, keys):
    file = folder / "usher.toml"
    file.write_text(harness.toml(settings(keys, "one.example.org")))
    done = run(folder, "run", "-c", file, around=["setpriv", "--bounding-set", "-setuid,-setgid", "--inh-caps", "-all"])
    assert done.returncode == 1 and "CAP_SETUID and CAP_SETGID" in done.stderr, done.stderr


# --- Without root -------------------------------------------------------------------------------------


def run(folder: Path, *arguments, around=(), env=None):
    """In a folder and with a state directory that anybody may use."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    state.chmod(0o777)
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("USHER_")}
    return subprocess.run(
        [*around, harness.usher_binary(), *map(str, arguments)],
        env={**inherited, "USHER_STATE": str(state), "USHER_ADMIN": "off", **(env or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60 * harness.patience(),
    )


AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]


def reachable() -> bool:
    """Whether nobody may start the binary under test: a checkout may stand in a folder of root's."""
    return subprocess.run([*AS_NOBODY, harness.usher_binary(), "version"], capture_output=True).returncode == 0


@pytest.fixture
def as_nobody():
    if not reachable():
        pytest.skip("the binary stands where nobody may not go")
    return AS_NOBODY


@pytest.mark.parametrize("origin", ["file", "variable", "flag"])
def test_a_file_that_may_not_be_read_is_named_with_all_that_helps(folder, keys, as_nobody, origin):
    made = make_certificate(folder, "one.example.org")
    os.chmod(made["chain"], 0o644)
    os.chmod(made["key"], 0o600)
    file, arguments, env = folder / "usher.toml", [], {}
    pair_of_file = made if origin == "file" else {"chain": "/nowhere.pem", "key": "/nowhere.key"}
    file.write_text(harness.toml({"listen": [{"address": "127.0.0.1:0", "tls": True}], "tls": {"certificate": [pair_of_file]}}))
    if origin == "variable":
        env = {"USHER_TLS_CHAIN": made["chain"], "USHER_TLS_KEY": made["key"]}
    if origin == "flag":
        arguments = ["--tls-chain", made["chain"], "--tls-key", made["key"]]
    done = run(folder, "check", "-c", file, *arguments, around=as_nobody, env=env)
    assert done.returncode == 1
    where = {"file": f"{file}:10:7: tls.certificate.key", "variable": "USHER_TLS_KEY", "flag": "--tls-key"}[origin]
    assert done.stderr.startswith(f"{where}: {made['key']}: cannot be read: Permission denied for uid {NOBODY}, gid {NOBODY}: "), done.stderr
    assert "belongs to uid 0, gid 0, mode 0600" in done.stderr and "start usher as root and name in `user`" in done.stderr


def test_a_user_that_cannot_be_taken_is_a_warning(folder, as_nobody):
    file = folder / "usher.toml"
    file.write_text('user = "www-data"\n[[listen]]\naddress = "192.0.2.1:1"\n[[route]]\nstatus = 200\n')
    done = run(folder, "run", "-c", file, around=as_nobody)
    assert 'user = "www-data" has no effect: usher is not started as root' in done.stderr
