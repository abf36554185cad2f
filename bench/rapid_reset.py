"""What one client that takes back every request as fast as it can (bench/attack.py) costs the others.

The others are 64 kept-alive connections over TLS, each of which asks for 1 KiB again when it has been answered; they and
the attacker share a CPU, the proxy has the other one. A round is the same proxy without the attack, beside a process that
only takes the attacker's share of that CPU, and with the attack: what the attack costs is told by the last two. It is also
told from the proxy's CPU time alone: the part of it that the others' requests do not explain.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench import WORK, Bench, Failed, Processes, markdown
from proxies import CONFIGURED

OTHERS = next(work for work in WORK if work.name == "get-tls")
ATTACK = Path(__file__).resolve().with_name("attack.py")
KINDS = ["at-once", "begun"]
BUSY = [sys.executable, "-c", "while True: pass"]


def measure(bench: Bench, name: str, kind: str) -> dict:
    def rate(work: dict) -> float:
        return work["units"] / work["seconds"]

    with bench.serving(name, OTHERS) as (proxy, start_load), Processes(bench.other_cpu) as attackers:
        load = start_load(bench.seconds)
        load.await_ready()
        quiet = load.work()
        load.end()
        load = start_load(bench.seconds)
        load.await_ready()
        busy = attackers.start(BUSY, stderr=proxy.folder / "busy.err")
        crowded = load.work()
        busy.kill()
        busy.wait()
        load.end()
        load = start_load(bench.seconds)
        load.await_ready()
        attacker = attackers.start([sys.executable, str(ATTACK), str(proxy.https), kind], stderr=proxy.folder / "attack.err")
        attacked = load.work()
        load.end()
        attacker.terminate()
        said = attacker.communicate(timeout=20)[0]
        if not said or not json.loads(said)["resets"]:
            raise Failed("the attacker has done nothing: " + (proxy.folder / "attack.err").read_text())
        did = json.loads(said)
    each = quiet["cpu_seconds"] / quiet["units"]
    return {
        "without": rate(quiet),
        "beside": rate(crowded),
        "with": rate(attacked),
        "lost": 1 - rate(attacked) / rate(crowded),
        "cpu": 1 - attacked["units"] * each / attacked["cpu_seconds"],
        "p99": attacked["p99_us"],
        "connections": did["connections"] / attacked["seconds"],
        "resets": did["resets"] / attacked["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench rapid-reset", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--proxy", action="append", choices=list(CONFIGURED), help="this one alone; may be repeated")
    options = parser.parse_args()
    names = [name for name in CONFIGURED if not options.proxy or name in options.proxy]
    rows = []
    with tempfile.TemporaryDirectory(prefix="usher-bench-") as folder:
        os.chmod(folder, 0o755)
        bench = Bench(Path(folder), options.seconds)
        for kind in KINDS:
            results: dict[str, list[dict]] = {name: [] for name in names}
            for _ in range(options.rounds):
                for name in names:
                    result = measure(bench, name, kind)
                    print(f"{kind} {name}: " + ", ".join(f"{key} {value:.3g}" for key, value in result.items()), file=sys.stderr)
                    results[name].append(result)
            for name, rounds in results.items():
                middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
                lost = [each["lost"] for each in rounds]
                rows.append([
                    kind, name, f"{middle['without']:,.0f}", f"{middle['beside']:,.0f}", f"{middle['with']:,.0f}", f"{middle['lost']:.0%}",
                    f"{min(lost):.0%} to {max(lost):.0%}", f"{middle['cpu']:.0%}", f"{middle['p99']:,.0f}",
                    f"{middle['connections']:,.0f}", f"{middle['resets']:,.0f}",
                ])  # fmt: skip
    heading = ["attack", "proxy", "requests/s", "beside a busy process", "attacked", "lost", "over the rounds", "of its CPU", "p99, us", "connections/s", "resets/s"]
    print(markdown(heading, rows, 2))


if __name__ == "__main__":
    try:
        main()
    except (Failed, RuntimeError) as failure:
        sys.exit(f"failed: {failure}")
