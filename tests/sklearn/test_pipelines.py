"""scikit-learn's searches, folds and ensembles carry the conversions to every fit, row by row."""

import io
import pickle
from unittest.mock import patch

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from gbdt_pwiser.objectives import auc
from gbdt_pwiser.sklearn._objective import FitObjective


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


class Spy:
    """Writes down what the gradient of every fit is of: which rows are converted, in which fold."""

    def __init__(self, data):
        self.data, self.fits, self.calls = data, [], 0

    def __enter__(self):
        spy, called = self, FitObjective.__call__

        def call(objective, y_true, y_pred, sample_weight=None):
            spy.calls += 1
            if objective._round == 0:
                spy.fits.append((np.asarray(y_true).astype(int), objective._plan))
            return called(objective, y_true, y_pred, sample_weight)

        self._patch = patch.object(FitObjective, "__call__", call)
        self._patch.start()
        return self

    def __exit__(self, *_):
        self._patch.stop()

    def check(self, folds, fits):
        """The gradients are of the grades of these rows, in some order of the fits."""
        grade = self.data.grade
        wanted = sorted(tuple(grade[rows]) for rows in folds)
        found = []
        for click, plan in self.fits:
            of_fit = click.copy()
            of_fit[plan.anchors] += 1
            found.append(tuple(of_fit))
        assert len(found) == fits
        assert set(found) == set(wanted)


def pipeline(kind, **settings):
    return Pipeline([("scale", StandardScaler()), ("model", kind.ours(n_estimators=3, **settings))])


def folds(data, n=3):
    splitter = StratifiedKFold(n, shuffle=True, random_state=0)
    return splitter, [train for train, _ in splitter.split(data.features, data.click)]


def test_grid_search_over_the_weight_in_a_pipeline(kind, data):
    splitter, trained = folds(data)
    search = GridSearchCV(
        pipeline(kind), {"model__pwiser_weight": [0.0, 0.05, 0.5]}, cv=splitter, scoring="roc_auc"
    )
    with Spy(data) as spy:
        search.fit(data.features, data.click, conversion=data.conversion)
    best = search.best_params_["model__pwiser_weight"]
    assert search.best_estimator_[-1].loss_.weight == best
    refit = [np.arange(len(data.click))] if best else []
    spy.check(trained + refit, 6 + len(refit))
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_calibration_of_a_pipeline(kind, data):
    splitter, trained = folds(data)
    with Spy(data) as spy:
        model = CalibratedClassifierCV(pipeline(kind, pwiser_weight=0.3), method="isotonic", cv=splitter)
        model.fit(data.features, data.click, conversion=data.conversion)
    spy.check(trained, 3)
    p = model.predict_proba(data.features)[:, 1]
    assert abs(p.mean() - data.click.mean()) < 0.02


def test_calibration_of_a_search_of_a_pipeline(kind, data):
    """The whole of it: folds of the calibration, and inside each the folds of the search."""
    splitter, outer = folds(data, 2)
    trained = [
        rows[train] for rows in outer for train, _ in splitter.split(data.features[rows], data.click[rows])
    ]
    search = GridSearchCV(
        pipeline(kind), {"model__pwiser_weight": [0.05, 0.5]}, cv=splitter, scoring="roc_auc"
    )
    with Spy(data) as spy:
        model = CalibratedClassifierCV(search, method="isotonic", cv=splitter)
        model.fit(data.features, data.click, conversion=data.conversion)
    spy.check([*trained, *outer], 10)
    weights = [each.estimator.best_estimator_[-1].loss_.weight for each in model.calibrated_classifiers_]
    assert set(weights) <= {0.05, 0.5}
    assert auc(model.predict_proba(data.features)[:, 1], data.click) > 0.7


def test_cross_validation_with_weights(kind, data):
    splitter, trained = folds(data)
    model = kind.ours(pwiser_weight=0.3).set_fit_request(sample_weight=True, conversion=True)
    scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
    given = {"conversion": data.conversion, "sample_weight": data.weight}
    with Spy(data) as spy:
        scores = cross_validate(model, data.features, data.click, cv=splitter, params=given, scoring=scorer)
    spy.check(trained, 3)
    assert all(
        np.array_equal(np.sort(plan.sample_weight), np.sort(data.weight[rows]))
        for (_, plan), rows in zip(spy.fits, trained, strict=True)
    )
    assert (scores["test_score"] > -0.6).all()


def test_cross_val_predict_gives_probabilities(kind, data):
    splitter, trained = folds(data)
    with Spy(data) as spy:
        p = cross_val_predict(
            pipeline(kind),
            data.features,
            data.click,
            cv=splitter,
            params={"conversion": data.conversion},
            method="predict_proba",
        )
    spy.check(trained, 3)
    assert p.shape == (len(data.click), 2)
    assert auc(p[:, 1], data.click) > 0.7


