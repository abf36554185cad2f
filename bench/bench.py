"""The same work through usher, nginx and HAProxy in turn: CPU time per unit of work, and memory per idle websocket.

One worker each, pinned to the first CPU; load and replica on the others. Several rounds, medians, and the ratio
to the better of the other two (below 1: usher needs less). Everything is on loopback, bounded, and ended at the end.
"""

import argparse
import asyncio
import os
import platform
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
PROXY_CPU = 0
OTHER_CPUS = sorted(os.sched_getaffinity(0) - {PROXY_CPU}) or [0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def children(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += children(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children, so far."""
    total = 0
    for each in children(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def private_kib(pid: int) -> int:
    total = 0
    for each in children(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1])
    return total


class Parts:
    """What runs during one benchmark; all of it ends with it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.processes: list[subprocess.Popen] = []

    def start(self, command: list[str], cpus: list[int], **options) -> subprocess.Popen:
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=open(self.folder / f"{Path(command[0]).name}.err", "ab"),
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            **options,
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class Proxy:
    def __init__(self, name: str, parts: Parts, replica: int, sockets: int, certificate: Path):
        self.name = name
        self.http, self.https = free_port(), free_port()
        folder = parts.folder / name
        folder.mkdir()
        command = getattr(self, f"_{name}")(folder, replica, sockets, certificate)
        self.process = parts.start(command, [PROXY_CPU], cwd=folder, env={**os.environ, "USHER_STATE": str(folder)})
        await_port(self.http)
        await_port(self.https)

    def _usher(self, folder: Path, replica: int, sockets: int, certificate: Path) -> list[str]:
        (folder / "usher.toml").write_text(f"""
workers = 1
[[listen]]
address = "127.0.0.1:{self.http}"
[[listen]]
address = "127.0.0.1:{self.https}"
tls = true
[[tls.certificate]]
chain = "{certificate}.crt"
key = "{certificate}.key"
[[upstream]]
name = "web"
replicas = ["127.0.0.1:{replica}"]
[upstream.health]
path = "/"
[[upstream]]
name = "sockets"
replicas = ["127.0.0.1:{sockets}"]
[upstream.health]
path = "/healthz"
[[route]]
path = "/ws/"
upstream = "sockets"
[[route]]
path = "/"
upstream = "web"
[admin]
address = ""
[log]
access = "off"
""")
        return [str(ROOT / "build/release/usher"), "-c", "usher.toml"]

    def _nginx(self, folder: Path, replica: int, sockets: int, certificate: Path) -> list[str]:
        (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 10000000;
  upstream web {{ server 127.0.0.1:{replica}; keepalive 128; keepalive_requests 10000000; }}
  upstream sockets {{ server 127.0.0.1:{sockets}; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{self.http}; listen 127.0.0.1:{self.https} ssl;
    ssl_certificate {certificate}.crt; ssl_certificate_key {certificate}.key; ssl_protocols TLSv1.2 TLSv1.3;
    proxy_http_version 1.1; proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;
    proxy_read_timeout 1h;
    location /ws/ {{ proxy_pass http://sockets; }}
    location / {{ proxy_pass http://web; }}
  }}
}}
""")
        return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]

    def _haproxy(self, folder: Path, replica: int, sockets: int, certificate: Path) -> list[str]:
        pem = folder / "pair.pem"
        pem.write_text(Path(f"{certificate}.crt").read_text() + Path(f"{certificate}.key").read_text())
        (folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  option forwardfor
  http-reuse always
frontend all
  bind 127.0.0.1:{self.http}
  bind 127.0.0.1:{self.https} ssl crt {pem} alpn http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  use_backend sockets if {{ path_beg /ws/ }}
  default_backend web
backend web
  cookie SRV insert indirect nocache
  server one 127.0.0.1:{replica} cookie one
backend sockets
  cookie SRV insert indirect nocache
  server one 127.0.0.1:{sockets} cookie one
""")
        return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


def start_replica(parts: Parts) -> int:
    """nginx, which answers a page of 1 KiB and a file of 1 GiB."""
    folder = parts.folder / "replica"
    folder.mkdir()
    port = free_port()
    (folder / "index.html").write_text("x" * 1024)
    with open(folder / "big", "wb") as big:
        big.truncate(1 << 30)
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_requests 10000000; client_max_body_size 0;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
""")
    parts.start(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], OTHER_CPUS)
    await_port(port)
    return port


# --- The work. Each returns how many units were done. ------------------------------------------------------------


def load(url: str, requests: int) -> int:
    done = subprocess.run(
        ["h2load", "--h1", "-c", "64", "-n", str(requests), url],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, OTHER_CPUS),
    )
    if f"{requests} succeeded" not in done.stdout:
        sys.exit(f"requests failed:\n{done.stdout}")
    return requests


def get(proxy: Proxy) -> int:
    return load(f"http://127.0.0.1:{proxy.http}/index.html", 60_000)


def get_tls(proxy: Proxy) -> int:
    return load(f"https://127.0.0.1:{proxy.https}/index.html", 60_000)


def download(url: str) -> int:
    subprocess.run(
        ["curl", "-sSk", "--fail", "-o", "/dev/null", url],
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, OTHER_CPUS),
    )
    return 1


def bulk(proxy: Proxy) -> int:
    return download(f"http://127.0.0.1:{proxy.http}/big")


def bulk_tls(proxy: Proxy) -> int:
    return download(f"https://127.0.0.1:{proxy.https}/big")


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(proxy: Proxy):
    import websockets

    uri = f"wss://127.0.0.1:{proxy.https}/ws/"
    return websockets.connect(uri, ssl=trusting(), compression=None, ping_interval=None, open_timeout=60)


def echo(proxy: Proxy) -> int:
    sockets, messages = 64, 400

    async def talk():
        async with connect(proxy) as client:
            for _ in range(messages):
                await client.send("x" * 128)
                await client.recv()

    async def everybody():
        await asyncio.gather(*(talk() for _ in range(sockets)))

    asyncio.run(everybody())
    return sockets * messages


def idle_memory(proxy: Proxy) -> float:
    """KiB of private memory for each of 1,000 idle websockets over TLS."""
    sockets = 1000

    async def measure() -> float:
        warm = await connect(proxy)
        before = private_kib(proxy.process.pid)
        clients = []
        for _ in range(sockets // 50):
            clients += await asyncio.gather(*(connect(proxy) for _ in range(50)))
        await asyncio.sleep(1)
        used = private_kib(proxy.process.pid) - before
        await asyncio.gather(warm.close(), *(client.close() for client in clients))
        return used / sockets

    return asyncio.run(measure())


WORK = [
    ("GET 1 KiB, keep-alive", get, "us"),
    ("GET 1 KiB, keep-alive, TLS", get_tls, "us"),
    ("websocket echo 128 B, TLS", echo, "us"),
    ("1 GiB down", bulk, "ms"),
    ("1 GiB down, TLS", bulk_tls, "ms"),
]
SCALE = {"us": 1e6, "ms": 1e3}


def measure(proxies: list[Proxy], rounds: int) -> list[tuple[str, str, dict[str, float]]]:
    rows = []
    for title, work, unit in WORK:
        samples = {proxy.name: [] for proxy in proxies}
        for round_number in range(rounds + 1):
            for proxy in proxies:
                before = cpu_seconds(proxy.process.pid)
                units = work(proxy)
                spent = (cpu_seconds(proxy.process.pid) - before) / units * SCALE[unit]
                if round_number > 0:  # the first one warms up
                    samples[proxy.name].append(spent)
        rows.append((title, f"{unit} CPU", {name: statistics.median(each) for name, each in samples.items()}))
        print(f"  {title}: done", file=sys.stderr)
    rows.append(("idle websocket, TLS", "KiB", {proxy.name: idle_memory(proxy) for proxy in proxies}))
    return rows


def table(rows) -> str:
    lines = [
        "| work | unit | usher | nginx | haproxy | ratio to the better |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for title, unit, by_name in rows:
        best = min(by_name["nginx"], by_name["haproxy"])
        cells = " | ".join(f"{by_name[name]:.1f}" for name in ("usher", "nginx", "haproxy"))
        lines.append(f"| {title} | {unit} | {cells} | {by_name['usher'] / best:.2f} |")
    return "\n".join(lines)


def versions() -> str:
    def first_line(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).splitlines()[0]

    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    return "\n".join([
        f"{os.cpu_count()} CPUs, {model}, Linux {platform.release()}",
        first_line(str(ROOT / "build/release/usher"), "version"),
        first_line("nginx", "-v"),
        first_line("haproxy", "-v"),
    ])  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    for tool in ("nginx", "haproxy", "h2load", "curl", "openssl"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: ./dev bench installs it")
    with tempfile.TemporaryDirectory(prefix="usher-bench-") as name:
        folder = Path(name)
        parts = Parts(folder)
        try:
            certificate = folder / "cert"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-subj", "/CN=localhost", "-days", "1"]
                + ["-keyout", f"{certificate}.key", "-out", f"{certificate}.crt"],
                check=True,
                capture_output=True,
            )
            replica = start_replica(parts)
            sockets = free_port()
            parts.start([sys.executable, str(ROOT / "bench/echo.py"), str(sockets)], OTHER_CPUS)
            await_port(sockets)
            proxies = [Proxy(each, parts, replica, sockets, certificate) for each in ("usher", "nginx", "haproxy")]
            time.sleep(1)  # health checks and first probes are over
            os.sched_setaffinity(0, OTHER_CPUS)
            rows = measure(proxies, options.rounds)
        finally:
            parts.end()
    print(versions(), table(rows), sep="\n\n")


if __name__ == "__main__":
    main()
