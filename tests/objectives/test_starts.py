"""Where training starts: priors, continued models, and the warning where a booster starts elsewhere."""

import copy
import pickle
import warnings

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from scipy.special import expit, logit

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    PWiseRSklearnObjective,
    make_dataset,
    make_dmatrix,
    pwiser_objective,
    xgboost_params,
)
from tests.objectives.boosters import LGB, XGB

N = 2000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5))
CLICK = RNG.random(N) < expit(X[:, 0] - 2)
CONVERSION = CLICK & (RNG.random(N) < expit(2 * X[:, 1]))
GRADE = CLICK.astype(int) + CONVERSION
START = logit(CLICK.mean())
ELSEWHERE = "training starts at a mean pCTR of "


def of_lightgbm(**options):
    return make_dataset(X, CLICK, CONVERSION, **options)


def of_xgboost(**options):
    return make_dmatrix(X, CLICK, CONVERSION, **options)


def train_lightgbm(data, rounds=3, objective=None, **options):
    return lgb.train({**LGB, "objective": objective or PWiseRObjective()}, data, rounds, **options)


def train_xgboost(data, rounds=3, params=None, objective=None, **options):
    params = {**XGB, **(xgboost_params(CLICK) if params is None else params)}
    return xgb.train(params, data, rounds, obj=objective or PWiseRObjective(), **options)


# ------------------------------------------------------------------------------ continued training


@pytest.mark.parametrize("objective", [PWiseRObjective(weight=0.1), PWiseRObjective(weight=0)])
def test_a_continued_lightgbm_model_is_the_longer_one(objective):
    whole = train_lightgbm(of_lightgbm(), 40, objective).predict(X, raw_score=True) + START
    old = train_lightgbm(of_lightgbm(), 20, objective)
    raw = START + old.predict(X, raw_score=True)
    more = train_lightgbm(of_lightgbm(init_score=raw), 20, objective)
    np.testing.assert_allclose(raw + more.predict(X, raw_score=True), whole, rtol=0, atol=1e-9)
    assert np.abs(raw - whole).max() > 0.1


def test_a_continued_xgboost_model_is_the_longer_one():
    whole = train_xgboost(of_xgboost(), 10).predict(of_xgboost())
    more = train_xgboost(of_xgboost(), 5, xgb_model=train_xgboost(of_xgboost(), 5))
    np.testing.assert_allclose(more.predict(of_xgboost()), whole, rtol=0, atol=1e-6)


def test_init_model_of_lightgbm_is_met():
    old = train_lightgbm(of_lightgbm(), 20)
    with pytest.warns(UserWarning, match=ELSEWHERE + r"0\.4.*the mean click is 0\.1.*init_model has put"):
        train_lightgbm(of_lightgbm(), init_model=old)
    # One data set in two trainings: the start that it had is gone.
    data, objective = of_lightgbm(free_raw_data=False), PWiseRObjective()
    train_lightgbm(data, objective=objective)
    with pytest.warns(UserWarning, match="init_model has put"):
        train_lightgbm(data, objective=objective, init_model=old)


def test_init_model_that_holds_its_start_is_right():
    builtin = lgb.train({**LGB, "objective": "binary"}, lgb.Dataset(X, label=CLICK.astype(int)), 5)
    train_lightgbm(of_lightgbm(), init_model=builtin)


def test_save_binary_of_lightgbm_is_met(tmp_path):
    of_lightgbm().construct().save_binary(tmp_path / "data.bin")
    with pytest.warns(UserWarning, match=ELSEWHERE + r"0\.5.* save_binary has lost it"):
        train_lightgbm(lgb.Dataset(tmp_path / "data.bin"))


# ------------------------------------------------------------------------------ wrong starts


@pytest.mark.parametrize(
    "train",
    [
        lambda: train_lightgbm(lgb.Dataset(X, label=GRADE)),
        lambda: train_lightgbm(lgb.Dataset(X, label=GRADE, init_score=np.full(N, 0.5))),
        lambda: train_lightgbm(of_lightgbm(sample_weight=1.0 + 9 * CLICK, init_score=np.full(N, START))),
        lambda: train_xgboost(of_xgboost(), params={}),
        lambda: train_xgboost(of_xgboost(), params={"objective": "binary:logistic"}),
        lambda: train_xgboost(of_xgboost(), params={"objective": "binary:logistic", "base_score": 0.5}),
        lambda: train_xgboost(of_xgboost(quantile=True), params={"base_score": 0.5}),
        lambda: train_xgboost(of_xgboost(sample_weight=1.0 + 9 * CLICK)),
        lambda: train_xgboost(xgb.DMatrix(X, label=GRADE), params={}),
        lambda: xgb.cv(XGB, of_xgboost(), 1, nfold=2, obj=PWiseRObjective(), as_pandas=False),
    ],
)
def test_a_wrong_start_is_met(train):
    with pytest.warns(UserWarning, match=ELSEWHERE):
        train()


