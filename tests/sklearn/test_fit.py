"""What a fit of the classifiers gives: the trees of the native libraries, as a model of the built-in kind."""

import gc
import pickle
import weakref
from importlib.util import find_spec

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
import xgboost as xgb
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.metrics import log_loss

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    auc,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from gbdt_pwiser.sklearn import LGBMPWiseRClassifier, XGBPWiseRClassifier
from tests.sklearn.conftest import KINDS, raw_scores

pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")

LOSSES = {
    "default": {},
    "weighted": {"weight": 0.5},
    "warm_up": {"warm_up": 2, "click_margin": "q50", "impression_margin": "q60"},
    "group": {"pairs": "group", "scale": "logit"},
}


def native(kind, data, weight, group, loss):
    """Raw scores of the same training by the library's train function."""
    settings = {name: value for name, value in kind.settings.items() if name != "n_estimators"}
    objective = PWiseRObjective(**loss)
    if kind.name == "lightgbm":
        dataset = make_dataset(data.features, data.click, data.conversion, sample_weight=weight, group=group)
        booster = lgb.train({**settings, "objective": objective}, dataset, 6)
        raw = booster.predict(data.features, raw_score=True) + dataset.get_init_score()[0]
    else:
        settings["nthread"] = settings.pop("n_jobs")
        dmatrix = make_dmatrix(data.features, data.click, data.conversion, sample_weight=weight, group=group)
        params = settings | xgboost_params(data.click, sample_weight=weight)
        booster = xgb.train(params, dmatrix, 6, obj=objective)
        raw = booster.predict(dmatrix, output_margin=True)
    return raw, objective


@pytest.mark.parametrize("name", LOSSES)
def test_trees_are_those_of_the_native_training(kind, data, name):
    loss = {"weight": 0.1} | LOSSES[name]
    weight = data.weight if name == "weighted" else None
    group = data.group if name == "group" else None
    raw, objective = native(kind, data, weight, group, loss)
    model = kind.ours(pwiser_weight=loss.pop("weight"), **loss)
    model.fit(data.features, data.click, conversion=data.conversion, sample_weight=weight, group=group)
    np.testing.assert_allclose(raw_scores(model, data.features), raw, atol=1e-5, rtol=0)
    assert model.loss_ == (objective.fixed_loss or objective.loss)
    assert model.loss_.is_fixed


def test_groups_need_no_order(kind, data):
    """Unlike those of a booster's data set: the pairs of shuffled rows are the same ones."""
    order = np.random.default_rng(0).permutation(len(data.click))
    raw = []
    for rows in (np.arange(len(order)), order):
        model = kind.ours(pairs="group", scale="logit", pwiser_weight=1.0)
        model.fit(
            data.features[rows],
            data.click[rows],
            conversion=data.conversion[rows],
            group=data.group[rows],
        )
        raw.append(raw_scores(model, data.features))
    np.testing.assert_allclose(*raw, atol=1e-4)


def test_without_weight_it_is_the_plain_classifier(kind, data):
    ours = kind.ours(pwiser_weight=0).fit(data.features, data.click, conversion=data.conversion)
    plain = kind.plain().fit(data.features, data.click)
    np.testing.assert_array_equal(raw_scores(ours, data.features), raw_scores(plain, data.features))
    assert ours.loss_.weight == 0


def test_without_conversions_it_is_the_plain_classifier_and_says_so(kind, data):
    with pytest.warns(UserWarning, match="trains on BCE alone, as fit got no conversion") as told:
        ours = kind.ours().fit(data.features, data.click)
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    plain = kind.plain().fit(data.features, data.click)
    np.testing.assert_array_equal(raw_scores(ours, data.features), raw_scores(plain, data.features))
    with pytest.warns(UserWarning, match="no row is a conversion"):
        kind.ours().fit(data.features, data.click, conversion=np.zeros(len(data.click)))


def metrics_of(kind):
    """Several metrics in an order of their own, a callable among them, and where they are given."""
    if kind.name == "lightgbm":

        def brier(y_true, y_pred):
            return "brier", np.mean((y_true - y_pred) ** 2), False

        names = ["average_precision", "auc", "error", brier]
        return {}, {"eval_metric": names, "callbacks": [lgb.early_stopping(2, verbose=False)]}

    def brier(y_true, y_pred, sample_weight=None):
        return np.average((y_true - y_pred) ** 2, weights=sample_weight)

    return {"eval_metric": ["auc", "logloss", "error", brier], "early_stopping_rounds": 2}, {"verbose": False}


