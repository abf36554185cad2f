"""Somebody with Chromium in front of Open WebUI, and what they notice: what the page says, what it loads, and what it
complains about."""

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import Late, patience
from playwright.sync_api import Page, Response, sync_playwright

# Every toast that comes up, and how often the page was loaded: told as it happens, so that a reload loses nothing.
WATCH = """
(() => {
  const seen = new WeakSet();
  const look = () => document.querySelectorAll('[data-sonner-toast]').forEach((toast) => {
    if (!seen.has(toast)) { seen.add(toast); tellToast(toast.innerText.trim()); }
  });
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
})();
"""

# A handshake: what comes after it names a sid.
POLLING = re.compile(r"/ws/socket\.io/\?(?!.*\bsid=).*transport=polling")


@dataclass
class Noticed:
    """Since the last look."""

    toasts: list[str] = field(default_factory=list)
    loads: int = 0
    refused: list[str] = field(default_factory=list)  # requests that were answered 4xx or 5xx
    failed: list[str] = field(default_factory=list)  # requests without an answer
    connects: int = 0  # how often the page's Socket.IO client connected, again


@dataclass
class Answer:
    """What the page shows of an answer to "count to N"."""

    expected: int
    numbers: list[int]
    stall: float  # the longest time in seconds that nothing was added, while there was more to come
    ended: bool  # the page takes it for finished

    @property
    def whole(self) -> bool:
        return self.numbers == list(range(1, self.expected + 1))

    def __str__(self) -> str:
        if self.whole:
            return f"whole, longest stall {self.stall:.1f} s"
        doubled = len(self.numbers) - len(set(self.numbers))
        missing = self.expected - len(set(self.numbers))
        end = "taken for finished" if self.ended else "not finished until Stop is pressed"
        return f"{missing} of {self.expected} words missing, {doubled} twice, {end}"


class Browser:
    def __init__(self, url: str):
        self.url = url
        self.playwright = sync_playwright().start()
        arguments = ["--ignore-certificate-errors", "--disable-gpu", "--disable-dev-shm-usage"]
        self.chromium = self.playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments, chromium_sandbox=os.geteuid() != 0
        )
        self.context = self.chromium.new_context(
            ignore_https_errors=True, viewport={"width": 1280, "height": 900}, locale="en-US", reduced_motion="reduce"
        )
        self.context.set_default_timeout(30_000 * patience())
        self.noticed: dict[Page, Noticed] = {}
        self.context.expose_binding("tellToast", lambda source, text: self.of(source["page"]).toasts.append(text))
        self.context.add_init_script(WATCH)

    @property
    def version(self) -> str:
        return self.chromium.version

    def of(self, page: Page) -> Noticed:
        return self.noticed.setdefault(page, Noticed())

    def tab(self) -> "Tab":
        page = self.context.new_page()
        page.on("load", lambda: self.count(page, "loads"))
        page.on("response", lambda response: self.saw(page, response))
        page.on("requestfailed", lambda request: self.failed(page, request))
        page.on("websocket", lambda _: self.count(page, "connects"))
        page.on("request", lambda request: POLLING.search(request.url) and self.count(page, "connects"))
        return Tab(self, page)

    def count(self, page: Page, what: str) -> None:
        setattr(self.of(page), what, getattr(self.of(page), what) + 1)

    def saw(self, page: Page, response: Response) -> None:
        if response.status >= 400:
            self.of(page).refused.append(f"{response.status} {response.request.method} {path_of(response.url)}")

    def failed(self, page: Page, request) -> None:
        # What the page itself gives up, as a poll when it leaves, is no failure.
        if request.failure != "net::ERR_ABORTED":
            self.of(page).failed.append(f"{request.failure} {request.method} {path_of(request.url)}")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.chromium.close()
        self.playwright.stop()


