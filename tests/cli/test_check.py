"""`check`: one screen, or one object of JSON, of any data set."""

import json

import pytest

from tests.sources.guess.guessed import log


@pytest.fixture
def here(run, tmp_path, monkeypatch):
    """The current folder, with a log and its description."""
    log().write_parquet(tmp_path / "log.parquet")
    monkeypatch.chdir(tmp_path)
    assert run("describe", "log.parquet", "--output", "log.toml")[0] == 0
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["log.toml", "log.parquet", "simulated"])
def test_a_screen(run, name):
    code, out, err = run("check", name)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) < 25
    assert all(len(line) <= 110 for line in lines)
    assert [line.split()[0] for line in lines[3:7]] == ["all", "train", "validation", "test"]
    assert ("CTR in tenths" in out) == (name != "simulated")


@pytest.mark.usefixtures("here")
def test_json(run):
    code, out, err = run("check", "log.toml", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    clicks = int(log()["is_click"].sum())
    assert found["parts"][0]["clicks"] == clicks
    assert found["parts"][0]["click_rate"] == clicks / 6000
    assert sum(part["rows"] for part in found["parts"][1:]) == 6000
    assert found["groups"]["mean_rows"] == 6
    assert len(found["drift"]["rates"]) == 10
    assert 0 < found["ctr_auc"] < found["conversion_auc"]


def test_what_cannot_be_split_is_told(run, here):
    log()[:30].write_parquet(here / "log.parquet")
    code, out, err = run("check", "log.toml")
    assert (code, err) == (0, "")
    assert "split: refused; one-class split" in out
    assert "gain that test can show" not in out
    assert json.loads(run("check", "log.toml", "--json")[1])["ctr_auc"] is None


def test_a_prepared_set(run, released, data_dir):
    assert run("prepare", "--dataset", "us", "--source", released)[0] == 0
    code, out, _ = run("check", "us", "--data-dir", data_dir)
    assert code == 0
    assert "test 360" in " ".join(out.split())
    assert "split: test as published, the others by group" in out
