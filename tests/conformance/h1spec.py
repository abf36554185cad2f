"""h1spec (uNetworking/h1spec) through the real binary, before a replica that echoes bodies.

    build/venv/bin/python tests/conformance/h1spec.py CHECKOUT

Runs its own program where deno is installed. Else its table is read from http_test.ts and asked in the same way: one
connection for each case, all at once; one read; half a second for a request that is not complete to be waited for.
"""

import argparse
import concurrent.futures
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import fakes  # noqa: E402
import harness  # noqa: E402
from framing import strict  # noqa: E402


class Echo(fakes.Fake):
    """Answers every request with its body."""

    async def serve(self, reader, writer):
        pending = b""
        while data := await reader.read(1 << 16):
            pending += data
            while pending:
                try:
                    request, pending = strict.read_request(pending)
                except strict.Incomplete:
                    break
                writer.write(fakes.whole(request.body))


@dataclass
class Case:
    description: str
    request: bytes
    statuses: list[list[int]]
    body: bytes
    waits: bool

    def fault(self, address: tuple[str, int]) -> str | None:
        with socket.create_connection(address, 10) as connection:
            connection.sendall(self.request)
            connection.settimeout(0.5)
            try:
                answer = connection.recv(1024)
            except TimeoutError:
                return None if self.waits else "no answer"
            except ConnectionResetError:
                return "a reset"
        match = re.match(rb"HTTP/1\.\d (\d{3})", answer)
        status = int(match[1]) if match else 0
        if not any(least <= status <= most for least, most in self.statuses):
            return f"{status} for {self.statuses}"
        if status == 200 and self.body and answer.partition(b"\r\n\r\n")[2] != self.body:
            return f"{answer!r} for the body {self.body!r}"
        return None


def literal(text: str) -> str:
    """A string of TypeScript."""
    return json.loads(re.sub(r"\\x([0-9a-fA-F]{2})", r"\\u00\1", text))


STRING = r'("(?:[^"\\]|\\.)*")'
CASE = re.compile(
    r"\{\s*request: %s,\s*description: %s,\s*expectedStatus: (\[\[.*?\]\]),?\s*"
    r"(expectedTimeout: true,?\s*)?(?:expectedBody: %s,?\s*)?\}" % (STRING, STRING, STRING)
)  # fmt: skip


def cases(checkout: Path) -> list[Case]:
    text = (checkout / "http_test.ts").read_text()
    table = text[text.index("const testCases") : text.index("// Get host and port")]
    found = [
        Case(literal(description), literal(request).encode(), json.loads(statuses), literal(body or '""').encode(), bool(waits))
        for request, description, statuses, waits, body in CASE.findall(table)
    ]
    assert len(found) == table.count("description:"), "the table has rows of another form"
    return found


def run(checkout: Path, address: tuple[str, int]) -> int:
    if deno := shutil.which("deno"):
        program = [deno, "run", "--allow-net", checkout / "http_test.ts", address[0], str(address[1])]
        return subprocess.run(program).returncode
    found = cases(checkout)
    with concurrent.futures.ThreadPoolExecutor(len(found)) as pool:
        faults = list(pool.map(lambda case: case.fault(address), found))
    for case, fault in zip(found, faults):
        print(f"{'FAILS ' if fault else 'passes'} {case.description}{': ' + fault if fault else ''}")
    print(f"\n{faults.count(None)} of {len(found)} cases pass")
    return 1 if any(faults) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = harness.House(Path(folder))
        try:
            parts = urlsplit(house.usher([house.fake(Echo())]).url())
            return run(options.checkout, (parts.hostname, parts.port))
        finally:
            house.close()


if __name__ == "__main__":
    sys.exit(main())
