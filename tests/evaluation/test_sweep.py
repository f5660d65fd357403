"""The path of the weights: the means of what each weight gave on validation."""

import math

import pytest

from gbdt_pwiser.evaluation import SweepPoint, sweep_means
from gbdt_pwiser.report.table import format_sweep


def point(loss, seed, weight, ctr, ctcvr=0.8, chosen=False, model="lightgbm"):
    return SweepPoint(model, loss, seed, weight, chosen, ctr, ctcvr)


# Seed 1 is easier than seed 0 by .02, for whatever is trained; pwiser gains .001 and .003 over bce.
POINTS = [
    point("bce", 0, 0.0, 0.70, chosen=True),
    point("pwiser", 0, 0.1, 0.701),
    point("pwiser", 0, 0.01, 0.702, chosen=True),
    point("bce", 1, 0.0, 0.72, chosen=True),
    point("pwiser", 1, 0.1, 0.723, chosen=True),
    point("pwiser", 1, 0.01, 0.722),
]


def test_means_and_errors_by_hand():
    bce, low, high = sweep_means(POINTS)
    assert [(s.loss, s.weight, s.seeds, s.chosen) for s in (bce, low, high)] == [
        ("bce", 0.0, 2, 2),
        ("pwiser", 0.01, 2, 1),
        ("pwiser", 0.1, 2, 1),
    ]
    assert bce.ctr_auc == pytest.approx((0.71, 0.01, 0.0))  # error of two values: half their distance
    assert low.ctr_auc == pytest.approx((0.712, 0.01, 0.0))  # both gain .002
    assert high.ctr_auc == pytest.approx((0.712, 0.011, 0.001))  # gains .001 and .003
    assert high.ctcvr_auc == pytest.approx((0.8, 0.0, 0.0))


def test_without_bce_the_least_weight_is_the_reference():
    low, high = sweep_means([p for p in POINTS if p.loss == "pwiser"])
    assert low.ctr_auc.paired_error == 0.0
    assert high.ctr_auc.paired_error == pytest.approx(0.001)  # -.001 and +.001 to weight .01


def test_one_seed_has_no_error():
    (only,) = sweep_means(POINTS[:1])
    assert only.ctr_auc.mean == 0.70
    assert math.isnan(only.ctr_auc.error)
    assert math.isnan(only.ctr_auc.paired_error)


def test_the_path_by_hand():
    assert format_sweep(POINTS) == (
        "weight path on validation, 2 seeds\n"
        "model     loss    weight        CTR AUC      CTCVR AUC  chosen\n"
        "lightgbm  bce          0  .7100 ± .0100  .8000 ± .0000  2 of 2\n"
        "lightgbm  pwiser    0.01  .7120 ± .0100  .8000 ± .0000  1 of 2\n"
        "lightgbm  pwiser     0.1  .7120 ± .0110  .8000 ± .0000  1 of 2"
    )


def test_nothing_has_no_path():
    assert sweep_means([]) == []
