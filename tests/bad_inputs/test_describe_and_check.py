"""What `describe` and `check` refuse: in one line, before anything is written."""

import pytest

from tests.bad_inputs.harness import ends, refused
from tests.sources.guess.guessed import log

FILES = {
    "mine.toml": "theirs",
    "mine-2.toml": "theirs",
    "note.txt": "x",
    "bare.csv": "1,0,0.5\n0,0,1.5\n",
    "spoilt.parquet": "PAR1",
    "features.csv": "price\n" + "0.5\n1.5\n" * 9,
    "two.csv": "click,clicked,buy,x\n" + "0,1,0,2\n1,0,1,3\n1,1,0,4\n" * 9,
    "leak.csv": "click,buy,x\n" + "0,0,1\n1,0,2\n1,1,3\n" * 30,
}
DESCRIBE = [
    (
        ["log.parquet", "--output", "mine.toml"],
        "mine.toml exists, and is not overwritten; give another path, as mine-3.toml",
    ),
    (["log.parquet", "--output", "mine.txt"], "--output is mine.txt; name it .toml"),
    (["log.parquet", "--output", ""], "--output is empty"),
    (["gone.csv"], "gone.csv does not exist; give the path of a Parquet or CSV file, or of a folder"),
    (["note.txt"], "is neither .parquet nor .csv"),
    (["empty"], "is a folder without .parquet files"),
    (["bare.csv"], "bare.csv looks like it has no header: its first line is '1', '0', '0.5'; write"),
    (["spoilt.parquet"], "spoilt.parquet cannot be read"),
    (["features.csv"], "no column looks like the click (columns of 0 and 1: none; all: price)"),
    (["log.parquet", "--click", "klick"], "unknown columns for --click: klick"),
    (["log.parquet", "--conversion", "price"], "--conversion is price, which has other values than"),
    (["log.parquet", "--time", ""], "--time is empty; give a value or leave it out"),
    (["two.csv"], "click, clicked could each be the click; choose one with --click COLUMN"),
    (["leak.csv"], "leak.csv cannot be described: no column is left as a feature"),
    ([], "Missing argument 'FILE-OR-FOLDER'"),
]
CHECK = [
    (["gone.toml"], "gone.toml: there is no such file"),
    (["simulatd"], "unknown data set 'simulatd', did you mean simulated?"),
    (["us"], "us is not prepared"),
    ([], "Missing argument 'DATASET'"),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a log and files that are none."""
    log().write_parquet(tmp_path / "log.parquet")
    (tmp_path / "empty").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GBDT_PWISER_DATA", str(tmp_path / "sets"))
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), DESCRIBE, ids=ends)
def test_describe(run, here, arguments, message):
    assert message in refused(run, here, "describe", *arguments)


@pytest.mark.parametrize(("arguments", "message"), CHECK, ids=ends)
def test_check(run, here, arguments, message):
    assert message in refused(run, here, "check", *arguments)
