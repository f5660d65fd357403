"""A model that is saved and read again, and folders that are refused."""

import hashlib
import json
import shutil
from dataclasses import replace
from importlib.util import find_spec

import lightgbm
import numpy as np
import pytest
import xgboost
from scipy.special import expit

from gbdt_pwiser.models import BoosterSettings, ModelSpec, NetworkSettings, load_model, make_model, save_model
from gbdt_pwiser.models.manifest import FORMAT
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from tests.models.helpers import BOOSTERS, SPEC, TREES, every_part, fitted
from tests.specs import varied

MODELS = [*BOOSTERS, pytest.param("dnn", marks=pytest.mark.skipif(not find_spec("torch"), reason="no torch"))]
FILES = {
    "lightgbm": ["click.txt", "conversion.txt", "manifest.json"],
    "xgboost": ["click.ubj", "conversion.ubj", "manifest.json"],
    "xgboost_shared": ["click.ubj", "conversion.ubj", "manifest.json"],
    "dnn": ["manifest.json", "network.pt"],
}
# Overfits at once, so that the best round is not the last.
STOPS = varied(SPEC, loss="pwiser", rounds=40, early_stopping=4, learning_rate=0.7)


@pytest.fixture(scope="module")
def models(split):
    """Trained models by name."""
    names = [name for name in FILES if name in BOOSTERS or find_spec("torch")]
    return {name: fitted(varied(STOPS, model=name), split) for name in names}


@pytest.fixture(scope="module")
def saved_folders(models, split, tmp_path_factory):
    """A folder for each model, for reading only."""
    top = tmp_path_factory.mktemp("saved")
    for name, model in models.items():
        save_model(model, top / name, split)
    return top


@pytest.fixture
def folder(saved_folders, tmp_path):
    """A copy of a model folder, by name, that a test may damage."""

    def copy(name):
        return shutil.copytree(saved_folders / name, tmp_path / name)

    return copy


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def edit(folder, change):
    path = folder / "manifest.json"
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))


def forge(folder, name, content):
    """Change a file and its digest."""
    (folder / name).write_bytes(content)
    edit(folder, lambda stored: stored["files"].update({name: hashlib.sha256(content).hexdigest()}))


def refusal(folder):
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_identical(name, models, saved_folders, split):
    model, (again, _) = models[name], load_model(saved_folders / name, threads=1)
    ours, theirs = model.predict(split.test), again.predict(split.test)
    np.testing.assert_array_equal(ours.pctr, theirs.pctr)
    np.testing.assert_array_equal(ours.pctcvr, theirs.pctcvr)
    assert again.spec == model.spec
    assert (again.rounds_used, again.fit_seconds, again.size) == (
        model.rounds_used,
        model.fit_seconds,
        model.size,
    )
    with pytest.raises(InputError, match="other feature columns"):
        again.predict(replace(split.test, features=split.test.features.drop("numerical_1")))


@pytest.mark.parametrize("name", MODELS)
def test_the_folder_and_what_it_says(name, models, saved_folders, split):
    folder = saved_folders / name
    assert names_in(folder) == FILES[name]
    manifest = load_model(folder).manifest
    assert manifest.spec == models[name].spec
    assert manifest.columns.names == tuple(split.train.features.columns)
    assert manifest.columns.categorical == split.train.categorical
    assert manifest.dataset == "simulated"
    assert manifest.split["valid"] == {
        "exposures": len(split.valid),
        "clicks": split.valid.click.sum(),
        "conversions": split.valid.conversion.sum(),
        "open": 0,
    }
    assert (manifest.calibration, manifest.command, dict(manifest.validation)) == (None, "", {})
    library = {"dnn": "torch", "xgboost_shared": "xgboost"}.get(name, name)
    assert manifest.versions.keys() == {"gbdt-pwiser", library, "numpy", "polars"}
    assert json.loads((folder / "manifest.json").read_text())["format"] == FORMAT


def test_what_is_told_is_kept(models, split, tmp_path):
    said = {"ctr_auc": 0.75, "gauc": float("nan")}
    calibration = {"method": "sigmoid", "slope": 0.1 + 0.2}
    written = save_model(
        models["xgboost"],
        tmp_path / "new" / "model",
        split,
        validation=said,
        calibration=calibration,
        command="gbdt-pwiser train",
    )
    read = load_model(tmp_path / "new" / "model").manifest
    assert read.validation["ctr_auc"] == 0.75
    assert np.isnan(read.validation["gauc"])
    assert read.calibration == calibration
    assert read.command == "gbdt-pwiser train"
    assert (read.created, read.files, read.state) == (written.created, written.files, written.state)


