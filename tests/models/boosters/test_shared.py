"""Trees that both tasks share: what is special to `xgboost_shared`."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import xgboost

from gbdt_pwiser.models import LOSSES, load_model, make_model, save_model
from gbdt_pwiser.models.boosters import _files
from gbdt_pwiser.models.boosters._rates import PRIOR, ClickRates
from gbdt_pwiser.objectives import (
    InputError,
    PWiseRLoss,
    PWiseRMultiTaskObjective,
    auc,
    make_dmatrix,
    xgboost_params,
)
from tests.models.helpers import SPEC, changed, every_part, fitted, pctr
from tests.specs import varied

SHARED = varied(SPEC, model="xgboost_shared")


@pytest.fixture(scope="module")
def model(split):
    return fitted(SHARED, split)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss not in ("lambdarank", "combined_pair")])
def test_pctr_is_that_of_xgboost_and_pcvr_the_same_for_every_loss(loss, model, split):
    """On features whose categories are click rates."""
    pwiser = PWiseRLoss(weight=0.5)
    ours = fitted(replace(SHARED, loss=loss, pwiser=pwiser), split).predict(split.test)
    rates = ClickRates.fit(split.train)

    def encoded(part):
        features = pl.DataFrame(rates.encode(part.matrix()), schema=part.features.columns)
        return replace(part, features=features, categorical=())

    plain = every_part(split, encoded)
    spec = varied(SPEC, model="xgboost", loss=loss, pwiser=pwiser)
    alone = fitted(spec, plain).predict(plain.test)
    np.testing.assert_allclose(ours.pctr, alone.pctr, atol=1e-6)
    np.testing.assert_array_equal(ours.pcvr, model.predict(split.test).pcvr)
    assert not np.allclose(ours.pcvr, alone.pcvr, atol=1e-3)


def test_pcvr_is_that_of_the_objective_in_ones_own_script(model, split):
    """Trained by hand, on features whose categories are click rates."""
    rates = ClickRates.fit(split.train)

    def dmatrix(part, **more):
        features = rates.encode(part.matrix())
        return make_dmatrix(features, part.click, part.conversion, tasks=2, quantile=True, **more)

    train = dmatrix(split.train)
    valid = dmatrix(split.valid, ref=train)
    params = model._params
    del params["eval_metric"]
    scores = []
    clicked = split.valid.click
    booster = xgboost.train(
        {**params, **xgboost_params(split.train.click, conversion=split.train.conversion)},
        train,
        SHARED.settings.rounds,
        obj=PWiseRMultiTaskObjective(weight=0),
        evals=[(valid, "valid")],
        custom_metric=lambda raw, _: (
            scores.append(auc(raw[clicked, 1], split.valid.conversion[clicked])) or ("auc_cvr", scores[-1])
        ),
        verbose_eval=False,
        callbacks=[
            xgboost.callback.EarlyStopping(rounds=SHARED.settings.early_stopping, metric_name="auc_cvr")
        ],
    )
    best = int(np.argmax(scores)) + 1
    expected = booster.inplace_predict(rates.encode(split.test.matrix()), iteration_range=(0, best))[:, 1]
    np.testing.assert_allclose(model.predict(split.test).pcvr, expected, atol=1e-6)


def test_click_rates_are_those_of_training(split):
    rates = ClickRates.fit(split.train)
    encoded = rates.encode(split.train.matrix())
    frame = split.train.features.with_columns(click=split.train.click)
    for place, name in enumerate(split.train.features.columns):
        if name not in split.train.categorical:
            np.testing.assert_array_equal(encoded[:, place], split.train.matrix()[:, place])
            continue
        mean = split.train.click.mean()
        by_hand = frame.select(
            (pl.col("click").sum().over(name) + PRIOR * mean) / (pl.len().over(name) + PRIOR)
        ).to_series()
        np.testing.assert_allclose(encoded[:, place], by_hand, rtol=1e-6)
    nothing = np.full((1, encoded.shape[1]), 12345, dtype=np.float32)
    unseen = rates.encode(nothing)
    is_missing = [name in split.train.categorical for name in split.train.features.columns]
    np.testing.assert_array_equal(np.isnan(unseen[0]), is_missing)


def test_columns_without_a_value(split):
    """A category that is always missing, and none at all."""
    name = split.train.categorical[0]
    empty = every_part(split, lambda part: changed(part, **{name: pl.lit(None, pl.Int32)}))
    assert np.isfinite(fitted(SHARED, empty).predict(empty.test).pcvr).all()
    numbers = [name for name in split.train.features.columns if name not in split.train.categorical]
    plain = every_part(split, lambda p: replace(p, features=p.features.select(numbers), categorical=()))
    assert np.isfinite(fitted(SHARED, plain).predict(plain.test).pcvr).all()


def test_the_weight_of_the_conversion(model, split):
    heavy = fitted(varied(SHARED, conversion_weight=9.0), split).predict(split.test)
    assert not np.array_equal(heavy.pcvr, model.predict(split.test).pcvr)
    np.testing.assert_array_equal(heavy.pctr, model.predict(split.test).pctr)
    for name in ("xgboost", "lightgbm"):
        with pytest.raises(InputError, match=f"conversion_weight is for trees .*, and {name} has none"):
            make_model(varied(SPEC, model=name, conversion_weight=2.0))
    with pytest.raises(InputError, match="conversion_weight is 0; give a positive number"):
        varied(SHARED, conversion_weight=0)


def test_rounds_of_both_tasks_are_told(split):
    told = {}
    exposures = replace(split.train)  # of which nothing is kept
    make_model(SHARED).fit(
        exposures, split.valid, lambda n, of: [told.setdefault(t, []).append(n) for t in of]
    )
    assert set(told) == {"click", "conversion"}
    assert all(numbers == list(range(len(numbers))) for numbers in told.values())


def test_external_memory_gives_the_same(model, split):
    filed = fitted(varied(SHARED, external_memory=True), replace(split, train=replace(split.train)))
    np.testing.assert_allclose(filed.predict(split.test).pcvr, model.predict(split.test).pcvr, atol=1e-5)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("rates"),
        lambda state: state.update(rates=[]),
        lambda state: state["rates"].update({"0": [[1.0, 1.0], [0.5, 0.5]]}),
        lambda state: state["rates"].update({"0": [[1.0], []]}),
        lambda state: state["rates"].update({"0": [["a"], [0.5]]}),
        lambda state: state["rates"].update({"x": [[1.0], [0.5]]}),
        lambda state: state["rates"].update({"0": 3}),
    ],
)
def test_damaged_rates_are_refused(model, split, tmp_path, damage):
    save_model(model, tmp_path / "model", split)
    manifest = tmp_path / "model" / "manifest.json"
    stored = json.loads(manifest.read_text())
    damage(stored["state"])
    manifest.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        load_model(tmp_path / "model")


def test_a_booster_of_one_output_is_refused(model, split, tmp_path):
    save_model(model, tmp_path / "model", split)
    save_model(fitted(varied(SPEC, model="xgboost"), split), tmp_path / "other", split)
    manifest = tmp_path / "model" / "manifest.json"
    stored, other = (
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("model", "other")
    )
    for part in ("state", "files"):
        key = "conversion" if part == "state" else "conversion.ubj"
        stored[part][key] = other[part][key]
    manifest.write_text(json.dumps(stored))
    file = tmp_path / "model" / "conversion.ubj"
    file.write_bytes((tmp_path / "other" / "conversion.ubj").read_bytes())
    with pytest.raises(InputError, match=r"is no booster of xgboost \(it has 1 outputs, not 2\)"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda tree: tree["leaf_weights"].__setitem__(0, float("nan")), "a leaf has no value"),
        (lambda tree: tree["right_children"].__setitem__(-1, 10**6), "a leaf has no value"),
        (lambda tree: tree["right_children"].__setitem__(-1, -1), "a leaf has no value"),
        (lambda tree: tree["leaf_weights"].pop(), ""),
        (lambda tree: tree["base_weights"].pop(), ""),
        (lambda tree: tree["tree_param"].update(size_leaf_vector="1"), "its size is wrong"),
        (lambda tree: tree["left_children"].__setitem__(0, 10**6), ""),
    ],
)
def test_damaged_trees_of_two_outputs_are_refused(model, damage, says):
    def document():
        return json.loads(model._conversion.booster.save_raw("json"))

    _files._check_model(document(), 2)
    damaged = document()
    damage(damaged["learner"]["gradient_booster"]["model"]["trees"][0])
    with pytest.raises(_files._DamageError, match=f"tree 0: .*{says}"):
        _files._check_model(damaged, 2)


def test_rates_of_other_columns_are_refused(model, split, tmp_path):
    save_model(model, tmp_path / "model", split)
    manifest = tmp_path / "model" / "manifest.json"
    stored = json.loads(manifest.read_text())
    stored["state"]["rates"]["99"] = [[1.0], [0.5]]
    manifest.write_text(json.dumps(stored))
    with pytest.raises(InputError, match="has click rates of other columns; train again"):
        load_model(tmp_path / "model")


def test_what_trees_of_several_outputs_lack_is_one_line(split):
    with pytest.raises(InputError, match="xgboost_shared refuses the data or a parameter: "):
        pctr(varied(SHARED, params={"tree_method": "approx"}), split)
