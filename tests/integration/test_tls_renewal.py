"""New certificates under a running node: noticed by themselves, and nobody's connection is touched.

USHER_TEST_SOCKETS is the number of websockets that stay open meanwhile."""

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

import harness
import pytest
import wire
from harness import json_lines, wait_for
from test_tls import certificate, make_certificate, text_of

TERMINAL = "/api/v1/terminals/x/api/terminals/y"
SOCKETS = int(os.environ.get("USHER_TEST_SOCKETS", 200))
SOON = 2  # seconds from the last change of a file to the first handshake with it


class Lineage:
    """Files under fixed names, renewed as certbot does it: symlinks into an archive."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.generation = 0
        self.files = {"chain": str(folder / "live.pem"), "key": str(folder / "live.key")}

    def issue(self) -> dict:
        self.generation += 1
        return make_certificate(self.folder, f"generation{self.generation}.example.org")

    def link(self, what: str, target: str) -> None:
        new = Path(self.files[what] + ".new")
        new.symlink_to(target)
        new.rename(self.files[what])

    def renew(self) -> "Lineage":
        made = self.issue()
        self.link("chain", made["chain"])
        self.link("key", made["key"])
        return self

    def shown_by(self, node) -> bool:
        return f"CN = generation{self.generation}.example.org" in text_of(certificate(node))


def events(node, name: str) -> list[dict]:
    return [line for line in json_lines(node.stderr_path) if line.get("event") == name]


@pytest.fixture
def lineage(tmp_path):
    return Lineage(tmp_path).renew()


@pytest.fixture
def secured(house, replica, lineage):
    return house.usher([replica], name="renewed", tls={"certificate": [lineage.files]})


def await_shown(node, lineage) -> None:
    wait_for(lambda: lineage.shown_by(node), "the new certificate", timeout=SOON)


def rename_over(lineage) -> None:
    made = lineage.issue()
    for what, target in lineage.files.items():
        Path(made[what]).rename(target)


def write_in_place(lineage) -> None:
    made = lineage.issue()
    for what, target in lineage.files.items():
        Path(target).write_bytes(Path(made[what]).read_bytes())


@pytest.mark.parametrize("how", [Lineage.renew, rename_over, write_in_place])
def test_new_files_are_noticed_however_they_come(secured, lineage, how):
    assert lineage.shown_by(secured)
    how(lineage)
    await_shown(secured, lineage)
    assert not events(secured, "certificate_refused")
    wait_for(lambda: events(secured, "certificate_loaded"), "the line in the log")


def test_a_broken_pair_keeps_the_old_one_and_is_said_once(secured, lineage):
    key = Path(lineage.files["key"])
    good = certificate(secured)
    lineage.link("key", make_certificate(lineage.folder, "stranger.example.org")["key"])
    refused = wait_for(lambda: events(secured, "certificate_refused"), "the refusal")
    assert "live.key" in refused[0]["reason"] and refused[0]["level"] == "error"
    key.unlink()
    wait_for(lambda: len(events(secured, "certificate_refused")) == 2, "the second refusal")
    assert certificate(secured) == good
    lineage.renew()
    await_shown(secured, lineage)
    assert len(events(secured, "certificate_refused")) == 2, "each once"


def test_the_end_of_a_certificate_is_a_metric(secured, lineage):
    end = secured.metric("usher_certificate_not_after_seconds", certificate=lineage.files["chain"])
    assert abs(end - time.time() - 2 * 24 * 3600) < 3600


class Visitors(threading.Thread):
    """New connections, one after the other, with three requests each, until told to stop."""

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.stopped = threading.Event()
        self.served = 0
        self.failed = []

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                with wire.Wire(self.node.url("https")) as connection:
                    for _ in range(3):
                        answer = connection.ask("GET", "/whoami")
                        self.served += answer.status == 200
                        if answer.status != 200:
                            self.failed.append(answer)
            except (OSError, wire.Truncated) as error:
                self.failed.append(error)


@contextlib.contextmanager
def visitors(node, count: int = 2):
    crowd = [Visitors(node) for _ in range(count)]
    for each in crowd:
        each.start()
    try:
        yield crowd
    finally:
        for each in crowd:
            each.stopped.set()
        for each in crowd:
            each.join()


def test_under_open_websockets_and_load_nobody_notices(secured, lineage):
    from websockets.asyncio.client import connect

    url = secured.url("https").replace("https", "wss") + TERMINAL

    async def session() -> None:
        limit = asyncio.Semaphore(32)

        async def opened():
            async with limit:
                return await connect(url, ssl=wire.unverified(), open_timeout=60 * harness.patience(), ping_interval=None)

        sockets = await asyncio.gather(*(opened() for _ in range(SOCKETS)))
        for _ in range(3):
            lineage.renew()
            await asyncio.to_thread(await_shown, secured, lineage)
        for number, socket in enumerate(sockets):
            await socket.send(f"still there, {number}?")
        for number, socket in enumerate(sockets):
            assert await asyncio.wait_for(socket.recv(), 30 * harness.patience()) == f"still there, {number}?"
        await asyncio.gather(*(socket.close() for socket in sockets))

    began = time.monotonic()
    with visitors(secured) as crowd:
        asyncio.run(session())
    served = sum(each.served for each in crowd)
    print(f"{SOCKETS} websockets; {served} requests, {served / (time.monotonic() - began):.0f}/s")
    assert not [failure for each in crowd for failure in each.failed]
    assert all(each.served > 10 for each in crowd)
    assert secured.metric("usher_websockets_opened_total") == SOCKETS
