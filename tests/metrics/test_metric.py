"""Metrics as functions of the weights of what a bootstrap draws."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.metrics.metric import Bootstrap, DeLong, GroupValues, exposure_metric, group_metric
from gbdt_pwiser.metrics.scored import Sample, ScoredExposures, Units
from tests.metrics.helpers import make_exposures

TESTED = {name: metric for name, metric in METRICS.items() if isinstance(metric.gain_test, Bootstrap)}


@pytest.fixture
def sample():
    """Fifty groups of four, clicks in nearly half of the exposures."""
    rng = np.random.default_rng(0)
    grade = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    exposures = make_exposures(grade, group=rng.permutation(np.arange(200) // 4) * 3 - 20)
    pctr = np.round(rng.beta(1 + grade, 3), 2)
    return Sample(exposures, pctr, pctr * np.round(rng.random(200), 1), Units.of(exposures))


def drawn(sample, counts):
    """The sample with each group as often as it was drawn, every copy a group of its own."""
    rows = [np.flatnonzero(sample.units.index == unit) for unit in np.repeat(np.arange(len(counts)), counts)]
    group = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    rows = np.concatenate(rows)
    exposures = make_exposures(sample.exposures.grade[rows], group=group)
    return ScoredExposures(exposures, sample.pctr[rows], sample.pctcvr[rows])


@pytest.mark.parametrize("name", TESTED)
def test_the_statistic_of_drawn_groups_is_the_metric_of_their_copies(name, sample):
    metric = TESTED[name]
    statistic = metric.gain_test.statistic(sample)
    assert statistic(np.ones(50)) == pytest.approx(metric.compute(sample), rel=1e-12)
    if name != "ece":  # its bins stay those of the sample
        counts = np.random.default_rng(1).integers(0, 4, 50)
        assert statistic(counts.astype(float)) == pytest.approx(
            metric.compute(drawn(sample, counts)), rel=1e-9
        )


def test_a_ranking_has_the_rows_and_positives_of_the_data(sample):
    other = Sample(sample.exposures, sample.pctr[::-1].copy(), sample.pctcvr[::-1].copy(), sample.units)
    for metric in METRICS.values():
        if isinstance(metric.gain_test, DeLong) and (ranked := metric.gain_test.ranking(sample)):
            rows = np.ones(200, bool) if ranked.rows is None else ranked.rows
            assert ranked.score.shape == ranked.positive.shape == (rows.sum(),)
            np.testing.assert_array_equal(ranked.positive, metric.gain_test.ranking(other).positive)


def test_a_mean_over_exposures_by_hand(sample):
    def squares(s):
        return (s.pctr - s.click) ** 2

    brier = exposure_metric("brier", "Brier score", "calibration", False, "mean squared distance", squares)
    assert brier.compute(sample) == pytest.approx(brier_score_loss(sample.click, sample.pctr), rel=1e-12)
    statistic = brier.gain_test.statistic(sample)
    weight = np.random.default_rng(2).integers(0, 4, 50).astype(float)
    expected = brier_score_loss(sample.click, sample.pctr, sample_weight=weight[sample.units.index])
    assert statistic(weight) == pytest.approx(expected, rel=1e-12)
    assert math.isnan(statistic(np.zeros(50)))
    nothing = ScoredExposures(make_exposures([]), np.zeros(0), np.zeros(0))
    assert math.isnan(brier.compute(nothing))


def test_a_mean_over_groups_by_hand():
    exposures = make_exposures([0, 1, 0, 1, 0], group=[4, 4, 6, 9, 9])
    halves = np.full(5, 0.5)
    # Group 6 has no value; 4 and 9, the first and third unit, have 0.2 and 0.8 with weights 1 and 3.
    metric = group_metric(
        *("toy", "toy", "detail", "by hand"),
        lambda s: GroupValues(np.unique(s.group)[[0, 2]], np.array([0.2, 0.8]), np.array([1.0, 3.0])),
    )
    assert metric.compute(ScoredExposures(exposures, halves, halves)) == pytest.approx((0.2 + 3 * 0.8) / 4)
    statistic = metric.gain_test.statistic(Sample(exposures, halves, halves, Units.of(exposures)))
    assert statistic(np.array([2.0, 7.0, 1.0])) == pytest.approx((2 * 0.2 + 3 * 0.8) / 5)
    assert math.isnan(statistic(np.array([0.0, 3.0, 0.0])))
    absent = group_metric("none", "none", "detail", "nothing", lambda s: None)
    assert math.isnan(absent.compute(ScoredExposures(exposures, halves, halves)))
    assert absent.gain_test.statistic(Sample(exposures, halves, halves, Units.of(exposures))) is None
