"""The contract of every model, run on each; nothing here is special to one library but where it says so."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.models import MODELS, BoosterSettings, ModelSpec, NetworkSettings, Predictions, make_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss, auc
from tests.models.helpers import BOOSTERS, SPEC, TREES, changed, every_part, fitted, make_split, pctr, ready
from tests.specs import spec_of, varied

TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
NAMES = [name if name in BOOSTERS else pytest.param(name, marks=TORCH) for name in MODELS]
# With a conversion model of its own, which no loss of the click reaches.
LENGTH = {"booster": "rounds", "network": "epochs"}
SEPARATE = [*BOOSTERS, pytest.param("dnn", marks=TORCH)]


@pytest.fixture(params=NAMES)
def spec(request):
    return varied(SPEC, model=request.param)


@pytest.fixture
def pwiser(spec):
    return replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.3))


# ------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_predictions_are_probabilities_that_rank(spec, split, loss):
    model = ready(replace(spec, loss=loss), split)
    predictions = model.predict(split.test)
    for values in (predictions.pctr, predictions.pctcvr):
        assert values.shape == (len(split.test),)
        assert values.dtype == np.float64
        assert values.min() > 0
        assert values.max() < 1
    assert (predictions.pctcvr <= predictions.pctr).all()  # pCVR is a probability too
    assert (predictions.pctcvr < predictions.pctr).any()
    assert auc(predictions.pctr, split.test.click) > 0.55
    assert auc(predictions.pctcvr, split.test.conversion) > 0.55
    assert model.fit_seconds > 0


def test_pctcvr_is_pctr_times_pcvr(spec, split):
    """To the last bit, but in aitm, whose second head is pCTCVR itself."""
    predictions = ready(spec, split).predict(split.test)
    assert (predictions.pcvr.dtype, predictions.pcvr.shape) == (np.float64, (len(split.test),))
    assert 0 < predictions.pcvr.min() < predictions.pcvr.max() <= 1
    product = predictions.pctr * predictions.pcvr
    tolerance = 1e-14 if spec.model == "aitm" else 0
    np.testing.assert_allclose(product, predictions.pctcvr, rtol=tolerance)


def test_predictions_of_two_arrays_have_their_ratio():
    pctr, pcvr = np.array([0.3, 0.0, 0.7, 1.0]), np.array([0.1, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(Predictions(pctr, pctr * pcvr).pcvr, pcvr)
    with pytest.raises(InputError, match=r"pctcvr has shape \(1,\), pctr \(4,\); give both as \(n,\)"):
        Predictions(pctr, np.zeros(1))


def test_predictions_are_of_the_row_alone(spec, split):
    model = ready(spec, split)
    backwards = split.test.take(np.arange(len(split.test))[::-1].copy())
    first = split.test.take(np.arange(1))
    whole = model.predict(split.test)
    # A matrix product may add in another order when it has other rows.
    tolerance = 0 if spec.model in TREES else 1e-5
    np.testing.assert_allclose(model.predict(backwards).pctr[::-1], whole.pctr, rtol=tolerance)
    np.testing.assert_allclose(model.predict(first).pctcvr, whole.pctcvr[:1], rtol=tolerance)


# ------------------------------------------------------------------------------ losses and seeds


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_pwiser_at_weight_0_is_bce(spec, split, pairs):
    loss = PWiseRLoss(weight=0, pairs=pairs)
    bce = ready(spec, split)
    zero = fitted(replace(spec, loss="pwiser", pwiser=loss), split)
    assert zero.rounds_used == bce.rounds_used
    np.testing.assert_allclose(zero.predict(split.test).pctr, bce.predict(split.test).pctr, atol=1e-5)
    np.testing.assert_allclose(zero.predict(split.test).pctcvr, bce.predict(split.test).pctcvr, atol=1e-5)


def test_bce_ignores_the_pairwise_loss(spec, split):
    other = replace(spec, pwiser=PWiseRLoss(weight=9, pairs="group"))
    plain = ready(spec, split).predict(split.test).pctr
    np.testing.assert_array_equal(pctr(other, split), plain)
    assert (spec.weight, other.weight) == (0, 0)


def test_the_pairwise_term_changes_pctr(spec, pwiser, split):
    bce, pairwise = (ready(s, split).predict(split.test) for s in (spec, pwiser))
    assert np.abs(bce.pctr - pairwise.pctr).max() > 0.01


@pytest.mark.parametrize("name", SEPARATE)
def test_the_pairwise_term_leaves_a_separate_pcvr(name, split):
    spec = varied(SPEC, model=name)
    pwiser = replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.3))
    bce, pairwise = (ready(s, split).predict(split.test) for s in (spec, pwiser))
    np.testing.assert_array_equal(bce.pcvr, pairwise.pcvr)


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_the_seed_decides(spec, loss):
    spec = replace(spec, loss=loss)
    # Splits of their own: nothing that is kept with the training data can make them equal.
    first, again, other = (pctr(replace(spec, seed=seed), make_split()) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# ------------------------------------------------------------------------------ early stopping


def test_rounds_are_a_limit(spec, split):
    short = varied(spec, **{LENGTH[spec.settings.family]: 2})
    assert 1 <= fitted(short, split).rounds_used <= 2


def test_validation_decides_the_number_of_rounds_only(spec, pwiser, split):
    """With one round there is nothing to decide, so other validation rows and labels change nothing."""
    other = replace(split, valid=make_split(seed=5).valid)
    for one_round in (varied(s, **{LENGTH[s.settings.family]: 1}) for s in (spec, pwiser)):
        ours, theirs = (fitted(one_round, s).predict(split.test) for s in (split, other))
        np.testing.assert_array_equal(ours.pctr, theirs.pctr)
        np.testing.assert_array_equal(ours.pctcvr, theirs.pctcvr)


# ------------------------------------------------------------------------------ what training may see


def test_only_features_and_grades_are_learnt_from(spec, pwiser, split):
    """Neither the noise-free clicks, the ids of groups, nor what the publisher called test have a say."""

    def poison(part):
        return replace(
            part,
            noise_free_click=~part.noise_free_click,
            group=np.arange(len(part)),
            time=np.arange(len(part)),
            in_test=part.click.copy(),
        )

    poisoned = every_part(split, poison)
    for each in (spec, pwiser):
        clean = ready(each, split).predict(split.test).pctr
        np.testing.assert_array_equal(pctr(each, poisoned), clean)


def test_fit_leaves_its_input_alone(pwiser):
    split = make_split()
    before = [(part.features.clone(), part.grade.copy()) for part in (split.train, split.valid)]
    fitted(replace(pwiser, pwiser=PWiseRLoss(pairs="group")), split)
    for part, (features, grade) in zip((split.train, split.valid), before, strict=True):
        assert part.features.equals(features)
        np.testing.assert_array_equal(part.grade, grade)


# ------------------------------------------------------------------------------ difficult features


@pytest.mark.parametrize(
    ("value", "dtype"), [(None, pl.Float32), (float("nan"), pl.Float32), (None, pl.Int32)]
)
def test_missing_values_are_values(spec, split, value, dtype):
    """Missing where clicked, and anything elsewhere: a model that can tell ranks without a fault."""

    def missing_where_clicked(part):
        anything = np.random.default_rng(len(part)).integers(0, 6, len(part)).tolist()
        column = [value if click else x for click, x in zip(part.click, anything, strict=True)]
        features = pl.DataFrame({"x": pl.Series(column, dtype=dtype, strict=False)})
        return replace(part, features=features, categorical=("x",) if dtype == pl.Int32 else ())

    missing = every_part(split, missing_where_clicked)
    long = varied(spec, **({"epochs": 10} if spec.model not in BOOSTERS else {}))
    assert auc(pctr(long, missing), split.test.click) > 0.999


def test_features_that_go_missing_after_training(spec, split):
    nothing = {c: pl.lit(None, split.test.features[c].dtype) for c in split.test.features.columns}
    predictions = ready(spec, split).predict(changed(split.test, **nothing))
    assert np.ptp(predictions.pctcvr) < 1e-7
    assert 0 < predictions.pctcvr[0] < predictions.pctr[0] < 1


@pytest.mark.parametrize("code", [-1, 41, 16_777_216])
def test_unseen_codes_are_predicted_as_one(spec, split, code):
    model = ready(spec, split)
    ours, theirs = (
        model.predict(changed(split.test, **{c: pl.lit(value, pl.Int32) for c in split.test.categorical}))
        for value in (code, 50)
    )
    assert np.isfinite(ours.pctr).all()
    np.testing.assert_array_equal(ours.pctr, theirs.pctr)


@pytest.mark.parametrize("name", SEPARATE)
def test_clicks_that_all_convert_leave_a_separate_pcvr_at_1(name, split):
    converting = every_part(
        split, lambda part: replace(part, grade=np.where(part.click, 2, 0).astype(np.int8))
    )
    predictions = fitted(varied(SPEC, model=name), converting).predict(converting.test)
    np.testing.assert_array_equal(predictions.pctcvr, predictions.pctr)
    assert predictions.pctr.std() > 0


# ------------------------------------------------------------------------------ groups


def test_pairs_in_groups_need_groups(spec, split):
    grouped = replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.3, pairs="group"))
    ungrouped = every_part(split, lambda part: replace(part, group=None))
    with pytest.raises(InputError, match=r'simulated has no groups; use pairs="all"'):
        fitted(grouped, ungrouped)
    plain = ready(spec, split).predict(split.test).pctr
    np.testing.assert_array_equal(pctr(spec, ungrouped), plain)


# ------------------------------------------------------------------------------ refusals


def test_predict_needs_fit(spec, split):
    model = make_model(spec)
    assert (model.rounds_used, model.fit_seconds, model.size) == (0, 0, 0)
    with pytest.raises(InputError, match="not trained; call fit first"):
        model.predict(split.test)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop("numerical_25"),
        lambda frame: frame.rename({"numerical_25": "numerical_99"}),
        lambda frame: frame.select(reversed(frame.columns)),
    ],
    ids=["dropped", "renamed", "reordered"],
)
def test_other_feature_columns_are_refused(spec, split, change):
    def other(part):
        return replace(part, features=change(part.features))

    with pytest.raises(InputError, match="simulated has other feature columns than the training data"):
        ready(spec, split).predict(other(split.test))
    with pytest.raises(InputError, match="validation has other feature columns"):
        fitted(spec, replace(split, valid=other(split.valid)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "lightgmb",
            r"unknown model 'lightgmb' \(did you mean lightgbm\?\); choose one of lightgbm, xgboost",
        ),
        ("XGBost", r"unknown model 'XGBost'.*; choose one of lightgbm, xgboost"),
        ("forest", r"unknown model 'forest'; choose one of lightgbm, xgboost"),
    ],
)
def test_unknown_model(name, message):
    with pytest.raises(InputError, match=message):
        make_model(ModelSpec(model=name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "unknown loss 'hinge'; choose one of bce, pwiser"),
        ({"rounds": 0}, "rounds is 0; give a whole number from 1 to 2147483647"),
        ({"rounds": 2.0}, r"rounds is 2\.0; give a whole number"),
        ({"rounds": True}, "rounds is True; give a whole number"),
        ({"early_stopping": -1}, "early_stopping is -1; give a whole number from 1"),
        ({"seed": -1}, "seed is -1; give a whole number from 0 to 2147483647"),
        ({"seed": 2**31}, "seed is 2147483648; give a whole number"),
        ({"threads": -5}, "threads is -5; give a whole number from 0 to 1024"),
        ({"threads": 100_000}, "threads is 100000; give a whole number from 0 to 1024"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0; give a number above 0 and at most 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; give a number"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; give a number"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; give a number"),
        ({"device": "gpu"}, r"unknown device 'gpu' \(did you mean cuda\?\); choose one of cpu, cuda, auto"),
        ({"device": "cpu:1"}, r"unknown device 'cpu:1'"),
    ],
)
def test_spec_refuses(changes, message):
    with pytest.raises(InputError, match=message):
        varied(SPEC, **changes)


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        ("lightgbm", {"num_leafs": 7}, r"lightgbm has no parameter 'num_leafs' \(did you mean num_leaf\?\)"),
        ("xgboost", {"max_dept": 7}, r"xgboost has no parameter 'max_dept' \(did you mean max_depth\?\)"),
        ("xgboost", {"num_leaves": 7}, "xgboost has no parameter 'num_leaves'"),
        ("lightgbm", {"num_leaves": "many"}, "lightgbm refuses num_leaves = 'many': .* int"),
        ("lightgbm", {"bagging_fraction": 7}, r"refuses bagging_fraction = 7: .*<= \(1\.0\); give another"),
        ("xgboost", {"subsample": 7}, r"xgboost refuses subsample = 7: .*\[0,1\]; give another value$"),
        ("lightgbm", {"lambda_l2": float("nan")}, "lambda_l2 of lightgbm is nan; give a number, a word or a"),
        (
            "xgboost",
            {"max_depth": {"low": 1}},
            "max_depth of xgboost is {'low': 1}; give a number, a word or",
        ),
        ("lightgbm", {"objective": "regression"}, "objective is a parameter that the loss decides"),
        ("xgboost", {"objective": "reg:squarederror"}, "objective is a parameter that the loss decides"),
    ],
)
def test_parameters_that_no_library_has(model, params, message, capfd):
    with pytest.raises(InputError, match=message) as refused:
        make_model(spec_of(model, params=params))
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("lightgbm", {"num_leaf": 7, "eta": 0.1, "reg_lambda": 1, "verbose": -1, "min_child_samples": 5}),
        (
            "lightgbm",
            {"monotone_constraints": [1, 0], "max_bin": 7, "bagging_seed": None},
        ),
        ("xgboost", {"eta": 0.1, "reg_lambda": 1, "n_jobs": 1, "random_state": 2, "eval_metric": "auc"}),
        ("xgboost", {"monotone_constraints": "(1,0)", "interaction_constraints": [[0, 1]], "max_leaves": 3}),
        ("xgboost", {"rate_drop": 0.1, "lambdarank_pair_method": "mean", "num_parallel_tree": 2}),
    ],
)
def test_parameters_in_all_words_of_the_library(model, params):
    assert make_model(spec_of(model, params=params)).spec.settings.params == params


def test_settings_of_another_family_are_refused():
    with pytest.raises(InputError, match="xgboost takes BoosterSettings, and its settings are Network"):
        make_model(ModelSpec(model="xgboost", settings=NetworkSettings()))
    with pytest.raises(InputError, match="mmoe takes NetworkSettings, and its settings are Booster"):
        make_model(ModelSpec(model="mmoe", settings=BoosterSettings()))
    with pytest.raises(InputError, match="settings is 3; give BoosterSettings"):
        ModelSpec(model="mmoe", settings=3)


def test_none_stands_for_the_settings_of_the_family():
    assert make_model(ModelSpec(model="xgboost")).spec.settings == BoosterSettings()
