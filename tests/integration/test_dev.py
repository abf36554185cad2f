"""./dev on a machine that lacks things: what it installs, and that it starts nothing and asks early.

apt-get and its like are stand-ins that write down how they were called; the system's folders are covered in a mount
namespace, so that nothing of this machine is changed."""

import os
import shutil
import subprocess

import harness
import pytest

# What bash and ./dev itself need. Everything else is missing.
BASICS = ["bash", "sh", "env", "dirname", "readlink", "cat", "chmod", "rm", "mkdir", "touch"]
STUBS = {
    "id": "echo 0",
    "apt-cache": 'case "$2" in ${MISSING:-none}) exit 1 ;; esac',
    "apt-get": 'if [ "$1" = install ]; then [ -x /usr/sbin/policy-rc.d ] && /usr/sbin/policy-rc.d; echo "policy $?" >>"$CALLS"; fi; echo "apt-get $*" >>"$CALLS"',
    "systemctl": 'echo "systemctl $*" >>"$CALLS"',
    "cmake": 'echo "cmake $*" >>"$CALLS"; exit 1',
}


@pytest.fixture
def machine(tmp_path):
    namespace = ["unshare", "--mount", "sh", "-c"]
    if os.geteuid() != 0 or subprocess.run([*namespace, "mount -t tmpfs none /run"], capture_output=True).returncode != 0:
        pytest.skip("only root can cover folders")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in BASICS:
        (tools / name).symlink_to(shutil.which(name))
    for name, text in STUBS.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)

    def dev(command: str, before: str = "true", **more) -> tuple[subprocess.CompletedProcess, list[str]]:
        calls = tmp_path / "calls"
        calls.write_text("")
        covered = f'mount -t tmpfs none /usr/sbin && mount -t tmpfs none /run && mkdir -p /run/systemd/system && {before} && PATH={tools} exec "$0" "$@"'
        done = subprocess.run(
            [*namespace, covered, str(harness.ROOT / "dev"), command],
            env={"PATH": os.environ["PATH"], "CALLS": str(calls), "HOME": str(tmp_path), **more},
            capture_output=True,
            text=True,
            timeout=60 * harness.patience(),
        )
        return done, calls.read_text().splitlines()

    return dev


def test_a_server_that_comes_in_is_neither_started_nor_left_for_the_next_boot(machine):
    _, calls = machine("test")
    (installed,) = [call for call in calls if call.startswith("apt-get install")]
    assert "redis-server" in installed.split()
    assert "policy 101" in calls, "Debian's maintainer scripts are told to start nothing"
    (disabled,) = [call for call in calls if call.startswith("systemctl")]
    assert disabled.startswith("systemctl disable --now") and "redis-server" in disabled.split()


@pytest.mark.parametrize("release, package", [("13", "docker-cli"), ("12", "docker.io")])
def test_compose_brings_the_command_of_docker(machine, release, package):
    _, calls = machine("compose", MISSING="docker-cli" if release == "12" else "none")
    (installed,) = [call for call in calls if call.startswith("apt-get install")]
    assert package in installed.split() and "docker.io" in installed.split()


def test_e2e_asks_for_python_before_it_compiles(machine, tmp_path):
    fake = tmp_path / "python3"
    fake.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.13.5" || echo 3.13\n')
    fake.chmod(0o755)
    done, calls = machine("e2e", before=f"mount --bind {fake} $(readlink -f /usr/bin/python3)")
    assert done.returncode != 0 and "needs Python 3.11 or 3.12; /usr/bin/python3 is Python 3.13.5" in done.stderr, done.stderr
    assert not [call for call in calls if call.startswith("cmake")], "nothing was built"
