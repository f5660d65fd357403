"""ScoreGrid finds what a binary search finds, whatever the scores and however its cells lie."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gbdt_pwiser.objectives._score_grid import ScoreGrid

numbers = st.one_of(st.floats(-1e30, 1e30), st.floats(0, 1), st.sampled_from([0.0, -0.0, 1e30, 5e-324, 0.3]))


@given(st.lists(numbers, min_size=1), st.lists(numbers), st.lists(numbers))
@example([0.3], [0.3], [])
@example([0.0, 5e-324], [0.0, 5e-324, 1.0], [0.0, 1.0])
def test_locate_is_a_binary_search(scores, t, sample):
    distinct = np.unique(np.array(scores))
    wanted = np.array(t + scores)
    got = ScoreGrid(distinct, np.array(sample), np.float64).locate(wanted)
    np.testing.assert_array_equal(got, np.searchsorted(distinct, wanted, side="left"))


@pytest.mark.parametrize("crowd", [1, 2, 3, 1000])
def test_cells_that_hold_many_scores(crowd):
    rng = np.random.default_rng(0)
    distinct = np.unique(np.r_[0.5 + 1e-9 * rng.random(crowd), 0.0, 1.0])
    t = np.r_[distinct, np.nextafter(distinct, 2), 0.5 + 1e-9 * rng.random(1000), rng.random(1000)]
    got = ScoreGrid(distinct, t, np.float64).locate(t)
    np.testing.assert_array_equal(got, np.searchsorted(distinct, t, side="left"))


def test_scores_too_near_for_the_type_of_cells_are_located_all_the_same():
    scores = np.array([0.0, 7.5e-139])
    grid = ScoreGrid(scores, scores, np.float32)
    raw = np.array([-1.0, 0.0, 1e-150, 7.5e-139, 1e-100, 3.0])
    np.testing.assert_array_equal(grid.locate(raw), np.searchsorted(scores, raw))
