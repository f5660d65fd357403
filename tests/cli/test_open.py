"""Open conversions as a user of the command line meets them: counts, refusals, and late conversions."""

import json

import polars as pl
import pytest

from gbdt_pwiser.data.prepared import Schema
from gbdt_pwiser.models import load_model
from gbdt_pwiser.sources import load
from tests.command_line import SIMULATED, refused

LATE = [*SIMULATED, "--delay", "1", "--split", "group"]


def test_train_tells_how_many_are_open(run, folder):
    code, out, err = run("train", *LATE, "--weight", "0.1", "--output", folder)
    assert (code, err) == (0, "")
    split = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3, delay=1.0).exposures
    stored = load_model(folder).manifest.split
    assert sum(part["open"] for part in stored.values()) == split.open.sum() > 0
    for name, part in stored.items():
        assert f"{part['exposures']:,} {name} ({part['open']:,} open clicks)" in out


def test_as_none_nothing_is_open(run, folder):
    code, out, _ = run("train", *LATE, "--open-as", "none", "--weight", "0.1", "--output", folder)
    assert code == 0
    assert "open" not in out.replace(str(folder), "")
    assert all(part["open"] == 0 for part in load_model(folder).manifest.split.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--delay", "-1"], "delay is -1.0; give days from 0 to 36500"),
        (["--delay", "nan"], "delay is nan; give days"),
        (["--delay", "1", "--open-as", "later"], "unknown open_as 'later'; choose one of open, none"),
        (["--delay", "3"], "open), and needs clicks, non-clicks and conversions"),
    ],
)
def test_what_is_refused(run, options, message):
    assert message in refused(run("compare", *SIMULATED, "--seeds", "1", *options))


def test_other_data_sets_have_no_delay(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released)
    told = refused(run("compare", "--dataset", "us", "--delay", "1"))
    assert "delay cannot be set for us, only for simulated" in told


def test_datasets_counts_them(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released)
    path = data_dir / "us" / "train.parquet"
    frame = pl.read_parquet(path)
    assert Schema.read(data_dir / "us").train.open == 0
    open_ones = frame.with_columns(
        grade=pl.when(pl.col("grade") == 1).then(3).otherwise("grade").cast(pl.Int8)
    )
    open_ones.write_parquet(path)
    schema = json.loads((data_dir / "us" / "schema.json").read_text())
    count = schema["train"]["open"] = int((open_ones["grade"] == 3).sum())
    (data_dir / "us" / "schema.json").write_text(json.dumps(schema, indent=2))
    _, out, _ = run("datasets")
    assert f"1,240 clicks, 620 conversions, {count:,} open" in out
    assert load("us").exposures.open.sum() == count > 0
