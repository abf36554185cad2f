"""usher, nginx and HAProxy in front of one replica: each configured as it should be in front of Open WebUI.

The same for all: one worker, plain and TLS listeners, kept-alive connections to the replica, nothing buffered,
forwarding headers and a request id added, no access log, no session tickets and no cache (every handshake is a
full one), time-outs and limits beyond what the work needs. usher and HAProxy keep clients with a cookie; nginx
without its commercial modules cannot.
"""

import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

USHER = Path(__file__).resolve().parents[1] / "build/release/usher"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder: Path) -> Path:
    """P-256, self-signed. The name without .crt and .key; .pem has both, as HAProxy wants them."""
    name = folder / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-subj", "/CN=localhost", "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.crt"],
        check=True,
        capture_output=True,
    )
    Path(f"{name}.pem").write_text(Path(f"{name}.crt").read_text() + Path(f"{name}.key").read_text())
    return name


def usher(folder: Path, http: int, https: int, replica: int, certificate: Path) -> list[str]:
    (folder / "usher.toml").write_text(f"""
workers = 1
state = "{folder}"
[[listen]]
address = "127.0.0.1:{http}"
[[listen]]
address = "127.0.0.1:{https}"
tls = true
[tls]
session_tickets = false
[[tls.certificate]]
chain = "{certificate}.crt"
key = "{certificate}.key"
[[upstream]]
name = "replica"
replicas = ["127.0.0.1:{replica}"]
[upstream.health]
path = "/"
[[route]]
path = "/"
upstream = "replica"
[timeouts]
keep_alive = "1h"
[admin]
address = ""
[log]
access = "off"
""")
    return [str(USHER), "-c", "usher.toml"]


def nginx(folder: Path, http: int, https: int, replica: int, certificate: Path) -> list[str]:
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 12000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_timeout 1h; keepalive_requests 1000000000;
  client_max_body_size 0;
  upstream replica {{
    server 127.0.0.1:{replica};
    keepalive 256; keepalive_requests 1000000000; keepalive_timeout 1h;
  }}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{http} backlog=4096; listen 127.0.0.1:{https} ssl http2 backlog=4096;
    ssl_certificate {certificate}.crt; ssl_certificate_key {certificate}.key;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
    proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;
    proxy_read_timeout 1h; proxy_send_timeout 1h;
    location / {{ proxy_pass http://replica; }}
  }}
}}
""")
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy(folder: Path, http: int, https: int, replica: int, certificate: Path) -> list[str]:
    # maxconn: HAProxy wants two descriptors for each connection, even though only some have a second one.
    # pool-*-fd-ratio: without them it would keep no connection to the replica open beyond 2,000 clients.
    # Without splice-auto: over the loopback it makes HAProxy spend more on a large body, not less.
    (folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 10200
  no strict-limits
  tune.ssl.cachesize 0
  tune.pool-low-fd-ratio 90
  tune.pool-high-fd-ratio 95
  ssl-default-bind-options no-tls-tickets
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout http-keep-alive 1h
  timeout server 1h
  timeout tunnel 1h
  option forwardfor
  http-reuse always
frontend all
  bind 127.0.0.1:{http} backlog 4096
  bind 127.0.0.1:{https} backlog 4096 ssl crt {certificate}.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  default_backend replica
backend replica
  cookie SRV insert indirect nocache
  option httpchk GET /
  server one 127.0.0.1:{replica} cookie one check
""")
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


CONFIGURED = {"usher": usher, "nginx": nginx, "haproxy": haproxy}


class Proxy:
    """One proxy, freshly started on its own CPU, that serves already."""

    def __init__(self, name: str, start, folder: Path, replica: int, certificate: Path):
        folder.mkdir()
        self.name, self.folder = name, folder
        self.http, self.https = free_port(), free_port()
        command = CONFIGURED[name](folder, self.http, self.https, replica, certificate)
        self.process = start(command, cwd=folder, stdout=folder / "stdout", stderr=folder / "stderr")
        self._await_answer()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/", timeout=5) as response:
                    if response.read() == b"ok":
                        return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not serve:\n{self.said()}")
            time.sleep(0.02)

    def said(self) -> str:
        """What it wrote to its logs."""
        files = [self.folder / name for name in ("stdout", "stderr", "error.log")]
        return "".join(file.read_text(errors="replace")[-2000:] for file in files if file.exists())

    def processes(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def private_kib(self) -> int:
        total = 0
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Clean", "Private_Dirty")):
                    total += int(line.split()[1])
        return total


def version(name: str) -> str:
    command = {"usher": [str(USHER), "version"], "nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"]}[name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return f"{name} {re.search(r'[0-9]+[.][0-9.]+', done.stdout + done.stderr)[0]}"
