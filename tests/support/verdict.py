"""What a long run says on its way, and at its end: each thing that must hold, and whether it does."""

import time


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Verdict:
    def __init__(self):
        self.failures: list[str] = []

    def check(self, holds: bool, what: str) -> None:
        say(f"{'ok    ' if holds else 'FAILED'} {what}")
        if not holds:
            self.failures.append(what)

    def check_none(self, unexpected: list, what: str, shown: int = 5) -> None:
        """`what` says what would be wrong; the first of what was found stands below it."""
        self.check(not unexpected, f"{what}: {len(unexpected)}")
        for one in unexpected[:shown]:
            say(f"         {one}")
