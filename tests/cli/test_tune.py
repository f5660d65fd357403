"""`gbdt-pwiser tune` as a user meets it."""

import json
import os
import sqlite3
import sys
import tomllib

import polars as pl
import pytest

from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.tuning import _confirm, read_params
from tests.command_line import SIMULATED, refused
from tests.folders import names, snapshot

TUNE = ["tune", *SIMULATED, "--exposures", "6000", "--n-trials", "3"]


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


def test_the_first_places_can_be_tuned_for(run, tmp_path):
    code, out, _ = run(*TUNE, "--metric", "ndcg@7", "--json")
    assert code == 0
    found = json.loads(out)
    assert set(found["trials"][0]["metrics"]) == {*METRICS, "ndcg@7"}
    if found["best"]["weight"]:
        assert "ndcg@7" in {gain["metric"] for gain in found["gains"]}
    folder = tmp_path / "tune-simulated-lightgbm"
    assert "ndcg@7" in pl.read_parquet(folder / "trials.parquet").columns
    assert tomllib.loads((folder / "best.toml").read_text())["training"]["stop_by"] == "ctr_auc"
    assert "NDCG@7" in (folder / "tuning.html").read_text()
    assert "NDCG@7" in run(*TUNE, "--metric", "ndcg@7")[1]


def test_what_training_stops_by_is_an_option_of_its_own(run, tmp_path):
    assert run(*TUNE, "--stop-by", "gauc")[0] == 0
    folder = tmp_path / "tune-simulated-lightgbm"
    assert read_params(folder / "best.toml")["pwiser"].settings.stop_by == "gauc"
    told = refused(run(*TUNE))
    assert "was made with other settings: stop_by was gauc, now ctr_auc" in told


def test_options_reach_the_search(run, tmp_path):
    (tmp_path / "space.toml").write_text('weight = { low = 0.01, high = 0.1 }\nsurrogate = "squared_hinge"\n')
    options = ["--space", "both", "--space-file", "space.toml", "--pareto", "ctr_auc,ctcvr_auc"]
    options += ["--sampler", "random", "--storage", "sqlite:///mine.db", "--study-name", "mine"]
    options += ["--weight", "0.05", "--seed", "3", "--output", "out", "--json"]
    code, out, _ = run(*TUNE, *options)
    assert code == 0
    found = json.loads(out)
    assert found["metrics"] == ["ctr_auc", "ctcvr_auc"]
    assert found["total"] == 3 + 3 + 4  # as many for BCE, and those of weighted BCE
    assert [t["weight"] for t in found["trials"] if t["study"] == "pwiser"][:2] == [0.0, 0.05]
    assert "num_leaves" in found["best"]["parameters"]
    assert found["front"]
    if found["seeds"] is not None:
        assert found["seeds"] == [4, 5, 6, 7, 8]
    specs = read_params(tmp_path / "out" / "best.toml")
    assert specs["pwiser"].pwiser.surrogate == "squared_hinge"
    assert tomllib.loads((tmp_path / "out" / "best.toml").read_text())["training"]["rounds"] == 4
    with sqlite3.connect(tmp_path / "mine.db") as database:
        studies = {name for (name,) in database.execute("select study_name from studies")}
    database.close()
    assert studies == {"mine", "mine-bce", "mine-weighted_bce"}


def test_a_pareto_search_tells_what_ctr_auc_buys(run):
    code, out, _ = run(*TUNE, "--pareto", "ctr_auc,conversion_auc")
    assert code == 0
    assert out.startswith("7 of 7 trials: 7 complete\n")
    found = json.loads(run(*TUNE, "--pareto", "ctr_auc,conversion_auc", "--json")[1])
    bce = found["baseline"]["metrics"]
    gains = [
        t["metrics"]["conversion_auc"] - bce["conversion_auc"]
        for t in found["trials"]
        if t["study"] == "weighted_bce" and t["metrics"]["ctr_auc"] >= bce["ctr_auc"] - 0.002
    ]
    table = out.partition("Largest gain in conversion AUC over bce on validation")[2]
    (told,) = (line.split() for line in table.splitlines() if line.startswith("weighted_bce"))
    assert float(told[-2]) == pytest.approx(max(gains), abs=5e-5)


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


