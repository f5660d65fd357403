"""`gbdt-pwiser train --from` as a user meets it."""

import json
import shutil
import signal
import subprocess
import sys

import polars as pl
import pytest

from gbdt_pwiser.models import load_model
from tests.cli.test_own_data import described, frame
from tests.command_line import SIMULATED, TINY, refused
from tests.folders import snapshot

DRIFTS = [*SIMULATED[: -len(TINY)], "--threads", "1", "--drift", "0.5", "--days", "8"]


@pytest.fixture(scope="module")
def model(trained):
    return trained / "model"


def test_it_goes_on(run, model, folder):
    before = load_model(model)
    code, out, err = run("train", *DRIFTS, "--from", model, "--rounds", "3", "--output", folder, "--json")
    assert (code, err) == (0, "")
    told, after = json.loads(out), load_model(folder)
    new = told["continued"]["rounds"]
    assert 1 <= new <= 3
    assert told["rounds"] == after.model.rounds_used == before.model.rounds_used + new
    assert after.manifest.continued == told["continued"]
    assert (told["model"], told["loss"], told["weight"]) == ("lightgbm", "pwiser", 0.1)
    assert after.manifest.command.startswith("gbdt-pwiser train --dataset simulated")


def test_it_refits_in_place_and_says_so(run, model, folder):
    run("train", *DRIFTS, "--from", model, "--rounds", "2", "--output", folder)
    code, out, err = run("train", *DRIFTS, "--from", folder, "--refit", "0.5", "--output", folder)
    assert (code, err) == (0, "")
    rounds = load_model(folder).model.rounds_used
    assert out.splitlines()[0] == f"lightgbm pwiser, weight 0.1, {rounds} rounds, refitted with decay 0.5"
    code, out, _ = run("train", *DRIFTS, "--from", folder, "--rounds", "1", "--output", folder)
    assert out.splitlines()[0] == f"lightgbm pwiser, weight 0.1, {rounds + 1} rounds, 1 of them new"


def test_options_that_say_the_same_are_taken(run, model, folder):
    same = ["--model", "lightgbm", "--loss", "pwiser", "--weight", "0.1", "--learning-rate", "0.3"]
    code, _, err = run("train", *DRIFTS, "--from", model, *same, "--rounds", "1", "--output", folder)
    assert (code, err) == (0, "")


KILLED = """
import os, signal, sys
from unittest.mock import patch
from gbdt_pwiser import cli

def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

with patch(sys.argv.pop(1), end):
    cli.main()
"""


@pytest.mark.parametrize(
    "moment",
    [
        "gbdt_pwiser.models.boosters.lightgbm_model.LightGBMModel._train",  # no tree is grown
        "gbdt_pwiser.models.manifest.Manifest.write",  # new boosters are written, and nothing says so
    ],
)
def test_a_killed_continuation_leaves_the_model(run, model, folder, moment):
    shutil.copytree(model, folder)
    before = snapshot(folder)
    go_on = ["train", *DRIFTS, "--from", str(folder), "--rounds", "2", "--output", str(folder)]
    killed = subprocess.run([sys.executable, "-c", KILLED, moment, *go_on], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = snapshot(folder)  # the unfinished one, hidden, until the next run
    assert {path: content for path, content in left.items() if ".partial-" not in str(path)} == before
    load_model(folder)
    code, _, err = run(*go_on)
    assert (code, err) == (0, "")
    after = snapshot(folder)
    assert after.keys() == before.keys()
    assert after != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "xgboost"], "--model is given as xgboost, where it is lightgbm, and --from takes"),
        (["--loss", "bce"], "--loss is given as bce, where it is pwiser"),
        (["--weight", "0.1,0.2"], "--weight is given as 0.1,0.2, where it is 0.1"),
        (["--click-margin", "0.2"], "--click-margin is given as 0.2, where it is 0.1"),
        (["--warm-up", "5"], "--warm-up is given as 5, where it is 0"),
        (["--pairs", "group"], "--pairs is given as group, where it is all"),
        (["--learning-rate", "0.1"], "--learning-rate is given as 0.1, where it is 0.3"),
        (["--set", "booster.num_leaves=7"], "--set is given, and --from takes"),
        (["--choose-by", "gauc"], "--choose-by is given, and --from takes"),
        (["--params", "best.toml"], "--params is given, and --from takes"),
        (["--dask", "tcp://host:1"], "--dask is given, and --from takes"),
        (["--refit", "0.5", "--rounds", "3"], "refit grows no trees, and rounds is given"),
        (["--refit", "2"], "refit is 2.0; give the weight of the earlier leaf values, from 0 to 1"),
    ],
)
def test_what_the_saved_model_decides_is_refused(run, model, folder, options, message):
    assert message in refused(run("train", *DRIFTS, "--from", model, *options, "--output", folder))
    assert not folder.exists()


def test_refit_needs_a_model(run, folder):
    done = run("train", *DRIFTS, "--refit", "0.5", "--output", folder)
    assert refused(done) == "--refit is 0.5, and there is no model to refit; give its folder as --from"


def test_a_calibration_is_never_carried_over_unsaid(run, folder, tmp_path):
    run("train", *SIMULATED, "--weight", "0.1", "--calibrate", "isotonic", "--output", folder)
    before = snapshot(folder)
    go_on = ["train", *DRIFTS, "--from", folder, "--rounds", "1", "--output"]
    assert refused(run(*go_on, folder)) == (
        f"the model in {folder} is calibrated isotonic; give --calibrate isotonic to fit it again, or "
        "--calibrate none"
    )
    assert snapshot(folder) == before
    methods = {}
    for method in ("none", "isotonic", "sigmoid"):
        code, _, err = run(*go_on, tmp_path / method, "--calibrate", method)
        assert (code, err) == (0, "")
        methods[method] = load_model(tmp_path / method).manifest.calibration
    assert methods["none"] is None
    assert methods["sigmoid"]["method"] == "sigmoid"
    assert methods["isotonic"]["x"] != load_model(folder).manifest.calibration["x"]


def test_ones_own_data_with_new_categories(run, tmp_path):
    plain = {name: name for name in ("click", "buy", "price", "shop", "user", "item")}
    today, tomorrow, wrong = tmp_path / "today", tmp_path / "tomorrow", tmp_path / "wrong"
    code, _, _ = run(
        "train", "--dataset", described(today, plain), *TINY, "--weight", "0.1", "--output", today / "model"
    )
    assert code == 0
    shop = frame(plain)["shop"].replace("shop 0", "a new shop")
    count = (shop == "a new shop").sum()
    go_on = ["train", "--threads", "1", "--rounds", "2", "--from", today / "model", "--dataset"]
    code, _, err = run(*go_on, described(tomorrow, plain, shop=shop), "--output", tomorrow / "model")
    assert code == 0
    assert err == f"gbdt-pwiser: values that training did not have count as missing: shop {count}\n"
    predicted = ["predict", "--input", tomorrow / "own[1].parquet", "--output", tomorrow / "p.parquet"]
    assert run(*predicted, "--model", tomorrow / "model")[0] == 0
    assert pl.read_parquet(tomorrow / "p.parquet", glob=False)["pctr"].is_between(0, 1).all()
    done = run(*go_on, described(wrong, plain, price=shop), "--output", wrong / "model")
    assert "price is categorical and was numerical in training; convert the values" in refused(done)
