"""The conformance suite of HTTP/2, where its program is: h2spec on the PATH, or what USHER_H2SPEC names."""

import os
import re
import shutil
import sys
from pathlib import Path

import harness
import pytest

sys.path.insert(0, str(harness.ROOT / "tests" / "conformance"))

import h2spec  # noqa: E402

BUILT = harness.ROOT / "build" / "h2spec" / "h2spec"
PROGRAM = os.environ.get("USHER_H2SPEC") or shutil.which("h2spec") or (str(BUILT) if BUILT.exists() else None)


@pytest.mark.skipif(not PROGRAM, reason="no h2spec: tests/support/setup builds it where there is a Go")
def test_every_case_passes(house):
    ran = h2spec.run(Path(PROGRAM), house)
    tests, passed, skipped, failed = map(int, re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", ran.stdout).groups())
    assert failed == 0 and passed >= 145 and tests == passed + skipped, ran.stdout
