"""Boosters that go on from saved ones: more trees, and renewed leaf values, against the definition."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import xgboost
from scipy.special import expit

from gbdt_pwiser.data import Split
from gbdt_pwiser.models import BoosterSettings, continue_model, load_model, save_model
from gbdt_pwiser.models.boosters import continued
from gbdt_pwiser.objectives import InputError, Objective, PWiseRLoss, make_dmatrix, xgboost_params
from tests.models.helpers import TREES, fitted, make_split
from tests.specs import spec_of

WITHOUT_DRAWS = {
    "lightgbm": {"bagging_fraction": 1.0, "feature_fraction_bynode": 1.0},
    "xgboost": {"subsample": 1.0, "colsample_bytree": 1.0},
}
TOLERANCE = {"lightgbm": 1e-9, "xgboost": 1e-6}
LOSSES = {
    "lightgbm": ("bce", "pwiser", "weighted_bce", "lambdarank"),
    "xgboost": ("bce", "pwiser", "weighted_bce", "rank_pairwise"),
}
CELLS = [(model, loss) for model in TREES for loss in LOSSES[model]]


def spec(model, loss, rounds, params=None, **more):
    params = {**WITHOUT_DRAWS[model], **(params or {})}
    settings = BoosterSettings(rounds=rounds, early_stopping=1000, learning_rate=0.1, params=params)
    return spec_of(model, loss=loss, settings=settings, **more)


@pytest.fixture(scope="module")
def learnt(split):
    """A split whose best round is among the last ones: validation is train."""
    return Split(split.train, split.train, split.test)


@pytest.fixture(scope="module")
def tomorrow():
    """Other exposures of the same columns."""
    return make_split(seed=1)


@pytest.fixture(scope="module")
def folders(learnt, tmp_path_factory):
    """Folders of models of 20 rounds, by model and loss; only to be read."""
    top = tmp_path_factory.mktemp("continued")
    made = {}

    def folder(model, loss, name="", **more):
        place = top / f"{model}-{loss}-{name}"
        if place not in made:
            made[place] = with_rounds(fitted(spec(model, loss, 20, **more), learnt), 20, 20)
            save_model(made[place], place, learnt)
        return place

    return folder


def with_rounds(model, click, conversion):
    """The model as it is after so many rounds of each booster, whichever is best on validation."""
    model._click = replace(model._click, rounds=click)
    model._conversion = replace(model._conversion, rounds=conversion)
    return model


def raw_scores(model, exposures):
    """Raw scores of click and conversion, with their start."""
    (_, click), *_ = model.raw_scores_at(exposures, [model.rounds_used])
    p = model.predict(exposures)
    return click, np.log(p.pcvr / (1 - p.pcvr))


@pytest.mark.parametrize(("model", "loss"), CELLS)
def test_20_rounds_and_20_more_are_40(model, loss, learnt, folders):
    went_on = continue_model(folders(model, loss), learnt, rounds=20, early_stopping=1000, threads=1)
    rounds = [trained.rounds for trained in (went_on.model._click, went_on.model._conversion)]
    assert all(20 < number <= 40 for number in rounds)
    assert went_on.record["rounds"] == went_on.model.rounds_used - 20 == rounds[0] - 20
    whole = with_rounds(fitted(spec(model, loss, 40), learnt), *rounds)
    wanted, found = whole.predict(learnt.test), went_on.model.predict(learnt.test)
    for name in ("pctr", "pcvr", "pctcvr"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=0, atol=TOLERANCE[model])


@pytest.mark.parametrize("model", TREES)
def test_weight_0_goes_on_as_bce_does(model, learnt, tomorrow, folders):
    pwiser = PWiseRLoss(weight=0)
    mine, built_in = (
        continue_model(folder, tomorrow, rounds=10, threads=1).model.predict(tomorrow.test).pctr
        for folder in (folders(model, "pwiser", "0", pwiser=pwiser), folders(model, "bce"))
    )
    np.testing.assert_allclose(mine, built_in, atol=1e-5)


@pytest.mark.parametrize(("model", "loss"), [cell for cell in CELLS if cell[1] in ("bce", "pwiser")])
def test_earlier_trees_stay_as_they_are_on_new_data(model, loss, tomorrow, folders):
    """New ones are chosen among by the new validation."""
    folder = folders(model, loss)
    saved = load_model(folder).model
    went_on = continue_model(folder, tomorrow, rounds=15, early_stopping=3, threads=1).model
    new = went_on.rounds_used - saved.rounds_used
    assert 1 <= new <= 15
    earlier, _ = raw_scores(saved, tomorrow.test)
    (_, before), *_ = went_on.raw_scores_at(tomorrow.test, [saved.rounds_used])
    np.testing.assert_allclose(before, earlier, atol=1e-6)


def test_xgboost_on_new_data_is_its_own_continuation_without_bins(tomorrow, folders):
    """XGBoost's xgb_model is right where the new data is no QuantileDMatrix, which shows trees its bins."""
    folder = folders("xgboost", "pwiser")
    went_on = continue_model(folder, tomorrow, rounds=5, early_stopping=1000, threads=1).model
    train, test = tomorrow.train, tomorrow.test
    saved = load_model(folder, threads=1).model
    types = ["c" if name in train.categorical else "q" for name in train.features.columns]
    data = make_dmatrix(
        train.matrix(), train.click, train.conversion, feature_types=types, enable_categorical=True
    )
    params = {**went_on._params, **xgboost_params(train.click), "base_score": saved._click.start}
    rounds = went_on.rounds_used - saved.rounds_used
    by_library = xgboost.train(
        params, data, rounds, obj=Objective(went_on.spec.pwiser), xgb_model=saved._click.booster
    )
    expected = by_library.inplace_predict(test.matrix(), validate_features=False)
    np.testing.assert_allclose(went_on.predict(test).pctr, expected, atol=1e-6)


