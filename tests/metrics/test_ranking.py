"""AUC, AUC inside groups and the area under precision over recall."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from gbdt_pwiser.metrics import auc, evaluate, gauc, group_aucs, pr_auc
from gbdt_pwiser.objectives import InputError
from tests.metrics.helpers import F, T, double_loop_auc, make_exposures, scored


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


def test_rounding_of_pctcvr_over_pctr_breaks_no_ties():
    exposures = make_exposures([0, *([1, 2, 1] * 50)])
    pctr = np.random.default_rng(0).random(151)
    assert evaluate(exposures, pctr, pctr * 0.3)["cvr_auc"] == 0.5


def test_pcvr_that_is_given_is_ranked_as_it_is():
    """Where pCTR is 0, and where it differs by less than the rounding of a ratio."""
    exposures, pctr = make_exposures([0, 1, 1, 2]), np.array([0.5, 0.0, 0.5, 0.5])
    pcvr = np.array([0.9, 0.4, 0.1, np.nextafter(0.4, 1)])
    assert evaluate(exposures, pctr, pctr * pcvr, pcvr)["cvr_auc"] == 1.0
    with pytest.raises(InputError, match="pcvr is NaN in 1 places"):
        evaluate(exposures, pctr, pctr * 0.5, np.array([0.1, np.nan, 0.2, 0.3]))


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


def test_pctr_is_ranked_for_conversions_against_all_other_exposures():
    """scikit-learn's AUC and the double loop, of all exposures and of each group of both classes."""
    rng = np.random.default_rng(4)
    grade, group = rng.choice(3, 300, p=[0.6, 0.3, 0.1]), rng.integers(0, 40, 300)
    pctr, converted = np.round(rng.beta(1 + grade, 3), 1), grade == 2
    values = evaluate(make_exposures(grade, group=group), pctr, np.zeros(300))
    assert values["conversion_auc"] == pytest.approx(sk.roc_auc_score(converted, pctr), rel=1e-12)
    assert values["conversion_auc"] == pytest.approx(double_loop_auc(pctr, converted), rel=1e-12)
    inside = [
        (double_loop_auc(pctr[rows], converted[rows]), rows.sum())
        for rows in (group == g for g in range(40))
        if 0 < converted[rows].sum() < rows.sum()
    ]
    aucs, exposures = zip(*inside, strict=True)
    assert values["conversion_gauc"] == pytest.approx(np.average(aucs, weights=exposures), rel=1e-12)
    assert values["conversion_gauc_left_out"] == 1 - len(aucs) / len(np.unique(group))
    alone = evaluate(make_exposures([0, 1, 1]), np.full(3, 0.5), np.zeros(3))
    assert math.isnan(alone["conversion_auc"])


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
    got = gauc(score, positive, group, sample_weight=weight, weighting="mean")
    assert got.value == pytest.approx((1 + 2 / 3) / 2, rel=1e-14)


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


def test_an_unknown_weighting_is_refused():
    with pytest.raises(InputError, match="weighting is 'clicks'; choose exposures, positives or mean"):
        gauc(np.array([0.1, 0.2]), np.array([F, T]), np.array([1, 1]), weighting="clicks")
