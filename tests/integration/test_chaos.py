"""The short form of ./dev chaos: every kind of trouble at least once, and nobody notices what they need not. Always the
same trouble: looking for the rare is the long form's."""

import os

import harness
import pytest

pytestmark = pytest.mark.load

CHAOS = harness.ROOT / "tests" / "chaos" / "chaos.py"


def clients() -> int:
    return 60 if harness.sanitized() else 300


@pytest.mark.parametrize("store, minutes", [("sentinel", 0.75), ("cluster", 0.5)])
def test_whatever_breaks_the_clients_go_on(tmp_path, store, minutes):
    if not harness.Hosts(tmp_path).work():
        pytest.skip("no mount namespace here")
    chaos = harness.Child("chaos", tmp_path)
    arguments = [minutes, "--clients", clients(), "--folder", tmp_path / "run", "--seed", os.environ.get("USHER_TEST_SEED", "1")]
    arguments += ["--cluster"] if store == "cluster" else []
    with chaos:
        chaos.spawn([harness.PYTHON, CHAOS, *arguments], {"USHER_BIN": harness.usher_binary()})
        code = chaos.wait(300)
        print(chaos.stdout)
        assert code == 0, f"{chaos.stdout}\n{chaos.stderr[-8000:]}"
