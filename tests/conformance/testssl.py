"""testssl.sh (Debian's package of that name) against the TLS listener of the real binary with the default settings.

    build/venv/bin/python tests/conformance/testssl.py [PROGRAM]

The certificate is one of an authority that is made for it. Fails for every finding above INFO, but those that such an
authority causes. The route adds the headers that are the site's to send. Takes some minutes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import certificates  # noqa: E402
import harness  # noqa: E402

LISTEN = [{"address": "127.0.0.1:0", "tls": True}]
FINE = {"OK", "INFO", "WARN", "DEBUG"}
# Nobody can revoke what such an authority has issued, no DNS knows its name, and it issues for two days.
OF_THE_AUTHORITY = {"DNS_CAArecord", "cert_revocation", "cert_expirationStatus", "cert_notAfter"}
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'",
    "Referrer-Policy": "no-referrer",
}


def run(program: str, house: harness.House, report: Path) -> list[dict]:
    authority = certificates.Authority(house.folder)
    leaf, key = authority.issue("DNS:localhost")
    leaf.write_text(leaf.read_text() + authority.certificate.read_text())
    replica = house.replica()
    tls = {"certificate": [{"chain": str(leaf), "key": str(key)}]}
    route = [{"host": "*", "path": "/", "upstream": "open-webui", "add_headers": HEADERS}]
    node = house.usher([replica], settings=harness.settings_for([replica], listen=LISTEN, tls=tls, route=route))
    command = [program, "--quiet", "--color", "0", "--warnings", "batch", "--ip", "127.0.0.1", "--add-ca", authority.certificate]
    command += ["--jsonfile", report, f"localhost:{node.port('https')}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, timeout=1200, check=False)
    return json.loads(report.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", nargs="?", default="testssl")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = harness.House(Path(folder))
        try:
            findings = run(options.program, house, Path(folder) / "report.json")
        finally:
            house.close()
    above = [each for each in findings if each["severity"] not in FINE]
    for each in above:
        print(f"{each['severity']:8} {each['id']:28} {each['finding']}")
    wrong = [each for each in above if each["id"] not in OF_THE_AUTHORITY]
    print(f"{len(findings)} findings, {len(above)} above INFO, {len(wrong)} of usher's")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
