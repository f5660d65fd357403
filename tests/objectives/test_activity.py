"""The share of pairs that violate their margin, against a double loop over pairs."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings

from gbdt_pwiser.objectives import InputError, PairActivity, PWiseRLoss, _block
from tests.objectives import reference
from tests.objectives.cases import KINDS, SURROGATES_AND_SCALES, case, rows
from tests.objectives.libraries import asarray


def double_loop(loss, z, grade, group=None, sample_weight=None):
    """Activity by its definition, and the least distance of any pair from its margin."""
    w = np.ones(len(z)) if sample_weight is None else sample_weight
    active, weight, nearest = [0.0, 0.0], [0.0, 0.0], math.inf
    for i, j, u, _ in reference.pairs_of(loss, z, grade, group, w):
        weight[grade[j]] += w[i] * w[j]
        active[grade[j]] += w[i] * w[j] * (u > 0)
        nearest = min(nearest, abs(u))
    impression, click = (a / b if b else math.nan for a, b in zip(active, weight, strict=True))
    return (click, impression), nearest


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@settings(max_examples=15)
@given(data=rows)
@example(data=[(0.0, 2, 0, 1.0)])
@example(data=[(0.0, 2, 0, 1.0), (0.0, 0, 0, 1.0), (0.0, 1, 0, 1.0), (0.0, 0, 0, 0.5)])
@example(data=[(0.0, 2, 0, 1.0), (0.0, 0, 1, 1.0)])
@example(data=[(1.0, 1, 0, 1.0)] * 3)
@example(data=[(0.0, 2, 0, 0.0), (3.0, 1, 0, 1.0), (3.0, 0, 0, 1.0)])
@example(data=[(50.0, 0, 0, 1.0), (-50.0, 2, 0, 3.0), (-50.0, 2, 0, 1.0), (50.0, 1, 0, 0.5)])
def test_activity_is_the_double_loop(library, kind, data):
    loss, z, grade, extra = case(kind, data)
    expected, nearest = double_loop(loss, z, grade, **extra)
    assume(nearest > 1e-12)  # the definition rounds as well
    activity = loss.pair_activity(asarray(library, z), grade, **extra)
    assert isinstance(activity, PairActivity)
    # The weights drawn have few digits, so that sums of their products are exact.
    np.testing.assert_array_equal(activity, expected)
    assert all(type(share) is float for share in activity)


def exposures(n, seed=0):
    rng = np.random.default_rng(seed)
    grade = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    return rng.normal(-1, 2, n), grade, {"group": rng.integers(0, 40, n), "sample_weight": rng.random(n)}


def of_matrix(loss, z, grade, group, sample_weight):
    """Activity from the matrix of all pairs, on scores as wide as they come."""
    s = 1 / (1 + np.exp(-z.astype(float))) if loss.scale == "probability" else z.astype(float)
    w = np.ones(len(z)) if sample_weight is None else sample_weight
    share = []
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        i, j = np.flatnonzero(grade == 2)[:, None], np.flatnonzero(grade == kind)
        pair = w[i] * w[j] * ((loss.pairs == "all") | (group[i] == group[j]))
        share.append((pair * (margin - (s[i] - s[j]) > 0)).sum() / pair.sum())
    return share


@pytest.mark.parametrize("block", [7, 1 << 16])
@pytest.mark.parametrize("score_type", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pairs", ["all", "group"])
@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_many_rows_in_blocks_of_any_length(scale, pairs, weighted, score_type, block, monkeypatch):
    monkeypatch.setattr(_block, "BLOCK", block)
    z, grade, extra = exposures(1500)
    z = z.astype(score_type)
    z[::3] = z[0]  # ties of all grades
    extra["sample_weight"] = extra["sample_weight"] if weighted else None
    loss = PWiseRLoss(scale=scale, pairs=pairs)
    got = loss.pair_activity(z, grade, **extra)
    np.testing.assert_allclose(got, of_matrix(loss, z, grade, **extra), rtol=1e-12 if weighted else 0)
    assert loss.pair_activity(z, loss.plan(grade, **extra)) == got


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_surrogate_and_weight_decide_nothing(pairs):
    z, grade, extra = exposures(300)
    for scale in ("probability", "logit"):
        found = {
            PWiseRLoss(weight=weight, surrogate=surrogate, scale=scale, pairs=pairs).pair_activity(
                z, grade, **extra
            )
            for surrogate, of in SURROGATES_AND_SCALES
            for weight in (0.0, 0.5)
            if of == scale
        }
        assert len(found) == 1


def test_a_pair_at_its_margin_is_satisfied():
    loss = PWiseRLoss(scale="logit", click_margin=0.5, impression_margin=2.0)
    z = np.array([1.0, 0.5, np.nextafter(0.5, 1), -1.0, np.nextafter(-1.0, 0)])
    assert loss.pair_activity(z, [2, 1, 1, 0, 0]) == (0.5, 0.5)


@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_without_margins_raw_scores_decide(scale):
    """Also where their probabilities are the same number."""
    loss = PWiseRLoss(scale=scale, click_margin=0, impression_margin=0)
    assert loss.pair_activity(np.full(4, 0.3), [2, 1, 0, 0]) == (0.0, 0.0)
    assert loss.pair_activity([60.0, 50.0, 70.0, 60.0], [2, 1, 0, 0]) == (0.0, 0.5)


@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_scores_that_float32_cannot_tell_apart_are_decided_as_given(scale):
    loss = PWiseRLoss(scale=scale, click_margin=0)
    z = np.array([0.3, 0.3 + 1e-12, 0.3 - 1e-12])
    assert loss.pair_activity(z, [2, 1, 1]).click == 0.5
    assert loss.pair_activity(z.astype(np.float32), [2, 1, 1]).click == 0.0


@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_all_pairs_active_are_a_share_of_one(scale):
    z, grade, extra = exposures(400)
    loss = PWiseRLoss(scale=scale, click_margin=1e3, impression_margin=1e3)
    assert loss.pair_activity(z, grade, sample_weight=extra["sample_weight"]) == pytest.approx(
        (1, 1), abs=1e-15
    )
    assert max(loss.pair_activity(z, grade, sample_weight=extra["sample_weight"])) <= 1


@pytest.mark.parametrize("pairs", ["all", "group"])
@pytest.mark.parametrize("grade", [[], [0, 1, 0], [2, 2, 2], [2]])
def test_no_pairs(grade, pairs):
    n = len(grade)
    assert np.isnan(PWiseRLoss(pairs=pairs).pair_activity(np.zeros(n), grade, group=[0] * n)).all()


def test_bad_input_is_that_of_the_gradient():
    loss = PWiseRLoss()
    with pytest.raises(InputError, match="NaN or infinite"):
        loss.pair_activity([0.0, np.nan, 0.0], [2, 0, 1])
    with pytest.raises(InputError, match="one score per exposure"):
        loss.pair_activity([0.0], [2, 0, 1])
    with pytest.raises(InputError, match="already in the plan"):
        loss.pair_activity([0.0], loss.plan([2]), sample_weight=[1.0])
