"""Suites of HTTP/1.1 that judge usher by itself, each by a script of its own, which fails if a case does."""

import subprocess
import sys
from pathlib import Path

from comparison import Comparison
from protocols import HERE, commit


class Failed(AssertionError):
    """The script has said why."""


class Script:
    def __init__(self, name: str, address: str, script: str, proof: str):
        self.name = name
        self.get = f"git clone https://github.com/{address}"
        self.script = HERE / script
        self.proof = proof

    def missing(self, suites: Path) -> str | None:
        return None if (suites / self.name / self.proof).exists() else self.get

    def version(self, suites: Path) -> str:
        return commit(suites / self.name)

    def run(self, suites: Path, options) -> list[Comparison]:
        if subprocess.run([sys.executable, self.script, suites / self.name]).returncode != 0:
            raise Failed(self.name)
        return []


SUITES = [
    Script("llhttp", "nodejs/llhttp", "llhttp_fixtures.py", "test/request"),
    Script("h1spec", "uNetworking/h1spec", "h1spec.py", "http_test.ts"),
]
