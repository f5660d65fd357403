"""A loss of one's own, the Brier score, as the objective of both boosters."""

import copy
import pickle
import warnings

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from scipy.special import expit

from gbdt_pwiser.objectives import (
    InputError,
    Objective,
    PWiseRLoss,
    PWiseRObjective,
    ScoreLoss,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from tests.objectives.boosters import LGB, ROUNDS, XGB

N = 2000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)).astype(np.float32)
CLICK = RNG.random(N) < expit(X[:, 0] + X[:, 1] - 1.5)
CONVERSION = CLICK & (RNG.random(N) < 0.3)
WEIGHT = RNG.integers(1, 4, N).astype(np.float32)


class Brier:
    """Mean squared error of the probability of a click: three methods, and the plan of PWiseRLoss."""

    def plan(self, grade, *, group=None, sample_weight=None, peers=None):
        return PWiseRLoss(weight=0).plan(grade, group=group, sample_weight=sample_weight, peers=peers)

    def value(self, raw_score, plan):
        if not plan.n:
            return 0.0
        error = expit(raw_score) - self.click(plan)
        return float(np.average(error**2, weights=plan.sample_weight))

    def gradient_hessian(self, raw_score, plan, *, dtype=None):
        p = expit(raw_score)
        weight = 1.0 if plan.sample_weight is None else plan.sample_weight
        grad = 2 * weight * (p - self.click(plan)) * p * (1 - p)
        return grad, 2 * weight * (p * (1 - p)) ** 2 + 1e-6 * plan.mean_weight

    def click(self, plan):
        click = np.zeros(plan.n)
        click[plan.clicked] = 1
        return click


def of_xgboost(**options):
    return make_dmatrix(X, CLICK, CONVERSION, **options)


def of_lightgbm(**options):
    return make_dataset(X, CLICK, CONVERSION, **options)


def train_xgboost(objective, data=None, rounds=ROUNDS):
    data = of_xgboost() if data is None else data
    params = {
        **XGB,
        **xgboost_params(CLICK, sample_weight=data.get_weight() if len(data.get_weight()) else None),
    }
    return xgb.train(params, data, rounds, obj=objective).predict(xgb.DMatrix(X))


def train_lightgbm(objective, data=None, rounds=ROUNDS):
    data = of_lightgbm() if data is None else data
    booster = lgb.train({**LGB, "objective": objective}, data, rounds)
    return expit(booster.predict(X, raw_score=True) + data.get_init_score()[0])


TRAINED = [train_xgboost, train_lightgbm]


def test_both_losses_fulfil_the_protocol():
    assert isinstance(Brier(), ScoreLoss)
    assert isinstance(PWiseRLoss(), ScoreLoss)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_gradient_is_that_of_n_times_the_value(weight):
    loss, few = Brier(), slice(0, 20)
    w = None if weight is None else weight[few]
    plan, z, step = loss.plan(CLICK[few].astype(int), sample_weight=w), RNG.normal(size=20), 1e-6
    grad, _ = loss.gradient_hessian(z, plan)
    for i, direction in enumerate(np.eye(20) * step):
        slope = (loss.value(z + direction, plan) - loss.value(z - direction, plan)) / (2 * step)
        assert grad[i] == pytest.approx(plan.total_weight * slope, abs=1e-7)


@pytest.mark.parametrize("train", TRAINED)
def test_both_boosters_lower_the_loss(train):
    loss = Brier()
    plan = loss.plan(CLICK.astype(int))
    assert loss.value(np.zeros(0), loss.plan([])) == 0.0

    def brier(p):
        return np.mean((p - CLICK) ** 2)

    p = train(Objective(loss))
    assert brier(p) == pytest.approx(loss.value(np.log(p / (1 - p)), plan), abs=1e-6)
    assert brier(p) < 0.9 * brier(CLICK.mean())