def path_of(url: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", re.sub(r"^https?://[^/]+", "", url).split("?")[0])


class Tab:
    def __init__(self, browser: Browser, page: Page):
        self.browser = browser
        self.page = page

    def until(self, condition, what: str, timeout: float = 30):
        """harness.wait_for, while the browser's events are heard."""
        deadline = time.monotonic() + timeout * patience()
        while True:
            if value := condition():
                return value
            if time.monotonic() > deadline:
                raise Late(f"not within {timeout * patience():g} s: {what}")
            self.page.wait_for_timeout(50)

    def look(self) -> Noticed:
        """What was noticed since the last look."""
        self.page.wait_for_timeout(1)
        noticed = self.browser.of(self.page)
        self.browser.noticed[self.page] = Noticed()
        return noticed

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=path)

    # Accounts

    def open(self, path: str = "/") -> "Tab":
        self.page.goto(self.browser.url + path, wait_until="load")
        return self

    def sign_up(self, name: str, email: str, password: str) -> None:
        """As the first visitor, who becomes the administrator."""
        self.open()
        self.page.get_by_role("button", name="Get started").click()
        self.page.get_by_placeholder("Enter Your Full Name").fill(name)
        self.fill_in(email, password)
        self.page.get_by_role("button", name="Create Admin Account").click()
        # The news of the version come up for an administrator.
        self.page.get_by_role("button", name="Okay, Let's Go!").click()
        self.await_chat()

    def log_in(self, email: str, password: str) -> None:
        self.fill_in(email, password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.await_chat()

    def fill_in(self, email: str, password: str) -> None:
        self.page.get_by_placeholder("Enter Your Email").fill(email)
        self.page.get_by_placeholder("Enter Your Password").fill(password)

    def log_out(self) -> None:
        self.page.get_by_label("Open User Profile Menu").locator("visible=true").first.click()
        self.page.get_by_text("Sign Out", exact=True).click()
        self.page.get_by_placeholder("Enter Your Password").wait_for()

    def await_chat(self) -> None:
        self.page.locator("#chat-input").wait_for()

    @property
    def token(self) -> str | None:
        return self.page.evaluate("localStorage.token")

    @property
    def logged_in(self) -> bool:
        return bool(self.token) and not self.page.url.endswith("/auth")

    # Chats

    def new_chat(self) -> None:
        self.open("/")
        self.await_chat()

    def send(self, text: str) -> None:
        before = self.questions(), self.answers()
        box = self.page.locator("#chat-input")
        box.click()
        box.press_sequentially(text)
        self.page.locator("#send-message-button").click()
        after = before[0] + 1, before[1] + 1
        self.until(
            lambda: (self.questions(), self.answers()) == after, f'"{text}" is on the page, and room for the answer'
        )

    def questions(self) -> int:
        return self.page.locator(".chat-user").count()

    def answers(self) -> int:
        return self.page.locator(".chat-assistant").count()

    def answer(self) -> str:
        """The newest one, as far as it has come."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.chat-assistant #response-content-container')].at(-1)?.innerText ?? ''"
        )

    def numbers(self) -> list[int]:
        return [int(word) for word in re.findall(r"\b\d+\b", self.answer())]

    def generating(self) -> bool:
        return self.page.get_by_label("Stop", exact=True).locator("visible=true").count() > 0

    def stop(self) -> None:
        """Presses Stop if the page waits for more of an answer."""
        button = self.page.get_by_label("Stop", exact=True).locator("visible=true")
        if button.count():
            button.first.click()
            self.until(lambda: not self.generating(), "Stop stops", 30)

    def ask_to_count(self, to: int) -> None:
        self.send(f"count to {to}")

    def await_numbers(self, count: int) -> None:
        self.until(lambda: len(self.numbers()) >= count, f"{count} words of the answer")

    def await_count(self, to: int, timeout: float) -> Answer:
        """Until the answer is whole, or the page takes it for finished, or the time is over."""
        began = changed = time.monotonic()
        last, stall, quiet = self.numbers(), 0.0, 0
        while True:
            self.page.wait_for_timeout(50)
            now, numbers = time.monotonic(), self.numbers()
            if numbers != last:
                # The wait for the first word is the model's affair.
                stall, last, changed = max(stall, now - changed if last else 0), numbers, now
            # The button comes and goes around a move; a second of it is an end.
            quiet = 0 if self.generating() else quiet + 1
            if quiet > 20 or now - began > timeout * patience():
                return Answer(to, last, stall, quiet > 0)

    def upload(self, path: Path) -> None:
        """Into the message that is being written; until Open WebUI has read it."""
        with self.page.expect_response(
            lambda response: "/process/status" in response.url or "/api/v1/files/" in response.url
        ):
            self.page.locator('input[type="file"][multiple]').first.set_input_files(path)
        self.page.get_by_text(path.name).first.wait_for()
