"""Suites of HTTP that judge usher by itself, each by a script of its own, which fails if a case does."""

import subprocess
import sys
from pathlib import Path

from comparison import Comparison
from protocols import HERE, commit


class Failed(AssertionError):
    """The script has said why."""


class Script:
    def __init__(self, name: str, get: str, script: str, proof: str):
        self.name = name
        self.get = get
        self.script = HERE / script
        self.proof = proof

    def missing(self, suites: Path) -> str | None:
        return None if (suites / self.name / self.proof).exists() else self.get

    def version(self, suites: Path) -> str:
        folder = suites / self.name
        return commit(folder) if (folder / ".git").exists() else "the version that was built"

    def run(self, suites: Path, options) -> list[Comparison]:
        subject = suites / self.name / (self.proof if self.proof == self.name else "")
        if subprocess.run([sys.executable, self.script, subject]).returncode != 0:
            raise Failed(self.name)
        return []


SUITES = [
    Script("llhttp", "git clone https://github.com/nodejs/llhttp", "llhttp_fixtures.py", "test/request"),
    Script("h1spec", "git clone https://github.com/uNetworking/h1spec", "h1spec.py", "http_test.ts"),
    Script("h2spec", "GOBIN=$PWD/h2spec go install github.com/summerwind/h2spec/cmd/h2spec@latest", "h2spec.py", "h2spec"),
]
