"""The objective inside both boosters: weight 0, cv, early stopping, pickles, the GPU."""

import copy
import pickle
import sys
from types import SimpleNamespace

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    auc,
    auc_ctr,
    make_dataset,
    make_dmatrix,
    pwiser_objective,
    xgboost_params,
)
from tests.objectives.boosters import LGB, ROUNDS, XGB, Data, lgb_scores, xgb_scores


@pytest.mark.parametrize("quantile", [False, True])
def test_xgboost_at_weight_0_is_binary_logistic(data, quantile):
    dtrain = make_dmatrix(data.features, data.click, data.conversion, quantile=quantile)
    params = {**XGB, **xgboost_params(data.click)}
    ours = xgb.train(params, dtrain, ROUNDS, obj=PWiseRObjective(weight=0))
    theirs = xgb.train(params, dtrain, ROUNDS)
    np.testing.assert_allclose(ours.predict(dtrain), theirs.predict(dtrain), atol=1e-5)
    splits = [
        [line.split(" yes=")[0] for line in "".join(b.get_dump()).splitlines() if "yes=" in line]
        for b in (ours, theirs)
    ]
    assert splits[0] == splits[1]


def test_lightgbm_at_weight_0_is_binary(data):
    theirs = lgb.train(
        {**LGB, "objective": "binary"}, lgb.Dataset(data.features, label=data.click.astype(int)), ROUNDS
    )
    ours = lgb_scores(data, PWiseRObjective(weight=0))
    np.testing.assert_allclose(1 / (1 + np.exp(-ours)), theirs.predict(data.features), atol=1e-5)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_weights_at_weight_0_are_the_librarys(data, library):
    objective = PWiseRObjective(weight=0)
    if library == "xgboost":
        dtrain = make_dmatrix(data.features, data.click, data.conversion, sample_weight=data.weight)
        params = {**XGB, **xgboost_params(data.click, sample_weight=data.weight)}
        ours, theirs = (
            xgb.train(params, dtrain, ROUNDS, obj=obj).predict(dtrain) for obj in (objective, None)
        )
    else:
        dtrain = make_dataset(data.features, data.click, data.conversion, sample_weight=data.weight)
        ours, theirs = (
            lgb.train({**LGB, "objective": obj}, dtrain, ROUNDS).predict(data.features, raw_score=True)
            for obj in (objective, "binary")
        )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("scores", [xgb_scores, lgb_scores])
def test_the_pairwise_term_lifts_conversions(data, scores):
    unseen = Data(seed=1)
    assert len(unseen.click) == len(data.click)

    def conversion_auc(objective):
        return auc(scores(data, objective), data.conversion)

    assert conversion_auc(PWiseRObjective(weight=0.3)) > conversion_auc(PWiseRObjective(weight=0)) + 0.01


def test_one_object_serves_both_libraries_and_many_data_sets(data):
    objective, other = PWiseRObjective(weight=0.1), Data(seed=2)
    expected = [
        scores(d, PWiseRObjective(weight=0.1)) for d in (data, other) for scores in (xgb_scores, lgb_scores)
    ]
    got = [scores(d, objective) for d in (data, other) for scores in (xgb_scores, lgb_scores)]
    for one, other_scores in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other_scores)


def test_several_machines_of_lightgbm_are_refused(data):
    dtrain = make_dataset(data.features, data.click, data.conversion, params={"num_machines": 2})
    with pytest.raises(InputError, match="LightGBM's workers cannot tell each other"):
        pwiser_objective(np.zeros(len(data.click)), dtrain)


def test_cv_of_both_libraries_reports_ctr_auc(data):
    objective = PWiseRObjective(weight=0.01)
    ours = xgb.cv(
        {**XGB, **xgboost_params(data.click), "eval_metric": "auc"},
        make_dmatrix(data.features, data.click, data.conversion),
        5,
        nfold=3,
        obj=objective,
        custom_metric=auc_ctr,
        as_pandas=False,
    )
    np.testing.assert_allclose(ours["test-auc_ctr-mean"], ours["test-auc-mean"], atol=1e-6)
    theirs = lgb.cv(
        {**LGB, "objective": objective, "metric": "auc"},
        make_dataset(data.features, data.click, data.conversion),
        5,
        nfold=3,
        feval=auc_ctr,
    )
    np.testing.assert_allclose(theirs["valid auc_ctr-mean"], theirs["valid auc-mean"], atol=1e-12)


