#!/usr/bin/env python3
"""The real Open WebUI in two replicas behind two usher nodes, with a browser in front, while parts of it are
restarted: what does the user notice? Run it with ./dev e2e; docs/open-webui.md says what came of it."""

import argparse
import hashlib
import http.client
import json
import os
import platform
import shutil
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402
from outage import outage  # noqa: E402
from scene import FOLDER, Http, Postgres, Scene  # noqa: E402
from verdict import Verdict, say  # noqa: E402
from visitor import Answer, Browser, Noticed, Tab  # noqa: E402

EMAIL, PASSWORD = "alice@example.test", "correct horse battery staple"
COUNT = 80  # words, ten a second
FIRST = 20  # words that the user has read when something breaks
LOST = "Connection lost"


@dataclass
class Row:
    """What one fault did to somebody who was reading an answer."""

    fault: str
    answer: Answer
    noticed: Noticed
    next: Answer  # the answer to the next question, without a reload

    def cells(self) -> list[str]:
        seen = self.noticed
        return [
            self.fault,
            str(self.answer),
            "; ".join(f'"{toast}"' for toast in dict.fromkeys(seen.toasts)) or "none",
            str(seen.loads),
            str(seen.connects),
            ", ".join(dict.fromkeys(seen.refused + seen.failed)) or "none",
            str(self.next),
        ]


HEAD = [
    "what happens",
    "the answer being read",
    "messages shown",
    "reloads",
    "reconnects",
    "requests that failed",
    "the next answer",
]


