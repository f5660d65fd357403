"""The objective inside both boosters: labels, weights, groups, cv, early stopping, scikit-learn, pickles."""

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
    PWiseRLoss,
    PWiseRObjective,
    PWiseRSklearnObjective,
    auc,
    auc_ctr,
    base_score,
    grade_from,
    make_dataset,
    make_dmatrix,
    pwiser_objective,
    xgboost_params,
)

ROUNDS = 20
LGB = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
XGB = {"nthread": 1, "max_depth": 4}


class Data:
    """3,000 exposures whose click and conversion depend on different features."""

    def __init__(self, seed=0, n=3000):
        rng = np.random.default_rng(seed)
        self.features = rng.normal(size=(n, 6)).astype(np.float32)
        self.click = rng.random(n) < 1 / (1 + np.exp(1.5 - self.features[:, 0] - self.features[:, 1]))
        self.conversion = self.click & (rng.random(n) < 1 / (1 + np.exp(1 - 2 * self.features[:, 1])))
        self.weight = rng.integers(1, 4, n).astype(np.float32)
        self.group = np.sort(rng.integers(0, 300, n))

    @property
    def grade(self):
        return self.click.astype(int) + self.conversion


@pytest.fixture(scope="module")
def data():
    return Data()


def xgb_scores(data, objective, dmatrix=None, rounds=ROUNDS):
    dtrain = dmatrix or make_dmatrix(data.features, data.click, data.conversion)
    booster = xgb.train({**XGB, **xgboost_params(data.click)}, dtrain, rounds, obj=objective)
    return booster.predict(xgb.DMatrix(data.features), output_margin=True)


def lgb_scores(data, objective, dataset=None, rounds=ROUNDS):
    dtrain = dataset or make_dataset(data.features, data.click, data.conversion)
    booster = lgb.train({**LGB, "objective": objective}, dtrain, rounds)
    return booster.predict(data.features, raw_score=True) + dtrain.get_init_score()[0]


# ------------------------------------------------------------------------------ weight 0 is the built-in


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


# ------------------------------------------------------------------------------ what the term does


@pytest.mark.parametrize("scores", [xgb_scores, lgb_scores])
def test_the_pairwise_term_lifts_conversions(data, scores):
    unseen = Data(seed=1)
    assert len(unseen.click) == len(data.click)

    def conversion_auc(objective):
        return auc(scores(data, objective), data.conversion)

    assert conversion_auc(PWiseRObjective(weight=0.3)) > conversion_auc(PWiseRObjective(weight=0)) + 0.01


# ------------------------------------------------------------------------------ labels


def test_the_two_codings_of_xgboost_agree(data):
    grades = xgb.DMatrix(data.features, label=data.grade)
    np.testing.assert_array_equal(
        xgb_scores(data, pwiser_objective, grades), xgb_scores(data, pwiser_objective)
    )


def test_one_object_serves_both_libraries_and_many_data_sets(data):
    objective, other = PWiseRObjective(weight=0.1), Data(seed=2)
    expected = [
        scores(d, PWiseRObjective(weight=0.1)) for d in (data, other) for scores in (xgb_scores, lgb_scores)
    ]
    got = [scores(d, objective) for d in (data, other) for scores in (xgb_scores, lgb_scores)]
    for one, other_scores in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other_scores)


@pytest.mark.parametrize("change", ["label", "conversion", "weight", "group"])
def test_a_changed_data_set_is_read_again(data, change):
    loss = PWiseRObjective(weight=1.0, pairs="group" if change == "group" else "all")
    dtrain = make_dmatrix(
        data.features, data.click, data.conversion, group=data.group if change == "group" else None
    )
    z = np.random.default_rng(0).normal(size=len(data.click)).astype(np.float32)
    before, _ = loss(z, dtrain)
    flipped = data.conversion.copy()
    flipped[np.flatnonzero(data.click & ~data.conversion)[:50]] = True
    if change == "label":
        dtrain.set_label(np.maximum(data.click, np.arange(len(data.click)) % 7 == 0))
    elif change == "conversion":
        dtrain.set_float_info("label_lower_bound", flipped.astype(np.float32))
    elif change == "weight":
        dtrain.set_weight(data.weight)
    else:
        dtrain.set_info(group=[len(z)])
    after, _ = loss(z, dtrain)
    fresh, _ = PWiseRObjective(weight=1.0, pairs=loss.loss.pairs)(z, dtrain)
    np.testing.assert_array_equal(after, fresh)
    assert not np.array_equal(before, after)


def test_groups_come_from_the_data_set(data):
    z = np.random.default_rng(0).normal(size=len(data.click))
    expected, _ = PWiseRLoss(pairs="group").gradient_hessian(z, data.grade, group=data.group, dtype="float32")
    objective = PWiseRObjective(pairs="group")
    for dtrain in (
        make_dmatrix(data.features, data.click, data.conversion, group=data.group),
        make_dataset(data.features, data.click, data.conversion, group=data.group).construct(),
    ):
        np.testing.assert_array_equal(objective(z, dtrain)[0], expected)


def test_weights_per_group_of_xgboost(data):
    sizes = np.unique(data.group, return_counts=True)[1]
    dtrain = make_dmatrix(data.features, data.click, data.conversion, group=data.group)
    per_group = np.arange(1, len(sizes) + 1, dtype=np.float32)
    dtrain.set_weight(per_group)
    z = np.random.default_rng(0).normal(size=len(data.click))
    weight = np.repeat(per_group, sizes)
    expected, _ = PWiseRLoss().gradient_hessian(z, data.grade, sample_weight=weight, dtype="float32")
    np.testing.assert_array_equal(pwiser_objective(z, dtrain)[0], expected)