def test_halving_search(kind, data):
    search = HalvingGridSearchCV(
        kind.ours(n_estimators=3),
        {"pwiser_weight": [0.01, 0.1, 0.2]},
        cv=2,
        min_resources=400,
        scoring="roc_auc",
        random_state=0,
    )
    with Spy(data) as spy:
        search.fit(data.features, data.click, conversion=data.conversion)
    assert len(spy.fits) >= 7
    assert (search.best_estimator_.loss_.weight) == search.best_params_["pwiser_weight"]
    assert np.array_equal(spy.fits[-1][1].anchors, np.flatnonzero(data.conversion))


class Final(LogisticRegression):
    """scikit-learn's stacking hands all metadata to the final estimator, routed or not."""

    def fit(self, X, y, **metadata):
        return super().fit(X, y)


def test_stacking(kind, data):
    splitter, trained = folds(data)
    stack = StackingClassifier(
        [("a", kind.ours(pwiser_weight=0.1)), ("b", kind.ours(pwiser_weight=0.4))],
        final_estimator=Final(),
        cv=splitter,
    )
    with Spy(data) as spy:
        stack.fit(data.features, data.click, conversion=data.conversion)
    spy.check([np.arange(len(data.click)), *trained], 8)
    assert stack.predict_proba(data.features).shape == (len(data.click), 2)


@pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning", "ignore:.optuna.terminator. module"
)
def test_a_search_of_optuna(kind, data):
    integration, optuna, _ = (
        pytest.importorskip(name) for name in ("optuna_integration", "optuna", "pandas")
    )
    splitter, trained = folds(data)
    with sklearn.config_context(enable_metadata_routing=False), Spy(data) as spy:
        search = integration.OptunaSearchCV(
            kind.ours(n_estimators=3),
            {"pwiser_weight": optuna.distributions.FloatDistribution(1e-3, 1.0, log=True)},
            n_trials=2,
            cv=splitter,
            scoring="roc_auc",
        )
        search.fit(data.features, data.click, conversion=data.conversion)
    spy.check([*trained, np.arange(len(data.click))], 7)
    assert search.best_params_["pwiser_weight"] > 0


@pytest.mark.filterwarnings("ignore:The argument .eval_set. is deprecated")
def test_pruning_by_optuna(kind, data, valid):
    """A trial that learns more slowly than the one before ends early."""
    integration, optuna = (pytest.importorskip(name) for name in ("optuna_integration", "optuna"))
    rounds = []

    def objective(trial):
        name = {"lightgbm": "binary_logloss", "xgboost": "validation_0-logloss"}[kind.name]
        prune = {
            "lightgbm": integration.LightGBMPruningCallback,
            "xgboost": integration.XGBoostPruningCallback,
        }[kind.name](trial, name)
        rate = 0.3 if trial.number == 0 else 1e-4
        made = {"n_estimators": 9, "learning_rate": rate, "pwiser_weight": 0.1}
        fit = {"conversion": data.conversion, "eval_set": [(valid.features, valid.click)]}
        if kind.name == "lightgbm":
            model = kind.ours(**made)
            fit |= {"callbacks": [prune], "eval_metric": "binary_logloss"}
        else:
            model = kind.ours(**made, callbacks=[prune], eval_metric="logloss")
        model.fit(data.features, data.click, **fit)
        rounds.append(trial.number)
        return log_loss(valid.click, model.predict_proba(valid.features))

    study = optuna.create_study(
        direction="minimize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=3)
    )
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert rounds == [0]


def test_without_routing_a_pipeline_names_its_step(kind, data):
    with sklearn.config_context(enable_metadata_routing=False):
        model = pipeline(kind).fit(data.features, data.click, model__conversion=data.conversion)
    assert model[-1].loss_.weight == 0.03


def test_models_survive_pickle_and_joblib(kind, data):
    model = pipeline(kind, warm_up=1, click_margin="q50")
    model.fit(data.features, data.click, conversion=data.conversion)
    kept = io.BytesIO()
    joblib.dump(model, kept)
    kept.seek(0)
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(kept)):
        np.testing.assert_array_equal(again.predict_proba(data.features), model.predict_proba(data.features))
        assert again[-1].loss_ == model[-1].loss_


def test_two_jobs_give_what_one_gives(kind, data):
    found = []
    for jobs in (None, 2):
        search = GridSearchCV(
            kind.ours(n_estimators=3),
            {"pwiser_weight": [0.1, 0.5]},
            cv=2,
            n_jobs=jobs,
            scoring="neg_log_loss",
            refit=False,
        )
        search.fit(data.features, data.click, conversion=data.conversion)
        found.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*found)
