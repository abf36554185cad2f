"""h2spec (summerwind/h2spec) against the TLS listener of the real binary.

    build/venv/bin/python tests/conformance/h2spec.py PROGRAM

Says every case that fails; one is skipped by the tool itself.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import harness  # noqa: E402

# Some cases break a rule after a request, and want to hear of it: a stream that has been answered by then is closed,
# and what comes for it is rightly ignored.
PATH = "/slow?ms=200"
LISTEN = [{"address": "127.0.0.1:0", "tls": True}]


def run(program: Path, house: harness.House, report: Path | None = None) -> subprocess.CompletedProcess:
    replica = house.replica()
    node = house.usher([replica], settings=harness.settings_for([replica], listen=LISTEN))
    command = [program, "-t", "-k", "-h", "127.0.0.1", "-p", str(node.port("https")), "-P", PATH, "--timeout", "5"]
    if report:
        command += ["-j", report]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = harness.House(Path(folder))
        try:
            ran = run(options.program.resolve(), house)
        finally:
            house.close()
    print(ran.stdout, ran.stderr)
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
