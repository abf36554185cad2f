"""The same work through usher, nginx and HAProxy in turn: what each spends on a unit of it, and how long it takes.

docs/performance.md says what is measured and how. One measurement is a proxy, freshly started on a CPU of its own,
and bench/replica and bench/load on another; a round is every proxy once; the result is the median of the rounds.
Everything is on the loopback, has a deadline, and is ended at the end.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from proxies import CONFIGURED, Proxy, free_port, make_certificate, version

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "build/release/bench"
BEGIN, END = "<!-- ./dev bench --markdown: begin -->", "<!-- ./dev bench --markdown: end -->"


@dataclasses.dataclass
class Work:
    name: str
    title: str
    load: str  # arguments of usher_bench_load
    tls: bool = True
    unit: str = "us CPU"
    bar: float | None = None  # the ratio of CPU to the better of the others that usher must not exceed
    memory: str = ""  # title of the row for the private memory of each connection
    memory_bar: float | None = None  # KiB
    relays: bool = False  # websocket messages: --syscalls counts the calls for each
    latency: bool = True

    @property
    def scale(self) -> float:
        return {"us CPU": 1e6, "ms CPU": 1e3}[self.unit]

    @property
    def http2(self) -> bool:
        return self.load.startswith("h2load ")

    @property
    def connections(self) -> int:
        return int(re.search(r"--connections (\d+)", self.load)[1])


PACED = "one in 20 ms"
WORK = [
    Work("echo", "websocket echo 128 B, TLS, 64 at once", "echo --connections 64", bar=0.8, relays=True),
    Work("socketio", "Socket.IO event and acknowledgement, 128 B, TLS, 64 at once", "socketio --connections 64", relays=True),
    Work("idle", "4,000 idle websockets, TLS", "idle --connections 4000", memory="idle websocket, TLS",
         memory_bar=12),
    Work("tokens", f"message of 100 B on 200 websockets, TLS, {PACED} each", "tokens --connections 200", bar=0.8,
         relays=True),
    Work("events", f"event of 100 B in 200 SSE streams, TLS, {PACED} each", "events --connections 200", bar=0.8),
    Work("get", "GET 1 KiB, 64 at once", "keep-alive --path /kib --connections 64", tls=False, bar=1.0),
    Work("get-tls", "GET 1 KiB, TLS, 64 at once", "keep-alive --path /kib --connections 64", bar=1.0),
    Work("get-h2", "GET 1 KiB, HTTP/2, TLS, 8 connections with 8 at once each", "h2load -c 8 -m 8", bar=1.0, latency=False),
    Work("handshake", "connection for each GET, full TLS handshake, 64 at once", "per-request --connections 64",
         bar=1.05),
    Work("down", "1 GiB down", "download --connections 1", tls=False, unit="ms CPU", bar=1.0, latency=False),
    Work("down-tls", "1 GiB down, TLS", "download --connections 1", unit="ms CPU", bar=1.0, latency=False),
    Work("up", "1 GiB up", "upload --connections 1", tls=False, unit="ms CPU", bar=1.0, latency=False),
    Work("up-tls", "1 GiB up, TLS", "upload --connections 1", unit="ms CPU", bar=1.0, latency=False),
    Work("crowd", "GET 1 KiB, 100 at once of 10,000 kept alive",
         "keep-alive --path /kib --connections 10000 --active 100", tls=False, memory="kept-alive connection"),
]  # fmt: skip


class Failed(Exception):
    pass


class Processes:
    """What runs during one measurement; all of it ends with it."""

    def __init__(self, cpu: int):
        self.cpu = cpu
        self.started: list[subprocess.Popen] = []

    def start(self, command: list[str], stdout=subprocess.PIPE, stderr: Path | None = None, **options):
        with contextlib.ExitStack() as files:
            if isinstance(stdout, Path):
                stdout = files.enter_context(open(stdout, "wb"))
            errors = files.enter_context(open(stderr, "wb"))
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the driver, which ends the others
                preexec_fn=lambda: os.sched_setaffinity(0, [self.cpu]),
                **options,
            )
        self.started.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()


class Load:
    """usher_bench_load, which says "ready", works when it is told to, and reports in JSON."""

    def __init__(self, processes: Processes, work: Work, proxy: Proxy, replica: int, seconds: float, warm_up: float):
        self.errors = proxy.folder / "load.err"
        port = proxy.https if work.tls else proxy.http
        command = [str(PROGRAMS / "usher_bench_load"), *work.load.split(), "--port", str(port)]
        command += ["--tls"] if work.tls else []
        command += ["--seconds", str(seconds), "--warm-up", str(warm_up)]
        command += ["--replica", str(replica)]
        for pid in proxy.processes():
            command += ["--proxy", str(pid)]
        self.process = processes.start(command, stderr=self.errors)
        self.deadline = threading.Timer(120 + 2 * seconds, self.process.kill)
        self.deadline.daemon = True
        self.deadline.start()

    def _line(self) -> str:
        line = self.process.stdout.readline().decode()
        if not line:
            self.process.wait()
            raise Failed(self.errors.read_text().strip() or f"load: past its deadline ({self.process.returncode})")
        return line.strip()

    def await_ready(self) -> None:
        if self._line() != "ready":
            raise Failed("load: not ready")

    def work(self) -> dict:
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.deadline.cancel()


def cpu_seconds(pid: int) -> float:
    return sum(int(thread.read_text().split()[0]) for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


class Http2Load:
    """h2load, which others wrote: it has no second phase, and of its own cost only its CPU time is of interest."""

    def __init__(self, processes: Processes, work: Work, proxy: Proxy, replica: int, seconds: float, warm_up: float):
        self.processes, self.proxy, self.replica, self.seconds = processes, proxy, replica, seconds
        self.command = [*work.load.split(), "-t", "1", "--tls13-ciphers=TLS_AES_128_GCM_SHA256", f"https://127.0.0.1:{proxy.https}/kib"]

    def await_ready(self) -> None:
        self.run(1)

    def run(self, seconds: float) -> str:
        """What h2load says of so many seconds; all requests were answered well."""
        errors = self.proxy.folder / "load.err"
        process = self.processes.start([*self.command, "-D", str(max(1, int(seconds)))], stderr=errors)
        said = process.communicate(timeout=60 + 2 * seconds)[0].decode()
        counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", said)
        if not counts or int(counts[3]) or "Application protocol: h2" not in said:
            raise Failed(f"h2load: {said}")
        return said

    def work(self) -> dict:
        proxies = self.proxy.processes()
        before, other_before, began = sum(map(cpu_seconds, proxies)), cpu_seconds(self.replica), time.monotonic()
        said = self.run(self.seconds)
        tls = [re.search(rf"^{what}: (\S+)", said, re.MULTILINE)[1] for what in ("TLS Protocol", "Cipher", "Server Temp Key")]
        return {
            "units": int(re.search(r"(\d+) succeeded", said)[1]),
            "cryptography": " ".join(tls).replace("X25519", "x25519"),
            "seconds": time.monotonic() - began,
            "cpu_seconds": sum(map(cpu_seconds, proxies)) - before,
            "others_cpu_seconds": cpu_seconds(self.replica) - other_before,
            "p50_us": 0,
            "p99_us": 0,
        }

    def end(self) -> None:
        pass


class Bench:
    def __init__(self, folder: Path, seconds: float):
        self.folder, self.seconds = folder, seconds
        self.certificate = make_certificate(folder)
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            sys.exit("the proxy needs a CPU for itself: two at least")
        self.proxy_cpu, self.other_cpu = cpus[0], cpus[-1]
        os.sched_setaffinity(0, [self.other_cpu])
        self.measurements = 0

    @contextlib.contextmanager
    def serving(self, name: str, work: Work):
        """A replica with the proxy in front, and what starts a load before them."""
        self.measurements += 1
        folder = self.folder / str(self.measurements)
        folder.mkdir(mode=0o755)
        with Processes(self.proxy_cpu) as alone, Processes(self.other_cpu) as others:
            port = free_port()
            replica = others.start([str(PROGRAMS / "usher_bench_replica"), str(port)], stderr=folder / "replica.err")
            proxy = None
            try:
                proxy = Proxy(name, alone.start, folder / name, port, self.certificate)

                def start_load(seconds: float, warm_up: float = 0.5, arguments: str = work.load) -> Load | Http2Load:
                    changed = dataclasses.replace(work, load=arguments)
                    return (Http2Load if work.http2 else Load)(others, changed, proxy, replica.pid, seconds, warm_up)

                yield proxy, start_load
                if replica.poll() is not None or proxy.process.poll() is not None:
                    raise Failed("the replica or the proxy has ended")
            except Failed as failure:
                said = (folder / "replica.err").read_text() + (proxy.said() if proxy else "")
                raise Failed(f"{work.name} through {name}: {failure}\n{said}") from None

    def measure(self, name: str, work: Work) -> dict:
        with self.serving(name, work) as (proxy, start_load):
            before = proxy.private_kib()
            load = start_load(self.seconds)
            load.await_ready()
            if work.memory:
                time.sleep(1)  # what the proxy frees only later is not counted
                each = (proxy.private_kib() - before) / work.connections
            result = load.work()
            load.end()
            if work.memory:
                result["kib"] = each
        return result

    def count_calls(self, name: str, work: Work) -> dict[str, float]:
        """System calls of the proxy for each websocket message that it relays, by name."""
        # strace makes the proxy several times slower, and it still has to keep up with a paced load.
        fewer = work.load.replace("--connections 200", "--connections 20 --any-pace")
        with self.serving(name, work) as (proxy, start_load):
            load = start_load(self.seconds, warm_up=0, arguments=fewer)
            load.await_ready()  # every connection is open, and nothing moves
            counts = proxy.folder / "strace"
            attach = [argument for pid in proxy.processes() for argument in ("-p", str(pid))]
            with Processes(self.other_cpu) as watchers:
                command = ["strace", "-c", "-f", "-U", "name,calls", "-o", str(counts), *attach]
                strace = watchers.start(command, stderr=proxy.folder / "strace.err")
                deadline = time.monotonic() + 20
                while (proxy.folder / "strace.err").read_text().count(" attached") < len(proxy.processes()):
                    if strace.poll() is not None or time.monotonic() > deadline:
                        raise Failed("strace: " + (proxy.folder / "strace.err").read_text())
                    time.sleep(0.05)
                relayed = load.work()["relayed"]
                strace.send_signal(signal.SIGINT)
                strace.wait(20)
            load.end()
            rows = re.findall(r"^(\w+) +(\d+)$", counts.read_text(), re.MULTILINE)
            if relayed == 0 or not rows:
                raise Failed(f"strace counted nothing: {counts.read_text()}")
            return {call: int(calls) / relayed for call, calls in rows if call != "total"}

    def hold(self, name: str, work: Work, seconds: float) -> None:
        with self.serving(name, work) as (proxy, start_load):
            load = start_load(seconds)
            load.await_ready()
            print(f"{name}: processes {proxy.processes()}, http {proxy.http}, https {proxy.https}", flush=True)
            print(describe(name, work, load.work()))
            load.end()


def busy(result: dict, whose: str) -> float:
    return result[whose] / result["seconds"]


def describe(name: str, work: Work, result: dict) -> str:
    each = result["cpu_seconds"] / result["units"] * work.scale if result["units"] else 0
    text = f"  {work.name:10} {name:8}"
    if result["units"]:
        text += f" {each:9.2f} {work.unit}  {result['units'] / result['seconds']:9.1f}/s"
        text += f"  p50 {result['p50_us']:8.0f} us  p99 {result['p99_us']:8.0f} us"
    if "kib" in result:
        text += f"  {result['kib']:6.2f} KiB"
    return text + f"  busy {busy(result, 'cpu_seconds'):4.0%}, the other CPU {busy(result, 'others_cpu_seconds'):4.0%}"


def measure_all(bench: Bench, works: list[Work], names: list[str], rounds: int) -> dict:
    """Every result, by work and proxy, one for each round. The proxies take turns within a round."""
    results = {work.name: {name: [] for name in names} for work in works}
    for work in works:
        for _ in range(rounds):
            for name in names:
                result = bench.measure(name, work)
                results[work.name][name].append(result)
                print(describe(name, work, result), file=sys.stderr)
        used = {each["cryptography"] for samples in results[work.name].values() for each in samples}
        if len(used) != 1:
            raise Failed(f"{work.name}: not the same cryptography for all: {used}")
    return results


# --- What is printed ------------------------------------------------------------------------------------------------


def median(samples: list[dict], value) -> float:
    return statistics.median(value(sample) for sample in samples)


def compared(title: str, unit: str, samples: dict[str, list[dict]], value, bar: float | None, limit: float | None):
    """A row: the medians, the ratio to the better of the others with its range over the rounds, and the verdict."""
    medians = {name: median(each, value) for name, each in samples.items()}
    cells = [title, unit, *(f"{each:.1f}" for each in medians.values())]
    others = [name for name in samples if name != "usher"]
    if "usher" not in samples or not others:
        return [*cells, "", "", "", ""]
    ratio = medians["usher"] / min(medians[name] for name in others)
    rounds = list(zip(*samples.values()))
    by_round = [value(each[0]) / min(value(other) for other in each[1:]) for each in rounds]
    missed = (bar and ratio > bar) or (limit and medians["usher"] > limit)
    wanted = f"{bar}" if bar else f"{limit} {unit}" if limit else "-"
    verdict = "" if not bar and not limit else "**missed**" if missed else "met"
    return [*cells, f"{ratio:.2f}", f"{min(by_round):.2f} to {max(by_round):.2f}", wanted, verdict]


def markdown(heading: list[str], rows: list[list[str]], text_columns: int) -> str:
    lines = [heading, ["---"] * text_columns + ["---:"] * (len(heading) - text_columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cost_table(works: list[Work], names: list[str], results: dict) -> str:
    rows = []
    for work in works:
        samples = results[work.name]
        if all(each["units"] for name in names for each in samples[name]):
            rows.append(compared(work.title, work.unit, samples,
                                 lambda each: each["cpu_seconds"] / each["units"] * work.scale, work.bar, None))
        if work.memory:
            rows.append(compared(work.memory, "KiB", samples, lambda each: each["kib"], None, work.memory_bar))
    heading = ["work", "each costs", *names, "ratio", "over the rounds", "bar", ""]
    return markdown(heading, rows, 2)  # fmt: skip


def speed_table(works: list[Work], names: list[str], results: dict) -> str:
    def cell(work: Work, value, text: str) -> str:
        return " / ".join(text.format(median(results[work.name][name], value)) for name in names)

    rows = []
    for work in works:
        if not all(each["units"] for name in names for each in results[work.name][name]):
            continue
        rate = cell(work, lambda each: each["units"] / each["seconds"], "{:,.0f}" if work.latency else "{:.2f}")
        p50 = cell(work, lambda each: each["p50_us"], "{:,.0f}") if work.latency else "-"
        p99 = cell(work, lambda each: each["p99_us"], "{:,.0f}") if work.latency else "-"
        proxy = cell(work, lambda each: 100 * busy(each, "cpu_seconds"), "{:.0f}")
        others = cell(work, lambda each: 100 * busy(each, "others_cpu_seconds"), "{:.0f}")
        rows.append([work.title, rate, p50, p99, proxy, others])
    by = " / ".join(names)
    return f"In each cell: {by}.\n\n" + markdown(
        ["work", "per second", "p50, us", "p99, us", "% of the proxy's CPU", "% of the other CPU"], rows, 1
    )


def machine(names: list[str], rounds: int, seconds: float, cryptography: set[str]) -> str:
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    programs = ", ".join(version(name) for name in names)
    kernel = ".".join(platform.release().split(".")[:2])
    plural = "" if rounds == 1 else "s"
    return (
        f"{datetime.date.today()}: {os.cpu_count()}"
        f" CPUs, {model}, Linux {kernel}; {programs}; {rounds} round{plural} of {seconds:g} s;"
        f" {', '.join(cryptography - {''}) or 'no TLS'}."
    )


def write_markdown(file: Path, text: str) -> None:
    """Between the two marks, if the file has them; else the whole file."""
    old = file.read_text() if file.exists() else f"{BEGIN}{END}\n"
    if BEGIN not in old or END not in old:
        sys.exit(f"{file} has no marks\n{BEGIN}\n{END}")
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


# --- The command line -----------------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    names = [work.name for work in WORK]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement, after half a second of warm-up")
    parser.add_argument("--only", action="append", choices=names, help="this work alone; may be repeated")
    parser.add_argument("--proxy", action="append", choices=list(CONFIGURED), help="this one alone; may be repeated")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there, between the marks")
    parser.add_argument("--syscalls", action="store_true", help="count system calls for each relayed message instead")
    parser.add_argument("--hold", type=float, metavar="SECONDS",
                        help="keep one load up for so long and print the proxy's processes")  # fmt: skip
    return parser.parse_args()


def main() -> None:
    options = parse()
    works = [work for work in WORK if not options.only or work.name in options.only]
    names = [name for name in CONFIGURED if not options.proxy or name in options.proxy]
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: sys.exit("ended"))
    with tempfile.TemporaryDirectory(prefix="usher-bench-") as name:
        os.chmod(name, 0o755)  # nginx's worker has fewer rights
        bench = Bench(Path(name), options.seconds)
        try:
            if options.hold:
                if len(works) != 1 or len(names) != 1:
                    sys.exit("--hold needs one --only and one --proxy")
                bench.hold(names[0], works[0], options.hold)
            elif options.syscalls:
                print_calls(bench, [work for work in works if work.relays], options.proxy or ["usher"])
            else:
                report(options, works, names, measure_all(bench, works, names, options.rounds))
        except (Failed, RuntimeError) as failure:
            sys.exit(f"failed: {failure}")


def report(options: argparse.Namespace, works: list[Work], names: list[str], results: dict) -> None:
    cryptography = {each["cryptography"] for by in results.values() for samples in by.values() for each in samples}
    text = "\n\n".join([
        machine(names, options.rounds, options.seconds, cryptography),
        cost_table(works, names, results),
        speed_table(works, names, results),
    ])  # fmt: skip
    print(text)
    if options.markdown:
        write_markdown(options.markdown, text)


def print_calls(bench: Bench, works: list[Work], names: list[str]) -> None:
    for work in works:
        for name in names:
            calls = bench.count_calls(name, work)
            print(f"{work.name} through {name}: {sum(calls.values()):.3f} calls for each relayed message")
            for call, each in sorted(calls.items(), key=lambda item: -item[1]):
                if each >= 0.0005:
                    print(f"  {call:20} {each:.3f}")


if __name__ == "__main__":
    main()
