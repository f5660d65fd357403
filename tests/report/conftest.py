"""The table of results that is worked out by hand, and a comparison that never ran."""

import pytest

from tests.report.made import made
from tests.results import results

__all__ = ["results"]


@pytest.fixture
def comparison():
    """Results and details of two boosters, one of them with a loss of its own, calibrated; three seeds."""
    return made(dataset="simulated <1>", extra=("test_isotonic",))  # a name is text, not markup
