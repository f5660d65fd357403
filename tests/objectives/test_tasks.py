"""Both tasks in one model: the loss against its definition, and XGBoost trained with it."""

import copy
import pickle

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdt_pwiser.objectives import (
    InputError,
    MultiTaskLoss,
    PWiseRLoss,
    PWiseRMultiTaskObjective,
    PWiseRObjective,
    auc,
    auc_tasks,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)

LOSSES = [
    PWiseRLoss(weight=0.0),
    PWiseRLoss(weight=0.5),
    PWiseRLoss(weight=0.5, surrogate="logistic", scale="logit"),
    PWiseRLoss(weight=0.5, surrogate="squared_hinge", pairs="group"),
]


def some(n=60, seed=0):
    rng = np.random.default_rng(seed)
    click = rng.integers(2, size=n)
    conversion = click * rng.integers(2, size=n)
    weight = rng.choice([0.5, 1.0, 2.0], size=n)
    return rng.normal(size=(n, 2)), click, conversion, weight, np.sort(rng.integers(5, size=n))


def by_definition(loss, scores, click, conversion, weight, group):
    """The documented value, row by row."""
    of_click = loss.click.value(scores[:, 0], click + conversion, sample_weight=weight, group=group)
    total = 0.0
    for (_, u), c, v, w in zip(scores, click, conversion, weight, strict=True):
        if c:
            total += w * (np.log1p(np.exp(-abs(u))) + max(u, 0) - v * u)
    return loss.click_weight * of_click + loss.conversion_weight * total / weight.sum()


