"""`gbdt-pwiser prepare` as a user meets it, and what the other commands then do with the set."""

from __future__ import annotations

import json

import polars as pl
import pytest

from gbdt_pwiser.data import prepared
from gbdt_pwiser.sources.generate import write_ali_ccp, write_aliexpress
from tests.aliexpress import write_lines
from tests.command_line import TINY, beside_compare, refused
from tests.folders import names, snapshot


@pytest.fixture(scope="module")
def ccp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ccp")
    write_ali_ccp(folder, 6000, test_rows=2500, seed=4, rows_per_user=25, history=3)
    return folder


# ------------------------------------------------------------------------------ AliExpress


@pytest.mark.filterwarnings("default")
def test_prepare_then_compare(run, released, data_dir):
    code, out, err = run("prepare", "--dataset", "us", "--source", released)
    assert (code, out, err) == (0, f"{data_dir / 'us'}\n", "")
    code, out, err = run("compare", "--dataset", "us", "--seeds", "1", "--weight", "0.1", *TINY, "--json")
    assert code == 0
    of_features, of_scores = err.splitlines()
    assert of_features.startswith("gbdt-pwiser: warning: us: on train, single features")
    assert "categorical_10" in of_features
    assert of_scores.startswith("gbdt-pwiser: warning: CTR AUC on test is 1.0000")
    rows = json.loads(out)
    assert {row["dataset"] for row in rows} == {"us"}
    # The item decides the grade, so each model ranks without a fault.
    auc = {row["value"] for row in rows if (row["split"], row["metric"]) == ("test", "ctr_auc")}
    assert auc == {1.0}
    assert "noise_free_ctr_auc" not in {row["metric"] for row in rows}


def test_a_damaged_prepared_set(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released)
    (data_dir / "us" / "test.parquet").write_bytes(b"PAR1")
    err = refused(run("compare", "--dataset", "us", *TINY))
    assert "is damaged" in err
    assert "prepare it again" in err


def test_a_fault_in_a_released_file_is_named_by_line(run, released, data_dir):
    path = released / "us_item_train.csv"
    lines = path.read_text().splitlines()
    lines[6] = lines[6].rsplit(",", 1)[0] + ",3"
    write_lines(path, lines)
    err = refused(run("prepare", "--dataset", "us", "--source", released))
    assert "us_item_train.csv, line 7: grade (field 49) is '3', not 0, 1 or 2" in err
    assert not (data_dir / "us").exists()


def test_skip_bad_lines(run, tmp_path, data_dir):
    write_aliexpress(tmp_path / "raw", 200, ctr=0.2, cvr=0.3)
    path = tmp_path / "raw" / "us_item_train.csv"
    lines = path.read_text().split("\n")
    lines[6] = lines[6].replace(",", ";")
    path.write_text("\n".join(lines))
    told = refused(run("prepare", "--dataset", "us", "--source", tmp_path / "raw"))
    assert told.startswith("us_item_train.csv, line 7: 1 fields instead of 49; ")
    code, out, err = run("prepare", "--dataset", "us", "--source", tmp_path / "raw", "--skip-bad-lines", "1")
    assert (code, out, err) == (0, f"{data_dir / 'us'}\n", "left out: 1 damaged lines\n")


def test_a_prepared_set_keeps_what_is_beside_it(run, released, tmp_path):
    prepare = ["prepare", "--dataset", "us", "--source", released, "--data-dir", tmp_path / "sets"]
    assert run(*prepare)[0] == 0
    folder = tmp_path / "sets" / "us"
    (folder / "notes.txt").write_text("mine")
    (folder / "schema.json").write_text((folder / "schema.json").read_text()[:40])  # damaged, but ours
    assert run(*prepare)[0] == 0
    assert names(folder) == ["notes.txt", "schema.json", "test.parquet", "train.parquet"]
    (folder / "schema.json").write_text('{"type": "object"}')
    wanted = f"{folder / 'train.parquet'} exists and was not written by gbdt-pwiser"
    assert refused(run(*prepare)).startswith(wanted)


def test_sources_that_lie_where_the_set_will(run, released, tmp_path):
    (tmp_path / "sets").mkdir()
    released.rename(tmp_path / "sets" / "us")
    before = snapshot(tmp_path / "sets" / "us")
    where = ["--source", tmp_path / "sets" / "us", "--data-dir", tmp_path / "sets"]
    assert run("prepare", "--dataset", "us", *where)[0] == 0
    after = snapshot(tmp_path / "sets" / "us")
    assert before.items() < after.items()
    assert {path.name for path in after.keys() - before.keys()} == set(prepared.FILES)


# ------------------------------------------------------------------------------ Ali-CCP


def test_prepare_then_compare_ccp(run, ccp, data_dir):
    code, out, err = run("prepare", "--dataset", "ccp", "--source", ccp)
    assert (code, out) == (0, f"{data_dir / 'ccp'}\n")
    schema = json.loads((data_dir / "ccp" / "schema.json").read_text())
    dropped = schema["train"]["dropped"] + schema["test"]["dropped"]
    assert dropped > 0
    assert err == f"left out: {dropped} exposures that convert without a click\n"
    states = {line.split()[0]: line.split(maxsplit=1)[1] for line in run("datasets")[1].splitlines()}
    rows = schema["train"]["rows"] + schema["test"]["rows"]
    assert rows + dropped == 8500
    assert states["ccp"].startswith(f"ready         {rows:,} exposures, ")
    code, out, err = run(
        *("compare", "--dataset", "ccp", "--model", "lightgbm", "--model", "xgboost", "--loss", "pwiser"),
        *("--seeds", "1", "--rounds", "10", "--weight", "0.01", "--threads", "1", "--json"),
    )
    assert (code, err) == (0, "")
    auc = {
        row["model"]: row["value"]
        for row in json.loads(out)
        if (row["split"], row["metric"]) == ("test", "ctr_auc")
    }
    assert set(auc) == {"lightgbm", "xgboost"}
    # Clicks of the generated exposures follow their crossed features. Over 6,000 rows of ids XGBoost 3.4
    # overfits, with either loss, more than 3.2 does.
    assert auc["lightgbm"] > 0.6
    assert auc["xgboost"] > 0.5


def test_rare(run, ccp, data_dir):
    codes = {}
    for rare in (1, 50):
        assert run("prepare", "--dataset", "ccp", "--source", ccp, "--rare", rare)[0] == 0
        codes[rare] = pl.read_parquet(data_dir / "ccp" / "train.parquet")["205"]
    assert (codes[1] > 0).all()
    assert (codes[50] == 0).any()
    assert (codes[50] > 0).any()


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--skip-bad-lines", "-1"], "skip_bad_lines is -1"),
        (["--skip-bad-lines", "x"], "'x' is not a valid integer"),
        (["--rare", "0"], "rare is 0"),
        (["--dataset", "us", "--rare", "5"], "rare cannot be set for us"),
    ],
)
def test_bad_options(run, ccp, data_dir, options, message):
    assert message in refused(run("prepare", "--dataset", "ccp", "--source", ccp, *options))
    assert not (data_dir / "ccp").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "--dataset", "us", "--source", "/nowhere"], "/nowhere does not exist"),
        (
            ["prepare", "--dataset", "uk", "--source", "."],
            "unknown data set 'uk'; choose one of us, nl, fr, es, ccp",
        ),
    ],
    ids=beside_compare,
)
def test_bad_arguments(run, data_dir, arguments, message):
    assert message in refused(run(*arguments))