@pytest.mark.parametrize("weighted", [False, True])
def test_objective_and_metrics_of_bce_are_the_built_in_ones(kind, data, valid, weighted):
    """With a warm-up as long as the training the objective of our own gives BCE alone."""
    settings, options = metrics_of(kind)
    settings |= {"n_estimators": 30, "learning_rate": 0.5}
    labels = np.array(["no", "yes"]) if kind.name == "lightgbm" else np.array([0, 1])
    click, click_of_valid = labels[data.click], labels[valid.click]
    options["eval_set"] = [(data.features, click), (valid.features, click_of_valid)]
    weight = data.weight if weighted else None
    if weighted:
        name = "eval_sample_weight" if kind.name == "lightgbm" else "sample_weight_eval_set"
        options[name] = [weight, valid.weight]
    if kind.name == "xgboost":
        settings["base_score"] = float(np.average(data.click, weights=weight))
    plain = kind.plain(**settings).fit(data.features, click, sample_weight=weight, **options)
    if kind.name == "xgboost":
        settings.pop("base_score")
    ours = kind.ours(warm_up=30, **settings)
    ours.fit(data.features, click, conversion=data.conversion, sample_weight=weight, **options)
    tolerance = {"atol": 1e-6, "rtol": 0}
    np.testing.assert_allclose(
        raw_scores(ours, valid.features), raw_scores(plain, valid.features), atol=1e-5, rtol=0
    )
    np.testing.assert_allclose(
        ours.predict_proba(valid.features), plain.predict_proba(valid.features), **tolerance
    )
    assert list(ours.predict(valid.features)) == list(plain.predict(valid.features))
    assert list(ours.classes_) == list(plain.classes_)
    assert ours.evals_result_.keys() == plain.evals_result_.keys()
    for name, shown in plain.evals_result_.items():
        assert list(ours.evals_result_[name]) == list(shown)
        for metric, values in shown.items():
            np.testing.assert_allclose(ours.evals_result_[name][metric], values, **tolerance, err_msg=metric)
    of_best = "best_iteration_" if kind.name == "lightgbm" else "best_iteration"
    assert getattr(ours, of_best) == getattr(plain, of_best) < 29
    np.testing.assert_allclose(ours.feature_importances_, plain.feature_importances_, atol=1e-4)


def test_lightgbm_shows_the_same_metric_without_being_asked(data, valid):
    kind = KINDS["lightgbm"]
    given = {"eval_set": [(valid.features, valid.click)]}
    plain = kind.plain().fit(data.features, data.click, **given)
    ours = kind.ours(warm_up=99).fit(data.features, data.click, conversion=data.conversion, **given)
    assert ours.evals_result_["valid_0"].keys() == {"binary_logloss"}
    shown = [model.evals_result_["valid_0"]["binary_logloss"] for model in (ours, plain)]
    np.testing.assert_allclose(*shown, atol=1e-7)
    assert ours.best_score_["valid_0"].keys() == {"binary_logloss"}


def test_the_text_of_lightgbm_is_that_of_its_binary_objective(data, tmp_path):
    """Inner nodes, linear leaves and a tree of one leaf included."""
    kind = KINDS["lightgbm"]
    for settings in ({}, {"linear_tree": True}, {"min_split_gain": 1e9}):
        plain = kind.plain(**settings).fit(data.features, data.click)
        ours = kind.ours(warm_up=99, **settings).fit(data.features, data.click, conversion=data.conversion)
        one, other = plain.booster_.dump_model(), ours.booster_.dump_model()
        assert one["objective"] == other["objective"] == "binary sigmoid:1"
        assert one["tree_info"][0].keys() == other["tree_info"][0].keys()
        np.testing.assert_allclose(*(raw_scores(m, data.features) for m in (ours, plain)), atol=1e-6)
        if not settings and find_spec("pandas"):
            tables = [model.booster_.trees_to_dataframe() for model in (ours, plain)]
            np.testing.assert_allclose(tables[0]["value"], tables[1]["value"], atol=1e-5)
    ours.booster_.save_model(tmp_path / "model.txt")
    loaded = lgb.Booster(model_file=tmp_path / "model.txt")
    np.testing.assert_array_equal(loaded.predict(data.features), ours.predict_proba(data.features)[:, 1])


