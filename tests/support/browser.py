"""Headless Chromium, driven over its DevTools websocket: just enough to open a page and look at it."""

import base64
import contextlib
import json
import os
import urllib.request
from pathlib import Path

import harness
from harness import Child, wait_for
from websockets.sync.client import connect


class Browser(Child):
    def __init__(self, folder: Path, name: str = "chromium"):
        super().__init__(name, folder)
        self.number = 0

    def start(self) -> "Browser":
        profile = self.folder / f"{self.name}.profile"
        command = ["chromium", "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--ignore-certificate-errors"]
        command += ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--window-size=900,900"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        self.spawn([*command, "about:blank"])
        active = profile / "DevToolsActivePort"
        port = wait_for(lambda: active.exists() and active.read_text().split("\n")[0], "Chromium's DevTools", timeout=60)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as response:
            page = next(target for target in json.loads(response.read()) if target["type"] == "page")
        self.stack = contextlib.ExitStack()
        self.devtools = self.stack.enter_context(connect(page["webSocketDebuggerUrl"], max_size=None))
        return self

    def call(self, method: str, **params):
        self.number += 1
        self.devtools.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.devtools.recv(timeout=30))
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, identity: str) -> str:
        return self.evaluate(f"document.getElementById({json.dumps(identity)})?.textContent ?? ''")

    def screenshot(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        if self.running:
            # It ends its own helpers when asked; a kill would leave them to find out.
            with contextlib.suppress(Exception):
                self.call("Browser.close")
            with contextlib.suppress(Exception):
                self.wait(10)
            with contextlib.suppress(Exception):
                self.stack.close()
        self.kill()


def installed() -> bool:
    return harness.have("chromium")
