import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.evaluation.metrics import METRICS, auc, evaluate, gauc, log_loss, normalized_entropy, pcoc
from gbdt_pwiser.objectives import InputError

F, T = False, True


def make_exposures(grade, *, group=None, noise_free_click=None):
    return Exposures(
        name="hand",
        features=pl.DataFrame({"x": np.zeros(len(grade), dtype=np.float32)}),
        grade=np.array(grade, dtype=np.int8),
        group=None if group is None else np.array(group, dtype=np.int64),
        noise_free_click=None if noise_free_click is None else np.array(noise_free_click),
    )


SCORES = (-np.inf, -1.5, 0.0, 0.1, 0.3, 2.0, 1e30)
PROBABILITIES = (0.0, 1e-300, 0.2, 0.5, 0.999, 1.0)


@st.composite
def scored(draw, *, values=SCORES):
    """Scores with many ties, of either float type, and labels of both classes."""
    n = draw(st.integers(2, 40))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    score = np.array(draw(st.lists(st.sampled_from(values), min_size=n, max_size=n)), dtype=dtype)
    positive = draw(hnp.arrays(np.bool_, n))
    positive[:2] = F, T
    return score, positive


def double_loop_auc(score, positive):
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in score[positive] for b in score[~positive]]
    return sum(wins) / len(wins)


@given(scored(), st.integers(0, 2**32 - 1))
def test_auc_is_the_double_loop_and_scikit_learns(data, seed):
    score, positive = data
    assert auc(score, positive) == pytest.approx(double_loop_auc(score, positive), rel=1e-14)
    finite = np.nan_to_num(score, neginf=-1e30)
    weight = np.random.default_rng(seed).uniform(0.1, 3.0, len(score))
    assert auc(finite, positive, sample_weight=weight) == pytest.approx(
        sk.roc_auc_score(positive, finite, sample_weight=weight), rel=1e-12
    )


def test_auc_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    score, positive = rng.integers(0, 9, 500) / 9.0, rng.random(500) < 0.3
    shuffled = rng.permutation(500)
    assert auc(score[shuffled], positive[shuffled]) == auc(score, positive)


def test_a_weight_of_two_is_the_row_twice():
    score, positive = np.array([0.1, 0.5, 0.5, 0.7]), np.array([F, T, F, F])
    twice = np.array([0, 1, 1, 2, 3])
    weighted = auc(score, positive, sample_weight=np.array([1.0, 2.0, 1.0, 1.0]))
    assert weighted == auc(score[twice], positive[twice]) == (1 + 0.5 + 0) / 3


def test_neighbouring_floats_are_no_tie():
    score = np.array([0.5, np.nextafter(0.5, 1)])
    assert auc(score, np.array([F, T])) == 1.0
    assert auc(score.astype(np.float32), np.array([F, T])) == 0.5


@pytest.mark.parametrize("positive", [[], [T, T], [F, F]])
def test_without_two_classes_every_ratio_is_nan(positive):
    positive = np.array(positive, dtype=np.bool_)
    p = np.full(len(positive), 0.25)
    assert math.isnan(auc(p, positive))
    assert math.isnan(auc(p, positive, sample_weight=np.ones_like(p)))
    assert gauc(p, positive, np.zeros(len(p), dtype=np.int64))[1:] == (0, min(1, len(p)))
    assert math.isnan(gauc(p, positive, np.zeros(len(p), dtype=np.int64)).value)
    assert math.isnan(normalized_entropy(p, positive))
    assert math.isnan(pcoc(p, positive)) == (not positive.any())


@pytest.mark.parametrize("weighting", ["exposures", "positives", "mean"])
@given(data=scored(), seed=st.integers(0, 2**32 - 1))
def test_gauc_is_a_loop_over_groups(data, seed, weighting):
    score, positive = data
    group = np.random.default_rng(seed).integers(-3, 4, len(score))
    values, weights, left_out = [], [], 0
    for g in set(group):
        y = positive[group == g]
        if y.all() or not y.any():
            left_out += 1
            continue
        values.append(double_loop_auc(score[group == g], y))
        weights.append({"exposures": len(y), "positives": y.sum(), "mean": 1}[weighting])
    got = gauc(score, positive, group, weighting=weighting)
    assert got[1:] == (len(values), left_out)
    if values:
        assert got.value == pytest.approx(np.average(values, weights=weights), rel=1e-13)
    else:
        assert math.isnan(got.value)


