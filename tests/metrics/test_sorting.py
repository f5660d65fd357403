"""Sorts of packed integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gbdt_pwiser.metrics.sorting import _sorted, order_of, sorted_in_groups

# Neighbouring floats, either zero and scores so far apart that their leading bits say little.
CLOSE = (0.3, np.nextafter(0.3, 1), np.nextafter(0.3, 0), -0.3, -0.0, 0.0, -np.inf, np.inf, 1e-300)


def check(found, score, group):
    np.testing.assert_array_equal(found.order, np.lexsort((score, group)))
    score, group = score[found.order], group[found.order]
    new_group = np.r_[True, group[1:] != group[:-1]][: len(group)]
    np.testing.assert_array_equal(found.new_group, new_group)
    np.testing.assert_array_equal(
        found.new_score, new_group | np.r_[True, score[1:] != score[:-1]][: len(group)]
    )


@given(
    hnp.arrays(
        np.uint64, st.integers(0, 60), elements=st.sampled_from([0, 1, 2, 2**63, 2**64 - 1, 2**63 + 1])
    )
)
def test_the_order_of_integers_whose_leading_bits_tie(values):
    check(_sorted(values), values, np.zeros(len(values)))


@given(
    rows=st.lists(st.tuples(st.sampled_from(CLOSE), st.sampled_from([-(2**63), -1, 0, 3, 2**63 - 1]))),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_the_order_inside_groups_is_that_of_a_stable_sort_by_two_keys(rows, dtype):
    score = np.array([score for score, _ in rows], dtype=dtype)
    group = np.array([group for _, group in rows], dtype=np.int64)
    check(sorted_in_groups(score, group), score, group)
    np.testing.assert_array_equal(order_of(score), np.argsort(score, kind="stable"))


@pytest.mark.parametrize("spread", [1, 30, 5000, 10**6, 2**62])
def test_many_scores_of_which_the_leading_bits_tie(spread):
    """The scores lie within 1e-9 of each other but for one, which leaves few bits to tell them apart."""
    rng = np.random.default_rng(spread)
    score = np.append(0.5 + rng.integers(0, 1000, 4999) * 1e-12, -np.inf)
    group = rng.integers(-spread, spread, 5000)
    check(sorted_in_groups(score, group), score, group)
    ascending = np.sort(group)
    check(sorted_in_groups(score, ascending), score, ascending)