# ------------------------------------------------------------------------------ the files it keeps


def foreign(kind, path):
    if kind == "parquet":
        pl.DataFrame({"x": range(100)}).write_parquet(path)
    elif kind == "sqlite":
        with sqlite3.connect(path) as database:
            database.execute("create table customers (name text)")
        database.close()
    else:
        path.write_text({"csv": "a,b\n1,2\n3", "jsonl": '{"a": 1}\n{"a": 2'}[kind])


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "sqlite"])
@pytest.mark.parametrize("url", ["{}", "sqlite:///{}"])
def test_a_storage_of_something_else_is_left_alone(run, tmp_path, kind, url):
    path = tmp_path / "file"
    foreign(kind, path)
    before = snapshot(tmp_path)
    told = refused(run(*TUNE, "--storage", url.format(path), "--output", tmp_path / "out"))
    assert told.startswith(f"--storage {url.format(path)} ")
    assert snapshot(tmp_path) == before


def test_a_storage_that_is_no_regular_file(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/null", tmp_path):
        told = refused(run(*TUNE, "--storage", place, "--output", tmp_path / "out"))
        assert (
            told
            == f"--storage {place} is no regular file; give the path of a journal file, or a database URL"
        )


def test_an_empty_file_and_a_cut_journal_are_storages(run, tmp_path):
    journal = tmp_path / "study.log"
    journal.touch()
    tune = [
        *TUNE,
        "--exposures",
        "3000",
        "--n-trials",
        "1",
        "--storage",
        journal,
        "--output",
        tmp_path / "out",
    ]
    assert run(*tune)[0] == 0
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":5,"work')
    assert run(*tune)[0] == 0
    assert journal.read_bytes().startswith(whole)
    assert b'"work{' not in journal.read_bytes()
    journal.write_bytes(whole[:9])  # the disk was full at the first entry
    assert run(*tune)[0] == 0


@pytest.mark.parametrize("name", ["best.toml", "trials.parquet", "results.parquet", "tuning.html"])
def test_a_search_replaces_its_own_files_alone(run, tmp_path, name):
    (tmp_path / name).write_text("model = 'mine'")
    told = refused(run(*TUNE, "--output", tmp_path))
    assert told.startswith(f"{tmp_path / name} exists and was not written by gbdt-pwiser")
    assert names(tmp_path) == [name]


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-trials", "0"], "n_trials is 0; give a whole number from 1"),
        (["--model", "lightgmb"], "did you mean lightgbm?"),
        (["--metric", "pcoc"], "cannot choose by 'pcoc'"),
        (["--choose-by", "ctr_auc"], "No such option"),
        (["--pareto", "ctr_auc"], "give two different metrics, as in ctr_auc,conversion_auc"),
        (["--pareto", "ctr_auc,gauc", "--pruner", "median"], "a Pareto search cannot prune"),
        (["--metric", "gauc", "--pruner", "median"], "a search for gauc cannot prune"),
        (["--space", "all"], "unknown space 'all'; choose one of loss, quantiles, booster, both"),
        (["--space-file", "absent.toml"], "absent.toml cannot be read"),
        (["--sampler", "grid"], "unknown sampler 'grid'; choose one of tpe, gp, random"),
        (["--storage", "mysqll://host/db"], "--storage mysqll://host/db cannot be used"),
        (["--weight", "-1"], "weight is -1"),
        (["--output", "/proc/version"], "is a file"),
        (["--timeout", "0"], "timeout is 0.0"),
        (["--max-total-trials", "0"], "max_total_trials is 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(run, arguments, message):
    assert message in refused(run(*TUNE, *arguments))


def test_other_settings_than_the_study_has(run):
    run(*TUNE)
    told = refused(run(*TUNE, "--metric", "gauc"))
    assert "was made with other settings: metrics was ['ctr_auc'], now ['gauc']" in told