def test_gauc_by_hand():
    #        group 1: 3 exposures, AUC 1/2   group 2: 2, AUC 1   group 5: only clicks
    group = np.array([1, 1, 1, 2, 2, 5])
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.5])
    positive = np.array([F, T, F, F, T, T])
    assert gauc(score, positive, group) == ((3 * 0.5 + 2 * 1.0) / 5, 2, 1)
    assert gauc(score, positive, group, weighting="mean") == ((0.5 + 1.0) / 2, 2, 1)


@given(scored(values=PROBABILITIES))
def test_log_loss_is_scikit_learns(data):
    p, positive = data[0].astype(np.float64), data[1]
    assert log_loss(p, positive) == pytest.approx(sk.log_loss(positive, p), rel=1e-12)


def test_log_loss_entropy_and_pcoc_by_hand():
    p, positive = np.array([0.2, 0.4, 0.8]), np.array([F, F, T])
    loss = -(np.log(0.8) + np.log(0.6) + np.log(0.8)) / 3
    assert log_loss(p, positive) == pytest.approx(loss, rel=1e-15)
    entropy = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    assert normalized_entropy(p, positive) == pytest.approx(loss / entropy, rel=1e-14)
    assert normalized_entropy(np.full(3, 1 / 3), positive) == pytest.approx(1.0, rel=1e-14)
    assert pcoc(p, positive) == pytest.approx(1.4 / 1, rel=1e-15)
    assert math.isnan(log_loss(p[:0], positive[:0]))


def test_evaluate_by_hand():
    exposures = make_exposures([0, 1, 2, 0, 1], group=[1, 1, 1, 2, 2], noise_free_click=[F, F, T, F, T])
    pctr = np.array([0.3, 0.2, 0.4, 0.1, 0.0], dtype=np.float32)
    pctcvr = np.array([0.01, 0.1, 0.3, 0.0, 0.0], dtype=np.float32)
    values = evaluate(exposures, pctr, pctcvr)
    assert list(values) == list(METRICS)
    # clicks at .2 .4 .0 against .3 .1: two below .2 -> 1; .4 -> 2; .0 -> 0
    assert values["ctr_auc"] == (1 + 2 + 0) / 6
    assert values["gauc"] == (3 * (0 + 1) / 2 + 2 * 0) / 5
    assert values["ctcvr_auc"] == 1.0
    # pCVR of the clicks is .5, .75 and, as pCTR is 0, 0
    assert values["cvr_auc"] == 1.0
    assert values["noise_free_ctr_auc"] == (3 + 0) / 6
    assert values["pcoc"] == pytest.approx(1.0 / 3, rel=1e-6)
    assert values["gauc_left_out"] == 0.0


def test_evaluate_without_groups_or_simulation():
    values = evaluate(make_exposures([0, 1, 2]), np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.1, 0.1]))
    assert [name for name, value in values.items() if math.isnan(value)] == ["gauc", "gauc_left_out"]
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


def test_what_else_is_refused():
    score, positive, group = np.array([0.1, 0.2]), np.array([F, T]), np.array([1, 1])
    with pytest.raises(InputError, match=r"positive has shape .* int64; give bool"):
        gauc(score, positive.astype(np.int64), group)
    with pytest.raises(InputError, match=r"score has shape \(2,\), sample_weight \(3,\)"):
        auc(score, positive, sample_weight=np.ones(3))
    with pytest.raises(InputError, match="negative or not finite"):
        auc(score, positive, sample_weight=np.array([-1.0, 1.0]))
    with pytest.raises(InputError, match="group has shape"):
        gauc(score, positive, group[:1])
    with pytest.raises(InputError, match="weighting is 'clicks'; choose exposures, positives or mean"):
        gauc(score, positive, group, weighting="clicks")


def test_rounding_of_pctcvr_over_pctr_breaks_no_ties():
    exposures = make_exposures([0, *([1, 2, 1] * 50)])
    pctr = np.random.default_rng(0).random(151)
    assert evaluate(exposures, pctr, pctr * 0.3)["cvr_auc"] == 0.5
