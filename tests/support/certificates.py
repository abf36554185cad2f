"""An authority of the test's own, and the certificates that it issues; made by the openssl program."""

import subprocess
from pathlib import Path


class Authority:
    def __init__(self, folder: Path, name: str = "authority"):
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True)
        self.certificate = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        self.issued = 0
        openssl(
            "req", "-x509", *NEW_KEY, "-days", "2", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
            "-keyout", self.key, "-out", self.certificate,
        )

    def issue(self, names: str = "IP:127.0.0.1,DNS:localhost", more: list[str] = (), subject: str = "leaf") -> tuple[Path, Path]:
        """The files of a certificate and its key; `more` are lines of extensions."""
        self.issued += 1
        stem = self.folder / f"leaf{self.issued}"
        extensions = stem.with_suffix(".ext")
        extensions.write_text("".join(f"{line}\n" for line in (f"subjectAltName={names}", *more)))
        openssl("req", *NEW_KEY, "-subj", f"/CN={subject}", "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        openssl(
            "x509", "-req", "-days", "2", "-in", f"{stem}.csr", "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-extfile", extensions, "-out", f"{stem}.pem",
        )
        return Path(f"{stem}.pem"), Path(f"{stem}.key")


NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(*arguments) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
