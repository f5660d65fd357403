"""One's own data in the files of a prepared set, through every command."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data.prepared import load_prepared
from gbdt_pwiser.data.stored import StoredFeatures
from gbdt_pwiser.sources import load, prepared_description
from tests.command_line import TINY, refused

ROWS = 3000
TOML = """source = { glob = "log/day=*/*.parquet" }
click = "click"
conversion = "click = 1 and buy = 1"
group = "user"
time = "day"
rare = 20
"""


@pytest.fixture
def toml(tmp_path, monkeypatch, data_dir):
    """A description whose prepared set stays in its files; its later days have shops of their own."""
    rng = np.random.default_rng(1)
    shop, price, day = rng.zipf(1.5, ROWS) % 300, rng.random(ROWS), np.arange(ROWS) // 300
    click = rng.random(ROWS) < 0.15 + 0.3 * price + 0.2 * (shop < 3)
    frame = pl.DataFrame(
        {
            "click": click * 1,
            "buy": (rng.random(ROWS) < 0.4) * 1,
            "price": price,
            "shop": [f"shop {k}" if d < 8 else f"shop {k} anew" for k, d in zip(shop, day, strict=True)],
            "user": rng.integers(0, 200, ROWS),
            "day": day,
        }
    )
    for (value,), rows in frame.group_by("day"):
        folder = tmp_path / "log" / f"day={value}"
        folder.mkdir(parents=True)
        rows.drop("day").write_parquet(folder / "part-0.parquet")
    monkeypatch.setattr(prepared_description, "load_prepared", partial(load_prepared, in_memory=0))
    (tmp_path / "own.toml").write_text(TOML)
    return tmp_path / "own.toml"


@pytest.mark.filterwarnings("default")
def test_prepare_then_every_command(run, toml, tmp_path, data_dir):
    code, out, err = run("prepare", "--dataset", toml)
    assert (code, err) == (0, "")
    folder = next((data_dir / "described").iterdir())
    assert out == f"{folder}\n"
    exposures = load(toml).exposures
    assert isinstance(exposures.features, StoredFeatures)
    assert json.loads((folder / "schema.json").read_text())["train"]["rows"] == 2400

    for model in ("lightgbm", "xgboost"):
        options = ["--dataset", toml, "--model", model, *TINY]
        code, out, err = run("compare", *options, "--seeds", "1", "--weight", "0.1", "--bootstrap", "0")
        assert (code, err) == (0, "")
        assert out.startswith("own, test split, 1 seed\n")
        code, _, err = run("train", *options, "--weight", "0.1", "--output", tmp_path / model)
        assert (code, err) == (0, "")
    code, _, err = run(
        *("tune", "--dataset", toml, "--model", "xgboost", *TINY),
        *("--n-trials", "2", "--sampler", "random", "--output", tmp_path / "tuned"),
    )
    assert code == 0, err
    assert "warning" not in err


def test_an_unknown_value_is_predicted_as_a_rare_one(run, toml, tmp_path):
    for model in ("lightgbm", "xgboost"):
        train = ["train", "--dataset", toml, "--model", model, "--weight", "0.1", *TINY]
        assert run("prepare", "--dataset", toml)[0] == 0
        assert run(*train, "--output", tmp_path / model)[0] == 0
        columns = json.loads((tmp_path / model / "manifest.json").read_text())["columns"]
        assert columns[1]["name"] == "shop"
        first, *known = columns[1]["categories"]
        assert first is None
        assert "shop 1" in known
        assert "shop 299" not in known
        shops = ["shop 299", "never seen", "shop 1", None]
        pl.DataFrame({"price": [0.5] * 4, "shop": shops}).write_parquet(tmp_path / "new.parquet")
        predict = ["predict", "--model", tmp_path / model, "--input", tmp_path / "new.parquet"]
        code, _, err = run(*predict, "--output", tmp_path / "p.parquet", "--threads", "1")
        assert (code, err) == (0, "")
        p = pl.read_parquet(tmp_path / "p.parquet")["pctr"].to_list()
        assert p[0] == p[1] != p[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--dataset", "own.toml", "--rare", "5"],
            "rare cannot be set for own.toml here; write rare = 5 into",
        ),
        (["--dataset", "own.toml", "--skip-bad-lines", "5"], "skip_bad_lines cannot be set for own.toml;"),
        (["--dataset", "us"], "there is no source for us; give the folder or archive of its files"),
        (["--dataset", "gone.toml"], "gone.toml: there is no such file"),
        (["--dataset", "own.toml", "--source", "gone.csv"], "own.toml: source gone.csv does not exist"),
    ],
)
def test_refusals(run, toml, monkeypatch, options, message):
    monkeypatch.chdir(toml.parent)
    assert message in refused(run("prepare", *options))
