"""The contract of every model, run on each; nothing here is special to one library but where it says so."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, Split, simulate
from gbdt_pwiser.models import MODELS, ModelSpec, make_model, trees
from gbdt_pwiser.objectives import InputError, PWiseRLoss, auc

SPEC = ModelSpec(model="lightgbm", rounds=12, early_stopping=5, learning_rate=0.2, threads=1)
PARTS = ("train", "valid", "test")
# Some features of the search, and those of the item that show the most.
COLUMNS = [f"categorical_{i}" for i in (1, 10, 11, 12)] + [f"numerical_{i}" for i in (1, 2, *range(24, 32))]


def make_split(seed=0):
    """Few rows and features, so that a fit is quick; many clicks, so that it learns something."""
    exposures = simulate(4000, seed=seed, ctr=0.2, cvr=0.3).exposures
    few = replace(exposures, features=exposures.features.select(COLUMNS), categorical=tuple(COLUMNS[:4]))
    return Dataset(few).split(seed)


@pytest.fixture(scope="module")
def split():
    return make_split()


@pytest.fixture(params=list(MODELS))
def spec(request):
    return replace(SPEC, model=request.param)


@pytest.fixture
def pwiser(spec):
    return replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.3))


def fitted(spec, split):
    model = make_model(spec)
    model.fit(split.train, split.valid)
    return model


def pctr(spec, split):
    return fitted(spec, split).predict(split.test).pctr


def changed(exposures, **columns):
    return replace(exposures, features=exposures.features.with_columns(**columns))


def every_part(split, change):
    return Split(*[change(getattr(split, part)) for part in PARTS])


# ------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_predictions_are_probabilities_that_rank(spec, split, loss):
    model = fitted(replace(spec, loss=loss), split)
    predictions = model.predict(split.test)
    for values in (predictions.pctr, predictions.pctcvr):
        assert values.shape == (len(split.test),)
        assert values.dtype == np.float64
        assert values.min() > 0
        assert values.max() < 1
    assert (predictions.pctcvr < predictions.pctr).all()  # pCVR is a probability too
    assert auc(predictions.pctr, split.test.click) > 0.55
    assert auc(predictions.pctcvr, split.test.conversion) > 0.55
    assert model.fit_seconds > 0


def test_predictions_are_of_the_row_alone(spec, split):
    model = fitted(spec, split)
    backwards = split.test.take(np.arange(len(split.test))[::-1].copy())
    first = split.test.take(np.arange(1))
    whole = model.predict(split.test)
    np.testing.assert_array_equal(model.predict(backwards).pctr[::-1], whole.pctr)
    np.testing.assert_array_equal(model.predict(first).pctcvr, whole.pctcvr[:1])


# ------------------------------------------------------------------------------ losses and seeds


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_pwiser_at_weight_0_is_bce(spec, split, pairs):
    loss = PWiseRLoss(weight=0, pairs=pairs)
    bce, zero = (fitted(replace(spec, loss=name, pwiser=loss), split) for name in ("bce", "pwiser"))
    assert zero.rounds_used == bce.rounds_used
    np.testing.assert_allclose(zero.predict(split.test).pctr, bce.predict(split.test).pctr, atol=1e-5)
    np.testing.assert_allclose(zero.predict(split.test).pctcvr, bce.predict(split.test).pctcvr, atol=1e-5)


def test_bce_ignores_the_pairwise_loss(spec, split):
    other = replace(spec, pwiser=PWiseRLoss(weight=9, pairs="group"))
    np.testing.assert_array_equal(pctr(other, split), pctr(spec, split))
    assert (spec.weight, other.weight) == (0, 0)


def test_the_pairwise_term_changes_pctr_and_leaves_pcvr(spec, pwiser, split):
    bce, pairwise = (fitted(s, split).predict(split.test) for s in (spec, pwiser))
    assert np.abs(bce.pctr - pairwise.pctr).max() > 0.01
    np.testing.assert_allclose(bce.pctcvr / bce.pctr, pairwise.pctcvr / pairwise.pctr, rtol=1e-12)


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_the_seed_decides(spec, loss):
    spec = replace(spec, loss=loss)
    # Splits of their own: nothing that is kept with the training data can make them equal.
    first, again, other = (pctr(replace(spec, seed=seed), make_split()) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# ------------------------------------------------------------------------------ early stopping


def auc_by_round(model, split):
    booster, features = model._click.booster, split.valid.matrix()
    if model.spec.model == "lightgbm":
        scores = [
            booster.predict(features, raw_score=True, num_iteration=k + 1)
            for k in range(booster.current_iteration())
        ]
    else:
        scores = [
            booster.inplace_predict(features, iteration_range=(0, k + 1))
            for k in range(booster.num_boosted_rounds())
        ]
    return [auc(score, split.valid.click) for score in scores]


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_the_best_round_on_validation_counts(spec, split, loss):
    rounds = 60
    spec = replace(spec, loss=loss, rounds=rounds, early_stopping=4, learning_rate=0.5)
    model = fitted(spec, split)
    scores = auc_by_round(model, split)
    assert len(scores) < rounds  # it stopped early
    assert model.rounds_used == np.argmax(scores) + 1
    # and the predictions are those of that round
    assert auc(model.predict(split.valid).pctr, split.valid.click) == pytest.approx(max(scores), abs=1e-6)


def test_rounds_are_a_limit(spec, split):
    assert fitted(replace(spec, rounds=2), split).rounds_used <= 2


def test_validation_decides_the_number_of_rounds_only(spec, pwiser, split):
    """With one round there is nothing to decide, so other validation rows and labels change nothing."""
    other = replace(split, valid=make_split(seed=5).valid)
    for one_round in (replace(spec, rounds=1), replace(pwiser, rounds=1)):
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
        np.testing.assert_array_equal(pctr(each, poisoned), pctr(each, split))


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
    assert auc(pctr(spec, missing), split.test.click) == 1


def test_features_that_go_missing_after_training(spec, split):
    nothing = {c: pl.lit(None, split.test.features[c].dtype) for c in split.test.features.columns}
    predictions = fitted(spec, split).predict(changed(split.test, **nothing))
    assert len(np.unique(predictions.pctcvr)) == 1
    assert 0 < predictions.pctcvr[0] < predictions.pctr[0] < 1


@pytest.mark.parametrize("code", [-1, 41, 16_777_216])
def test_unseen_codes_are_predicted_as_one(spec, split, code):
    model = fitted(spec, split)
    ours, theirs = (
        model.predict(changed(split.test, **{c: pl.lit(value, pl.Int32) for c in split.test.categorical}))
        for value in (code, 50)
    )
    assert np.isfinite(ours.pctr).all()
    np.testing.assert_array_equal(ours.pctr, theirs.pctr)


def test_codes_are_not_numbers(spec, split):
    """One split parts odd codes from even ones, which no threshold does."""

    def parity(part):
        code = np.random.default_rng(len(part)).integers(0, 6, len(part)) * 2 + part.click
        features = pl.DataFrame({"code": code.astype(np.int32)})
        return replace(part, features=features, categorical=("code",))

    coded = every_part(split, parity)
    stump = fitted(replace(spec, rounds=1, params={"max_depth": 1}), coded)
    assert auc(stump.predict(coded.test).pctr, coded.test.click) == 1


def test_clicks_that_all_convert_leave_pcvr_at_1(spec, split):
    converting = every_part(
        split, lambda part: replace(part, grade=np.where(part.click, 2, 0).astype(np.int8))
    )
    predictions = fitted(spec, converting).predict(converting.test)
    np.testing.assert_array_equal(predictions.pctcvr, predictions.pctr)
    assert predictions.pctr.std() > 0


# ------------------------------------------------------------------------------ groups


def in_groups(spec):
    return replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.3, pairs="group"))


def test_rows_of_a_group_need_not_be_adjacent(spec, split):
    # The first row of every group, then the second of every group, and so on.
    group = split.train.group
    place = np.arange(len(group)) - np.searchsorted(group, group)
    shuffled = replace(split, train=split.train.take(np.argsort(place, kind="stable")))
    assert (np.diff(shuffled.train.group) < 0).any()
    np.testing.assert_array_equal(pctr(in_groups(spec), shuffled), pctr(in_groups(spec), split))


def test_pairs_in_groups_are_other_pairs(spec, pwiser, split):
    assert (np.diff(split.train.group) >= 0).all()  # so the order of the rows is no difference
    assert np.abs(pctr(in_groups(spec), split) - pctr(pwiser, split)).max() > 0.01


def test_pairs_in_groups_need_groups(spec, split):
    ungrouped = every_part(split, lambda part: replace(part, group=None))
    with pytest.raises(InputError, match=r'simulated has no groups; use pairs="all"'):
        fitted(in_groups(spec), ungrouped)
    np.testing.assert_array_equal(pctr(spec, ungrouped), pctr(spec, split))


# ------------------------------------------------------------------------------ bins are made once


@pytest.fixture
def binnings(monkeypatch):
    """Rows of each data set that was binned, in order."""
    rows = []

    def counted(make):
        def wrapper(features, *args, **kwargs):
            rows.append(len(features))
            return make(features, *args, **kwargs)

        return wrapper

    for name in ("make_dataset", "make_dmatrix"):
        monkeypatch.setattr(trees, name, counted(getattr(trees, name)))
    return rows


def test_losses_weights_and_rounds_share_their_bins(spec, pwiser, binnings):
    split = make_split()
    fitted(spec, split)
    clicked = [int(part.click.sum()) for part in (split.train, split.valid)]
    assert binnings == [len(split.train), len(split.valid), *clicked]
    fitted(pwiser, split)
    fitted(replace(pwiser, pwiser=PWiseRLoss(weight=0.01)), split)
    assert len(binnings) == 4
    fitted(
        replace(spec, seed=1), split
    )  # another seed: another conversion booster, on the same bins of clicks
    assert binnings[4:] == clicked


@pytest.mark.parametrize(
    "other",
    [
        lambda spec, split: (spec, make_split()),
        lambda spec, split: (spec, replace(split, valid=make_split(seed=1).valid)),
        lambda spec, split: (in_groups(spec), split),
        lambda spec, split: (replace(spec, params={"max_bin": 16}), split),
    ],
    ids=["train", "valid", "groups", "max_bin"],
)
def test_other_data_and_other_bins_are_not_shared(spec, binnings, other):
    split = make_split()
    fitted(spec, split)
    binnings.clear()
    spec, split = other(spec, split)
    fitted(spec, split)
    assert binnings[:2] == [len(split.train), len(split.valid)]


def test_reuse_changes_no_prediction(spec, pwiser):
    shared = make_split()
    reused = [fitted(s, shared).predict(shared.test) for s in (spec, pwiser, spec)]
    fresh = fitted(pwiser, make_split()).predict(shared.test)
    np.testing.assert_array_equal(reused[0].pctr, reused[2].pctr)
    np.testing.assert_array_equal(reused[1].pctr, fresh.pctr)
    np.testing.assert_array_equal(reused[1].pctcvr, fresh.pctcvr)


def test_bins_go_with_the_training_data(spec):
    split = make_split()
    fitted(spec, split)
    train = weakref.ref(split.train)
    del split
    gc.collect()
    assert train() is None


# ------------------------------------------------------------------------------ parameters


@pytest.fixture
def trained_with(spec, monkeypatch):
    """Parameters of each call of the library's train; the call ends there."""
    seen = []

    class EnoughError(Exception):
        pass

    def train(params, *args, **kwargs):
        seen.append(params)
        raise EnoughError

    monkeypatch.setattr(getattr(trees, spec.model), "train", train)

    def parameters(split, **changes):
        with pytest.raises(EnoughError):
            fitted(replace(spec, **changes), split)
        return seen.pop()

    return parameters


