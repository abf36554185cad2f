"""The image started as root: it reads a key that only root may read, and serves as user 10001; nginx's commands work on
usher's own settings."""

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

from harness import wait_for
from verdict import Verdict

PATIENCE = 120  # seconds


def docker(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(["docker", *map(str, command)], capture_output=True, text=True, timeout=PATIENCE)


def make_pair(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=chat.example.org", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "privkey.pem").chmod(0o600)
    folder.chmod(0o700)


@contextlib.contextmanager
def running(folder: Path, *options: str):
    variables = ["-e", "USHER_TLS_CHAIN=/keys/fullchain.pem", "-e", "USHER_TLS_KEY=/keys/privkey.pem", "-e", "USHER_UPSTREAM=127.0.0.1:9"]
    started = docker("run", "-d", "--user", "0", "-v", f"{folder}:/keys:ro", *variables, *options, "usher")
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    try:
        yield container
    finally:
        docker("rm", "-f", "-v", container)


def look_at_the_image_as_root(verdict: Verdict) -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_pair(folder)
        for options in ([], ["--cap-drop", "ALL", *(word for name in ("SETUID", "SETGID", "CHOWN", "DAC_OVERRIDE") for word in ("--cap-add", name))]):
            how = "with few capabilities" if options else "with Docker's capabilities"
            with running(folder, *options) as container:

                def status():
                    done = docker("exec", container, "usher", "status", "--json")
                    return json.loads(done.stdout) if done.returncode == 0 else None

                unusable = wait_for(status, f"a node; {docker('logs', container).stderr}", PATIENCE)["certificates_unusable"]
                user = docker("exec", container, "sh", "-c", "grep -E '^Uid' /proc/1/status").stdout.split()
                verdict.check(user[1:] == ["10001"] * 4, f"the image started as root {how} serves as {user[1:2]}")
                verdict.check_none(unusable, f"root's key is read {how}; certificates that cannot be used")
                tested = docker("exec", container, "nginx", "-t")
                verdict.check(tested.returncode == 0, f"nginx -t works on usher's own settings {tested.stderr.strip()}")
                docker("exec", container, "nginx", "-s", "reload")
                log = wait_for(
                    lambda: [line for line in docker("logs", container).stderr.splitlines() if '"reloaded"' in line or '"reload_failed"' in line],
                    "the reload",
                    PATIENCE,
                )
                verdict.check(any('"reloaded"' in line for line in log), f"nginx -s reload reads root's key again {how}")
