"""`train` and `predict` as a user meets them."""

import importlib
import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.evaluation import compare
from gbdt_pwiser.metrics import evaluate
from gbdt_pwiser.models import load_model
from gbdt_pwiser.sources import load, load_description
from tests.aliexpress import item_lines, user_lines, write_lines
from tests.specs import spec_of

HARNESS = importlib.import_module("gbdt_pwiser.evaluation.compare")  # beside the function of that name
TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
SIMULATED = ["--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3", *TINY]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "model"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A description with texts and a group, and its file."""
    folder = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(0)
    n = 3000
    shop, price = rng.integers(0, 9, n), rng.normal(size=n)
    click = rng.random(n) < 1 / (1 + np.exp(1 - price - (shop - 4) / 2))
    pl.DataFrame(
        {
            "click": click,
            "buy": click & (rng.random(n) < 0.3),
            "search": rng.integers(0, 300, n),
            "shop": [None if k == 8 else f"shop {k}" for k in shop],
            "price": price,
        }
    ).write_parquet(folder / "toy.parquet", row_group_size=500)
    (folder / "toy.toml").write_text(
        'source = "toy.parquet"\nclick = "click"\nconversion = "buy"\ngroup = "search"\n'
    )
    return folder / "toy.toml"


# ------------------------------------------------------------------------------ train


def test_train_then_predict(run, toy, folder, tmp_path):
    code, out, err = run(
        "train", "--dataset", toy, "--model", "xgboost", "--weight", "0.1", *TINY, "--output", folder,
        "--calibrate", "sigmoid", "--seed", "1",
    )  # fmt: skip
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "xgboost pwiser, weight 0.1, 4 rounds"
    assert lines[1] == "toy, seed 1: 1,796 train, 605 valid, 599 test"
    assert lines[2] == "validation, before calibration"
    assert lines[3].startswith("  CTR AUC             0.")
    assert lines[-1] == str(folder)

    target = tmp_path / "out" / "p.parquet"
    source = toy.with_suffix(".parquet")
    options = ["--batch-size", "700", "--keep", "search", "--threads", "1"]
    code, out, err = run("predict", "--model", folder, "--input", source, "--output", target, *options)
    assert (code, out, err) == (0, f"{target}\n", "")
    table = pl.read_parquet(target)
    assert table.columns == ["search", "pctr", "pcvr", "pctcvr", "pctr_uncalibrated"]
    model, manifest = load_model(folder, threads=1)
    # The whole of a described file has the codes of training, rows that were in test included.
    exposures = load_description(toy).exposures
    raw = model.predict(exposures).pctr
    np.testing.assert_array_equal(table["pctr_uncalibrated"], raw)
    valid = load_description(toy).split(1).valid
    fitted = Calibrator.fit("sigmoid", model.predict(valid).pctr, valid.click)
    assert fitted.to_dict() == Calibrator.from_dict(manifest.calibration).to_dict()
    np.testing.assert_array_equal(table["pctr"], fitted(raw))
    assert manifest.command == f"gbdt-pwiser train --dataset {toy} --model xgboost --weight 0.1 " + " ".join(
        [*TINY, "--output", str(folder), "--calibrate", "sigmoid", "--seed", "1"]
    )


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
    monkeypatch.setattr(HARNESS, "evaluate", lambda part, *p: seen.append(part) or evaluate(part, *p))
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
        'model = "xgboost"\n[loss]\nsurrogate = "squared_hinge"\n[training]\nrounds = 3\n'
        "[parameters.bce]\nmax_depth = 2\n[parameters.pwiser]\nmax_depth = 2\nweight = 0.07\n"
    )
    run("train", *SIMULATED, "--params", best, "--output", folder)
    spec = load_model(folder).manifest.spec
    assert (spec.model, spec.weight) == ("xgboost", 0.07)
    assert (spec.settings.rounds, spec.settings.params) == (4, {"max_depth": 2})
    assert spec.pwiser.surrogate == "squared_hinge"
    run("train", *SIMULATED, "--params", best, "--weight", "0.5", "--output", folder)
    assert load_model(folder).manifest.spec.weight == 0.5
    code, _, err = run("train", *SIMULATED, "--params", best, "--model", "lightgbm", "--output", folder)
    assert (code, err) == (2, f"gbdt-pwiser: {best} is for xgboost, not lightgbm; leave --model out\n")
    code, _, err = run("train", *SIMULATED, "--params", best, "--loss", "weighted_bce", "--output", folder)
    assert code == 2
    assert err == f"gbdt-pwiser: {best} holds bce and pwiser, not weighted_bce; leave --params out\n"


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
def test_what_train_refuses(run, options, message, folder, monkeypatch):
    """Before anything is trained, or any folder made."""
    monkeypatch.setattr(HARNESS, "fit", None)
    code, out, err = run("train", *SIMULATED, "--output", folder, *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"gbdt-pwiser: {message}")
    assert err.count("\n") == 1
    assert not folder.parent.exists()


def test_a_folder_of_something_else_stays(run, tmp_path, monkeypatch):
    monkeypatch.setattr(HARNESS, "fit", None)
    (tmp_path / "diary").touch()
    code, _, err = run("train", *SIMULATED, "--output", tmp_path)
    wanted = f"gbdt-pwiser: {tmp_path} exists and is no model folder; give another path or remove it\n"
    assert (code, err) == (2, wanted)


def test_an_output_is_needed(run):
    assert run("train", *SIMULATED) == (2, "", "gbdt-pwiser: Missing option '--output'.\n")


# ------------------------------------------------------------------------------ predict


@pytest.mark.filterwarnings("ignore:us. on train")  # the item decides the grade
def test_a_prepared_set(run, folder, tmp_path):
    for part, searches in (("train", 250), ("test", 60)):
        write_lines(tmp_path / "raw" / f"us_user_{part}.csv", user_lines(searches))
        write_lines(tmp_path / "raw" / f"us_item_{part}.csv", item_lines(searches, 6))
    where = ["--dataset", "us", "--data-dir", tmp_path / "sets"]
    run("prepare", "--source", tmp_path / "raw", *where)
    code, _, err = run("train", *where, *TINY, "--weight", "0.1", "--output", folder)
    assert (code, err) == (0, "")
    source, target = tmp_path / "sets" / "us" / "test.parquet", tmp_path / "p.parquet"
    code, out, err = run(
        "predict", "--model", folder, "--input", source, "--output", target, "--json",
        "--keep", "search_id", "--keep", "grade",
    )  # fmt: skip
    assert (code, err) == (0, "")
    told, table = json.loads(out), pl.read_parquet(target)
    assert (told["output"], told["rows"], told["unseen"]) == (str(target), 360, {})
    assert told["mean_pctr"] == pytest.approx(table["pctr"].mean())
    assert table.columns == ["search_id", "grade", "pctr", "pcvr", "pctcvr"]
    test = load("us", data_dir=tmp_path / "sets").split(0).test
    np.testing.assert_array_equal(table["pctr"], load_model(folder).model.predict(test).pctr)
    np.testing.assert_array_equal(table["grade"], test.grade)


def test_unseen_values_are_reported(run, toy, folder, tmp_path):
    run("train", "--dataset", toy, *TINY, "--weight", "0.1", "--output", folder)
    new = pl.DataFrame({"price": [1.0, 2.0, None], "shop": ["shop 1", "elsewhere", None]})
    new.write_parquet(tmp_path / "new.parquet")
    arguments = ["predict", "--model", folder, "--input", tmp_path / "new.parquet"]
    code, out, err = run(*arguments, "--output", tmp_path / "p.parquet", "--json")
    assert (code, json.loads(out)["unseen"]) == (0, {"shop": 1})
    assert err == "gbdt-pwiser: values that training did not have count as missing: shop 1\n"


def test_what_predict_refuses(run, toy, folder, tmp_path):
    run("train", "--dataset", toy, *TINY, "--weight", "0.1", "--output", folder)
    target = tmp_path / "p.parquet"

    def refusal(model, source):
        code, out, err = run("predict", "--model", model, "--input", source, "--output", target)
        assert (code, out, err.count("\n"), target.exists()) == (2, "", 1, False)
        return err.removeprefix("gbdt-pwiser: ")

    assert refusal(tmp_path, toy).startswith(f"{tmp_path} is no model folder")
    assert refusal(folder, tmp_path / "no.parquet").startswith(f"{tmp_path / 'no.parquet'} is not a file")
    pl.DataFrame({"price": [1.0]}).write_parquet(tmp_path / "new.parquet")
    assert "lacks 1 of 2 feature columns: shop;" in refusal(folder, tmp_path / "new.parquet")
    (folder / "click.txt").write_text("tree\n")
    assert "click.txt is not the file that was saved" in refusal(folder, toy.with_suffix(".parquet"))


def test_help_needs_no_library():
    for command in ("train", "predict"):
        code = (
            "import sys; from gbdt_pwiser.cli import cli\n"
            f"cli.main([{command!r}, '--help'], standalone_mode=False)\n"
            "print({'polars', 'lightgbm', 'xgboost', 'sklearn', 'torch'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.endswith("set()\n"), done.stderr
