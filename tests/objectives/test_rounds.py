"""A warm-up of BCE alone, and margins that are fixed after it, in both boosters."""

import pickle
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from gbdt_pwiser.objectives import (
    InputError,
    Objective,
    PWiseRLoss,
    PWiseRMultiTaskObjective,
    PWiseRObjective,
    PWiseRSklearnObjective,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from tests.objectives.boosters import LGB, XGB, Data, lgb_scores, xgb_scores

LOSS = {"weight": 0.1, "click_margin": "q50", "impression_margin": "q75", "warm_up": 4}


@pytest.fixture(scope="module")
def data():
    return Data()


@pytest.mark.parametrize("scores", [xgb_scores, lgb_scores])
def test_the_warm_up_is_bce_and_then_the_pairs_count(data, scores):
    warm = PWiseRObjective(weight=0.3, warm_up=4)
    bce = PWiseRObjective(weight=0)
    np.testing.assert_array_equal(scores(data, warm, rounds=4), scores(data, bce, rounds=4))
    assert np.abs(scores(data, warm, rounds=5) - scores(data, bce, rounds=5)).max() > 1e-3


def test_after_the_warm_up_xgboost_trains_with_the_numbers(data):
    """A booster of BCE, continued with the loss whose margins are fixed at its scores."""
    objective = PWiseRObjective(**LOSS)
    got = xgb_scores(data, objective, rounds=10)

    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    params = {**XGB, **xgboost_params(data.click)}
    begun = xgb.train(params, dtrain, 4, obj=PWiseRObjective(weight=0))
    margin = begun.predict(dtrain, output_margin=True)
    fixed = PWiseRLoss(**LOSS).fixed_at(margin, data.grade)
    booster = xgb.train(params, dtrain, 6, obj=Objective(replace(fixed, warm_up=0)), xgb_model=begun)
    np.testing.assert_allclose(got, booster.predict(dtrain, output_margin=True), atol=1e-6)
    assert objective.fixed_loss == fixed
    assert repr(objective) == f"PWiseRObjective({repr(fixed)[len('PWiseRLoss(') :]}"


def test_after_the_warm_up_lightgbm_trains_with_the_numbers(data):
    objective = PWiseRObjective(**LOSS)
    got = lgb_scores(data, objective, rounds=10)

    dtrain = make_dataset(data.features, data.click, data.conversion)
    start = dtrain.get_init_score()[0]
    params = {**LGB, "objective": PWiseRObjective(weight=0)}
    begun = lgb.train(params, dtrain, 4)
    raw = begun.predict(data.features, raw_score=True) + start
    fixed = PWiseRLoss(**LOSS).fixed_at(raw, data.grade)
    again = make_dataset(data.features, data.click, data.conversion)
    again.construct().set_init_score(raw)
    params["objective"] = Objective(replace(fixed, warm_up=0))
    more = lgb.train(params, again, 6)
    np.testing.assert_allclose(got, raw + more.predict(data.features, raw_score=True), atol=1e-9)
    assert objective.fixed_loss == fixed  # LightGBM trains with a copy of the objective


@pytest.mark.parametrize(("scores", "make"), [(xgb_scores, make_dmatrix), (lgb_scores, make_dataset)])
def test_a_second_training_on_a_data_set_begins_anew(data, scores, make):
    objective = PWiseRObjective(**LOSS, record_activity=True)
    trained_on = make(data.features, data.click, data.conversion)
    once = scores(data, objective, trained_on, rounds=7)
    np.testing.assert_array_equal(scores(data, objective, trained_on, rounds=7), once)
    assert [number for number, _ in objective.activity] == 2 * list(range(7))


def test_so_it_does_from_scores_of_its_own(data):
    """Scores that training starts from, as a prior gives them, are all different."""
    objective = PWiseRObjective(**LOSS)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    dtrain.set_base_margin(0.3 * data.features[:, 0])
    trees = [xgb.train(XGB, dtrain, 7, obj=objective).get_dump() for _ in range(2)]
    assert trees[0] == trees[1]


def test_a_model_that_is_continued_stays_warm(data):
    objective = PWiseRObjective(**LOSS)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    params = {**XGB, **xgboost_params(data.click)}
    once = xgb.train(params, dtrain, 10, obj=objective).predict(dtrain)
    begun = xgb.train(params, dtrain, 6, obj=objective)
    continued = xgb.train(params, dtrain, 4, obj=objective, xgb_model=begun)
    np.testing.assert_allclose(continued.predict(dtrain), once, atol=1e-6)


def test_folds_have_margins_of_their_own(data):
    objective = PWiseRObjective(**LOSS, record_activity=True)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    xgb.cv({**XGB, **xgboost_params(data.click)}, dtrain, 6, nfold=2, obj=objective)
    numbers, activity = zip(*objective.activity, strict=True)
    assert numbers == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5)
    assert np.isnan(activity[:8]).all()  # the margins are no numbers yet
    assert activity[8] == pytest.approx((0.5, 0.75), abs=0.01)
    assert activity[9] == pytest.approx((0.5, 0.75), abs=0.01)


def test_a_pickle_knows_the_quantiles_and_not_the_numbers(data):
    objective = PWiseRObjective(**LOSS)
    xgb_scores(data, objective, rounds=6)
    loaded = pickle.loads(pickle.dumps(objective))
    assert loaded.loss == PWiseRLoss(**LOSS)
    assert loaded.fixed_loss is None
    assert "click_margin='q50'" in repr(loaded)


def test_trees_of_both_tasks_warm_up_too(data):
    dtrain = make_dmatrix(data.features, data.click, data.conversion, tasks=2)
    params = {**XGB, **xgboost_params(data.click, conversion=data.conversion)}
    trees = {}
    for name, objective in (
        ("warm", PWiseRMultiTaskObjective(**LOSS)),
        ("bce", PWiseRMultiTaskObjective(weight=0)),
    ):
        trees[name] = xgb.train(params, dtrain, 6, obj=objective).get_dump(dump_format="json")
    assert trees["warm"][:4] == trees["bce"][:4]
    assert trees["warm"][4] != trees["bce"][4]


def test_a_loss_of_ones_own_may_change_from_round_to_round(data):
    class Fading(PWiseRLoss):
        def of_round(self, number):
            return PWiseRLoss(weight=self.weight * 0.5**number)

    objective = Objective(Fading(weight=0.3), record_activity=True)
    got = xgb_scores(data, objective, rounds=3)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    params = {**XGB, **xgboost_params(data.click)}
    booster = None
    for weight in (0.3, 0.15, 0.075):
        booster = xgb.train(params, dtrain, 1, obj=PWiseRObjective(weight=weight), xgb_model=booster)
    np.testing.assert_allclose(got, booster.predict(dtrain, output_margin=True), atol=1e-6)


def test_an_estimator_cannot_count_rounds():
    with pytest.raises(InputError, match="warm_up is 3, and an estimator's objective cannot count rounds"):
        PWiseRSklearnObjective(warm_up=3)
