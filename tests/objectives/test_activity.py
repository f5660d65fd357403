"""The share of pairs that violate their margin, against a double loop over pairs."""

import math
import pickle
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from hypothesis import assume, example, given, settings

from gbdt_pwiser.objectives import (
    InputError,
    MultiTaskLoss,
    Objective,
    PairActivity,
    PWiseRLoss,
    PWiseRObjective,
    _block,
    auc,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from tests.objectives import reference
from tests.objectives.boosters import LGB, XGB, lgb_scores, xgb_scores
from tests.objectives.cases import KINDS, SURROGATES_AND_SCALES, case, rows, tolerance
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


def test_without_margins_it_is_what_auc_lacks():
    """AUC counts half of the ties."""
    z, grade, _ = exposures(400)
    z = np.round(z)
    ties = np.mean(z[grade == 2][:, None] == z[grade == 0])
    ranked = grade != 1
    expected = 1 - auc(z[ranked], grade[ranked] == 2) - ties / 2
    assert PWiseRLoss(impression_margin=0).pair_activity(z, grade).impression == pytest.approx(expected)


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


@pytest.mark.parametrize("pairs", ["all", "group"])
@pytest.mark.parametrize("scores", [xgb_scores, lgb_scores])
def test_an_objective_keeps_the_activity_that_each_round_begins_with(data, scores, pairs):
    objective = PWiseRObjective(weight=0.3, pairs=pairs, record_activity=True)
    make = make_dmatrix if scores is xgb_scores else make_dataset
    trained_on = make(data.features, data.click, data.conversion, group=data.group)
    scores(data, objective, trained_on, rounds=4)
    rounds, activity = zip(*objective.activity, strict=True)
    assert rounds == (0, 1, 2, 3)
    assert activity[0] == (1.0, 1.0)  # all scores are equal, and below their margins
    # Trees are no others where activity is recorded.
    again = make(data.features, data.click, data.conversion, group=data.group)
    after_three = scores(data, PWiseRObjective(weight=0.3, pairs=pairs), again, rounds=3)
    expected = objective.loss.pair_activity(after_three, data.grade, group=data.group)
    assert activity[3] == pytest.approx(expected, abs=1e-3)


def test_rounds_are_counted_for_each_data_set(data):
    objective = PWiseRObjective(record_activity=True)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    params = {**XGB, **xgboost_params(data.click)}
    xgb.cv(params, dtrain, 2, nfold=2, obj=objective)
    assert [number for number, _ in objective.activity] == [0, 0, 1, 1]
    started = xgb.train(params, dtrain, 2, obj=objective)
    xgb.train(params, dtrain, 1, obj=objective, xgb_model=started)
    assert [number for number, _ in objective.activity[4:]] == [0, 1, 2]


def test_a_copy_for_lightgbm_writes_into_the_same_record_and_a_pickle_does_not(data):
    objective = PWiseRObjective(record_activity=True)
    dtrain = make_dataset(data.features, data.click, data.conversion)
    lgb.cv({**LGB, "objective": objective, "metric": "None"}, dtrain, 2, nfold=2, stratified=False)
    assert [number for number, _ in objective.activity] == [0, 0, 1, 1]
    loaded = pickle.loads(pickle.dumps(objective))
    assert loaded.record_activity
    assert loaded.activity == []


def test_nothing_is_recorded_unless_asked_for(data):
    objective = PWiseRObjective()
    xgb_scores(data, objective, rounds=2)
    assert objective.activity == []


def test_a_loss_that_counts_no_pairs_cannot_be_recorded():
    with pytest.raises(InputError, match="needs a loss with the method pair_activity, and MultiTaskLoss has"):
        Objective(MultiTaskLoss(), record_activity=True)


# ------------------------------------------------------------------------------ equivalent weight


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@settings(max_examples=10)
@given(data=rows)
@example(data=[(0.0, 2, 0, 1.0), (0.0, 0, 0, 1.0), (0.0, 1, 0, 1.0), (0.0, 0, 0, 0.5)])
@example(data=[(1.0, 1, 0, 1.0)] * 3)
@example(data=[(-3.0, 2, 0, 1.0), (3.0, 2, 1, 2.0), (0.0, 0, 0, 1.0), (0.0, 1, 1, 1.0)])
def test_equivalent_weight_is_the_double_loop(library, kind, data):
    loss, z, grade, extra = case(kind, data)
    assume(double_loop(loss, z, grade, **extra)[1] > 1e-12)
    got = loss.equivalent_weight(asarray(library, z), grade, **extra)
    assert type(got) is float
    both, bce = (
        reference.gradient_and_hessian(each, z, grade, **extra)[0][grade == 2].sum()
        for each in (loss, replace(loss, weight=0.0))
    )
    w = np.ones(len(z)) if extra["sample_weight"] is None else extra["sample_weight"]
    pushed = (w / (1 + np.exp(z)))[grade == 2].sum()
    if not pushed:
        assert math.isnan(got)
    else:
        off = (grade == 2).sum() * w.sum() * tolerance(loss, z, of=1)
        assert got * pushed == pytest.approx(bce - both, rel=1e-9, abs=off)


def test_weighted_bce_of_that_weight_pushes_conversions_as_hard():
    z, grade, extra = exposures(400)
    del extra["group"]
    for scores in (z, z.astype(np.float32)):
        loss = PWiseRLoss(weight=0.2)
        w = loss.equivalent_weight(scores, loss.plan(grade, **extra))
        heavier = extra["sample_weight"] * (1 + w * (grade == 2))
        p = 1 / (1 + np.exp(-scores.astype(float)))
        pushed = (heavier * (p - (grade > 0)))[grade == 2].sum()
        grad, _ = loss.gradient_hessian(scores, grade, dtype="float64", **extra)
        assert pushed == pytest.approx(grad[grade == 2].sum(), rel=1e-5)
    assert w > 0.1


def test_without_weight_or_conversions_nothing_is_pushed():
    z, grade, _ = exposures(50)
    assert PWiseRLoss(weight=0).equivalent_weight(z.astype(np.float32), grade) == 0.0
    assert math.isnan(PWiseRLoss().equivalent_weight([0.0, 1.0], [0, 1]))
    assert math.isnan(PWiseRLoss().equivalent_weight([], []))
    quantiles = PWiseRLoss(click_margin="q50", warm_up=1)
    with pytest.raises(InputError, match="a quantile is no number yet"):
        quantiles.equivalent_weight(z, grade)
