"""Every metric of one prediction."""

import math

import numpy as np
import pytest

from gbdt_pwiser.metrics import METRICS, check_optimisable, check_ranks_by_pctr, evaluate, metric_named
from gbdt_pwiser.metrics.scored import RankedExposures, ScoredExposures
from gbdt_pwiser.objectives import InputError
from tests.metrics.helpers import F, T, make_exposures


def test_evaluate_by_hand():
    exposures = make_exposures([0, 1, 2, 0, 1], group=[1, 1, 1, 2, 2], noise_free_click=[F, F, T, F, T])
    pctr = np.array([0.3, 0.2, 0.4, 0.1, 0.0], dtype=np.float32)
    pctcvr = np.array([0.01, 0.1, 0.3, 0.0, 0.0], dtype=np.float32)
    values = evaluate(exposures, pctr, pctcvr)
    assert list(values) == list(METRICS)
    # clicks at .2 .4 .0 against .3 .1: .2 beats 1; .4 beats 2; .0 beats none
    assert values["ctr_auc"] == (1 + 2 + 0) / 6
    assert values["gauc"] == (3 * (0 + 1) / 2 + 2 * 0) / 5
    # The conversion is at .4, above all others; the second group has none.
    assert values["conversion_auc"] == values["conversion_gauc"] == 1.0
    assert values["ctcvr_auc"] == 1.0
    # pCVR of the clicks is .5, .75 and, as pCTR is 0, 0
    assert values["cvr_auc"] == 1.0
    assert values["noise_free_ctr_auc"] == (3 + 0) / 6
    assert values["pcoc"] == pytest.approx(1.0 / 3, rel=1e-6)
    assert values["gauc_left_out"] == 0.0
    assert values["conversion_gauc_left_out"] == 1 / 2
    assert values["gauc_positives"] == (2 * 0.5 + 1 * 0.0) / 3
    assert values["gauc_mean"] == (0.5 + 0.0) / 2
    assert values["ctr_pr_auc"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert values["ctcvr_pr_auc"] == 1.0
    assert values["ece"] == pytest.approx((0.3 + 0.8 + 0.6 + 0.1 + 1.0) / 5)  # every row its own bin
    assert [values[f"median_pctr_{g}"] for g in ("impression", "click", "conversion")] == pytest.approx(
        [0.1, 0.0, 0.4]
    )


def test_evaluate_without_groups_or_simulation():
    values = evaluate(make_exposures([0, 1, 2]), np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.1, 0.1]))
    assert [name for name, value in values.items() if math.isnan(value)] == [
        "gauc",
        "conversion_gauc",
        "ndcg@5",
        "map@5",
        "mrr",
        "conversions@5",
        "gauc_left_out",
        "conversion_gauc_left_out",
        "groups_without_click",
        "groups_without_conversion",
        "gauc_positives",
        "gauc_mean",
    ]
    assert "noise_free_ctr_auc" not in values


@pytest.mark.parametrize(
    ("pctr", "says"),
    [
        ([0.1, 0.2], r"pctr has shape \(2,\); give one per exposure, shape \(3,\)"),
        ([0.1, 0.2, np.nan], "pctr is NaN in 1 places"),
        ([0.1, 0.2, 1.5], r"pctr runs from 0\.1 to 1\.5; a probability lies in \[0, 1\]"),
        ([0.1, -np.inf, 0.5], "pctr runs from -inf"),
    ],
)
def test_a_prediction_that_is_no_probability_is_refused(pctr, says):
    with pytest.raises(InputError, match=says):
        evaluate(make_exposures([0, 1, 2]), np.array(pctr), np.zeros(3))
    with pytest.raises(InputError, match=says.replace("pctr", "pctcvr")):
        evaluate(make_exposures([0, 1, 2]), np.zeros(3), np.array(pctr))


def test_a_metric_is_found_by_its_name():
    assert [metric.name for metric in METRICS.values()] == list(METRICS)
    for name in ("auc_ctr", "pcoc"):
        with pytest.raises(InputError, match=f"{name}.*choose one of ctr_auc, gauc, .*, ctcvr_pr_auc"):
            check_optimisable(name)
    check_optimisable("log_loss")


def test_the_first_places_have_a_metric_for_every_whole_number():
    for name in ("ndcg@1", "map@20", "conversions@100"):
        assert metric_named(name).name == name
        check_optimisable(name)
    assert metric_named("gauc") is METRICS["gauc"]
    for name in ("ndcg", "ndcg@0", "ndcg@05", "ndcg@-1", "ndcg@2.5", "mrr@3", "gauc@5", "ndcg@"):
        for refuses in (metric_named, check_optimisable, lambda n: evaluate(None, None, None, also=[n])):
            with pytest.raises(InputError, match=f"unknown metric '{name}'.* ndcg@K, map@K, conversions@K"):
                refuses(name)


@pytest.mark.parametrize("name", [*METRICS, "ndcg@2", "map@1", "conversions@3"])
def test_a_metric_ranks_by_pctr_where_its_order_decides_it_alone(name):
    metric = metric_named(name)
    rng = np.random.default_rng(0)
    grade = rng.choice(3, 400, p=[0.6, 0.3, 0.1])
    exposures = make_exposures(grade, group=rng.integers(0, 60, 400), noise_free_click=rng.random(400) < 0.3)
    pctr, pcvr = np.round(rng.beta(1 + grade, 3), 2), rng.random(400)
    value = metric.compute(ScoredExposures(exposures, pctr, pctr * pcvr))
    mapped = metric.compute(ScoredExposures(exposures, pctr**3, pctr**3 * (1 - pcvr)))
    # Training never reads what is known of simulated data alone.
    is_seen = metric.higher_is_better is not None and name != "noise_free_ctr_auc"
    assert metric.ranks_by_pctr == (value == mapped and is_seen)
    if metric.ranks_by_pctr:
        check_ranks_by_pctr(name)
        assert metric.higher_is_better
        score = np.log(np.maximum(pctr, 1e-30)).astype(np.float32)
        assert metric.compute(RankedExposures.of(exposures, score)) == value
    else:
        with pytest.raises(InputError, match=f"cannot stop by '{name}', which needs more than the order"):
            check_ranks_by_pctr(name)


def test_a_score_that_is_none_is_refused():
    exposures = make_exposures([0, 1, 2])
    with pytest.raises(InputError, match="score is NaN in 1 places; a prediction must be a number"):
        RankedExposures.of(exposures, np.array([0.1, np.nan, 9.0]))
    with pytest.raises(InputError, match=r"score has shape \(2,\); give one per exposure, shape \(3,\)"):
        RankedExposures.of(exposures, np.zeros(2))
