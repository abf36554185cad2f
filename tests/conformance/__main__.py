"""Runs the conformance suites of others through usher and, those of websockets, straight against the servers too."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import autobahn  # noqa: E402
import harness  # noqa: E402
import scripts  # noqa: E402
from comparison import DIRECTLY, Comparison, table  # noqa: E402
from protocols import SERVERS, Protocol  # noqa: E402

SUITES = {suite.name: suite for suite in [Protocol("engine.io"), Protocol("socket.io"), *autobahn.SUITES, *scripts.SUITES]}
PEERS = sorted([*SERVERS, *autobahn.ECHO_SERVERS])


def arguments():
    parser = argparse.ArgumentParser(prog="./dev conformance", description=__doc__)
    parser.add_argument("suite", nargs="*", help=f"of {', '.join(SUITES)}; without: all")
    folder = os.environ.get("USHER_SUITES")
    parser.add_argument("--suites", type=Path, default=folder, help="the folder with the checkouts ($USHER_SUITES)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of a protocol suite on each way (3)")
    parser.add_argument("--looks", type=int, default=5, help="second looks at the cases that differ (5)")
    parser.add_argument("--as-published", action="store_true", help="protocol suites with their own websockets")
    parser.add_argument("--cases", nargs="+", default=["*"], metavar="PATTERN", help='Autobahn cases: "7.*" (all)')
    parser.add_argument("--peer", choices=PEERS, help="only this server or client")
    options = parser.parse_args()
    if unknown := set(options.suite) - set(SUITES):
        parser.error(f"no suite {', '.join(sorted(unknown))}")
    return options


HEAD = [
    "suite",
    "server or client",
    "through usher",
    "runs",
    "pass directly",
    "pass through usher",
    "looked at again",
    "differ",
]


def rows(found: Comparison) -> list[list[str]]:
    lines = []
    for way in found.ways:
        direct, through = found.runs.seen[DIRECTLY], found.runs.seen[way]
        looks = [len(found.looked_at_again(way)), len(found.differing(way))]
        passes = [passed(direct), passed(through)]
        lines.append([found.suite, found.server, way.name, str(found.runs.runs[way]), *passes, *map(str, looks)])
    return lines


def passed(cases: dict[str, list]) -> str:
    """How many cases the suite itself was always content with."""
    good = sum(all(is_good(outcome) for outcome in outcomes) for outcomes in cases.values())
    return f"{good} of {len(cases)}"


def is_good(outcome) -> bool:
    if isinstance(outcome, str):
        return outcome == "pass"
    good = ("OK", "NON-STRICT", "INFORMATIONAL")
    return outcome.observed["behavior"] in good and outcome.observed["behaviorClose"] in good


def main() -> int:
    options = arguments()
    chosen = [SUITES[name] for name in options.suite or SUITES]
    if not options.suites:
        print("Say in USHER_SUITES, or after --suites, which folder the checkouts are in. How to get each, there:")
        print("\n".join(f"  {suite.name}: {suite.missing(Path('/nonexistent'))}" for suite in chosen))
        return 2
    if not harness.usher_binary():
        print("There is no usher binary: ./dev build")
        return 2

    suites = options.suites.resolve()
    found, absent, failed, lines = [], [], [], [HEAD]
    for suite in chosen:
        if how := suite.missing(suites):
            absent.append(f"{suite.name} is not in {suites}. To get it, in that folder: {how}")
            continue
        print(f"==> {suite.name} at {suite.version(suites)}", flush=True)
        try:
            comparisons = suite.run(suites, options)
        except scripts.Failed:
            failed.append(suite.name)
            continue
        for comparison in comparisons:
            found.append(comparison)
            lines += rows(comparison)
    if found:
        print("\n" + table(lines))
    for comparison in found:
        if varying := comparison.runs.varying():
            print(f"\n{comparison.suite}, {comparison.server}: vary without usher too: {', '.join(varying)}")
        for way in comparison.ways:
            for case in comparison.looked_at_again(way):
                print("\n" + comparison.describe(way, case))
    for line in absent:
        print("\n" + line)
    for name in failed:
        print(f"\n{name} failed")
    differing = [case for comparison in found for way in comparison.ways for case in comparison.differing(way)]
    return 1 if absent or failed or differing else 0


if __name__ == "__main__":
    sys.exit(main())
