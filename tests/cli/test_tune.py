"""`gbdt-pwiser tune` as a user meets it."""

import json
import sqlite3
import sys
import tomllib

import polars as pl
import pytest

from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.tuning import _confirm, read_params

TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
SIMULATED = ["--dataset", "simulated", "--exposures", "6000", "--ctr", "0.2", "--cvr", "0.3", *TINY]
TUNE = ["tune", *SIMULATED, "--n-trials", "3"]


@pytest.fixture(autouse=True)
def folder_of_this_test(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_confirm, "REPLICATES", 20)


def test_tune_with_no_other_argument_than_the_data(run, tmp_path):
    code, out, err = run(*TUNE)
    folder = tmp_path / "tune-simulated-lightgbm"
    assert code == 0
    assert err == "tune-simulated-lightgbm/tuning.html\ntune-simulated-lightgbm/best.toml\n"
    files = {path.name for path in folder.iterdir()}
    assert files == {"best.toml", "trials.parquet", "results.parquet", "tuning.html", "study.db"}
    assert out.startswith("3 of 3 trials: 3 complete\n")
    assert out.rstrip().endswith(f"Recommended weight: {out.rsplit(': ', 1)[1].strip()}")
    assert f"gbdt-pwiser {' '.join(TUNE)}" in (folder / "tuning.html").read_text()
    # Started again it goes on: nothing is trained, and more trials are added to those.
    before = pl.read_parquet(folder / "trials.parquet")
    assert run(*TUNE)[:2] == (0, out)
    code, out, _ = run(*TUNE, "--n-trials", "5", "--json")
    assert code == 0
    after = pl.read_parquet(folder / "trials.parquet")
    assert len(after) == len(json.loads(out)["trials"]) == 5
    assert after["weight"].to_list()[:3] == before["weight"].to_list()


def test_json(run):
    code, out, _ = run(*TUNE, "--model", "xgboost", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["metrics"], found["finished"], found["total"]) == (["ctr_auc"], 3, 3)
    best = max(found["trials"], key=lambda trial: trial["metrics"]["ctr_auc"])
    assert found["best"]["weight"] == best["weight"]
    assert [trial["weight"] for trial in found["trials"][:2]] == [0.0, 0.03]
    assert set(found["trials"][0]["metrics"]) == set(METRICS)
    if best["weight"]:
        assert {"ctr_auc", "gauc", "log_loss"} <= {gain["metric"] for gain in found["gains"]}
    assert found["recommended_weight"] in (0.0, best["weight"])


def test_options_reach_the_search(run, tmp_path):
    (tmp_path / "space.toml").write_text('weight = { low = 0.01, high = 0.1 }\nsurrogate = "squared_hinge"\n')
    options = ["--space", "both", "--space-file", "space.toml", "--pareto", "ctr_auc,ctcvr_auc"]
    options += ["--sampler", "random", "--storage", "sqlite:///mine.db", "--study-name", "mine"]
    options += ["--weight", "0.05", "--seed", "3", "--output", "out", "--json"]
    code, out, _ = run(*TUNE, *options)
    assert code == 0
    found = json.loads(out)
    assert found["metrics"] == ["ctr_auc", "ctcvr_auc"]
    assert found["total"] == 6  # as many for BCE
    assert [t["weight"] for t in found["trials"] if t["study"] == "pwiser"][:2] == [0.0, 0.05]
    assert "num_leaves" in found["best"]["parameters"]
    assert found["front"]
    if found["seeds"] is not None:
        assert found["seeds"] == [4, 5, 6, 7, 8]
    specs = read_params(tmp_path / "out" / "best.toml")
    assert specs["pwiser"].pwiser.surrogate == "squared_hinge"
    assert tomllib.loads((tmp_path / "out" / "best.toml").read_text())["training"]["rounds"] == 4
    with sqlite3.connect(tmp_path / "mine.db") as database:
        names = {name for (name,) in database.execute("select study_name from studies")}
    database.close()
    assert names == {"mine", "mine-bce"}


def test_several_processes_may_share_the_trials(run):
    code, out, _ = run(*TUNE, "--n-trials", "2", "--max-total-trials", "3")
    assert code == 0
    assert out.startswith("2 of 3 trials: 2 complete\n")
    assert out.endswith("The search is not over, so nothing was scored on test.\n") or "no weight is" in out
    code, out, _ = run(*TUNE, "--n-trials", "2", "--max-total-trials", "3")
    assert out.startswith("3 of 3 trials: 3 complete\n")


def test_few_conversions_are_said_to_mean_little(run):
    code, _, err = run(*TUNE, "--exposures", "1500")
    assert code == 0
    first = err.splitlines()[0]
    assert first.startswith("gbdt-pwiser: fewer than 50 conversions (valid ")
    assert "train" not in first
    assert first.endswith("and the choice of a weight, mean little")


def test_without_the_report_extra_all_but_the_page_is_written(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code, _, err = run(*TUNE, "--output", "out")
    assert code == 0
    assert "no page was written: the report needs jinja2" in err
    assert not (tmp_path / "out" / "tuning.html").exists()
    assert (tmp_path / "out" / "best.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-trials", "0"], "n_trials is 0; give a whole number from 1"),
        (["--model", "lightgmb"], "did you mean lightgbm?"),
        (["--metric", "pcoc"], "cannot choose by 'pcoc'"),
        (["--choose-by", "ctr_auc"], "No such option"),
        (["--pareto", "ctr_auc"], "give two different metrics, as in ctr_auc,ctcvr_auc"),
        (["--pareto", "ctr_auc,gauc", "--pruner", "median"], "a Pareto search cannot prune"),
        (["--metric", "gauc", "--pruner", "median"], "a search for gauc cannot prune"),
        (["--space", "all"], "unknown space 'all'; choose one of loss, booster, both"),
        (["--space-file", "absent.toml"], "absent.toml cannot be read"),
        (["--sampler", "grid"], "unknown sampler 'grid'; choose one of tpe, gp, random"),
        (["--storage", "mysqll://host/db"], "--storage mysqll://host/db cannot be used"),
        (["--weight", "-1"], "weight is -1"),
        (["--output", __file__], "is a file"),
        (["--timeout", "0"], "timeout is 0.0"),
        (["--max-total-trials", "0"], "max_total_trials is 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(run, arguments, message):
    code, out, err = run(*TUNE, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("gbdt-pwiser: ")
    assert err.count("\n") == 1
    assert message in err


def test_other_settings_than_the_study_has(run):
    run(*TUNE)
    code, out, err = run(*TUNE, "--metric", "gauc")
    assert (code, out) == (2, "")
    assert "was made with other settings: metrics was ['ctr_auc'], now ['gauc']" in err
