"""Array libraries and exposures that several modules of tests share."""

import os

import pytest

from gbdt_pwiser.objectives import _block, _parallel, _wins
from tests.objectives.boosters import Data
from tests.objectives.libraries import LIBRARIES, require


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request):
    """Each array library that is installed."""
    require(request.param)
    return request.param


@pytest.fixture(scope="module")
def data():
    """Exposures to train boosters on."""
    return Data()


@pytest.fixture
def many_blocks(monkeypatch):
    """Cut a few rows into as many blocks, and other threads' shares of the work, as millions of them."""
    monkeypatch.setattr(_block, "BLOCK", 3)
    monkeypatch.setattr(_wins, "FEWEST_ROWS", 0)
    monkeypatch.setattr(_parallel, "FEWEST_ROWS", 0)


# The whole suite in blocks of a few rows, on so many threads: TEST_THREADS=7 pytest tests/objectives
if threads := os.environ.get("TEST_THREADS"):

    @pytest.fixture(autouse=True)
    def on_threads(request, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        if "memory" not in request.node.name:  # a million rows would be a third as many blocks
            request.getfixturevalue("many_blocks")
