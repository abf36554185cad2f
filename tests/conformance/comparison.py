"""What a suite found on each way to the same server, and whether the ways differ."""

import dataclasses
import itertools

DIRECT = "direct"


@dataclasses.dataclass(frozen=True)
class Way:
    """How the suite reaches the server: without usher, or through it over a scheme to so many replicas; h2 is HTTP/2 over
    TLS, its websockets by extended CONNECT; `beside`: while another replica, and all who are there, dies and comes back
    all the time."""

    name: str
    scheme: str = "http"
    replicas: int = 1
    beside: bool = False

    @property
    def is_direct(self) -> bool:
        return self.name == DIRECT


DIRECTLY = Way(DIRECT)


class Comparison:
    """One suite against one server: for each way and case the outcomes that were seen, over all runs.

    Through usher a case must end in one of the ways in which it was seen to end directly. Cases wait for some hundred
    milliseconds at most, so that a busy machine alone may fail them: those that differ are looked at again, alone and
    in turns on both ways. What the second look finds different is different; of the cases in `races` only what never
    ends as it does directly.
    """

    def __init__(self, suite: str, server: str, races=()):
        self.suite = suite
        self.server = server
        self.races = races
        self.runs = Outcomes()
        self.looks: dict[Way, Outcomes] = {}

    def add(self, way: Way, outcomes: dict[str, object]) -> None:
        self.runs.add(way, outcomes)

    def look_again(self, run, ways: list[Way], times: int) -> None:
        """`run(way, cases)` runs only these cases on this way."""
        for way in ways:
            cases = self.runs.differing(way)
            looks = self.looks[way] = Outcomes()
            for _ in range(times if cases else 0):
                for one in (DIRECTLY, way):
                    looks.add(one, run(one, cases))

    @property
    def ways(self) -> list[Way]:
        return list(self.looks)

    def looked_at_again(self, way: Way) -> list[str]:
        return self.runs.differing(way)

    def differing(self, way: Way) -> list[str]:
        return [case for case in self.looked_at_again(way) if self.differs(way, case)]

    def differs(self, way: Way, case: str) -> bool:
        # Through usher: what the second look saw. Directly: whatever was seen at any time.
        through = self.looks[way].of(way, case)
        direct = [one for outcomes in (self.runs, *self.looks.values()) for one in outcomes.of(DIRECTLY, case)]
        alike = [one in direct for one in through]
        return not any(alike) if case in self.races else not all(alike)

    def describe(self, way: Way, case: str) -> str:
        lines = [f"{self.suite}, {self.server}, {way.name}: {case}"]
        for when, outcomes in (("", self.runs), ("second look, ", self.looks[way])):
            lines.append(f"    {when}direct: {outcomes.text(DIRECTLY, case)}")
            lines.append(f"    {when}usher: {outcomes.text(way, case)}")
        return "\n".join(lines)


class Outcomes:
    def __init__(self):
        self.seen: dict[Way, dict[str, list]] = {}
        self.runs: dict[Way, int] = {}

    def add(self, way: Way, outcomes: dict[str, object]) -> None:
        self.runs[way] = self.runs.get(way, 0) + 1
        for case, outcome in outcomes.items():
            self.seen.setdefault(way, {}).setdefault(case, []).append(outcome)

    def of(self, way: Way, case: str) -> list:
        return self.seen.get(way, {}).get(case, [])

    def varying(self) -> list[str]:
        """The cases that do not always end in the same way even directly."""
        return [case for case, outcomes in self.seen[DIRECTLY].items() if any(one != outcomes[0] for one in outcomes)]

    def differing(self, way: Way) -> list[str]:
        """The cases with an outcome on this way that was never seen directly, and those that only one way has."""
        direct, through = self.seen.get(DIRECTLY, {}), self.seen.get(way, {})
        differ = [case for case in through if any(one not in direct.get(case, []) for one in through[case])]
        return differ + [case for case in direct if case not in through]

    def text(self, way: Way, case: str) -> str:
        texts = sorted(map(str, self.of(way, case)))
        return " | ".join(f"{len(list(same))} x {text}" for text, same in itertools.groupby(texts)) or "-"


def table(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
