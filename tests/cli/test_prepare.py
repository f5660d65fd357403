"""`gbdt-pwiser prepare` of Ali-CCP, its options, and what the other commands then do with the set."""

from __future__ import annotations

import json

import pytest

from gbdt_pwiser.sources.generate import write_ali_ccp, write_aliexpress


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    folder = tmp_path / "prepared"
    monkeypatch.setenv("GBDT_PWISER_DATA", str(folder))
    return folder


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ccp")
    write_ali_ccp(folder, 6000, test_rows=2500, seed=4, rows_per_user=25, history=3)
    return folder


def test_prepare_then_compare_ccp(run, released, data_dir):
    code, out, err = run("prepare", "--dataset", "ccp", "--source", released)
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


def test_rare(run, released, data_dir):
    codes = {}
    for rare in (1, 50):
        assert run("prepare", "--dataset", "ccp", "--source", released, "--rare", rare)[0] == 0
        import polars as pl

        codes[rare] = pl.read_parquet(data_dir / "ccp" / "train.parquet")["205"]
    assert (codes[1] > 0).all()
    assert (codes[50] == 0).any()
    assert (codes[50] > 0).any()


def test_skip_bad_lines(run, tmp_path, data_dir):
    write_aliexpress(tmp_path / "raw", 200, ctr=0.2, cvr=0.3)
    path = tmp_path / "raw" / "us_item_train.csv"
    lines = path.read_text().split("\n")
    lines[6] = lines[6].replace(",", ";")
    path.write_text("\n".join(lines))
    code, out, err = run("prepare", "--dataset", "us", "--source", tmp_path / "raw")
    assert (code, out) == (2, "")
    assert err.startswith("gbdt-pwiser: us_item_train.csv, line 7: 1 fields instead of 49; ")
    assert err.count("\n") == 1
    code, out, err = run("prepare", "--dataset", "us", "--source", tmp_path / "raw", "--skip-bad-lines", "1")
    assert (code, out, err) == (0, f"{data_dir / 'us'}\n", "left out: 1 damaged lines\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--skip-bad-lines", "-1"], "skip_bad_lines is -1"),
        (["--skip-bad-lines", "x"], "'x' is not a valid integer"),
        (["--rare", "0"], "rare is 0"),
        (["--dataset", "us", "--rare", "5"], "rare cannot be set for us"),
    ],
)
def test_bad_options(run, released, data_dir, options, message):
    code, out, err = run("prepare", "--dataset", "ccp", "--source", released, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert not (data_dir / "ccp").exists()