@pytest.mark.parametrize("settings", [{"boosting_type": "dart"}, {"data_sample_strategy": "goss"}])
def test_other_kinds_of_boosting_predict_what_they_trained(data, settings):
    """The start is of the model as it ends: dart scales trees again after they are made."""
    kind = KINDS["lightgbm"]
    model = kind.ours(n_estimators=15, drop_rate=0.5, **settings)
    given = {"eval_set": [(data.features, data.click)], "conversion": data.conversion}
    model.fit(data.features, data.click, **given)
    shown = model.evals_result_["training"]["binary_logloss"][-1]
    assert log_loss(data.click, model.predict_proba(data.features)) == pytest.approx(shown, abs=1e-9)


def test_probabilities_contributions_and_raw_scores_agree(kind, data):
    model = kind.ours().fit(data.features, data.click, conversion=data.conversion)
    p = model.predict_proba(data.features)
    assert p.shape == (len(data.click), 2)
    raw = raw_scores(model, data.features)
    np.testing.assert_allclose(p[:, 1], expit(raw), atol=1e-6)
    assert abs(p[:, 1].mean() - data.click.mean()) < 0.01
    if kind.name == "lightgbm":
        contributions = model.predict(data.features, pred_contrib=True)
        np.testing.assert_array_equal(model.booster_.predict(data.features), p[:, 1])
        np.testing.assert_array_equal(model.booster_.predict(data.features, raw_score=True), raw)
        assert model.objective_ == "binary"
    else:
        dmatrix = xgb.DMatrix(data.features)
        contributions = model.get_booster().predict(dmatrix, pred_contribs=True)
        assert float(model.intercept_[0]) == pytest.approx(data.click.mean())
        assert model.objective == "binary:logistic"
        assert model.base_score is None
    np.testing.assert_allclose(contributions.sum(axis=1), raw, atol=1e-5)


def test_shap_explains_the_log_odds(kind, data):
    shap = pytest.importorskip("shap")
    model = kind.ours().fit(data.features, data.click, conversion=data.conversion)
    told = shap.TreeExplainer(model)(data.features[:20])
    raw = raw_scores(model, data.features[:20])
    np.testing.assert_allclose(told.values.sum(axis=1) + told.base_values, raw, atol=1e-4)


def test_pwiser_trains_what_it_says(kind, data):
    """The further the weight, the better conversions rank: the term arrives at the trees."""
    ranks = []
    for weight in (0.0, 1.0):
        model = kind.ours(pwiser_weight=weight, n_estimators=15)
        model.fit(data.features, data.click, conversion=data.conversion)
        ranks.append(auc(raw_scores(model, data.features), data.conversion))
    assert ranks[1] > ranks[0] + 0.001


def test_the_auc_of_conversions_joins_the_metrics(kind, data, valid):
    given = {
        "eval_set": [(valid.features, valid.click), (data.features, data.click)],
        "eval_conversion": [valid.conversion, data.conversion],
    }
    if kind.name == "xgboost":
        given["verbose"] = False
    for weight in (0.0, 0.1):
        model = kind.ours(pwiser_weight=weight)
        model.fit(data.features, data.click, conversion=data.conversion, **given)
        sets = list(model.evals_result_.values())
        shown = {round(values["auc_conversion"][-1], 4) for values in sets}
        each = [auc(raw_scores(model, one.features), one.conversion) for one in (valid, data)]
        assert shown == {round(value, 4) for value in each}
        assert list(sets[0])[-1] == "auc_conversion"


def test_a_fit_continues_an_old_model(kind, data):
    """In two parts, without pairs that depend on the round, the trees are those of one training."""
    whole = kind.ours(n_estimators=6).fit(data.features, data.click, conversion=data.conversion)
    half = kind.ours(n_estimators=3).fit(data.features, data.click, conversion=data.conversion)
    name = "init_model" if kind.name == "lightgbm" else "xgb_model"
    model = kind.ours(n_estimators=3)
    model.fit(data.features, data.click, conversion=data.conversion, **{name: half})
    np.testing.assert_allclose(*(raw_scores(m, data.features) for m in (whole, model)), atol=1e-5)