@pytest.mark.parametrize("name", MODELS[2:])
def test_a_folder_of_a_version_without_the_weight_of_the_second_task_is_read(name, models, folder, split):
    edit(copy := folder(name), lambda stored: stored["spec"]["settings"].pop("conversion_weight"))
    again = load_model(copy, threads=1).model
    np.testing.assert_array_equal(again.predict(split.test).pctcvr, models[name].predict(split.test).pctcvr)


@pytest.mark.parametrize("name", TREES)
def test_other_settings_come_back(name, split, tmp_path):
    loss = PWiseRLoss(weight=0.2, surrogate="logistic", scale="logit", click_margin=0.5, pairs="group")
    spec = varied(SPEC, model=name, loss="pwiser", pwiser=loss, seed=3, rounds=2, params={"max_bin": 31})
    model = fitted(spec, split)
    save_model(model, tmp_path / "model", split)
    again, manifest = load_model(tmp_path / "model", threads=1)
    assert again.spec == manifest.spec == spec
    np.testing.assert_array_equal(model.predict(split.test).pctr, again.predict(split.test).pctr)


@pytest.mark.parametrize("name", TREES)
def test_a_model_without_a_conversion_booster(name, split, tmp_path):
    """Where every click converts there is nothing to tell apart."""
    always = every_part(split, lambda part: replace(part, grade=2 * part.click.astype(np.int8)))
    model = fitted(varied(SPEC, model=name, rounds=2), always)
    save_model(model, tmp_path / "model", always)
    assert names_in(tmp_path / "model") == [FILES[name][0], "manifest.json"]
    predicted = load_model(tmp_path / "model").model.predict(split.test)
    np.testing.assert_array_equal(predicted.pctcvr, predicted.pctr)


# ------------------------------------------------------------------------------ without this package


def test_xgboost_alone_predicts_the_same(models, saved_folders, split):
    model, folder = models["xgboost"], saved_folders / "xgboost"
    booster = xgboost.Booster(model_file=folder / "click.ubj")
    assert booster.num_boosted_rounds() == model.rounds_used < model._click.booster.num_boosted_rounds()
    types = ["c" if name in split.test.categorical else "q" for name in split.test.features.columns]
    data = xgboost.DMatrix(
        split.test.matrix(),
        feature_names=split.test.features.columns,
        feature_types=types,
        enable_categorical=True,
    )
    np.testing.assert_allclose(booster.predict(data), model.predict(split.test).pctr, atol=1e-7)


def test_lightgbm_alone_predicts_the_same(models, saved_folders, split):
    model, folder = models["lightgbm"], saved_folders / "lightgbm"
    booster = lightgbm.Booster(model_file=folder / "click.txt")
    assert booster.num_trees() == model.rounds_used < STOPS.settings.rounds
    start = json.loads((folder / "manifest.json").read_text())["state"]["click"]["start"]
    pctr = expit(booster.predict(split.test.matrix(), raw_score=True) + start)
    np.testing.assert_allclose(pctr, model.predict(split.test).pctr, rtol=1e-12)


# ------------------------------------------------------------------------------ whole or not at all


def test_a_new_model_replaces_an_older_one(models, split, tmp_path):
    for name in ("xgboost", "lightgbm"):
        save_model(models[name], tmp_path / "model", split)
    assert names_in(tmp_path / "model") == FILES["lightgbm"]
    assert names_in(tmp_path) == ["model"]


@pytest.mark.parametrize("fault", ["write", "params"])
def test_a_failure_leaves_the_older_model(fault, models, split, tmp_path, monkeypatch):
    save_model(models["xgboost"], tmp_path / "model", split)
    before = load_model(tmp_path / "model").manifest
    model = fitted(varied(SPEC, rounds=1), split)
    if fault == "write":

        def full(trained, path):
            path.write_text("half")
            raise OSError("no space left on device")

        monkeypatch.setattr(model, "_write", full)
    else:
        model.spec = varied(model.spec, params={"feval": len})
    with pytest.raises((OSError, InputError), match=r"no space left|plain numbers, texts and lists"):
        save_model(model, tmp_path / "model", split)
    assert load_model(tmp_path / "model").manifest.files == before.files
    assert names_in(tmp_path) == ["model"]


def test_a_forged_manifest_moves_no_folder(models, split, tmp_path):
    """It may name anything as a file of the model; only plain files in the folder are taken for one."""
    folder = tmp_path / "model"
    save_model(models["xgboost"], folder, split)
    (folder / "plots").mkdir()
    (folder / "plots" / "weights").touch()
    edit(folder, lambda stored: stored["files"].update({"plots": "", "..": "", "": "", "../other": ""}))
    (tmp_path / "other").touch()
    save_model(models["lightgbm"], folder, split)
    assert names_in(folder) == sorted([*FILES["lightgbm"], "plots"])
    assert (folder / "plots" / "weights").exists()
    assert names_in(tmp_path) == ["model", "other"]


