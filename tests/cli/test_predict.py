"""`gbdt-pwiser predict` as a user meets it."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.models import load_model
from gbdt_pwiser.sources import load, load_description
from tests.command_line import TINY, refused
from tests.folders import snapshot


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


@pytest.mark.filterwarnings("ignore:us. on train")  # the item decides the grade
def test_a_prepared_set(run, released, folder, tmp_path):
    where = ["--dataset", "us", "--data-dir", tmp_path / "sets"]
    run("prepare", "--source", released, *where)
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
        told = refused(run("predict", "--model", model, "--input", source, "--output", target))
        assert not target.exists()
        return told

    assert refusal(tmp_path, toy).startswith(f"{tmp_path} is no model folder")
    assert refusal(folder, tmp_path / "no.parquet").startswith(f"{tmp_path / 'no.parquet'} is not a file")
    pl.DataFrame({"price": [1.0]}).write_parquet(tmp_path / "new.parquet")
    assert "lacks 1 of 2 feature columns: shop;" in refusal(folder, tmp_path / "new.parquet")
    (folder / "click.txt").write_text("tree\n")
    assert "click.txt is not the file that was saved" in refusal(folder, toy.with_suffix(".parquet"))


# ------------------------------------------------------------------------------ the file it writes


def test_predictions_replace_older_ones_and_no_other_file(predict, trained, tmp_path):
    target = tmp_path / "p.parquet"
    assert predict(target)[0] == 0
    older = target.read_bytes()
    assert predict(target)[0] == 0
    assert target.read_bytes() == older
    target.write_text("dear diary")
    assert refused(predict(target)).startswith(f"{target} exists and was not written by gbdt-pwiser; ")
    assert target.read_text() == "dear diary"
    target.write_bytes(b"")  # as mktemp makes one
    assert predict(target)[0] == 0
    before = snapshot(trained)
    for file in ("click.txt", "manifest.json"):
        assert "is a file of the model; give another path" in refused(predict(trained / "model" / file))
    (tmp_path / "link").symlink_to(trained / "model" / "click.txt")
    assert "is a file of the model" in refused(predict(tmp_path / "link"))
    (tmp_path / "input").symlink_to(trained / "new.parquet")
    assert "is the input" in refused(predict(tmp_path / "input"))
    assert snapshot(trained) == before


def test_predictions_into_pipes_and_devices(predict, trained, tmp_path):
    assert predict(tmp_path / "p.parquet")[0] == 0
    assert predict("/dev/null")[0] == 0
    assert "No space left on device" in refused(predict("/dev/full"))
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()", "predict", "--model"]
    command += [trained / "model", "--input", trained / "new.parquet", "--output", "/dev/stdout"]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"/dev/stdout\n")
    assert done.stdout == (tmp_path / "p.parquet").read_bytes()


def test_predictions_of_a_file_with_a_pattern_for_a_name(run, trained, tmp_path):
    source, target = tmp_path / "d[1]*?.parquet", tmp_path / "p[1]*?.parquet"
    source.write_bytes((trained / "new.parquet").read_bytes())
    (tmp_path / "d1x.parquet").write_text("another file")
    code, out, _ = run("predict", "--model", trained / "model", "--input", source, "--output", target)
    assert (code, out) == (0, f"{target}\n")
    with target.open("rb") as file:
        assert pl.read_parquet(file).height == 3000