@pytest.mark.parametrize("click_loss", LOSSES, ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient(click_loss, weighted):
    scores, click, conversion, weight, group = some()
    weight = weight if weighted else np.ones(len(click))
    loss = MultiTaskLoss(click=click_loss, click_weight=0.7, conversion_weight=3.0)
    plan = loss.plan(click + conversion, group=group, sample_weight=weight if weighted else None)
    value = loss.value(scores, plan)
    assert value == pytest.approx(by_definition(loss, scores, click, conversion, weight, group), rel=1e-9)
    grad, hess = loss.gradient_hessian(scores, plan)
    # The grid of smooth surrogates is linear between nodes 1e-3 apart.
    step, near = (1e-5, 2e-4) if click_loss.surrogate != "logistic" else (1e-2, 5e-3)
    n = weight.sum()
    # At a kink of a hinge the two sides differ: rows that central differences straddle are few here.
    for row, column in np.ndindex(scores.shape):
        up, down = scores.copy(), scores.copy()
        up[row, column] += step
        down[row, column] -= step
        slope = n * (loss.value(up, plan) - loss.value(down, plan)) / (2 * step)
        assert grad[row, column] == pytest.approx(slope, abs=near)
    q = 1 / (1 + np.exp(-scores[:, 1]))
    np.testing.assert_allclose(hess[click == 1, 1], (3 * weight * q * (1 - q))[click == 1], rtol=1e-12)
    assert (hess > 0).all()
    assert (hess[click == 0, 1] < 1e-5).all()


@given(st.integers(0, 40), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_columns_are_those_of_the_two_losses(n, seed):
    """The click's is that of PWiseRLoss, the conversion's BCE of clicked exposures and 0 elsewhere."""
    scores, click, conversion, weight, _ = some(n, seed)
    click_loss = PWiseRLoss(weight=0.3)
    loss = MultiTaskLoss(click=click_loss)
    plan = loss.plan(click + conversion, sample_weight=weight if n else None)
    grad, hess = loss.gradient_hessian(scores, plan)
    expected = click_loss.gradient_hessian(scores[:, 0], plan)
    np.testing.assert_allclose(grad[:, 0], expected[0], atol=1e-7)
    np.testing.assert_allclose(hess[:, 0], expected[1], atol=1e-7)
    q = 1 / (1 + np.exp(-scores[:, 1]))
    np.testing.assert_allclose(grad[:, 1], weight * click * (q - conversion), atol=1e-12)


def test_float32_scores_and_results():
    scores, click, conversion, _, _ = some()
    loss = MultiTaskLoss()
    plan = loss.plan(click + conversion)
    grad, hess = loss.gradient_hessian(scores.astype("f4"), plan)
    assert grad.dtype == hess.dtype == np.float32
    exact, _ = loss.gradient_hessian(scores, plan, dtype="float64")
    np.testing.assert_allclose(grad, exact, atol=1e-5)
    assert loss.value(np.zeros((0, 2)), loss.plan(np.zeros(0))) == 0.0


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch")
    scores, click, conversion, weight, _ = some()
    loss = MultiTaskLoss(click_weight=0.5)
    plan = loss.plan(click + conversion, sample_weight=weight)
    ours = loss.gradient_hessian(torch.from_numpy(scores), plan)
    for there, here in zip(ours, loss.gradient_hessian(scores, plan), strict=True):
        np.testing.assert_allclose(there.numpy(), here, rtol=1e-12)
    assert loss.value(torch.from_numpy(scores), plan) == pytest.approx(loss.value(scores, plan))


# ------------------------------------------------------------------------------ in XGBoost


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(3000, 5)).astype(np.float32)
    click = (rng.random(3000) < 1 / (1 + np.exp(1 - features[:, 0]))).astype(int)
    conversion = click * (rng.random(3000) < 1 / (1 + np.exp(1 - features[:, 1])))
    return features, click, conversion


# min_child_weight counts otherwise in trees of several outputs, and otherwise in each version.
TREES = {"max_depth": 3, "nthread": 1, "min_child_weight": 0, "tree_method": "hist", "verbosity": 0}


def trained(data, objective, **more):
    features, click, conversion = data
    dmatrix = make_dmatrix(features, click, conversion, tasks=2, quantile=True)
    params = {**TREES, **xgboost_params(click, conversion=conversion), **more}
    return xgboost.train(params, dmatrix, 6, obj=objective)


def test_the_click_alone_makes_the_trees_of_the_built_in_objective(data):
    """Where the conversion weighs nothing."""
    features, click, _ = data
    objective = PWiseRMultiTaskObjective(weight=0, conversion_weight=0)
    both = trained(data, objective).inplace_predict(features)
    alone = xgboost.QuantileDMatrix(features, label=click)
    params = {**TREES, "objective": "binary:logistic", "base_score": click.mean()}
    expected = xgboost.train(params, alone, 6).inplace_predict(features)
    np.testing.assert_allclose(both[:, 0], expected, atol=1e-6)
    assert np.ptp(both[:, 1]) < 1e-6


def test_the_conversion_alone_is_learnt_from_clicks(data):
    """All but for the floor under the hessians of exposures without a click, it is the built-in objective."""
    features, click, conversion = data
    objective = PWiseRMultiTaskObjective(weight=0, click_weight=0)
    pcvr = trained(data, objective).inplace_predict(features)[:, 1]
    clicked = click == 1
    alone = xgboost.QuantileDMatrix(
        features[clicked], label=conversion[clicked], ref=xgboost.QuantileDMatrix(features)
    )
    params = {**TREES, "objective": "binary:logistic", "base_score": conversion[clicked].mean()}
    expected = xgboost.train(params, alone, 6).inplace_predict(features)
    assert np.corrcoef(pcvr, expected)[0, 1] > 0.99


def test_trees_are_shared(data):
    features, click, conversion = data
    booster = trained(data, PWiseRMultiTaskObjective(weight=0.1))
    predicted = booster.inplace_predict(features)
    assert predicted.shape == (3000, 2)
    assert booster.num_boosted_rounds() == 6
    assert auc(predicted[:, 0], click) > 0.7
    assert auc(predicted[click == 1, 1], conversion[click == 1]) > 0.7
    again = xgboost.Booster(model_file=bytearray(booster.save_raw("ubj")))
    np.testing.assert_array_equal(again.inplace_predict(features), predicted)


def test_metrics_of_each_task_stop_the_training(data):
    features, click, conversion = data
    half = slice(0, 1500)
    train = make_dmatrix(features[half], click[half], conversion[half], tasks=2)
    rest = [each[1500:] for each in (features, click, conversion)]
    valid = make_dmatrix(*rest, tasks=2)
    told = {}
    booster = xgboost.train(
        {**TREES, **xgboost_params(click, conversion=conversion)},
        train,
        60,
        obj=PWiseRMultiTaskObjective(weight=0),
        custom_metric=auc_tasks,
        evals=[(valid, "valid")],
        evals_result=told,
        verbose_eval=False,
        callbacks=[xgboost.callback.EarlyStopping(rounds=5, metric_name="auc_cvr", data_name="valid")],
    )
    curve = told["valid"]["auc_cvr"]
    assert booster.best_iteration == int(np.argmax(curve)) < len(curve) - 1
    pctr, pcvr = booster.inplace_predict(rest[0]).T
    assert told["valid"]["auc_ctr"][-1] == pytest.approx(auc(pctr, rest[1]), abs=1e-6)
    clicked = rest[1] == 1
    assert curve[-1] == pytest.approx(auc(pcvr[clicked], rest[2][clicked]), abs=1e-6)


def test_weights_and_groups_reach_the_loss(data):
    features, click, conversion = data
    group = np.arange(3000) // 10
    weight = np.where(np.arange(3000) % 2, 2.0, 0.5)
    scores = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    for objective, more in (
        (PWiseRMultiTaskObjective(weight=0.3, pairs="group"), {"group": group}),
        (PWiseRMultiTaskObjective(weight=0.3), {"sample_weight": weight}),
    ):
        dmatrix = make_dmatrix(features, click, conversion, tasks=2, **more)
        with pytest.warns(UserWarning, match="training starts at a mean pCTR"):
            grad, _ = objective(scores * 0 + 2, dmatrix)
        grad, _ = objective(scores, dmatrix)
        expected, _ = objective.loss.gradient_hessian(scores, objective.loss.plan(click + conversion, **more))
        np.testing.assert_allclose(grad, expected, atol=1e-6)
        one = PWiseRObjective(weight=0.3, pairs=objective.loss.pairs)
        alone, _ = one(scores[:, 0], make_dmatrix(features, click, conversion, **more))
        np.testing.assert_allclose(grad[:, 0], alone, atol=1e-7)


def test_copies_and_repr():
    objective = PWiseRMultiTaskObjective(weight=0.2, conversion_weight=3)
    for again in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert again.loss == objective.loss
        assert again.tasks == 2
    assert "conversion_weight=3" in repr(objective)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: PWiseRMultiTaskObjective(click_weight=-1), "click_weight is -1; give a number from 0"),
        (
            lambda d: PWiseRMultiTaskObjective(conversion_weight="1"),
            "conversion_weight is '1'; give a",
        ),
        (
            lambda d: PWiseRMultiTaskObjective(click_weight=0, conversion_weight=0),
            "click_weight and conversion_weight are 0; give at least one task a weight",
        ),
        (
            lambda d: PWiseRMultiTaskObjective()(np.zeros((3000, 2)), make_dmatrix(*d)),
            r"the label has shape \(3000,\), and a model of both tasks needs .* make_dmatrix\(..., tasks=2\)",
        ),
        (
            lambda d: PWiseRMultiTaskObjective()(np.zeros(3000), make_dmatrix(*d, tasks=2)),
            r"raw scores have shape \(3000,\), and a model of both tasks has two per row",
        ),
        (
            lambda d: PWiseRMultiTaskObjective()(np.zeros((3000, 2)), make_dataset(*d).construct()),
            "LightGBM keeps one label per row and one tree per output, so it cannot share trees",
        ),
        (
            lambda d: PWiseRObjective()(np.zeros((3000, 2)), make_dmatrix(*d, tasks=2)),
            r"raw scores have shape \(3000, 2\)",
        ),
        (lambda d: make_dmatrix(*d, tasks=3), "tasks is 3; give 1 for the click, or 2"),
        (
            lambda d: make_dmatrix(*d, tasks=2, base_margin=np.zeros(3000)),
            r"base_margin has shape \(3000,\); give one log-odds per exposure and task, shape \(3000, 2\)",
        ),
        (
            lambda d: xgboost_params(d[1], conversion=0 * d[2]),
            r"the mean conversion of clicks is 0\.0; a model of both tasks needs clicks with and without",
        ),
        (
            lambda d: PWiseRMultiTaskObjective()(np.full((3000, 2), np.nan), make_dmatrix(*d, tasks=2)),
            "raw score",
        ),
    ],
)
def test_what_is_refused(data, call, message):
    with pytest.raises(InputError, match=message):
        call(data)


def test_no_exposures():
    loss = MultiTaskLoss()
    grad, hess = loss.gradient_hessian(np.empty((0, 2)), loss.plan(np.empty(0)))
    assert grad.shape == hess.shape == (0, 2)
    with pytest.raises(InputError, match="the data set has no label"):
        auc_tasks(np.empty(0), xgboost.DMatrix(np.empty((0, 5)), label=np.empty((0, 2))))