def test_other_folders_are_not_replaced(models, split, tmp_path):
    (tmp_path / "photos").mkdir()
    save_model(models["xgboost"], tmp_path / "photos", split)  # an empty one holds nothing to lose
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "monday").touch()
    with pytest.raises(InputError, match="diary exists and is no model folder; give another path"):
        save_model(models["xgboost"], tmp_path / "diary", split)
    with pytest.raises(InputError, match="monday exists and is no model folder"):
        save_model(models["xgboost"], tmp_path / "diary" / "monday", split)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_not_trained(name, split, tmp_path):
    with pytest.raises(InputError, match="not trained; call fit first"):
        save_model(make_model(ModelSpec(model=name)), tmp_path / "model", split)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------ what is refused


def test_no_model_folder(tmp_path):
    wanted = "is no model folder (it has no manifest.json); give one that train wrote"
    assert refusal(tmp_path) == f"{tmp_path} {wanted}"
    assert refusal(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'} {wanted}"


def test_another_format(folder):
    path = folder("xgboost")
    edit(path, lambda stored: stored.update(format=99))
    version = json.loads((path / "manifest.json").read_text())["versions"]["gbdt-pwiser"]
    assert refusal(path) == (
        f"{path} has format 99, this version reads 1 and {FORMAT}; train it again, or install the version "
        f"that wrote it, {version}"
    )


@pytest.mark.parametrize("name", MODELS)
def test_format_1_is_read(name, folder, models, split):
    """It had the settings of both families beside each other."""

    def older(stored):
        spec = stored["spec"]
        own = spec.pop("settings")
        boosters, networks = BoosterSettings().record(), NetworkSettings().record()
        for settings in (own, boosters, networks):
            for later in ("conversion_weight", "stop_by"):
                settings.pop(later, None)
        spec |= {**boosters, **own, "network": networks} if name in BOOSTERS else {**boosters, "network": own}
        stored["format"] = 1

    path = folder(name)
    today = load_model(path)
    edit(path, older)
    saved = load_model(path)
    assert saved.model.spec == today.model.spec
    np.testing.assert_array_equal(
        saved.model.predict(split.test).pctcvr, models[name].predict(split.test).pctcvr
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_changed_or_went(name, folder):
    path = folder(name)
    file = path / [each for each in FILES[name] if each != "manifest.json"][-1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert refusal(path) == (
        f"{file} is not the file that was saved (its SHA-256 differs from the manifest's); copy the folder "
        "again or train again"
    )
    file.unlink()
    assert refusal(path) == f"{file} is missing; copy the folder again or train again"


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored.pop("format"),
        lambda stored: stored.pop("columns"),
        lambda stored: stored.update(files=None),
        lambda stored: stored.update(more=1),
        lambda stored: stored["spec"].update(more=1),
        lambda stored: stored["spec"].pop("pwiser"),
        lambda stored: stored["columns"][0].update(categories=[1], type="Complex"),
        lambda stored: stored["state"].pop("click"),
        lambda stored: stored["state"]["click"].pop("file"),
        lambda stored: stored["state"]["click"].update(more=1),
    ],
)
def test_a_damaged_manifest(change, folder):
    path = folder("lightgbm")
    edit(path, change)
    assert refusal(path).startswith(f"{path / 'manifest.json'} is damaged (")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\x00"])
def test_a_manifest_that_is_no_json_object(text, folder):
    path = folder("xgboost")
    (path / "manifest.json").write_text(text)
    assert refusal(path).startswith(f"{path / 'manifest.json'} is damaged (")


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_device(name, saved_folders):
    with pytest.raises(InputError, match=r"unknown device 'gpu' \(did you mean cuda\?\)"):
        load_model(saved_folders / name, device="gpu")


def test_files_outside_of_the_folder_are_not_read(folder):
    path = folder("xgboost")
    shutil.copy(path / "click.ubj", path.parent / "click.ubj")
    edit(path, lambda stored: stored["files"].update({"../click.ubj": stored["files"]["click.ubj"]}))
    assert "../click.ubj is missing" in refusal(path)


@pytest.mark.parametrize("name", TREES)
def test_a_foreign_booster(name, folder, saved_folders, split, tmp_path, capfd):
    path = folder(name)
    other = {"xgboost": "lightgbm", "lightgbm": "xgboost"}[name]
    mine, theirs = FILES[name][0], saved_folders / other / FILES[other][0]
    forge(path, mine, theirs.read_bytes())
    assert refusal(path).startswith(f"{path / mine} is no booster of {name} (")
    few = every_part(split, lambda part: replace(part, features=part.features.drop("numerical_1")))
    save_model(fitted(varied(SPEC, model=name, rounds=1), few), tmp_path / "few", few)
    forge(path, mine, (tmp_path / "few" / mine).read_bytes())
    assert refusal(path) == f"{path / mine} has 13 features, not 14; train again"
    assert capfd.readouterr().out == ""