def test_several_machines_of_lightgbm_are_refused(data):
    dtrain = make_dataset(data.features, data.click, data.conversion, params={"num_machines": 2})
    with pytest.raises(InputError, match="LightGBM's workers cannot tell each other"):
        pwiser_objective(np.zeros(len(data.click)), dtrain)


def dmatrix(label, **info):
    data = xgb.DMatrix(np.zeros((3, 1)), **({} if label is None else {"label": label}))
    for name, value in info.items():
        data.set_float_info(name, np.array(value, np.float32))
    return data


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: dmatrix(None), "has no label; give grades 0, 1, 2"),
        (lambda: dmatrix([0, 3, 1]), "grade 3.0 in row 1"),
        (lambda: dmatrix([0, 2, 1], label_lower_bound=[0, 1, 0]), "click is 2.0 in row 1"),
        (lambda: dmatrix([0, 0, 1], label_lower_bound=[1, 0, 0]), "1 conversions have no click"),
        (lambda: dmatrix([0, 0, 1], label_lower_bound=[0, 0, 5]), "conversion is 5.0 in row 2"),
        (lambda: xgb.DMatrix(np.zeros((3, 1)), label=np.zeros((3, 2))), "several outputs"),
        (lambda: lgb.Dataset(np.zeros((3, 1)), label=[0, 1, 4]).construct(), "grade 4"),
        (lambda: np.zeros(3), "numpy.ndarray is no xgboost.DMatrix"),
    ],
)
def test_labels_that_are_no_grades(make, says):
    with pytest.raises(InputError, match=says):
        pwiser_objective(np.zeros(3), make())


def test_other_errors(data):
    with pytest.raises(InputError, match='pairs="group" needs the group'):
        PWiseRObjective(pairs="group")(np.zeros(3), dmatrix([0, 1, 2]))
    with pytest.raises(InputError, match="several outputs"):
        pwiser_objective(np.zeros((3, 3)), dmatrix([0, 1, 2]))
    with pytest.raises(InputError, match="not adjacent"):
        make_dmatrix(np.zeros((3, 1)), [0, 1, 1], [0, 0, 1], group=[1, 2, 1])
    with pytest.raises(InputError, match="per group, not per row"):
        make_dmatrix(np.zeros((3, 1)), [0, 1, 1], [0, 0, 1], group=[1, 1, 2], sample_weight=[1, 1, 1])
    for rate in ([0, 0], [1, 1]):
        with pytest.raises(InputError, match="the mean click is"):
            base_score(rate)
    with pytest.raises(InputError, match=r"click has shape \(2,\), conversion \(3,\)"):
        grade_from([0, 1], [0, 0, 1])
    with pytest.raises(InputError, match="click is nan in row 0"):
        grade_from([float("nan"), 1], [0, 0])


def test_labels_without_conversions_warn_and_train_bce(data):
    clicks_only = xgb.DMatrix(data.features, label=data.click)
    with pytest.warns(UserWarning, match="no conversion"):
        got = xgb_scores(data, pwiser_objective, clicks_only)
    np.testing.assert_array_equal(got, xgb_scores(data, PWiseRObjective(weight=0)))


# ------------------------------------------------------------------------------ cv, metric, pickle, sklearn


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


def sklearn_raw(model, features):
    if isinstance(model, xgb.XGBModel):
        return model.predict(features, output_margin=True)
    return model.predict(features, raw_score=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("estimator", "classifies", "options"),
    [
        (xgb.XGBClassifier, True, {"base_score": 0.25, **XGB}),
        (xgb.XGBRegressor, False, {"base_score": np.log(0.25 / 0.75), **XGB}),
        (lgb.LGBMClassifier, True, LGB),
        (lgb.LGBMModel, False, LGB),
    ],
)
def test_scikit_learn_estimators(data, estimator, classifies, options, weighted):
    weight = data.weight if weighted else None
    objective = PWiseRSklearnObjective(conversion=data.conversion if classifies else None, weight=0.1)
    model = estimator(objective=objective, n_estimators=5, learning_rate=0.3, **options)
    of_lightgbm = issubclass(estimator, lgb.LGBMModel)
    more = {"init_score": np.full(len(data.click), np.log(0.25 / 0.75))} if of_lightgbm else {}
    label = data.click.astype(int) if classifies else data.grade
    model.fit(data.features, label, sample_weight=weight, **more)
    if of_lightgbm:
        dtrain = lgb.Dataset(data.features, label=data.grade, weight=weight, **more)
        native = lgb.train({**LGB, "learning_rate": 0.3, "objective": PWiseRObjective(weight=0.1)}, dtrain, 5)
        expected = native.predict(data.features, raw_score=True)
    else:
        dtrain = make_dmatrix(data.features, data.click, data.conversion, sample_weight=weight)
        params = {**XGB, "learning_rate": 0.3, "objective": "binary:logistic", "base_score": 0.25}
        native = xgb.train(params, dtrain, 5, obj=PWiseRObjective(weight=0.1))
        expected = native.predict(dtrain, output_margin=True)
    np.testing.assert_allclose(sklearn_raw(model, data.features), expected, atol=1e-5)


def test_scikit_learn_objective_needs_the_conversions_of_the_fit(data):
    objective = PWiseRSklearnObjective(conversion=data.conversion)
    with pytest.raises(InputError, match="3000 conversions for a fit on 10 rows"):
        objective(np.zeros(10), np.zeros(10))
    assert repr(PWiseRSklearnObjective(weight=0.5)).startswith("PWiseRSklearnObjective(weight=0.5, ")


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
