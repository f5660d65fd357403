"""What tests of simulated exposures share."""

import numpy as np

N = 100_000
SEARCH_COLUMNS = [f"categorical_{i}" for i in range(1, 10)] + [f"numerical_{i}" for i in range(1, 24)]


def assert_rate(hits: np.ndarray, rate: float) -> None:
    """A share of independent draws lies within five standard errors."""
    assert abs(hits.mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / len(hits))
