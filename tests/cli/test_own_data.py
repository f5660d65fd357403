"""One's own data through the commands: any name, and nothing that belongs to others beside it."""

import json

import numpy as np
import polars as pl
import pytest

TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
NAMES = {"click": "^c.*$", "buy": "*", "price": "^.*$", "shop": "^s", "user": "", "item": "age<18"}


def frame(names=NAMES):
    """Clicks go with the shop and the price, but not always."""
    rng = np.random.default_rng(0)
    price, shop = rng.random(600), rng.integers(0, 5, 600)
    click = rng.random(600) < 0.2 + 0.3 * price + 0.08 * shop
    buy = click & (rng.random(600) < 0.4)
    columns = {"click": click * 1, "buy": buy * 1, "price": price, "user": rng.integers(0, 90, 600)}
    shops = [f"shop {i}" for i in shop]
    return pl.DataFrame(columns | {"shop": shops, "item": np.arange(600)}).rename(names)


def described(folder, names=NAMES, name="own", **columns):
    folder.mkdir(exist_ok=True)
    frame(names).with_columns(**columns).write_parquet(folder / f"{name}[1].parquet")
    keys = {"source": f"{name}[1].parquet", "click": names["click"], "conversion": names["buy"]}
    keys |= {"group": names["user"], "ignore": [names["item"]]}
    toml = folder / f"{name}.toml"
    toml.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
    return toml


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "dnn"])
def test_any_name_trains_and_predicts_alike(run, tmp_path, model):
    """Names that polars, a shell or a booster could read as something else."""
    if model == "dnn":
        pytest.importorskip("torch")
    small = (
        ["--network", "embedding=2", "--network", "epochs=1", "--threads", "1"] if model == "dnn" else TINY
    )
    plain = {name: name for name in NAMES}
    tables = []
    for folder, names in ((tmp_path / "plain", plain), (tmp_path / "odd", NAMES)):
        toml = described(folder, names)
        trained = ["train", "--dataset", toml, "--model", model, "--weight", "0.1", *small]
        code, _, err = run(*trained, "--output", folder / "model")
        assert (code, err) == (0, "")
        keep = [part for name in ("item", "user", "click") for part in ("--keep", names[name])]
        source, target = folder / "own[1].parquet", folder / "p.parquet"
        predicted = ["predict", "--model", folder / "model", "--input", source, "--output", target]
        code, out, err = run(*predicted, *keep)
        assert (code, out, err) == (0, f"{target}\n", "")
        tables.append(pl.read_parquet(target, glob=False))
        assert tables[-1].columns[:3] == [names[name] for name in ("item", "user", "click")]
    assert tables[0].rows() == tables[1].rows()


def test_own_data_called_us_are_not_beside_published_figures(run, tmp_path):
    toml = described(tmp_path / "own", name="us")
    output = tmp_path / "out"
    options = ["--model", "lightgbm", "--loss", "bce", "--seeds", "1", *TINY, "--output", output]
    code, out, err = run("compare", "--dataset", toml, *options)
    assert code == 0, err
    assert out.startswith("us, test split, 1 seed\n")
    pages = [(output / "report.html").read_text()]
    assert run("report", output)[0] == 0
    pages.append((output / "report.html").read_text())
    for text in (out, err, *pages):
        assert "0.7061" not in text
        assert "ublished on" not in text


@pytest.mark.filterwarnings("default")
def test_a_leak_is_told_by_every_command(run, tmp_path):
    clicked = frame()["^c.*$"].to_list()
    toml = described(tmp_path / "own", dwell=pl.Series([3.5 if click else None for click in clicked]))
    commands = {
        "compare": ["--seeds", "2", "--model", "lightgbm"],
        "train": ["--output", tmp_path / "model"],
        "tune": ["--n-trials", "2", "--output", tmp_path / "tune"],
    }
    for command, options in commands.items():
        code, _, err = run(command, "--dataset", toml, *options, *TINY)
        assert code == 0, err
        told = [line for line in err.splitlines() if line.startswith("gbdt-pwiser: warning: ")]
        assert [line for line in told if "single features" in line] == [
            "gbdt-pwiser: warning: own: on train, single features all but give the label away (dwell: "
            "AUC 1.0000 for the click); list in ignore what is known only after the exposure"
        ]
        assert len(told) <= 3  # at most one more each of two comparisons