def test_it_is_said_once_for_a_data_set():
    data, objective = of_xgboost(), PWiseRObjective()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            train_xgboost(data, params={}, objective=objective)
    (one,) = seen
    assert str(one.message).endswith("with base_score = the mean click, as xgboost_params(click) has it")
    assert "\n" not in str(one.message)


# ------------------------------------------------------------------------------ what is right stays silent


def test_cv_starts_at_the_mean_of_all_rows():
    for seed in range(5):
        folds = {"nfold": 5, "seed": seed}
        lgb.cv({**LGB, "objective": PWiseRObjective()}, of_lightgbm(), 1, stratified=False, **folds)
        params = {**XGB, **xgboost_params(CLICK)}
        xgb.cv(params, of_xgboost(), 1, obj=PWiseRObjective(), as_pandas=False, **folds)


@pytest.mark.parametrize("rows", [60, 200])
def test_cv_of_few_rows(rows):
    few = np.sort(np.r_[np.flatnonzero(CLICK)[: rows // 5], np.flatnonzero(~CLICK)[: rows - rows // 5]])
    data = make_dataset(X[few], CLICK[few], CONVERSION[few])
    lgb.cv({**LGB, "objective": PWiseRObjective()}, data, 1, nfold=3, stratified=False)
    dtrain = make_dmatrix(X[few], CLICK[few], CONVERSION[few])
    params = {**XGB, **xgboost_params(CLICK[few])}
    xgb.cv(params, dtrain, 1, nfold=3, obj=PWiseRObjective(), as_pandas=False)


@pytest.mark.parametrize("weight", [np.ones(N), 1.0 + 9 * CLICK, RNG.random(N)])
def test_weights_are_part_of_the_mean(weight):
    train_lightgbm(of_lightgbm(sample_weight=weight))
    train_xgboost(of_xgboost(sample_weight=weight), params=xgboost_params(CLICK, sample_weight=weight))


def test_a_prior_may_be_any():
    prior = START + RNG.normal(1, 1, N)
    train_lightgbm(of_lightgbm(init_score=prior))
    train_xgboost(of_xgboost(base_margin=prior))


def test_scores_by_hand_and_copies_in_the_middle_of_training():
    scores = RNG.normal(size=N)
    for data in (of_xgboost(), of_lightgbm().construct()):
        for objective in (pwiser_objective, copy.deepcopy(pwiser_objective)):
            objective(scores, data)
        pickle.loads(pickle.dumps(pwiser_objective))(scores, data)
    PWiseRSklearnObjective(conversion=CONVERSION)(CLICK, scores)
    pwiser_objective(np.zeros(3), xgb.DMatrix(np.zeros((3, 1)), label=[0, 1, 2]))  # three rows prove nothing


def test_a_subset_keeps_the_start_of_the_whole():
    train_lightgbm(of_lightgbm(params=LGB).construct().subset(np.arange(0, N, 2)))


# ------------------------------------------------------------------------------ priors


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_the_residual_is_learnt_on_top_of_a_prior(library):
    """As the built-in objective does it, with predictions that are better than the prior."""
    prior = START + 0.5 * X[:, 0]
    if library == "lightgbm":
        booster = train_lightgbm(of_lightgbm(init_score=prior), 20, PWiseRObjective(weight=0))
        predicted = expit(prior + booster.predict(X, raw_score=True))
        theirs = lgb.train(
            {**LGB, "objective": "binary"}, lgb.Dataset(X, label=CLICK.astype(int), init_score=prior), 20
        )
        expected = expit(prior + theirs.predict(X, raw_score=True))
    else:
        data = of_xgboost(base_margin=prior)
        predicted = train_xgboost(data, 20, objective=PWiseRObjective(weight=0)).predict(data)
        theirs = xgb.DMatrix(X, label=CLICK, base_margin=prior)
        expected = xgb.train({**XGB, **xgboost_params(CLICK)}, theirs, 20).predict(theirs)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    assert np.mean((predicted - CLICK) ** 2) < np.mean((expit(prior) - CLICK) ** 2)


def test_validation_takes_the_start_of_training_or_a_prior_of_its_own():
    valid = of_lightgbm(reference=of_lightgbm())
    np.testing.assert_array_equal(valid.get_init_score(), np.full(N, START))
    prior = START + X[:, 0]
    valid = of_lightgbm(reference=of_lightgbm(init_score=prior), init_score=prior)
    np.testing.assert_array_equal(valid.get_init_score(), prior)
    with pytest.raises(InputError, match="reference starts from a prior of its own rows; give init_score="):
        of_lightgbm(reference=of_lightgbm(init_score=prior))
    with pytest.raises(InputError, match="reference has no init_score to start from"):
        of_lightgbm(reference=lgb.Dataset(X, label=GRADE))


# ------------------------------------------------------------------------------ scikit-learn


@pytest.mark.parametrize(
    ("model", "right"),
    [
        (lambda **o: xgb.XGBClassifier(**XGB, **o), {"base_score": CLICK.mean()}),
        (lambda **o: lgb.LGBMClassifier(**LGB, **o), {"init_score": np.full(N, START)}),
    ],
    ids=["xgboost", "lightgbm"],
)
def test_estimators_are_told_where_to_start(model, right):
    objective = PWiseRSklearnObjective(conversion=CONVERSION)
    with pytest.warns(UserWarning, match=ELSEWHERE + r"0\.5, .*give XGBoost's estimator base_score"):
        model(objective=objective, n_estimators=3).fit(X, CLICK.astype(int))
    at_construction = {k: v for k, v in right.items() if k == "base_score"}
    at_fit = {k: v for k, v in right.items() if k == "init_score"}
    model(objective=objective, n_estimators=3, **at_construction).fit(X, CLICK.astype(int), **at_fit)


def test_the_objective_copies_its_conversions():
    conversion = CONVERSION.copy()
    objective = PWiseRSklearnObjective(conversion=conversion, weight=1.0)
    scores = RNG.normal(size=N)
    before = objective(CLICK, scores)[0]
    conversion[:] = False
    np.testing.assert_array_equal(objective(CLICK, scores)[0], before)


# ------------------------------------------------------------------------------ parameters without effect


@pytest.mark.parametrize(
    "params",
    [
        {"scale_pos_weight": 3},
        {"is_unbalance": True},
        {"unbalance": "true"},
        {"pos_bagging_fraction": 0.5, "bagging_freq": 1},
        {"neg_sub_row": 0.5, "bagging_freq": 1},
    ],
)
def test_parameters_of_built_in_objectives_are_met(params):
    (name, *_) = params
    with pytest.warns(UserWarning, match=f"^{name} has no effect beside an objective .*give sample weights"):
        lgb.train({**LGB, **params, "objective": PWiseRObjective()}, of_lightgbm(), 2)


@pytest.mark.parametrize("metric", ["binary_logloss", ["auc", "binary"], "auc,binary_error"])
def test_metrics_of_probabilities_are_met(metric):
    with pytest.warns(UserWarning, match=r"^metric binary\w* is of probabilities .*use auc"):
        lgb.train({**LGB, "metric": metric, "objective": PWiseRObjective()}, of_lightgbm(), 2)
    right = {"metric": ["auc", "average_precision"], "objective": PWiseRObjective()}
    lgb.train({**LGB, **right}, of_lightgbm(), 2)


def test_parameters_that_ask_for_nothing_are_silent():
    off = {"scale_pos_weight": 1.0, "is_unbalance": False, "pos_bagging_fraction": 1, "boosting": "gbdt"}
    lgb.train({**LGB, **off, "objective": PWiseRObjective()}, of_lightgbm(), 2)


@pytest.mark.parametrize("params", [{"boosting": "rf"}, {"boosting_type": "random_forest"}, {"boost": "rf"}])
def test_a_random_forest_is_refused(params):
    with pytest.raises(InputError, match="takes neither an objective of one's own nor init_score"):
        of_lightgbm(params=params)
    with pytest.raises(InputError, match="takes neither"):
        pwiser_objective(np.zeros(N), lgb.Dataset(X, label=GRADE, params={**LGB, **params}).construct())


# ------------------------------------------------------------------------------ weight 0 is the built-in


@pytest.mark.parametrize("params", [{}, {"max_delta_step": 0.3}])
def test_weight_0_is_xgboosts_binary_logistic(params):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(900, 6)).astype(np.float32)
        click = rng.random(900) < expit(features[:, 0] + features[:, 1] - 1.5)
        data = make_dmatrix(features, click, np.zeros(900))
        params = {**XGB, **params, **xgboost_params(click)}
        ours, theirs = (
            xgb.train(params, data, 10, obj=objective).predict(data)
            for objective in (PWiseRObjective(weight=0), None)
        )
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("params", [{}, {"max_delta_step": 0.3}, {"learning_rate": 0.5, "num_leaves": 7}])
def test_weight_0_is_lightgbms_binary_to_the_last_digit(params, weighted):
    """Where two splits are nearly as good, the last digit of the gradients decides between them."""
    for seed in range(25):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(900, 6)).astype(np.float32)
        click = rng.random(900) < expit(features[:, 0] + features[:, 1] - 1.5)
        weight = rng.integers(1, 4, 900).astype(np.float32) if weighted else None
        ours, theirs = (
            lgb.train(
                {**LGB, **params, "objective": objective},
                make_dataset(features, click, click & (rng.random(900) < 0.3), sample_weight=weight),
                10,
            ).predict(features, raw_score=True)
            for objective in (PWiseRObjective(weight=0), "binary")
        )
        np.testing.assert_array_equal(ours, theirs)
