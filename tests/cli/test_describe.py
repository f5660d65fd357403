"""`describe`: what it writes and prints, and that what it writes is used as it is."""

import json
import os

import pytest

from gbdt_pwiser.sources.registry import load
from tests.command_line import TINY
from tests.folders import names
from tests.sources.guess.guessed import log


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a log."""
    log().write_parquet(tmp_path / "log.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_printed(run, here):
    code, out, err = run("describe", "log.parquet")
    assert (code, err) == (0, "")
    assert names(here) == ["log.parquet"]
    (here / "mine.toml").write_text(out)
    assert load("mine.toml").exposures.name == "mine"


def test_written_and_used(run, here):
    code, out, err = run("describe", "log.parquet", "--output", "new/mine.toml")
    assert (code, out, err) == (0, "new/mine.toml\n", "")
    assert 'source = "../log.parquet"' in (here / "new" / "mine.toml").read_text()
    arguments = ["--dataset", "new/mine.toml", "--model", "lightgbm", "--seeds", "1", *TINY]
    code, out, err = run("compare", *arguments)
    assert (code, out.splitlines()[0]) == (0, "mine, test split, 1 seed")


@pytest.mark.parametrize("beside", ["", "far/away", "linked/below"])
def test_the_path_of_the_source(run, here, beside):
    """From wherever the description is, also behind a link."""
    (here / "real" / "deep").mkdir(parents=True)
    (here / "linked").symlink_to(here / "real" / "deep")
    written = here / beside / "mine.toml"
    assert run("describe", "log.parquet", "--output", written)[0] == 0
    assert not written.read_text().count(f'source = "{os.sep}')
    assert len(load(written).exposures) == log().height


def test_json(run, here):
    log().with_columns(rank=log()["search_id"] % 5).write_parquet(here / "log.parquet")
    code, out, err = run("describe", "log.parquet", "--json", "--output", "mine.toml")
    assert code == 0
    found = json.loads(out)
    assert found["output"] == "mine.toml"
    assert found["description"]["click"] == "is_click"
    assert (found["rows"], found["looked_at"], found["estimated"]) == (6000, 6000, False)
    assert found["ignored"] == {"rank": "its place on the page is not known before serving"}
    assert [f"unsure: {doubt}" for doubt in found["unsure"]] == err.splitlines()
    assert len(err.splitlines()) == 1


def test_columns_that_are_named(run, here):
    names = ["--click", "is_click", "--conversion", "purchase", "--group", "shop_id", "--time", "search_id"]
    code, out, _ = run("describe", "log.parquet", *names)
    assert code == 0
    for line in ('click = "is_click"', 'conversion = "purchase"', 'group = "shop_id"', 'time = "search_id"'):
        assert line in out
