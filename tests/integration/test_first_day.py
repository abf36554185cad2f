"""What an operator meets on the first day: messages, warnings, and starts that should have failed."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import harness
import pytest
from harness import settings_for, wait_for
from test_tls import certificate, make_certificate, text_of


@pytest.fixture
def secured(house, tmp_path):
    """A node with a certificate, which it has shown, that then was stopped."""
    made = settings_for([], tls={"certificate": [make_certificate(tmp_path, "chat.example.org")]})
    made.pop("upstream")
    node = house.usher(settings={**made, "route": [{"status": 200}]}, name="secured")
    assert "CN = chat.example.org" in text_of(certificate(node))
    node.keep_ports()
    node.stop()
    return node


def status_table(node) -> str:
    return subprocess.run([harness.usher_binary(), "status", "--admin", node.admin], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("mistake", ["wrong path", "no key", "another key"])
def test_a_start_with_a_certificate_that_cannot_be_used_shows_the_last_good_one(secured, tmp_path, mistake):
    pair = dict(secured.settings["tls"]["certificate"][0])
    key = tmp_path / "chat.example.org.key"
    if mistake == "wrong path":
        secured.settings["tls"]["certificate"] = [{name: path + "x" for name, path in pair.items()}]
    if mistake == "no key":
        key.unlink()
    if mistake == "another key":
        shutil.copy(make_certificate(tmp_path, "other")["key"], key)
    checked = subprocess.run([harness.usher_binary(), "check", "-c", write(secured)], capture_output=True, text=True)
    assert checked.returncode == 1, "check says what the files are worth"
    secured.start()
    assert "CN = chat.example.org" in text_of(certificate(secured))
    (said,) = secured.events("certificate_unusable")
    assert said["level"] == "error" and "secured.toml:" in said["reason"] and "copy in" in said["shown_instead"]
    assert secured.metric("usher_certificates_unusable") == 1
    assert re.search(r"^ERROR: certificate \S+ cannot be used: ", status_table(secured), re.M)
    assert secured.status()["certificates_unusable"][0]["reason"] == said["reason"]
    # It is mended under the running node.
    wanted = secured.settings["tls"]["certificate"][0]
    renewed = make_certificate(tmp_path, "renewed.example.org")
    for what in ("chain", "key"):
        os.replace(renewed[what], wanted[what])
    wait_for(lambda: "CN = renewed.example.org" in text_of(certificate(secured)), "the files that are good now")
    assert secured.metric("usher_certificates_unusable") == 0 and "ERROR" not in status_table(secured)


def write(node):
    node.config.write_text(harness.toml(node.settings))
    return node.config


def test_without_any_copy_a_certificate_of_its_own_does(house, tmp_path):
    made = settings_for([], tls={"certificate": [{"chain": "/nowhere.pem", "key": "/nowhere.key"}]})
    made.pop("upstream")
    node = house.usher(settings={**made, "route": [{"status": 200}]})
    assert "CN = usher self-signed" in text_of(certificate(node))
    assert node.events("certificate_unusable")


def test_a_process_that_is_to_replace_one_with_a_good_certificate_does_not_make_do(secured, tmp_path):
    secured.start()
    (tmp_path / "chat.example.org.key").unlink()
    secured.signal(signal.SIGUSR2)
    wait_for(lambda: secured.events("replace_failed"), "the refusal")
    assert "chat.example.org.key" in secured.events("replace_failed")[-1]["reason"]


def test_copies_are_for_the_owner_alone(secured):
    (copy,) = secured.state.glob("certificate-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert secured.state.stat().st_mode & 0o777 == 0o700


def test_the_ready_line_names_the_file_of_the_working_directory(house, tmp_path):
    made = settings_for([])
    made.pop("upstream")
    (tmp_path / "usher.toml").write_text(harness.toml({**made, "route": [{"status": 200}]}))
    node = house.usher(settings=None, name="found")
    ready = node.await_line(node.stderr_path, lambda line: line.get("event") == "ready", "the ready line")
    assert ready["settings"] == str(tmp_path / "usher.toml")


def test_doubtful_variables_and_flags_are_warned_of(house, tmp_path):
    made = settings_for([])
    made.pop("upstream")
    node = house.usher(
        settings={**made, "route": [{"status": 200}]},
        env={"USHER_STATTE": "x"},
        args=["--store", "redis://:geheim@127.0.0.1:1/0"],
    )
    assert 'USHER_STATTE: unknown variable, which has no effect; did you mean "USHER_STATE"?' in node.stderr
    assert "--store: the password in it can be read by everybody" in node.stderr and "geheim" not in node.stderr


def test_the_store_s_url_is_read_from_a_file_and_told_nobody(house, replica, tmp_path):
    redis = house.redis()
    secret = tmp_path / "url"
    secret.write_text(f"{redis.url}\n")
    node = house.usher([replica], env={"USHER_STORE_FILE": str(secret)})
    wait_for(lambda: node.status()["store"]["state"] == "up" and node.status()["store"]["url"].startswith("redis://"), "the store")
    assert redis.url not in open(f"/proc/{node.pid}/cmdline").read()


def test_on_a_terminal_it_says_what_to_open_next(house, tmp_path):
    made = settings_for(["127.0.0.1:9"])
    (tmp_path / "usher.toml").write_text(harness.toml(made))
    leader, follower = pty.openpty()
    child = harness.Child("terminal", tmp_path)
    process = subprocess.Popen(
        [harness.usher_binary(), "run", "-c", str(tmp_path / "usher.toml")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=follower,
        env={**os.environ, "USHER_STATE": str(tmp_path / "state")},
    )
    child.process = process
    house.keep(child)
    os.close(follower)
    said = ""
    deadline = time.monotonic() + 30 * harness.patience()
    while "Ctrl-C" not in said and time.monotonic() < deadline:
        if select.select([leader], [], [], 1)[0]:
            said += os.read(leader, 65536).decode()
    process.terminate()
    process.wait(30 * harness.patience())
    os.close(leader)
    ready = json.loads(next(line for line in said.splitlines() if '"ready"' in line))
    secure = next(url for url in ready["listen"] if url.startswith("https://"))
    assert f"Open {secure}/ in a browser. It warns of the certificate" in said
    assert "open-webui is looked for at 127.0.0.1:9; --upstream HOST:PORT" in said