def test_the_spec_reaches_the_library(spec, trained_with, split):
    device, threads = {"lightgbm": ("device_type", "num_threads"), "xgboost": ("device", "nthread")}[
        spec.model
    ]
    params = trained_with(split, seed=7, learning_rate=0.125, threads=2)
    assert params["seed"] == 7
    assert params["learning_rate"] == 0.125
    assert params[threads] == 2
    assert params[device] == "cpu"
    if spec.model == "xgboost":  # whose data sets know no device
        assert trained_with(split, device="cuda:1")["device"] == "cuda:1"


def test_lightgbm_bins_for_the_device(monkeypatch, split):
    def make_dataset(*args, params, **kwargs):
        raise InputError(f"binned for {params['device_type']}")

    monkeypatch.setattr(trees, "make_dataset", make_dataset)
    with pytest.raises(InputError, match="binned for cuda"):
        fitted(replace(SPEC, device="cuda"), split)


@pytest.mark.parametrize("params", [{"learning_rate": 0.01}, {"max_depth": 1}, {"max_bin": 8}, {"seed": 9}])
def test_params_win_over_the_defaults(spec, split, params):
    default, other = (fitted(s, split) for s in (spec, replace(spec, params=params)))
    assert not np.array_equal(default.predict(split.test).pctr, other.predict(split.test).pctr)
    if "learning_rate" in params:
        named = fitted(replace(spec, learning_rate=0.01), split)
        np.testing.assert_array_equal(named.predict(split.test).pctr, other.predict(split.test).pctr)


