"""Exposures beside their prediction, and as a bootstrap sees them."""

import numpy as np
import pytest

from gbdt_pwiser.metrics.scored import Sample, ScoredExposures, Units, once
from tests.metrics.helpers import make_exposures

PCTR, PCTCVR = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 0.1, 0.1, 0.2])


def test_what_metrics_share_is_computed_once_for_each_prediction():
    computed = []

    @once
    def clicks(scored):
        computed.append(scored)
        return int(scored.click.sum())

    first, second = (ScoredExposures(make_exposures([0, 1, 2, 0]), PCTR, PCTCVR) for _ in range(2))
    assert [clicks(s) for s in (first, second, first)] == [2, 2, 2]
    assert [id(s) for s in computed] == [id(first), id(second)]


@pytest.mark.parametrize(
    ("group", "index", "count", "numbered"),
    [([7, -2, 7, 7], [1, 0, 1, 1], 2, [1, 0, 1, 1]), (None, [0, 1, 2, 3], 4, None)],
)
def test_units_are_the_groups_or_the_exposures(group, index, count, numbered):
    exposures = make_exposures([0, 1, 2, 0], group=group)
    units = Units.of(exposures)
    assert (units.index.tolist(), units.count) == (index, count)
    sample = Sample(exposures, PCTR, PCTCVR, units)
    assert (None if sample.group is None else sample.group.tolist()) == numbered
    by_hand = [[c[units.index == u].sum() for u in range(count)] for c in (PCTR, sample.click)]
    np.testing.assert_allclose(units.sums(PCTR, sample.click), by_hand, rtol=1e-15)
