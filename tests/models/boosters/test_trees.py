"""What is special to the boosters: rounds, codes, adjacent groups, bins, parameters."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.models.boosters import lightgbm_model, trees, xgboost_model
from gbdt_pwiser.objectives import InputError, PWiseRLoss, auc
from tests.models.helpers import SPEC, TREES, every_part, fitted, make_split, pctr
from tests.specs import varied


@pytest.fixture(params=TREES)
def spec(request):
    return varied(SPEC, model=request.param)


@pytest.fixture
def pwiser(spec):
    return replace(spec, loss="pwiser", pwiser=PWiseRLoss(weight=0.3))


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
    spec = varied(spec, loss=loss, rounds=rounds, early_stopping=4, learning_rate=0.5)
    model = fitted(spec, split)
    scores = auc_by_round(model, split)
    assert len(scores) < rounds  # it stopped early
    assert model.rounds_used == np.argmax(scores) + 1
    # and the predictions are those of that round
    assert auc(model.predict(split.valid).pctr, split.valid.click) == pytest.approx(max(scores), abs=1e-6)


def test_size_counts_the_trees_of_both_boosters(spec, split):
    model = fitted(spec, split)
    assert model.size == model._click.rounds + model._conversion.rounds
    assert model._click.rounds == model.rounds_used


# ------------------------------------------------------------------------------ features


def test_codes_are_not_numbers(spec, split):
    """One split parts odd codes from even ones, which no threshold does."""

    def parity(part):
        code = np.random.default_rng(len(part)).integers(0, 6, len(part)) * 2 + part.click
        features = pl.DataFrame({"code": code.astype(np.int32)})
        return replace(part, features=features, categorical=("code",))

    coded = every_part(split, parity)
    stump = fitted(varied(spec, rounds=1, params={"max_depth": 1}), coded)
    assert auc(stump.predict(coded.test).pctr, coded.test.click) == 1


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

    for module, name in ((lightgbm_model, "make_dataset"), (xgboost_model, "make_dmatrix")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
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
        lambda spec, split: (varied(spec, params={"max_bin": 16}), split),
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

    monkeypatch.setattr(f"{spec.model}.train", train)

    def parameters(split, **changes):
        with pytest.raises(EnoughError):
            fitted(varied(spec, **changes), split)
        return seen.pop()

    return parameters


def test_the_spec_reaches_the_library(spec, trained_with, split, monkeypatch):
    device, threads = {"lightgbm": ("device_type", "num_threads"), "xgboost": ("device", "nthread")}[
        spec.model
    ]
    params = trained_with(split, seed=7, learning_rate=0.125, threads=2)
    assert params["seed"] == 7
    assert params["learning_rate"] == 0.125
    assert params[threads] == 2
    assert params[device] == "cpu"
    if spec.model == "xgboost":  # whose data sets know no device
        monkeypatch.setattr(trees, "check_usable", lambda device, model: None)
        assert trained_with(split, device="cuda:1")["device"] == "cuda:1"


def test_lightgbm_bins_for_the_device(monkeypatch, split):
    monkeypatch.setattr(trees, "check_usable", lambda device, model: None)

    def make_dataset(*args, params, **kwargs):
        raise InputError(f"binned for {params['device_type']}")

    monkeypatch.setattr(lightgbm_model, "make_dataset", make_dataset)
    with pytest.raises(InputError, match="binned for cuda"):
        fitted(replace(SPEC, device="cuda"), split)


@pytest.mark.parametrize("params", [{"learning_rate": 0.01}, {"max_depth": 1}, {"max_bin": 8}, {"seed": 9}])
def test_params_win_over_the_defaults(spec, split, params):
    default, other = (fitted(s, split) for s in (spec, varied(spec, params=params)))
    assert not np.array_equal(default.predict(split.test).pctr, other.predict(split.test).pctr)
    if "learning_rate" in params:
        named = fitted(varied(spec, learning_rate=0.01), split)
        np.testing.assert_array_equal(named.predict(split.test).pctr, other.predict(split.test).pctr)


def test_lightgbm_takes_a_smaller_leaf_than_its_bins_were_made_for(split):
    pctr(SPEC, split)
    assert np.isfinite(pctr(varied(SPEC, params={"min_data_in_leaf": 5}), split)).all()


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": {"max_depth": "deep"}}, "max_depth"),
    ],
)
def test_what_the_library_refuses_is_an_input_error(spec, split, changes, message):
    with pytest.raises(InputError, match=f"(?s)^{spec.model} refuses .*{message}") as caught:
        fitted(varied(spec, **changes), split)
    assert "Stack trace" not in str(caught.value)
