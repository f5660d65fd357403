import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import (
    METRICS,
    auc,
    ece,
    evaluate,
    gauc,
    group_aucs,
    log_loss,
    normalized_entropy,
    pcoc,
    pr_auc,
    reliability,
    score_quantiles,
)
from gbdt_pwiser.metrics.sorting import _argsort
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


WEIGHTED = {
    "auc": lambda p, y, group, w: auc(p, y, sample_weight=w),
    "gauc": lambda p, y, group, w: gauc(p, y, group, sample_weight=w).value,
    "gauc by positives": lambda p, y, group, w: (
        gauc(p, y, group, sample_weight=w, weighting="positives").value
    ),
    "gauc plain": lambda p, y, group, w: gauc(p, y, group, sample_weight=w, weighting="mean").value,
    "pr_auc": lambda p, y, group, w: pr_auc(p, y, sample_weight=w),
    "log_loss": lambda p, y, group, w: log_loss(p, y, sample_weight=w),
    "normalized_entropy": lambda p, y, group, w: normalized_entropy(p, y, sample_weight=w),
    "pcoc": lambda p, y, group, w: pcoc(p, y, sample_weight=w),
    "ece": lambda p, y, group, w: ece(p, y, bins=3, sample_weight=w),
    "quantile": lambda p, y, group, w: score_quantiles(p, 2 * y.astype(np.int8), sample_weight=w)[2, 1],
}


@pytest.mark.parametrize("metric", WEIGHTED.values(), ids=WEIGHTED)
@given(
    data=st.deferred(lambda: scored(values=PROBABILITIES)),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1.0, 0.3, 1e-9]),
)
def test_weights_are_copies_of_rows_and_their_scale_says_nothing(metric, data, seed, scale):
    p, positive = data[0].astype(np.float64), data[1]
    rng = np.random.default_rng(seed)
    group, copies = rng.integers(0, 3, len(p)), rng.integers(0, 4, len(p))
    copies[:2] = 1, 2
    rows = np.repeat(np.arange(len(p)), copies)
    copied = metric(p[rows], positive[rows], group[rows], None)
    weighted = metric(p, positive, group, copies * scale)
    assert weighted == pytest.approx(copied, rel=1e-9, abs=1e-12, nan_ok=True)
    assert not (metric is WEIGHTED["auc"] and math.isnan(copied))


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
    assert math.isnan(pr_auc(p, positive)) if not positive.any() else pr_auc(p, positive) == 1.0
    assert math.isnan(ece(p, positive)) == (not len(p))
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


# Scores and groups that share an integer as they are; that need ranks of the scores, of the groups, of both.
WIDE = {
    "narrow": ((np.float32,), 5),
    "long scores": ((np.float64,), 2**20),
    "long groups": ((np.float32,), 2**62),
    "both": ((np.float64,), 2**62),
}


@pytest.mark.parametrize("weighted", [F, T])
@pytest.mark.parametrize(("dtype", "spread"), WIDE.values(), ids=WIDE)
def test_gauc_is_exact_however_scores_and_groups_are_stored(dtype, spread, weighted):
    rng = np.random.default_rng(3)
    ids = np.append(rng.integers(-spread, spread, 38), [-spread, spread])
    group = rng.choice(ids, 400)
    # Neighbouring floats on either side of 0, ties among them, and some far away.
    score = rng.choice(
        np.append(np.nextafter(0.3, 1) - np.arange(9) * 2.0**-54, [-1e30, -0.0, 0.0, 7.1]), 400
    )
    score = (score * rng.choice([-1, 1], 400)).astype(dtype[0])
    positive = rng.random(400) < 0.4
    weight = rng.uniform(0.1, 9.0, 400) if weighted else None
    values = []
    for g in np.unique(group):
        rows = group == g
        if 0 < positive[rows].sum() < rows.sum():
            values.append(
                sk.roc_auc_score(
                    positive[rows], score[rows], sample_weight=None if weight is None else weight[rows]
                )
            )
    got = gauc(score, positive, group, weighting="mean", sample_weight=weight)
    assert got == (
        pytest.approx(np.mean(values), rel=1e-12),
        len(values),
        len(np.unique(group)) - len(values),
    )
    rows = np.argsort(group)  # groups in order take another way to their ranks
    ordered = gauc(
        score[rows],
        positive[rows],
        group[rows],
        weighting="mean",
        sample_weight=None if weight is None else weight[rows],
    )
    assert ordered == (pytest.approx(got.value, rel=1e-12), *got[1:])