@pytest.mark.parametrize("train", TRAINED)
def test_weights_of_the_data_set_are_those_of_the_loss(train):
    made = of_xgboost if train is train_xgboost else of_lightgbm
    weighted = train(Objective(Brier()), made(sample_weight=WEIGHT))
    assert np.average((weighted - CLICK) ** 2, weights=WEIGHT) < np.average(
        (train(Objective(Brier())) - CLICK) ** 2, weights=WEIGHT
    )


@pytest.mark.parametrize("train", TRAINED)
def test_pwiser_is_one_of_the_losses(train):
    np.testing.assert_array_equal(
        train(Objective(PWiseRLoss(weight=0.1))), train(PWiseRObjective(weight=0.1))
    )


def test_derivatives_come_as_float32():
    scores = RNG.normal(size=N)
    for data in (of_xgboost(), of_lightgbm().construct()):
        for got, expected in zip(
            Objective(Brier())(scores, data),
            Brier().gradient_hessian(scores, Brier().plan(CLICK.astype(int))),
            strict=True,
        ):
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_plan_is_made_once_for_a_data_set_and_goes_with_it():
    made = []

    class Counted(Brier):
        def plan(self, grade, **more):
            made.append(len(grade))
            return super().plan(grade, **more)

    objective, data = Objective(Counted()), of_xgboost()
    train_xgboost(objective, data, rounds=3)
    assert made == [N]
    data.set_label(~CLICK & ~CONVERSION)
    data.set_float_info("label_lower_bound", np.zeros(N, np.float32))
    objective(RNG.normal(size=N), data)
    assert made == [N, N]
    assert len(objective._plans) == 1
    del data
    assert len(objective._plans) == 0


# ------------------------------------------------------------------------------ warnings


def test_only_a_loss_of_pairs_misses_them():
    clicks_only = xgb.DMatrix(X, label=CLICK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_xgboost(Objective(Brier()), clicks_only, rounds=1)
        train_xgboost(Objective(PWiseRLoss(weight=0)), clicks_only, rounds=1)
    with pytest.warns(UserWarning, match="no pairs to rank"):
        train_xgboost(Objective(PWiseRLoss(weight=0.1)), clicks_only, rounds=1)


def test_what_boosters_get_wrong_is_met_for_every_loss():
    with pytest.warns(UserWarning, match=r"training starts at a mean pCTR of 0\.5"):
        xgb.train(
            {**XGB, "objective": "binary:logistic", "base_score": 0.5},
            of_xgboost(),
            1,
            obj=Objective(Brier()),
        )
    with pytest.warns(UserWarning, match="no exposure is clicked"):
        Objective(Brier())(np.zeros(3), xgb.DMatrix(np.zeros((3, 1)), label=np.zeros(3)))
    with pytest.warns(UserWarning, match="is_unbalance has no effect"):
        lgb.train({**LGB, "is_unbalance": True, "objective": Objective(Brier())}, of_lightgbm(), 1)


# ------------------------------------------------------------------------------ construction, copies


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_and_pickles_leave_the_data_sets_behind(duplicate):
    objective = Objective(Brier())
    data = of_xgboost()
    train_xgboost(objective, data, rounds=1)
    twin = duplicate(objective)
    assert type(twin) is Objective
    assert type(twin.loss) is Brier
    assert (len(objective._plans), len(twin._plans)) == (1, 0)
    np.testing.assert_array_equal(train_xgboost(twin), train_xgboost(objective))


def test_it_says_what_it_is():
    assert repr(Objective(PWiseRLoss())) == f"Objective({PWiseRLoss()!r}, device='cpu')"
    assert repr(PWiseRObjective(weight=0.5)).startswith("PWiseRObjective(weight=0.5, click_margin=0.1")


@pytest.mark.parametrize("loss", ["brier", Brier, lambda z, data: (z, z)])
def test_what_is_no_loss(loss):
    with pytest.raises(InputError, match=r"^loss is .*; give an object with the methods plan, value and"):
        Objective(loss)
