"""A DNS server of Debian's, with names that a test changes as it goes."""

import shutil
import signal
from pathlib import Path

import harness


def have_dnsmasq() -> str | None:
    return shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin")


class NameServer(harness.Child):
    """Knows these names and no others, and asks nobody."""

    def __init__(self, folder: Path):
        super().__init__("dns", folder)
        self.port = harness.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.names = self.folder / "names"
        self.write({})

    def write(self, names: dict[str, list[str]]) -> None:
        self.names.write_text("".join(f"{address} {name}\n" for name, addresses in names.items() for address in addresses))

    def know(self, names: dict[str, list[str]]) -> None:
        self.write(names)
        self.process.send_signal(signal.SIGHUP)

    def start(self) -> "NameServer":
        self.spawn([
            have_dnsmasq(), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", f"--addn-hosts={self.names}",
            "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={self.port}", "--local=/internal/", "--user=", "--pid-file=",
            "--log-facility=-", "--log-queries",
        ])  # fmt: skip
        harness.wait_for(lambda: "started" in self.stderr, "dnsmasq")
        return self

    def questions(self) -> set[tuple[str, str]]:
        """(kind, name) of all that it was asked."""
        lines = [line.split("query[")[1] for line in self.stderr.splitlines() if "query[" in line]
        return {(line.split("]")[0], line.split()[1]) for line in lines}
