"""The path of the weights: the means of what each weight gave on validation."""

import math
from dataclasses import replace

import pytest

from gbdt_pwiser.evaluation import SweepPoint, best_within, sweep_means
from gbdt_pwiser.report.table import best_gain_rows, format_sweep


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


# ------------------------------------------------------------------------------ what CTR AUC buys


def weights(loss, **paths):
    """Points of two seeds by weight: CTR AUC below that of bce by a power of 2, and two conversion AUCs."""
    return [
        SweepPoint("m", loss, seed, float(weight), False, 0.75 - less, 0.5, conversion)
        for weight, (less, *conversions) in paths.items()
        for seed, conversion in enumerate(conversions)
    ]


# .0005, .001 and .002 are a little more than 2**-11, 2**-10 and 2**-9.
FRONT = [
    *weights("bce", **{"0": (0.0, 0.80, 0.82)}),
    *weights(
        "pwiser",
        **{
            "0.01": (2.0**-11, 0.81, 0.83),
            "0.03": (2.0**-10, 0.82, 0.86),
            "0.1": (2.0**-9, 0.815, 0.835),
            "1": (0.05, 0.90, 0.90),
        },
    ),
    *weights("weighted_bce", **{"3": (-0.01, 0.79, 0.81), "10": (2.0**-8, 0.90, 0.92)}),
    *weights("combined_pair", **{"0.5": (0.01, 0.9, 0.9)}),
]


@pytest.mark.parametrize(
    ("given_up", "pwiser"),
    [
        (0.0005, (0.01, 0.01, 0.0)),
        (2.0**-10, (0.03, 0.03, 0.01)),  # gains .02 and .04; just as much as may be given up
        (0.001, (0.03, 0.03, 0.01)),
        (0.002, (0.03, 0.03, 0.01)),  # .1 costs more and gains less
        (0.05, (1.0, 0.09, 0.01)),
        (0.0001, None),
    ],
)
def test_what_ctr_auc_buys_by_hand(given_up, pwiser):
    found = best_within(sweep_means(FRONT), given_up)
    assert list(found) == [("m", "pwiser"), ("m", "weighted_bce"), ("m", "combined_pair")]
    told = found["m", "pwiser"]
    assert told is None if pwiser is None else told == pytest.approx(pwiser)
    # A loss that only costs is told as such, and one that costs too much has nothing to tell.
    wanted = (3.0, -0.01, 0.0) if given_up < 0.05 else (10.0, 0.10, 0.0)
    assert found["m", "weighted_bce"] == pytest.approx(wanted)
    assert (found["m", "combined_pair"] is None) == (given_up < 0.05)


def test_nothing_is_bought_without_bce_or_conversions():
    means = sweep_means([p for p in FRONT if p.loss != "bce"])
    assert best_within(means, 1.0) == {}
    assert best_gain_rows(["model", "loss"], [best_within(means, 1.0)] * 3) == []
    without = best_within(sweep_means([replace(p, conversion_auc=math.nan) for p in FRONT]), 1.0)
    assert set(without.values()) == {None}
    assert best_gain_rows(["model", "loss"], [without] * 3) == []


def test_one_seed_buys_without_an_error():
    (found,) = best_within(sweep_means([p for p in FRONT if p.seed == 0 and p.weight < 0.02]), 0.001).values()
    assert found[:2] == pytest.approx((0.01, 0.01))
    assert math.isnan(found.error)


# ------------------------------------------------------------------------------ as text


def test_the_path_by_hand():
    points = [replace(p, conversion_auc=0.9 + p.weight / 10) for p in POINTS[:-1]] + POINTS[-1:]
    assert format_sweep(points) == (
        "weight path on validation, 2 seeds\n"
        "model     loss    weight        CTR AUC  conversion AUC      CTCVR AUC  chosen\n"
        "lightgbm  bce          0  .7100 ± .0100   .9000 ± .0000  .8000 ± .0000  2 of 2\n"
        "lightgbm  pwiser    0.01  .7120 ± .0100               –  .8000 ± .0000  1 of 2\n"
        "lightgbm  pwiser     0.1  .7120 ± .0110   .9100 ± .0000  .8000 ± .0000  1 of 2\n"
        "\n"
        "Largest gain in conversion AUC over bce on validation (its weight), by the CTR AUC given up\n"
        "model     loss           at most .0005         at most .0010         at most .0020\n"
        "lightgbm  pwiser  +.0100 ± .0000 (0.1)  +.0100 ± .0000 (0.1)  +.0100 ± .0000 (0.1)\n"
        "± is the standard error over the seeds of the difference to bce of the same seed.\n"
        "The best of several weights on the split that they are judged by looks a little too good."
    )


def test_without_conversions_the_path_is_all():
    assert format_sweep(POINTS[:2]) == (
        "weight path on validation, 1 seed\n"
        "model     loss    weight  CTR AUC  conversion AUC  CTCVR AUC  chosen\n"
        "lightgbm  bce          0    .7000               –      .8000  1 of 1\n"
        "lightgbm  pwiser     0.1    .7010               –      .8000  0 of 1"
    )


def test_nothing_has_no_path():
    assert sweep_means([]) == []