def test_a_prior_is_the_start(kind, data):
    prior = np.full(len(data.click), logit(data.click.mean()))
    name = "init_score" if kind.name == "lightgbm" else "base_margin"
    model = kind.ours().fit(data.features, data.click, conversion=data.conversion, **{name: prior})
    usual = kind.ours().fit(data.features, data.click, conversion=data.conversion)
    if kind.name == "lightgbm":
        raw = raw_scores(model, data.features) + prior
    else:
        raw = model.predict(data.features, output_margin=True, base_margin=prior)
    np.testing.assert_allclose(raw, raw_scores(usual, data.features), atol=1e-5)


def test_frames_with_categories(kind, data):
    named = np.array(["a", "b", "c", "d"])[np.digitize(data.features[:, 0], [-0.5, 0.3, 1.0])]
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame({"x": data.features[:, 1], "kind": pd.Categorical(named)})
    settings = {} if kind.name == "lightgbm" else {"enable_categorical": True}
    model = kind.ours(**settings)
    model.fit(frame, pd.Series(data.click), conversion=pd.Series(data.conversion))
    plain = kind.plain(**settings).fit(frame, pd.Series(data.click))
    assert list(model.feature_names_in_) == ["x", "kind"]
    assert model.feature_importances_[1] > 0
    assert abs(model.predict_proba(frame) - plain.predict_proba(frame)).max() < 0.2
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))


def test_frames_of_polars(kind, data):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = pl.DataFrame({f"x{i}": data.features[:, i] for i in range(6)})
    click, conversion = pl.Series(data.click), pl.Series(data.conversion)
    model = kind.ours().fit(frame, click, conversion=conversion)
    array = kind.ours().fit(data.features, data.click, conversion=data.conversion)
    np.testing.assert_array_equal(model.predict_proba(frame), array.predict_proba(data.features))


def test_callbacks_are_called(kind, data):
    rounds = []
    if kind.name == "lightgbm":
        settings, given = {}, {"callbacks": [lambda env: rounds.append(env.iteration)]}
    else:

        class Counts(xgb.callback.TrainingCallback):
            def after_iteration(self, model, epoch, evals_log):
                rounds.append(epoch)
                return False

        settings, given = {"callbacks": [Counts()]}, {}
    kind.ours(**settings).fit(data.features, data.click, conversion=data.conversion, **given)
    assert rounds == [0, 1, 2, 3, 4, 5]


def test_nothing_of_the_training_stays(kind, data):
    class Tracked(np.ndarray):
        pass

    features, conversion = data.features.view(Tracked), data.conversion.view(Tracked)
    objectives = []
    model = kind.ours()
    made = type(model)._objective_of_fit

    def spy(*arguments):
        found = made(*arguments)
        objectives.append(weakref.ref(found[0]))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "_objective_of_fit", spy)
        model.fit(features, data.click, conversion=conversion)
    gone = [weakref.ref(features), weakref.ref(conversion), *objectives]
    del features, conversion
    gc.collect()
    assert [each() for each in gone] == [None, None, None]
    plain = kind.plain().fit(data.features, data.click)
    assert len(pickle.dumps(model)) < 1.2 * len(pickle.dumps(plain)) + 2000
    assert model.get_params()["objective"] in (None, "binary:logistic")


def test_parameters_are_read_set_and_cloned(kind, data):
    model = kind.ours(pwiser_weight=0.2, warm_up=1)
    assert {"pwiser_weight": 0.2, "warm_up": 1, "click_margin": 0.1, "pairs": "all"}.items() <= (
        model.get_params().items()
    )
    assert kind.settings.items() <= model.get_params().items()
    twin = clone(model.set_params(scale="logit", pwiser_weight=0.3))
    assert (twin.scale, twin.pwiser_weight, twin.warm_up) == ("logit", 0.3, 1)
    assert twin.get_params() == model.get_params()
    twin.fit(data.features, data.click, conversion=data.conversion)
    assert twin.loss_.scale == "logit"
    twin.fit(data.features, data.click, conversion=data.conversion)  # a second time


# ------------------------------------------------------------------------------ refusals