def leaf_numbers(model, booster, features):
    """int (n, trees), and the earlier leaf values per tree by these numbers."""
    if model == "lightgbm":
        trees = booster.dump_model()["tree_info"]
        values = [
            np.array([booster.get_leaf_output(t, leaf) for leaf in range(tree["num_leaves"])])
            for t, tree in enumerate(trees)
        ]
        return booster.predict(features, pred_leaf=True), values
    trees = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    data = xgboost.DMatrix(features, feature_types=booster.feature_types, enable_categorical=True)
    return booster.predict(data, pred_leaf=True).astype(int), [np.array(t["split_conditions"]) for t in trees]


def gradients(loss, pwiser, part, raw):
    if loss == "pwiser":
        return pwiser.gradient_hessian(raw, part.grade)
    weight = 1.0 + 0.5 * (part.grade == 2) if loss == "weighted_bce" else np.ones(len(part))
    p = expit(raw)
    return weight * (p - part.click), weight * p * (1 - p)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("model", "loss"), [(model, loss) for model in TREES for loss in ("bce", "pwiser", "weighted_bce")]
)
def test_refit_is_its_definition(model, loss, decay, tomorrow, folders, monkeypatch):
    monkeypatch.setattr(continued, "AT_A_TIME", 7)
    folder = folders(model, loss)
    saved = load_model(folder, threads=1).model
    refitted = continue_model(folder, tomorrow, refit=decay, threads=1)
    assert refitted.record["rounds"] == 0
    train, test = tomorrow.train, tomorrow.test
    booster = saved._click.booster
    leaves, values = leaf_numbers(model, booster, train.matrix())
    on_test, _ = leaf_numbers(model, booster, test.matrix())
    start = raw_at(saved, test, 0)[0]
    raw, expected = np.full(len(train), start), np.full(len(test), start)
    for tree, old in enumerate(values):
        gradient, hessian = gradients(loss, saved.spec.pwiser, train, raw)
        new = np.zeros(len(old))
        for leaf in np.unique(leaves[:, tree]):
            rows = leaves[:, tree] == leaf
            new[leaf] = -0.1 * gradient[rows].sum() / (hessian[rows].sum() + 1.0)
        raw += new[leaves[:, tree]]
        expected += (decay * old + (1 - decay) * new)[on_test[:, tree]]
    np.testing.assert_allclose(raw_at(refitted.model, test, 20), expected, atol=1e-6)


def raw_at(model, exposures, rounds):
    return next(model.raw_scores_at(exposures, [rounds]))[1].copy()


def test_refit_is_what_xgboost_refreshes(tomorrow, folders):
    """Where it leaves no leaf at 0 for its small hessian."""
    params = {"min_child_weight": 0.0}
    folder = folders("xgboost", "pwiser", "refreshed", params=params)
    saved = load_model(folder, threads=1).model
    train, test = tomorrow.train, tomorrow.test
    types = saved._click.booster.feature_types
    data = make_dmatrix(
        train.matrix(), train.click, train.conversion, feature_types=types, enable_categorical=True
    )
    params = {**saved._params, **xgboost_params(train.click), "base_score": saved._click.start}
    params |= {"process_type": "update", "updater": "refresh", "refresh_leaf": True}
    refreshed = xgboost.train(
        params,
        data,
        saved.rounds_used,
        obj=Objective(saved.spec.pwiser),
        xgb_model=saved._click.booster,
    )
    expected = refreshed.inplace_predict(test.matrix(), validate_features=False)
    found = continue_model(folder, tomorrow, refit=0.0, threads=1).model.predict(test).pctr
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("model", TREES)
def test_refit_of_the_same_data_changes_nothing_and_1_neither(model, learnt, tomorrow, tmp_path):
    """Of numerical columns: LightGBM has a penalty of its own at splits of categories."""

    def numerical(part):
        names = [name for name in part.features.columns if name not in part.categorical]
        return replace(part, features=part.features.select(names), categorical=())

    today = Split(*map(numerical, (learnt.train, learnt.valid, learnt.test)))
    trained = fitted(spec(model, "pwiser", 20), today)
    save_model(trained, tmp_path / "model", today)
    pctr, pcvr = trained.predict(today.test).pctr, trained.predict(today.test).pcvr
    for data, decay in (
        (today, 0.0),
        (Split(*map(numerical, (tomorrow.train, tomorrow.valid, tomorrow.test))), 1),
    ):
        same = continue_model(tmp_path / "model", data, refit=decay, threads=1).model.predict(today.test)
        np.testing.assert_allclose(same.pctr, pctr, atol=1e-6)
        np.testing.assert_allclose(same.pcvr, pcvr, atol=1e-6)