def test_group_of_huge_weight_leaves_the_others_exact():
    group, score = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.5, 0.4, 0.3])
    positive, weight = np.array([F, T, F, T, F]), np.array([1e30, 1e30, 1.0, 1.0, 2.0])
    assert gauc(score, positive, group, sample_weight=weight, weighting="mean").value == (1 + 2 / 3) / 2


@given(
    hnp.arrays(
        np.uint64, st.integers(1, 60), elements=st.sampled_from([0, 1, 2, 2**63, 2**64 - 1, 2**63 + 1])
    )
)
def test_the_order_of_integers_whose_leading_bits_tie(values):
    order = _argsort(values)
    np.testing.assert_array_equal(np.sort(values), values[order])
    np.testing.assert_array_equal(np.sort(order), np.arange(len(values)))


def test_gauc_by_hand():
    #        group 1: 3 exposures, AUC 1/2   group 2: 2, AUC 1   group 5: only clicks
    group = np.array([1, 1, 1, 2, 2, 5])
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.5])
    positive = np.array([F, T, F, F, T, T])
    assert gauc(score, positive, group) == ((3 * 0.5 + 2 * 1.0) / 5, 2, 1)
    assert gauc(score, positive, group, weighting="mean") == ((0.5 + 1.0) / 2, 2, 1)
    weight = np.array([1.0, 5.0, 3.0, 1.0, 2.0, 9.0])  # group 1: the click beats 1 of 1 + 3
    assert gauc(score, positive, group, sample_weight=weight) == ((9 * 0.25 + 3 * 1.0) / 12, 2, 1)
    assert gauc(score, positive, group, sample_weight=weight, weighting="positives") == (
        (5 * 0.25 + 2 * 1.0) / 7,
        2,
        1,
    )
    assert gauc(score[:0], positive[:0], group[:0])[1:] == (0, 0)


@given(scored(), st.integers(0, 2**32 - 1))
def test_pr_auc_is_scikit_learns(data, seed):
    score, positive = np.nan_to_num(data[0], neginf=-1e30), data[1]
    assert pr_auc(score, positive) == pytest.approx(sk.average_precision_score(positive, score), rel=1e-12)
    weight = np.random.default_rng(seed).uniform(0.1, 3.0, len(score))
    assert pr_auc(score, positive, sample_weight=weight) == pytest.approx(
        sk.average_precision_score(positive, score, sample_weight=weight), rel=1e-12
    )


def test_pr_auc_of_a_constant_is_the_base_rate():
    assert pr_auc(np.zeros(4), np.array([F, T, F, F])) == 1 / 4


def test_ece_by_hand():
    #            bin 1: mean .2, observed 0     bin 2: mean .5, observed 1/2
    p, positive = np.array([0.5, 0.1, 0.5, 0.3]), np.array([F, F, T, F])
    assert ece(p, positive, bins=2) == pytest.approx((2 * 0.2 + 2 * 0.0) / 4, rel=1e-15)
    assert ece(p, positive, bins=1) == pytest.approx(abs(1.4 / 4 - 1 / 4), rel=1e-15)
    assert ece(p, positive, bins=99) == pytest.approx((0.1 + 0.3 + 2 * 0.0) / 4, rel=1e-15)


def test_ties_stay_in_the_bin_of_their_middle():
    # Of six rows in two bins, five tie: their middle is 3.5, past the half; their half would be split at 3.
    p, positive = np.array([0.1, 0.6, 0.6, 0.6, 0.6, 0.6]), np.array([F, F, F, F, T, T])
    curve = reliability(p, positive, bins=2)
    assert curve.weight.tolist() == [1.0, 5.0]
    assert curve.observed.tolist() == [0.0, 2 / 5]
    assert curve.predicted == pytest.approx([0.1, 0.6])
    assert len(reliability(np.full(6, 0.3), positive, bins=2).weight) == 1


