"""Files and folders of another kind than the command needs, and comparisons whose files are damaged."""

import json

import polars as pl
import pytest

from gbdt_pwiser.evaluation import Details, compare, write_details, write_results
from gbdt_pwiser.sources import load
from tests.bad_inputs.harness import COMPARE, PREDICT, ends, refused
from tests.specs import spec_of


@pytest.fixture(scope="module")
def results_folder(tmp_path_factory):
    """What a comparison leaves, without the page."""
    folder = tmp_path_factory.mktemp("compared")
    details = Details()
    base = spec_of("lightgbm", rounds=2, early_stopping=2, threads=1)
    dataset = load("simulated", n_exposures=800, ctr=0.2, cvr=0.3)
    results = compare(
        dataset,
        models=["lightgbm"],
        losses=["bce", "pwiser"],
        seeds=[0],
        base=base,
        replicates=0,
        details=details,
    )
    write_results(results, folder / "results.parquet")
    write_details(details, folder / "details.json")
    assert json.loads((folder / "details.json").read_text())["format"] == 1
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*PREDICT, "--model", "empty"], "empty is no model folder"),
        ([*PREDICT, "--model", "note.txt"], "note.txt is no model folder"),
        ([*PREDICT, "--model", ""], "--model is empty"),
        ([*PREDICT, "--input", "note.txt"], "note.txt is no Parquet file"),
        ([*PREDICT, "--input", ""], "--input is empty"),
        ([*PREDICT, "--keep", ""], "to keep; known: categorical_1"),
        (["report", "empty"], "results.parquet is not a file"),
        (["report", "note.txt"], "note.txt"),
        (["report", ""], "is empty"),
        (["report", "empty", "--figures", ""], "--figures is empty"),
        (["report", "empty", "--figures", "note.txt"], "note.txt"),
        (["check", "simulated", "--page", ""], "--page is empty"),
        (["check", "simulated", "--page", "note.txt"], "note.txt exists and was not written by gbdt-pwiser"),
        (["check", "simulated", "--page", "empty"], "empty"),
        (["datasets", "--data-dir", "note.txt"], "note.txt"),
        (["datasets", "--data-dir", ""], "--data-dir is empty"),
        ([*COMPARE, "--data-dir", "note.txt"], "note.txt"),
        (["prepare", "--dataset", "us", "--source", "/dev/null", "--data-dir", "sets"], "/dev/null"),
        (["prepare", "--dataset", "us", "--source", "note.txt", "--data-dir", "sets"], "note.txt"),
        (["prepare", "--dataset", "ccp", "--source", "note.txt", "--data-dir", "sets"], "note.txt"),
        (["prepare", "--dataset", "us", "--source", "empty", "--data-dir", "sets"], "empty"),
        (["prepare", "--dataset", "", "--source", "empty", "--data-dir", "sets"], "''"),
        (["prepare", "--dataset", "us", "--source", "", "--data-dir", "sets"], "--source is empty"),
        (
            ["prepare", "--dataset", "ccp", "--source", "empty", "--rare", "-1", "--data-dir", "sets"],
            "rare is -1",
        ),
        (
            [
                "prepare",
                "--dataset",
                "ccp",
                "--source",
                "empty",
                "--rare",
                "99999999999999999999",
                "--data-dir",
                "sets",
            ],
            "rare is 99999999999999999999; give a whole number",
        ),
        (
            [
                "prepare",
                "--dataset",
                "us",
                "--source",
                "empty",
                "--skip-bad-lines",
                "-1",
                "--data-dir",
                "sets",
            ],
            "skip_bad_lines is -1",
        ),
    ],
    ids=ends,
)
def test_a_command_that_cannot_be(run, here, arguments, message):
    assert message in refused(run, here, *arguments)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.parquet", b"junk"),
        ("results.parquet", b""),
        ("details.json", b"junk"),
        ("details.json", b"[]"),
        ("details.json", b'{"format": 1}'),
        ("details.json", b'{"format": 2}'),
        ("details.json", b"\xff"),
    ],
)
def test_a_comparison_whose_files_are_damaged(run, here, name, content, results_folder):
    for file in results_folder.iterdir():
        (here / "empty" / file.name).write_bytes(file.read_bytes())
    (here / "empty" / name).write_bytes(content)
    assert name in refused(run, here, "report", "empty")


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop("metric"),
        lambda frame: frame.with_columns(pl.lit(1).alias("more")),
        lambda frame: frame.head(0),
        lambda frame: frame.with_columns(pl.lit("x").alias("split")),
        lambda frame: frame.with_columns(pl.lit("x").alias("metric")),
        lambda frame: frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("value")),
        lambda frame: frame.with_columns(pl.lit("x").alias("value")),
        lambda frame: pl.concat([frame, frame]),
        lambda frame: frame.head(3),
    ],
)
def test_results_that_no_comparison_has(run, here, change, results_folder):
    for file in results_folder.iterdir():
        (here / "empty" / file.name).write_bytes(file.read_bytes())
    path = here / "empty" / "results.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    refused(run, here, "report", "empty")
