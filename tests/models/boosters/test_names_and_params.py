"""Feature names that boosters refuse, parameters that name columns or do nothing, and devices."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import xgboost

from gbdt_pwiser.models import load_model, make_model, save_model
from gbdt_pwiser.models.boosters import device as _device
from gbdt_pwiser.models.boosters import lightgbm_model
from gbdt_pwiser.models.boosters.parameters import known_params
from gbdt_pwiser.models.boosters.trees import refusals
from gbdt_pwiser.objectives import InputError
from tests.models.helpers import COLUMNS, ODD, SPEC, TREES, every_part, fitted, pctr, renamed
from tests.specs import varied


@pytest.fixture(params=TREES)
def spec(request):
    return varied(SPEC, model=request.param)


# ------------------------------------------------------------------------------ names


@pytest.mark.parametrize("loss", ["bce", "pwiser"])
def test_any_name_trains_saves_and_predicts(spec, split, loss, tmp_path):
    spec, odd = replace(spec, loss=loss), renamed(split)
    model = fitted(spec, odd)
    expected = pctr(spec, split)
    np.testing.assert_array_equal(model.predict(odd.test).pctr, expected)
    manifest = save_model(model, tmp_path / "model", odd)
    assert list(manifest.columns.names) == ODD
    np.testing.assert_array_equal(load_model(tmp_path / "model").model.predict(odd.test).pctr, expected)


def test_boosters_that_were_saved_with_the_columns_names_still_predict(spec, split, tmp_path, monkeypatch):
    expected = pctr(spec, split)
    monkeypatch.setattr(lightgbm_model, "plain_names", list)
    fresh = every_part(split, lambda part: replace(part))  # bins of its own
    model = fitted(spec, fresh)
    if spec.model == "xgboost":
        for trained in (model._click, model._conversion):
            trained.booster.feature_names = fresh.train.features.columns
    save_model(model, tmp_path / "model", fresh)
    assert COLUMNS[0].encode() in (tmp_path / "model" / f"click{model.suffix}").read_bytes()
    np.testing.assert_array_equal(load_model(tmp_path / "model").model.predict(split.test).pctr, expected)


def test_messages_name_the_column():
    with (
        pytest.raises(InputError, match=r"^lightgbm refuses .*: feature 'a b' has 300 bins, f17 is odd$"),
        refusals("lightgbm", ["x,y", "a b"]),
    ):
        raise lightgbm.basic.LightGBMError("feature f1 has\n300 bins, f17 is odd")


# ------------------------------------------------------------------------------ parameters


def test_constraints_name_columns_or_count_them(spec, split):
    odd = renamed(split)
    falling = dict.fromkeys(ODD[4:], -1)
    by_name, by_place, as_text, free = (
        pctr(varied(spec, params=params), odd)
        for params in (
            {"monotone_constraints": falling},
            {"monotone_constraints": [0] * 4 + [-1] * 10},
            {"monotone_constraints": f"({','.join(['0'] * 4 + ['-1'] * 10)})"},
            {},
        )
    )
    np.testing.assert_array_equal(by_name, by_place)
    np.testing.assert_array_equal(by_name, as_text)
    assert np.abs(by_name - free).max() > 0.01


def test_interactions_name_columns_or_count_them(spec, split):
    odd = renamed(split)
    by_place = [list(range(4)), *([i] for i in range(4, 14))]
    by_name, *others, free = (
        pctr(varied(spec, params=params), odd)
        for params in (
            {"interaction_constraints": [ODD[:4], *([name] for name in ODD[4:])]},
            {"interaction_constraints": by_place},
            {"interaction_constraints": str(by_place)},
            {"interaction_constraints": str(by_place)[1:-1]},
            {},
        )
    )
    for other in others:
        np.testing.assert_array_equal(by_name, other)
    assert np.abs(by_name - free).max() > 0.001


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"monotone_constraints": {"a-b": 1}}, r"names 'a-b' \(did you mean 'a_b'\?\), which is no feature"),
        ({"monotone_constraints": {"a b": 2}}, r"\{'a b': 2\}; a constraint is 1 \(rising\)"),
        ({"monotone_constraints": [1]}, "has 1 entries for 14 columns; give one for each"),
        ({"interaction_constraints": [["nothing"]]}, "interaction_constraints names 'nothing'"),
        ({"interaction_constraints": [[14]]}, "interaction_constraints names 14"),
    ],
)
def test_constraints_that_name_nothing(spec, split, params, says):
    with pytest.raises(InputError, match=says):
        fitted(varied(spec, params=params), renamed(split))


@pytest.mark.parametrize("name", ["scale_pos_weight", "unbalance", "pos_subsample", "neg_bagging_fraction"])
def test_weights_of_a_class_are_refused_beside_pwiser(spec, name):
    value = {"unbalance": True}.get(name, 0.5)
    pwiser = varied(spec, loss="pwiser", params={name: value})
    with pytest.raises(InputError, match=f"^{name} would change bce and do nothing to pwiser"):
        make_model(pwiser)
    if name in known_params(spec.model):
        make_model(varied(spec, params={name: value}))
        make_model(varied(pwiser, params={name: False if name == "unbalance" else 1.0}))


@pytest.mark.parametrize("params", [{"boosting": "rf"}, {"boost": "random_forest"}, {"boosting_type": "rf"}])
def test_a_random_forest_is_refused(params):
    with pytest.raises(InputError, match="takes neither an objective of one's own nor init_score"):
        make_model(varied(SPEC, params=params))


def test_categorical_columns_are_no_parameter():
    with pytest.raises(InputError, match="cat_feature is decided by the data"):
        make_model(varied(SPEC, params={"cat_feature": "name:a"}))


# ------------------------------------------------------------------------------ devices


@pytest.mark.parametrize("device", ["gpu", "abacus", "cuda:x", "", "CPU"])
def test_unknown_devices(spec, device):
    with pytest.raises(
        InputError, match=f"unknown device '{device}'.*; choose one of cpu, cuda, auto"
    ) as caught:
        make_model(replace(spec, device=device))
    assert ("did you mean cuda" in str(caught.value)) == (device in ("gpu", "cuda:x"))


@pytest.fixture
def no_gpu(monkeypatch):
    """Hide the GPUs, and forget what was found before."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    _device._why_not.cache_clear()
    yield
    _device._why_not.cache_clear()


@pytest.mark.usefixtures("no_gpu")
def test_cuda_without_a_gpu_is_refused_before_training(spec, split):
    with pytest.raises(InputError, match=f"^{spec.model} cannot run on cuda here .*give the device cpu"):
        fitted(replace(spec, device="cuda"), split)


@pytest.mark.usefixtures("no_gpu")
def test_xgboost_is_not_loaded_for_a_gpu_that_is_not_there(split, tmp_path):
    save_model(fitted(varied(SPEC, model="xgboost", rounds=2), split), tmp_path / "model", split)
    with pytest.raises(InputError, match="xgboost cannot run on cuda here"):
        load_model(tmp_path / "model", device="cuda")


@pytest.mark.usefixtures("no_gpu")
def test_a_device_that_xgboost_uses_is_usable(monkeypatch):
    config = '{"learner": {"generic_param": {"device": "cuda:0"}}}'
    monkeypatch.setattr(xgboost.Booster, "save_config", lambda booster: config)
    _device.check_usable("cuda", "xgboost")
