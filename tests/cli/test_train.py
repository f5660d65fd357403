"""`gbdt-pwiser train` as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest

from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.metrics import evaluate
from gbdt_pwiser.models import load_model
from gbdt_pwiser.sources import load
from tests.command_line import SIMULATED, refused
from tests.comparison import HARNESS
from tests.folders import mounted, names
from tests.specs import spec_of

TRAIN = ["train", *SIMULATED, "--weight", "0.1"]


def test_it_is_the_model_of_compare(run, folder):
    """Of the weights the best on validation is kept, and test stays unscored but for compare."""
    code, out, err = run("train", *SIMULATED, "--weight", "0.01,0.1", "--output", folder, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    base = spec_of("lightgbm", rounds=4, early_stopping=2, learning_rate=0.3, threads=1)
    dataset = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3)
    results = compare(
        dataset, models=["lightgbm"], losses=["pwiser"], seeds=[0], weights=[0.01, 0.1], base=base
    )
    valid = {r.metric: r.value for r in results if r.split == "valid"}
    assert told["validation"] == pytest.approx(valid, nan_ok=True)
    assert (told["model"], told["loss"], told["weight"]) == ("lightgbm", "pwiser", results[0].weight)
    assert (told["rounds"], told["calibration"], told["output"]) == (results[0].rounds, "none", str(folder))
    saved, test = load_model(folder), dataset.split(0).test
    predicted = saved.model.predict(test)
    scored = evaluate(test, predicted.pctr, predicted.pctcvr)
    assert scored == pytest.approx({r.metric: r.value for r in results if r.split == "test"}, nan_ok=True)
    assert saved.manifest.validation == pytest.approx(valid, nan_ok=True)


def test_nothing_reads_the_test_labels(run, folder, monkeypatch):
    seen = []
    monkeypatch.setattr(HARNESS, "evaluate", lambda part, *p, **_: seen.append(part) or evaluate(part, *p))
    run("train", *SIMULATED, "--output", folder)
    valid = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3).split(0).valid
    assert len(seen) == 3  # weights
    assert all(np.array_equal(part.grade, valid.grade) for part in seen)


@pytest.mark.parametrize("loss", ["bce", "weighted_bce", "lambdarank"])
def test_other_losses(run, loss, folder, tmp_path):
    weight = [] if loss == "bce" else ["--weight", "0.5"]
    code, out, err = run("train", *SIMULATED, "--loss", loss, *weight, "--output", folder, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["loss"], told["weight"]) == (loss, 0.5 if weight else 0.0)
    test = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3).split(0).test
    test.features.write_parquet(tmp_path / "new.parquet")
    code, out, _ = run(
        "predict", "--model", folder, "--input", tmp_path / "new.parquet", "--output", tmp_path / "p.parquet",
        "--json",
    )  # fmt: skip
    assert code == 0
    # Rankers too give probabilities.
    assert json.loads(out)["mean_pctr"] == pytest.approx(test.click.mean(), abs=0.05)


def test_params_of_a_search(run, folder, tmp_path):
    best = tmp_path / "best.toml"
    best.write_text(
        'model = "xgboost"\n[loss]\nsurrogate = "squared_hinge"\n[training]\nrounds = 3\nstop_by = "mrr"\n'
        "[parameters.bce]\nmax_depth = 2\n[parameters.pwiser]\nmax_depth = 2\nweight = 0.07\n"
    )
    run("train", *SIMULATED, "--params", best, "--output", folder)
    spec = load_model(folder).manifest.spec
    assert (spec.model, spec.weight) == ("xgboost", 0.07)
    assert (spec.settings.rounds, spec.settings.params) == (4, {"max_depth": 2})
    assert spec.settings.stop_by == "mrr"
    assert spec.pwiser.surrogate == "squared_hinge"
    given = ["--weight", "0.5", "--stop-by", "gauc"]
    run("train", *SIMULATED, "--params", best, *given, "--output", folder)
    spec = load_model(folder).manifest.spec
    assert (spec.weight, spec.settings.stop_by) == (0.5, "gauc")
    again = ["train", *SIMULATED, "--params", best, "--output", folder]
    told = refused(run(*again, "--model", "lightgbm"))
    assert told == f"{best} is for xgboost, not lightgbm; leave --model out"
    told = refused(run(*again, "--loss", "weighted_bce"))
    assert told == f"{best} holds bce and pwiser, not weighted_bce; leave --params out"


# ------------------------------------------------------------------------------ the folder it writes


def test_training_again_keeps_what_is_not_the_models(run, tmp_path):
    folder = tmp_path / "model"
    assert run(*TRAIN, "--output", folder)[0] == 0
    (folder / "notes.txt").write_text("mine")
    (folder / "plots").mkdir()
    assert run(*TRAIN, "--model", "xgboost", "--output", folder)[0] == 0
    assert names(folder) == ["click.ubj", "conversion.ubj", "manifest.json", "notes.txt", "plots"]
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "click.txt").write_text("a booster of somebody else's")
    wanted = f"{folder / 'click.txt'} exists and was not written by gbdt-pwiser"
    assert refused(run(*TRAIN, "--output", folder)).startswith(wanted)
    assert names(tmp_path) == ["model"]


def test_a_manifest_of_something_else_is_no_model(run, tmp_path):
    (tmp_path / "manifest.json").write_text('{"manifest_version": 3, "name": "a browser\'s extension"}')
    assert "exists and is no model folder" in refused(run(*TRAIN, "--output", tmp_path))
    assert names(tmp_path) == ["manifest.json"]


def test_a_damaged_model_may_be_trained_again(run, tmp_path):
    folder = tmp_path / "model"
    assert run(*TRAIN, "--output", folder)[0] == 0
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:200])
    assert run(*TRAIN, "--output", folder)[0] == 0
    assert names(folder) == ["click.txt", "conversion.txt", "manifest.json"]


def test_a_volume_that_is_mounted_and_new(run, tmp_path):
    with mounted(tmp_path / "volume") as volume:
        (volume / "lost+found").mkdir()
        assert run(*TRAIN, "--output", volume)[0] == 0
        assert names(volume) == ["click.txt", "conversion.txt", "lost+found", "manifest.json"]


def test_the_current_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*TRAIN, "--output", ".")[0] == 0
    assert names(tmp_path) == ["click.txt", "conversion.txt", "manifest.json"]


def test_the_home_folder(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(*TRAIN, "--output", "~/model")[0] == 0
    assert (Path(tmp_path) / "model" / "manifest.json").is_file()


def test_a_folder_of_something_else_stays(run, untrained, tmp_path):
    (tmp_path / "diary").touch()
    wanted = f"{tmp_path} exists and is no model folder; give another path or remove it"
    assert refused(run("train", *SIMULATED, "--output", tmp_path)) == wanted


# ------------------------------------------------------------------------------ bad arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "lightgmb"], "unknown model 'lightgmb' (did you mean lightgbm?)"),
        (["--loss", "pwise"], "unknown loss 'pwise' (did you mean pwiser?)"),
        (["--loss", "lambdarank", "--model", "xgboost"], "lambdarank exists for lightgbm only"),
        (["--loss", "bce", "--weight", "1"], "bce has no weight; leave it out, or choose another loss"),
        (["--weight", "-1"], "weight is -1.0"),
        (["--weight", "many"], "--weight is 'many'; give numbers such as 0.01,0.03"),
        (["--choose-by", "pcoc"], "cannot choose by 'pcoc'"),
        (["--calibrate", "magic"], "unknown calibration 'magic'; choose one of none, isotonic, sigmoid"),
        (["--params", "nowhere.toml"], "nowhere.toml cannot be read"),
    ],
)
def test_what_train_refuses(run, untrained, options, message, folder):
    """Before anything is trained, or any folder made."""
    assert refused(run("train", *SIMULATED, "--output", folder, *options)).startswith(message)
    assert not folder.parent.exists()


def test_an_output_is_needed(run):
    assert refused(run("train", *SIMULATED)) == "Missing option '--output'."