def test_early_stopping_maximizes_the_metric(data):
    unseen = Data(seed=3)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    dvalid = make_dmatrix(unseen.features, unseen.click, unseen.conversion)
    seen = {}
    booster = xgb.train(
        {**XGB, **xgboost_params(data.click), "disable_default_eval_metric": True, "learning_rate": 0.5},
        dtrain,
        100,
        obj=pwiser_objective,
        custom_metric=auc_ctr,
        evals=[(dvalid, "valid")],
        evals_result=seen,
        early_stopping_rounds=5,
        verbose_eval=False,
    )
    history = seen["valid"]["auc_ctr"]
    assert booster.best_iteration == int(np.argmax(history))
    assert len(history) < 100
    lvalid = make_dataset(
        unseen.features,
        unseen.click,
        unseen.conversion,
        reference=make_dataset(data.features, data.click, data.conversion),
    )
    model = lgb.train(
        {**LGB, "objective": pwiser_objective, "metric": "None", "learning_rate": 0.5},
        lvalid.reference,
        100,
        valid_sets=[lvalid],
        feval=auc_ctr,
        callbacks=[lgb.early_stopping(5, verbose=False), lgb.record_evaluation(seen)],
    )
    assert model.best_iteration == int(np.argmax(seen["valid_0"]["auc_ctr"])) + 1


def test_weighted_auc_metric(data):
    z = np.random.default_rng(1).normal(size=len(data.click))
    expected = auc(z, data.click, sample_weight=data.weight)
    assert expected != auc(z, data.click)
    dtrain = make_dmatrix(data.features, data.click, data.conversion, sample_weight=data.weight)
    assert auc_ctr(z, dtrain) == ("auc_ctr", expected)
    dataset = make_dataset(data.features, data.click, data.conversion, sample_weight=data.weight).construct()
    assert auc_ctr(z, dataset) == ("auc_ctr", expected, True)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_and_pickles_keep_the_parameters_only(data, duplicate):
    objective = PWiseRObjective(weight=0.2, surrogate="squared_hinge")
    xgb_scores(data, objective, rounds=2)
    twin = duplicate(objective)
    assert twin.loss == objective.loss
    assert len(pickle.dumps(twin)) < 2000
    np.testing.assert_array_equal(xgb_scores(data, twin), xgb_scores(data, objective))


def test_a_saved_xgboost_model_predicts_probabilities(data, tmp_path):
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    booster = xgb.train({**XGB, **xgboost_params(data.click)}, dtrain, 5, obj=pwiser_objective)
    booster.save_model(tmp_path / "m.json")
    loaded = xgb.Booster(model_file=tmp_path / "m.json")
    np.testing.assert_array_equal(loaded.predict(dtrain), booster.predict(dtrain))
    assert 0 < loaded.predict(dtrain).min() < loaded.predict(dtrain).max() < 1


def test_cuda_needs_cupy_and_a_gpu(monkeypatch):
    with pytest.raises(InputError, match="unknown device 'gpu'; choose cpu or cuda"):
        PWiseRObjective(device="gpu")
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match="needs CuPy; pip install"):
        PWiseRObjective(device="cuda")

    def no_driver():
        raise RuntimeError("no driver")

    runtime = SimpleNamespace(getDeviceCount=no_driver)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    with pytest.raises(InputError, match=r"no usable GPU \(no driver\)"):
        PWiseRObjective(device="cuda")
    runtime.getDeviceCount = lambda: 0
    with pytest.raises(InputError, match="found no GPU"):
        PWiseRObjective(device="cuda")


@pytest.mark.gpu
def test_on_a_gpu_gradients_are_cupy_for_xgboost_and_numpy_for_lightgbm(data):
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    z = np.random.default_rng(0).normal(size=len(data.click)).astype(np.float32)
    dtrain = make_dmatrix(data.features, data.click, data.conversion)
    dataset = make_dataset(data.features, data.click, data.conversion).construct()
    expected = pwiser_objective(z, dtrain)
    on_gpu = PWiseRObjective(device="cuda")
    for got, wanted in zip(on_gpu(z, dtrain), expected, strict=True):
        assert isinstance(got, cupy.ndarray)
        np.testing.assert_allclose(got.get(), wanted, rtol=1e-5, atol=1e-6)
    for got, wanted in zip(on_gpu(z, dataset), expected, strict=True):
        assert isinstance(got, np.ndarray)
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    params = {**XGB, **xgboost_params(data.click), "device": "cuda"}
    booster = xgb.train(params, dtrain, ROUNDS, obj=on_gpu)
    assert auc(booster.predict(dtrain), data.click) > 0.7