def test_bins_without_ties_hold_equally_many():
    p = np.random.default_rng(0).random(1000)
    curve = reliability(p, p > 0.5, bins=20)
    assert curve.weight.tolist() == [50.0] * 20
    assert curve.predicted == pytest.approx(np.sort(p).reshape(20, 50).mean(axis=1), rel=1e-12)
    assert reliability(p, p > 0.5, bins=20, sample_weight=np.full(1000, 0.25)).weight.tolist() == [12.5] * 20


def test_score_quantiles_by_hand():
    score = np.array([0.3, 0.1, 0.2, 0.9, 0.4, 0.5])
    grade = np.array([0, 0, 0, 2, 0, 2], dtype=np.int8)
    got = score_quantiles(score, grade, levels=[0.0, 0.5, 0.51, 1.0])
    np.testing.assert_array_equal(got, [[0.1, 0.2, 0.3, 0.4], [np.nan] * 4, [0.5, 0.5, 0.9, 0.9]])
    heavy = score_quantiles(score, grade, levels=[0.5], sample_weight=np.array([1, 1, 1, 0, 9, 1.0]))
    np.testing.assert_array_equal(heavy[:, 0], [0.4, np.nan, 0.5])
    with pytest.raises(InputError, match=r"levels are \(1\.5,\); give shares between 0 and 1"):
        score_quantiles(score, grade, levels=[1.5])


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
    # clicks at .2 .4 .0 against .3 .1: .2 beats 1; .4 beats 2; .0 beats none
    assert values["ctr_auc"] == (1 + 2 + 0) / 6
    assert values["gauc"] == (3 * (0 + 1) / 2 + 2 * 0) / 5
    assert values["ctcvr_auc"] == 1.0
    # pCVR of the clicks is .5, .75 and, as pCTR is 0, 0
    assert values["cvr_auc"] == 1.0
    assert values["noise_free_ctr_auc"] == (3 + 0) / 6
    assert values["pcoc"] == pytest.approx(1.0 / 3, rel=1e-6)
    assert values["gauc_left_out"] == 0.0
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
        "gauc_left_out",
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


def test_what_else_is_refused():
    score, positive, group = np.array([0.1, 0.2]), np.array([F, T]), np.array([1, 1])
    with pytest.raises(InputError, match=r"positive has shape .* int64; give bool"):
        gauc(score, positive.astype(np.int64), group)
    with pytest.raises(InputError, match=r"sample_weight has shape \(3,\); give one .* shape \(2,\)"):
        auc(score, positive, sample_weight=np.ones(3))
    with pytest.raises(InputError, match=r"sample_weight -1\.0 in row 0"):
        auc(score, positive, sample_weight=np.array([-1.0, 1.0]))
    with pytest.raises(InputError, match="group has shape"):
        gauc(score, positive, group[:1])
    with pytest.raises(
        InputError, match=r"sample_weight has shape \(3,\); give one per exposure, shape \(2,\)"
    ):
        log_loss(score, positive, sample_weight=np.ones(3))
    with pytest.raises(InputError, match="negative or not finite"):
        pcoc(score, positive, sample_weight=np.array([np.inf, 1.0]))
    with pytest.raises(InputError, match="group has type float64; give integer ids"):
        gauc(score, positive, score)
    with pytest.raises(InputError, match="bins is 0; give at least 1"):
        ece(score, positive, bins=0)
    with pytest.raises(InputError, match="weighting is 'clicks'; choose exposures, positives or mean"):
        gauc(score, positive, group, weighting="clicks")


def test_rounding_of_pctcvr_over_pctr_breaks_no_ties():
    exposures = make_exposures([0, *([1, 2, 1] * 50)])
    pctr = np.random.default_rng(0).random(151)
    assert evaluate(exposures, pctr, pctr * 0.3)["cvr_auc"] == 0.5


@pytest.mark.parametrize(
    ("kind", "least"), [(np.uint64, 2**63 + 5), (np.uint64, 2**63 - 2), (np.int64, -(2**63)), (np.int8, -3)]
)
def test_gauc_of_ids_at_the_end_of_their_type(kind, least):
    rng = np.random.default_rng(3)
    small = rng.integers(0, 6, 200)
    group = np.array([least + int(g) for g in small], dtype=kind)
    score, positive = rng.normal(size=200), rng.random(200) < 0.4
    found, expected = group_aucs(score, positive, group), group_aucs(score, positive, small)
    np.testing.assert_array_equal(found.value, expected.value)
    assert found.group.tolist() == [least + int(g) for g in expected.group]