@pytest.mark.parametrize("model", TREES)
def test_pairs_in_groups_whose_rows_lie_apart(model, learnt, tmp_path):
    """Training puts the rows of a group side by side, and the earlier scores with them."""
    order = np.random.default_rng(0).permutation(len(learnt.train))
    mixed = Split(learnt.train.take(order), learnt.valid, learnt.test)
    pwiser = PWiseRLoss(pairs="group")
    whole, half = (fitted(spec(model, "pwiser", rounds, pwiser=pwiser), mixed) for rounds in (20, 10))
    save_model(half, tmp_path / "model", mixed)
    went_on = continue_model(tmp_path / "model", mixed, rounds=10, threads=1)
    np.testing.assert_allclose(
        went_on.model.predict(mixed.test).pctr, whole.predict(mixed.test).pctr, atol=TOLERANCE[model]
    )
    refitted = continue_model(tmp_path / "model", mixed, refit=1.0, threads=1)
    np.testing.assert_allclose(
        refitted.model.predict(mixed.test).pctr, half.predict(mixed.test).pctr, atol=1e-9
    )


@pytest.mark.parametrize(
    ("model", "loss", "params", "refit", "message"),
    [
        ("lightgbm", "bce", {"boosting": "dart"}, None, "boosting=dart changes earlier trees"),
        ("xgboost", "bce", {"booster": "dart"}, None, "booster=dart changes earlier trees"),
        ("lightgbm", "bce", {"reg_alpha": 2.0}, 0.5, "reg_alpha=2.0 makes leaf values that refit has no"),
        ("xgboost", "bce", {"reg_alpha": 2.0}, 0.5, "alpha=2 makes leaf values"),
        ("xgboost", "bce", {"max_delta_step": 1.0}, 0.5, "max_delta_step=1 makes"),
        ("lightgbm", "bce", {"is_unbalance": True}, 0.5, "is_unbalance=True makes"),
        ("lightgbm", "bce", {"monotone_constraints": {"numerical_1": 1}}, 0.5, "monotone_constraints="),
        ("xgboost", "bce", {"monotone_constraints": {"numerical_1": 1}}, 0.5, "monotone_constraints="),
        ("lightgbm", "lambdarank", {}, 0.5, "gradients of lambdarank are its library's own"),
        ("xgboost", "rank_pairwise", {}, 0.5, "gradients of rank_pairwise are its library's own"),
    ],
)
def test_what_cannot_be_gone_on_from(model, loss, params, refit, message, learnt, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of LightGBM, that dart does not stop early
        save_model(fitted(spec(model, loss, 2, params=params), learnt), tmp_path / "model", learnt)
    with pytest.raises(InputError, match=message):
        continue_model(tmp_path / "model", learnt, refit=refit, threads=1)


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan"), True, "half"])
def test_a_decay_is_a_share(decay, learnt, folders):
    with pytest.raises(InputError, match="give the weight of the earlier leaf values, from 0 to 1"):
        continue_model(folders("lightgbm", "bce"), learnt, refit=decay, threads=1)


def test_the_value_of_a_leaf_is_a_step_of_newton():
    """Also of the lightest leaf; one without anything to divide by stays 0."""
    gradient, hessian = np.array([2.0, -1e-9, 0.0, 3.0]), np.array([4.0, 1e-8, 0.0, 0.0])
    without = continued.Newton(rate=0.1, penalty=0.0).values(gradient, hessian)
    np.testing.assert_allclose(without, [-0.05, 0.01, 0.0, 0.0])
    penalized = continued.Newton(rate=0.1, penalty=1.0).values(gradient, hessian)
    np.testing.assert_allclose(penalized, [-0.04, 1e-10 / (1 + 1e-8), 0.0, -0.3])