class Run:
    def __init__(self, folder: Path, polling: bool, verdict: Verdict):
        self.folder = folder
        self.polling = polling
        self.verdict = verdict
        self.rows: list[Row] = []
        self.scene = Scene(folder, polling)
        self.browser: Browser | None = None
        self.drained: Http | None = None
        self.leaving: harness.Usher | None = None
        self.ends: list[tuple[float, str]] = []  # when a replica was told to end, and its address

    # What a user does

    def sign_up(self) -> None:
        self.browser = Browser(self.scene.url)
        self.tab = self.browser.tab()
        self.tab.sign_up("Alice", EMAIL, PASSWORD)
        self.verdict.check(self.tab.logged_in, "somebody signs up")

    def use(self) -> None:
        check, tab = self.verdict.check, self.tab
        tab.look()
        tab.ask_to_count(30)
        answer = tab.await_count(30, 30)
        check(answer.whole and answer.stall < 1.5, f"an answer is streamed: {answer}")

        second = self.browser.tab().open(tab.page.url.removeprefix(self.scene.url))
        second.until(lambda: second.numbers() == list(range(1, 31)), "the chat in the second tab")
        homes = self.replicas_of_the_browser()
        check(len(homes) == 1, f"both tabs live at one replica: {', '.join(sorted(homes))}")
        tab.ask_to_count(25)
        second.until(lambda: len(second.numbers()) >= 5, "the answer to the first tab in the second one, as it comes")
        first = tab.await_count(25, 30)
        other = second.await_count(25, 30)
        check(first.whole and other.whole, f"what is streamed to one tab is streamed to the other: {other}")
        second.page.close()

        tab.new_chat()
        file = self.folder / "note.txt"
        file.write_text("Minutes of the meeting. The code word is marigold. Nothing else was said.\n")
        tab.upload(file)
        tab.send("What is the code word in my note?")
        tab.until(lambda: "marigold" in tab.answer(), "an answer from the uploaded file", 60)
        check(True, "a file is uploaded, read, and found in the answer")

        tab.log_out()
        check(not tab.logged_in, "who logs out is out")
        tab.log_in(EMAIL, PASSWORD)
        check(tab.logged_in and self.replicas_of_the_browser() == homes, "who logs in again is at the same replica")
        seen = tab.look()
        said = [toast for toast in seen.toasts if "logged in" not in toast]
        check(not said and not seen.failed, f"no message is shown but that, and no request fails: {said} {seen.failed}")
        check(not [line for line in seen.refused if line[0] == "5"], f"nothing is answered 5xx: {seen.refused}")
        tab.screenshot(self.folder / "used.png")

    def replicas_of_the_browser(self) -> set[str]:
        names = {replica.address: replica.name for replica in self.scene.replicas}
        return {
            names.get(line["replica"], line["replica"])
            for node in self.scene.nodes
            for line in node.access_log
            if line["replica"] and "Chrome" in line["user_agent"]
        }

    # A client of the API, through the other node

    def use_the_api(self) -> None:
        node = self.scene.nodes[1]
        token = self.tab.token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = {"model": "counter", "stream": True, "messages": [{"role": "user", "content": "count to 20"}]}
        connection = self.connect(node)
        connection.request("POST", "/api/chat/completions", json.dumps(asked), headers)
        response = connection.getresponse()
        times, words = [], []
        while line := response.readline():
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:]).get("choices") or [{}]
                if word := choices[0].get("delta", {}).get("content"):
                    words.append(word.strip())
                    times.append(time.monotonic())
        spread = times[-1] - times[0] if times else 0
        whole = words == [str(number) for number in range(1, 21)]
        self.verdict.check(
            whole and spread > 1.5, f"a client of the API is streamed to, word by word: {len(words)} in {spread:.1f} s"
        )

        data = os.urandom(1 << 20) * 48
        boundary = "boundary-of-the-tests"
        part = ['Content-Disposition: form-data; name="file"; filename="big.bin"', "Content-Type: application/octet-stream"]
        head = "\r\n".join([f"--{boundary}", *part, "", ""])
        body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        connection = self.connect(node)
        connection.request("POST", "/api/v1/files/?process=false", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.request("GET", f"/api/v1/files/{answer['id']}/content", headers=headers)
        returned = connection.getresponse().read()
        same = hashlib.sha256(returned).digest() == hashlib.sha256(data).digest()
        self.verdict.check(response.status == 200 and same, "a file of 48 MiB is uploaded and downloaded unchanged")

    def connect(self, node: harness.Usher) -> http.client.HTTPSConnection:
        trusting = ssl._create_unverified_context()
        return http.client.HTTPSConnection("127.0.0.1", node.port("https"), context=trusting, timeout=60)

    # What breaks

    def break_things(self, only: list[str]) -> None:
        self.tab.new_chat()
        faults = {
            "nothing": lambda: None,
            "the other replica is restarted (SIGTERM)": lambda: self.restart(self.scene.other(self.home), Http.stop),
            "its replica is drained, then restarted": self.drain_and_restart,
            "its replica is restarted (SIGTERM)": lambda: self.restart(self.home, Http.stop),
            "its replica is killed (SIGKILL)": lambda: self.restart(self.home, Http.kill),
            "its node is restarted (SIGTERM)": self.stop_node,
            "its node is killed (SIGKILL)": lambda: self.scene.front().kill(),
            "Redis is restarted (SIGTERM)": lambda: self.restart_redis(signal.SIGTERM),
            "Redis is killed (SIGKILL)": lambda: self.restart_redis(signal.SIGKILL),
            "both replicas are restarted (SIGTERM)": self.restart_both,
        }
        for name, fault in faults.items():
            if not only or any(word in name for word in only):
                self.break_one(name, fault)

    def break_one(self, name: str, fault) -> None:
        tab = self.tab
        tab.new_chat()
        tab.look()
        tab.ask_to_count(COUNT)
        tab.await_numbers(FIRST)
        self.home = self.scene.home()
        say(f"       {name}")
        fault()
        answer = tab.await_count(COUNT, 40)
        self.mend()
        # As somebody does who has waited for long enough.
        tab.stop()
        tab.ask_to_count(10)
        following = tab.await_count(10, 30)
        row = Row(name, answer, tab.look(), following)
        tab.screenshot(self.folder / f"{len(self.rows)}.png")
        self.rows.append(row)
        say("       " + " | ".join(row.cells()[1:]))
        self.judge(row)

    def restart(self, replica: Http, how) -> None:
        self.ends.append((time.time(), replica.address))
        how(replica)
        replica.launch()

    def restart_both(self) -> None:
        for replica in self.scene.replicas:
            self.ends.append((time.time(), replica.address))
            replica.signal(signal.SIGTERM)
        for replica in self.scene.replicas:
            replica.stop()
            replica.launch()

    def drain_and_restart(self) -> None:
        """As an operator does who has read docs/operations.md."""
        status, _ = self.scene.nodes[0].admin_get(f"/api/replicas/{self.home.address}/drain", "POST")
        assert status == 200
        self.drained = self.home
        everyone_left = lambda: all(self.websockets_at(node, self.home) == 0 for node in self.scene.nodes)  # noqa: E731
        if not self.polling:
            self.tab.until(everyone_left, "no websocket at the drained replica", 60)

    def stop_node(self) -> None:
        """It drains; mend() waits for its end."""
        self.leaving = self.scene.front()
        self.leaving.signal(signal.SIGTERM)

    def websockets_at(self, node: harness.Usher, replica: Http) -> int:
        return sum(
            each["websockets"]
            for upstream in node.status()["upstreams"]
            for each in upstream["replicas"]
            if each["id"] == replica.address
        )

    def restart_redis(self, number: int) -> None:
        self.scene.redis.signal(number)
        self.scene.redis.wait()
        self.scene.redis.start()

    def mend(self) -> None:
        """Everything that is down is up again, before the user says another word."""
        if self.drained:
            self.restart(self.drained, Http.stop)
            self.drained.await_ready()
            self.scene.nodes[0].admin_get(f"/api/replicas/{self.drained.address}/undrain", "POST")
        if self.leaving:
            self.verdict.check(self.leaving.wait(40) == 0, "a node that is told to end has ended by itself")
        self.drained = self.leaving = None
        for node in self.scene.nodes:
            if not node.running:
                node.start()
        self.scene.await_up()

    def judge(self, row: Row) -> None:
        check = self.verdict.check
        check(row.noticed.loads == 0, f"{row.fault}: the page is never reloaded")
        check(self.tab.logged_in, f"{row.fault}: nobody is logged out")
        check(row.next.whole, f"{row.fault}: the next question is answered: {row.next}")

    # What all replicas share is away

    def take_away(self, only: list[str], seconds: float) -> None:
        redis, postgres = self.scene.redis, self.scene.postgres

        def stop_redis():
            redis.signal(signal.SIGTERM)
            redis.wait()

        away = {
            f"Redis is away for {seconds:g} s": (stop_redis, redis.start),
            f"PostgreSQL is away for {seconds:g} s": (postgres.stop, postgres.start),
        }
        for name, (stop, start) in away.items():
            if not only or any(word in name for word in only):
                outage(self.scene, self.verdict, say, name, stop, start, seconds)
        self.tab.new_chat()
        self.tab.ask_to_count(10)
        answer = self.tab.await_count(10, 30)
        self.verdict.check(answer.whole, f"after it all a question is answered: {answer}")

    def judge_logs(self) -> None:
        errors = [
            line
            for node in self.scene.nodes
            for path in self.folder.glob(f"{node.name}.*.err")
            for line in harness.json_lines(path)
        ]
        errors = [line for line in errors if line.get("level") == "error"]
        self.verdict.check_none(errors, "errors in the nodes' own logs")
        answered = [
            line
            for node in self.scene.nodes
            for path in self.folder.glob(f"{node.name}.*.out")
            for line in harness.json_lines(path)
        ]
        # While both replicas are away there is nobody to ask.
        bad = [
            line
            for line in answered
            if line.get("status", 0) >= 500 and not (line["error"] or "").startswith("no_replica")
        ]
        cut = [line for line in bad if self.was_cut(line)]
        say(f"       {len(cut)} POSTs were under way to a replica in the moment when it ended")
        bad = [line for line in bad if line not in cut]
        self.verdict.check_none(bad, "other requests that were answered 5xx while a replica was up")

    def was_cut(self, line: dict) -> bool:
        """The replica may have had it: nobody may send it again."""
        at = datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()
        ended = any(0 <= at - end < 2 and line["replica"] == address for end, address in self.ends)
        return ended and line["method"] == "POST" and line["error"].startswith("replica_closed")

    def close(self) -> None:
        if self.browser:
            self.browser.close()
        self.scene.close()


def versions(browser: str) -> list[tuple[str, str]]:
    def said(*command) -> str:
        return subprocess.run(list(map(str, command)), capture_output=True, text=True).stdout.split("\n")[0].strip()

    webui = said(
        FOLDER / "webui" / "bin" / "python",
        "-c",
        "import importlib.metadata; print(importlib.metadata.version('open-webui'))",
    )
    release = Path("/etc/os-release").read_text().split('PRETTY_NAME="')[1].split('"')[0]
    return [
        ("usher", said(harness.usher_binary(), "version")),
        ("Open WebUI", webui),
        ("Chromium", browser),
        ("PostgreSQL", said(Postgres.programs() / "postgres", "--version")),
        ("Redis", said("redis-server", "--version").split(" sha")[0]),
        ("Python", platform.python_version()),
        ("system", release),
    ]


def needed() -> list[str]:
    """What this machine lacks."""
    lacks = [
        program
        for program in ("chromium", "nginx", "redis-server", "openssl", "setpriv", "unshare", "ip")
        if not shutil.which(program)
    ]
    return lacks + ([] if Postgres.programs() else ["postgresql"])


# A network of its own: nothing of this machine's reaches the browser, and nothing asks the internet. Without an
# address besides the loopback ones Chromium would take itself for offline.
ALONE = (
    "ip link set lo up && ip link add outside type veth peer name beyond && ip addr add 192.0.2.1/24 dev outside"
    ' && ip link set outside up && ip link set beyond up && USHER_E2E_ALONE=1 exec "$@"'
)


def be_alone() -> None:
    """Starts this program again in a network namespace, where the right to make one is given."""
    if os.geteuid() == 0 and "USHER_E2E_ALONE" not in os.environ:
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", ALONE, "sh", sys.executable, *sys.argv])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--mode", choices=["websocket", "polling"], help="only this one (default: both, one after the other)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="only what breaks under these words; may be repeated",
    )
    parser.add_argument("--away", type=float, default=60, metavar="SECONDS", help="how long Redis, then PostgreSQL, is away (60)")
    asked = parser.parse_args()
    if lacks := needed():
        print(f"not installed: {', '.join(lacks)}", file=sys.stderr)
        return 2
    be_alone()
    runs = FOLDER / "runs"
    verdict, tables, browser = Verdict(), [], ""
    for mode in [asked.mode] if asked.mode else ["websocket", "polling"]:
        folder = runs / mode
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        say(f"       Open WebUI with {'websockets' if mode == 'websocket' else 'polling only'}")
        run = Run(folder, mode == "polling", verdict)
        try:
            run.sign_up()
            run.use()
            run.use_the_api()
            run.break_things(asked.only)
            run.judge_logs()
            run.take_away(asked.only, asked.away)
        finally:
            browser = run.browser.version if run.browser else ""
            run.close()
        tables.append((mode, run.rows))

    for mode, rows in tables:
        print(f"\n{mode}\n")
        for cells in [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]:
            print("| " + " | ".join(cells) + " |")
    print()
    for what, version in versions(browser):
        print(f"{what}: {version}")
    print(f"\nlogs and screenshots: {runs}")
    print("\n".join(["", "did not hold:", *verdict.failures]) if verdict.failures else "\neverything held")
    return 1 if verdict.failures else 0


if __name__ == "__main__":
    sys.exit(main())