def test_lightgbm_takes_a_smaller_leaf_than_its_bins_were_made_for(split):
    pctr(SPEC, split)
    assert np.isfinite(pctr(replace(SPEC, params={"min_data_in_leaf": 5}), split)).all()


# ------------------------------------------------------------------------------ refusals


def test_predict_needs_fit(spec, split):
    model = make_model(spec)
    assert (model.rounds_used, model.fit_seconds) == (0, 0)
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
        fitted(spec, split).predict(other(split.test))
    with pytest.raises(InputError, match="validation has other feature columns"):
        fitted(spec, replace(split, valid=other(split.valid)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "abacus"}, "device"),
        ({"params": {"max_depth": "deep"}}, "max_depth"),
    ],
)
def test_what_the_library_refuses_is_an_input_error(spec, split, changes, message):
    with pytest.raises(InputError, match=f"(?s)^{spec.model} refuses .*{message}") as caught:
        fitted(replace(spec, **changes), split)
    assert "Stack trace" not in str(caught.value)


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
        ({"rounds": 0}, "rounds is 0; give at least 1"),
        ({"early_stopping": -1}, "early_stopping is -1; give at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0; give a positive number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; give a positive number"),
    ],
)
def test_spec_refuses(changes, message):
    with pytest.raises(InputError, match=message):
        replace(SPEC, **changes)
