"""Sorts of packed integers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gbdt_pwiser.metrics.sorting import _argsort


@given(
    hnp.arrays(
        np.uint64, st.integers(1, 60), elements=st.sampled_from([0, 1, 2, 2**63, 2**64 - 1, 2**63 + 1])
    )
)
def test_the_order_of_integers_whose_leading_bits_tie(values):
    order = _argsort(values)
    np.testing.assert_array_equal(np.sort(values), values[order])
    np.testing.assert_array_equal(np.sort(order), np.arange(len(values)))
