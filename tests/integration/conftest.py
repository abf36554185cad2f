import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import harness  # noqa: E402


@pytest.fixture
def bare_house(tmp_path):
    """The parts without usher."""
    house = harness.House(tmp_path)
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def house(bare_house):
    """The real parts of one test; all of them are ended with it."""
    if not harness.usher_binary():
        pytest.fail("no usher binary: build it, or name it in USHER_BIN")
    return bare_house


@pytest.fixture
def replica(house):
    return house.replica()


@pytest.fixture
def node(house, replica):
    return house.usher([replica])