WRONG = {
    "no click": ({"conversion": "ones"}, r"conversions have no click"),
    "length": ({"conversion": "short"}, r"click has shape \(800,\), conversion \(799,\)"),
    "value": ({"conversion": "twos"}, r"conversion is 2 in row"),
    "infinite": ({"conversion": "infinite"}, r"conversion is inf in row 0 .* or NaN where"),
    "eval": ({"eval_conversion": [[0]]}, r"conversions of 1 evaluation sets, and there are 0"),
    "group": ({"group": [1, 2]}, r"one group id per exposure"),
    "weight": ({"sample_weight": np.ones(3)}, r"sample_weight has shape \(3,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_rows_are_refused(kind, data, case):
    given, message = WRONG[case]
    made = {
        "ones": np.ones(len(data.click)),
        "short": data.conversion[1:],
        "twos": 2 * data.conversion,
        "infinite": np.where(np.arange(len(data.click)) == 0, np.inf, data.conversion),
    }
    wrong = given.get("conversion", "right")
    given = {"conversion": made.get(wrong, data.conversion)} | {
        name: value for name, value in given.items() if name != "conversion"
    }
    with pytest.raises(InputError, match=message):
        kind.ours().fit(data.features, data.click, **given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pwiser_weight": -1}, "pwiser_weight is -1"),
        ({"surrogate": "hing"}, "did you mean hinge"),
        ({"click_margin": "q50"}, "give a warm_up"),
        ({"objective": lambda y, z: (y, y)}, "brings its own"),
        ({"objective": "binary:hinge"}, "brings its own"),
        ({"scale_pos_weight": 3}, "scale_pos_weight would do nothing beside PWiseR"),
    ],
)
def test_bad_parameters_are_refused(kind, data, settings, message):
    with pytest.raises(InputError, match=message):
        kind.ours(**settings).fit(data.features, data.click, conversion=data.conversion)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weight": "balanced"}, "class_weight would do nothing .* sample_weight"),
        ({"is_unbalance": True}, "is_unbalance would do nothing"),
        ({"boosting_type": "rf"}, "choose gbdt, dart or goss"),
        ({"metric": "l2"}, "metric l2 of LightGBM would get raw scores"),
        ({"app": "cross_entropy"}, "app is 'cross_entropy'"),
    ],
)
def test_what_only_lightgbm_has_is_refused(data, settings, message):
    with pytest.raises(InputError, match=message):
        KINDS["lightgbm"].ours(**settings).fit(data.features, data.click, conversion=data.conversion)


def test_three_classes_are_refused(kind, data):
    with pytest.raises(InputError, match=r"Only binary classification is supported\. y holds 3 classes"):
        kind.ours().fit(data.features, data.grade, conversion=data.conversion)


def test_one_class_is_refused(kind, data):
    with pytest.raises(InputError, match="one class only"):
        kind.ours().fit(data.features, np.ones(len(data.click)), conversion=data.conversion)


def test_without_a_feature_to_split_the_model_is_its_start(kind, data):
    """LightGBM by itself refuses an own objective then; small folds of a search come to it."""
    model = kind.ours().fit(np.zeros((50, 2)), data.click[:50], conversion=data.conversion[:50])
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 2)))[:, 1], data.click[:50].mean(), rtol=1e-5)
    assert model.get_params()["objective"] in (None, "binary:logistic")


def test_weights_of_one_class_are_refused(kind, data):
    with pytest.raises(InputError, match=r"mean click with these sample weights is 1\.0, that of one class"):
        kind.ours().fit(data.features, data.click, conversion=data.conversion, sample_weight=data.click)


def test_a_failed_fit_leaves_the_parameters_alone(kind, data):
    model = kind.ours()
    before = model.get_params()
    with pytest.raises(ValueError, match="X has 5 rows, y has 800"):
        model.fit(data.features[:5], data.click, conversion=data.conversion)
    assert model.get_params() == before


def test_only_the_library_of_a_classifier_is_imported():
    import subprocess
    import sys

    code = "import sys, gbdt_pwiser.sklearn; print({'lightgbm', 'xgboost', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
    assert {LGBMPWiseRClassifier, XGBPWiseRClassifier} == {type(each.ours()) for each in KINDS.values()}
