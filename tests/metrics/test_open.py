"""Clicks whose conversion is open: clicks to metrics of clicks, and absent from those of conversions."""

from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.metrics import METRICS, evaluate
from gbdt_pwiser.metrics.distribution import ScoreDistribution, score_quantiles
from gbdt_pwiser.metrics.metric import Bootstrap
from gbdt_pwiser.metrics.scored import RankedExposures, Sample, ScoredExposures, Units
from gbdt_pwiser.objectives.inputs import OPEN
from tests.metrics.helpers import make_exposures

ALSO = ("ndcg@1", "ndcg@20", "map@2", "conversions@2")
OF_CONVERSIONS = {
    *("conversion_auc", "conversion_gauc", "ctcvr_auc", "cvr_auc", "ctcvr_pr_auc"),
    *("conversion_gauc_left_out", "groups_without_conversion"),
    *("ndcg@1", "ndcg@5", "ndcg@20", "conversions@2", "conversions@5"),
    *("median_pctr_click", "median_pctr_conversion"),
}
"""The metrics that conversions have a part in."""


@pytest.fixture(scope="module", params=["grouped", "ungrouped"])
def drawn(request):
    rng = np.random.default_rng(1)
    n = 600
    group = rng.integers(0, 40, n) if request.param == "grouped" else None
    exposures = make_exposures(
        rng.choice(4, n, p=[0.5, 0.2, 0.2, 0.1]), group=group, noise_free_click=rng.random(n) < 0.3
    )
    # With ties.
    return exposures, np.round(rng.random(n), 2), np.round(0.5 * rng.random(n), 2), np.round(rng.random(n), 2)


def as_clicks(exposures):
    return replace(exposures, grade=np.where(exposures.open, 1, exposures.grade).astype(np.int8))


@pytest.mark.parametrize("name", [*METRICS, *ALSO])
def test_each_metric_is_that_of_the_rows_it_knows(drawn, name):
    exposures, *predicted = drawn
    value = evaluate(exposures, *predicted, also=ALSO)[name]
    if name in OF_CONVERSIONS:
        rest = ~exposures.open
        known = evaluate(exposures.take(rest), *(p[rest] for p in predicted), also=ALSO)[name]
    else:
        known = evaluate(as_clicks(exposures), *predicted, also=ALSO)[name]
    np.testing.assert_equal(value, known)


@pytest.mark.parametrize("name", sorted(OF_CONVERSIONS - {"median_pctr_click", "median_pctr_conversion"}))
def test_open_rows_change_what_would_count_them_as_none(drawn, name):
    """Else the test above would say nothing."""
    exposures, *predicted = drawn
    if exposures.group is None and name not in ("conversion_auc", "ctcvr_auc", "cvr_auc", "ctcvr_pr_auc"):
        pytest.skip("it is of groups")
    if name in ("conversion_gauc_left_out", "groups_without_conversion"):
        exposures = make_exposures([2, 3, 1, 3, 3], group=[0, 0, 1, 1, 2])
        predicted = [np.full(5, 0.5)] * 3
    told = evaluate(exposures, *predicted, also=ALSO)[name]
    assert told != evaluate(as_clicks(exposures), *predicted, also=ALSO)[name]


def test_tests_of_a_gain_are_those_of_the_same_rows(drawn):
    """A bootstrap draws the same units, of which the open rows are no part."""
    exposures, *predicted = drawn
    units = Units.of(exposures)
    sample = Sample(exposures, predicted[0], predicted[1], units, pcvr=predicted[2])
    scored = ScoredExposures(exposures, predicted[0], predicted[1], pcvr=predicted[2])
    weight = np.random.default_rng(2).integers(0, 3, units.count).astype(float)
    repeated = np.repeat(np.arange(len(exposures)), weight[units.index].astype(int))
    for metric in METRICS.values():
        if not isinstance(metric.gain_test, Bootstrap) or metric.name == "ece":
            continue
        statistic = metric.gain_test.statistic(sample)
        if statistic is None:
            assert exposures.group is None
            continue
        assert statistic(np.ones(units.count)) == pytest.approx(metric.compute(scored), nan_ok=True)
        if metric.name == "ctcvr_pr_auc":
            again = replace(
                scored,
                exposures=exposures.take(repeated),
                **{name: getattr(scored, name)[repeated] for name in ("pctr", "pctcvr", "pcvr")},
            )
            assert statistic(weight) == pytest.approx(metric.compute(again))


def test_rankings_name_the_rows_of_all_exposures(drawn):
    exposures, *predicted = drawn
    scored = ScoredExposures(exposures, predicted[0], predicted[1], pcvr=predicted[2])
    for name, rows in (
        ("conversion_auc", ~exposures.open),
        ("ctcvr_auc", ~exposures.open),
        ("cvr_auc", exposures.click & ~exposures.open),
    ):
        ranking = METRICS[name].gain_test.ranking(scored)
        np.testing.assert_array_equal(ranking.rows, rows)
        np.testing.assert_array_equal(ranking.positive, exposures.conversion[rows])


def test_without_open_rows_nothing_is_copied():
    exposures = make_exposures([0, 1, 2])
    scored = ScoredExposures(exposures, np.full(3, 0.5), np.full(3, 0.1))
    assert scored.decided is scored


def test_raw_scores_leave_them_out_too(drawn):
    """What stops a training early."""
    exposures, pctr, *_ = drawn
    ranked = RankedExposures.of(exposures, np.log(pctr + 0.01))
    rest = ~exposures.open
    expected = RankedExposures.of(exposures.take(rest), np.log(pctr + 0.01)[rest])
    for name in ("conversion_auc", "ndcg@5", "conversion_gauc"):
        np.testing.assert_equal(METRICS[name].compute(ranked), METRICS[name].compute(expected))


def test_distributions_have_no_line_for_them(drawn):
    exposures, pctr, *_ = drawn
    rest = ~exposures.open
    counts = ScoreDistribution.from_scores("m", "bce", pctr, exposures.grade).counts
    np.testing.assert_array_equal(
        counts, ScoreDistribution.from_scores("m", "bce", pctr[rest], exposures.grade[rest]).counts
    )
    assert counts.sum() == rest.sum() == (exposures.grade != OPEN).sum()
    np.testing.assert_array_equal(
        score_quantiles(pctr, exposures.grade), score_quantiles(pctr[rest], exposures.grade[rest])
    )
