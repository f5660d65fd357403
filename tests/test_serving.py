"""Predictions for tables and files: the model's own, whatever the batches."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import gbdt_pwiser
import gbdt_pwiser.serving as serving
from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.models import Predictions, load_model, save_model
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.serving import FilePrediction, Predictor
from gbdt_pwiser.sources import load_description
from tests.models.helpers import SPEC, TREES, every_part, fitted, make_split
from tests.specs import varied

OUTPUTS = ["pctr", "pcvr", "pctcvr"]


@pytest.fixture(scope="module")
def split():
    """Every sixth code is missing, so that trees learn what to do with it."""

    def with_holes(part):
        holes = (pl.int_range(pl.len()) % 6).cast(pl.Int32)
        changed = [pl.when(holes != 0).then(pl.col(name)).alias(name) for name in part.categorical]
        return replace(part, features=part.features.with_columns(changed))

    return every_part(make_split(), with_holes)


@pytest.fixture(scope="module")
def folders(split, tmp_path_factory):
    """Model folders by name; `isotonic` is an XGBoost model with a calibration."""
    top = tmp_path_factory.mktemp("models")
    for name in TREES:
        model = fitted(varied(SPEC, model=name, loss="pwiser"), split)
        save_model(model, top / name, split)
    calibration = Calibrator.fit("isotonic", model.predict(split.valid).pctr, split.valid.click)
    save_model(model, top / "isotonic", split, calibration=calibration.to_dict())
    return top


@pytest.fixture
def source(split, tmp_path):
    """The test features in ten row groups, shuffled columns, with an id."""
    path = tmp_path / "new.parquet"
    features = split.test.features
    ids = pl.Series("id", np.arange(features.height)[::-1])
    shuffled = features.select(reversed(features.columns)).with_columns(ids, tags=pl.lit([1, 2]))
    shuffled.write_parquet(path, row_group_size=features.height // 9)
    return path


def predicted(predictor, source, **options):
    target = source.with_name("p.parquet")
    told = predictor.predict_file(source, target, **options)
    return pl.read_parquet(target), told


# ------------------------------------------------------------------------------ what is predicted


@pytest.mark.parametrize("name", TREES)
def test_predictions_are_those_of_the_model(name, folders, source, split):
    predictor = Predictor.load(folders / name, threads=1)
    table, told = predicted(predictor, source)
    expected = predictor.saved.model.predict(split.test)
    assert table.schema == dict.fromkeys(OUTPUTS, pl.Float64)
    for name in OUTPUTS:
        np.testing.assert_array_equal(table[name], getattr(expected, name))
    np.testing.assert_array_equal(table["pctr"] * table["pcvr"], table["pctcvr"])
    assert told == FilePrediction(len(split.test), pytest.approx(expected.pctr.mean()), {})


def test_calibration(folders, source, split):
    plain, _ = predicted(Predictor.load(folders / "xgboost"), source)
    predictor = Predictor.load(folders / "isotonic")
    table, _ = predicted(predictor, source)
    assert table.columns == [*OUTPUTS, "pctr_uncalibrated"]
    np.testing.assert_array_equal(table["pctr_uncalibrated"], plain["pctr"])
    np.testing.assert_array_equal(table["pctr"], predictor.calibrator(plain["pctr"].to_numpy()))
    np.testing.assert_array_equal(table["pcvr"], plain["pcvr"])
    np.testing.assert_array_equal(table["pctcvr"], table["pctr"] * plain["pcvr"])
    assert (table["pctr"] != plain["pctr"]).any()


@pytest.mark.parametrize("name", [*TREES, "isotonic"])
def test_batches_change_nothing(name, folders, source):
    predictor = Predictor.load(folders / name, threads=1)
    whole, told = predicted(predictor, source, keep=["id"])
    assert pl.scan_parquet(source).select(pl.len()).collect().item() == whole.height
    for batch_size in (whole.height - 1, 97, 10):
        parts, told_too = predicted(predictor, source, batch_size=batch_size, keep=["id"])
        assert parts.equals(whole)
        assert told_too == replace(told, mean_pctr=pytest.approx(told.mean_pctr))


def test_a_network(split, source, tmp_path):
    pytest.importorskip("torch")
    model = fitted(varied(SPEC, model="mmoe", epochs=1), split)
    save_model(model, tmp_path / "mmoe", split)
    predictor = Predictor.load(tmp_path / "mmoe", threads=1)
    whole, _ = predicted(predictor, source)
    np.testing.assert_array_equal(whole["pctr"], model.predict(split.test).pctr)
    parts, _ = predicted(predictor, source, batch_size=97)
    for name in OUTPUTS:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-6)


def test_columns_are_kept(folders, source):
    table, _ = predicted(
        Predictor.load(folders / "lightgbm"), source, keep=["tags", "id", "numerical_1", "id"]
    )
    assert table.columns == ["tags", "id", "numerical_1", *OUTPUTS]
    kept = ["tags", "id", "numerical_1"]
    assert table.select(kept).equals(pl.read_parquet(source, columns=kept).select(kept))


def test_no_rows(folders, source):
    pl.read_parquet(source).clear().write_parquet(source)
    table, told = predicted(Predictor.load(folders / "xgboost"), source, keep=["tags"])
    assert table.schema == {"tags": pl.List(pl.Int64), **dict.fromkeys(OUTPUTS, pl.Float64)}
    assert (table.height, told) == (0, FilePrediction())


@pytest.mark.parametrize("n", [1, 2])
def test_one_row_is_predicted_as_among_many(n, folders, source):
    predictor = Predictor.load(folders / "isotonic")
    many = predictor.predict(pl.read_parquet(source)).table
    assert predictor.predict(pl.read_parquet(source)[:n]).table.equals(many[:n])


def test_pcvr_is_at_most_one(folders, source, monkeypatch):
    """A network may put a conversion above its click."""
    predictor = Predictor.load(folders / "isotonic")
    predict = predictor.saved.model.predict

    def greater(exposures):
        return Predictions(predict(exposures).pctr, np.ones(len(exposures)))

    monkeypatch.setattr(predictor.saved.model, "predict", greater)
    table = predictor.predict(pl.read_parquet(source)).table
    assert table["pcvr"].unique().to_list() == [1.0]
    assert table["pctcvr"].equals(table["pctr"].alias("pctcvr"))


# ------------------------------------------------------------------------------ values that were not seen


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """A data set with texts, whose shop decides the click; one in seven shops is missing."""
    folder = tmp_path_factory.mktemp("described")
    rng = np.random.default_rng(0)
    n = 4000
    shop = rng.integers(0, 40, n)
    click = rng.random(n) < 1 / (1 + np.exp(1.5 - 1.5 * rng.normal(size=40)[shop]))
    frame = pl.DataFrame(
        {
            "click": click,
            "buy": click & (rng.random(n) < 0.3),
            "shop": [None if i % 7 == 0 else f"shop {k}" for i, k in enumerate(shop)],
            "hour": rng.integers(0, 24, n),
        }
    )
    frame.write_parquet(folder / "toy.parquet")
    (folder / "toy.toml").write_text(
        'source = "toy.parquet"\nclick = "click"\nconversion = "buy"\ncategorical = ["hour"]\n'
    )
    return load_description(folder / "toy.toml").split(0), frame


@pytest.mark.parametrize("name", [*TREES, "dnn"])
def test_unseen_values_are_predicted_as_missing_ones(name, described, tmp_path):
    if name == "dnn":
        pytest.importorskip("torch")
    parts, frame = described
    spec = varied(SPEC, model=name, **({} if name == "dnn" else {"rounds": 30}))
    save_model(fitted(spec, parts), tmp_path / "model", parts)
    predictor = Predictor.load(tmp_path / "model", threads=1)
    ours = predictor.predict(frame.drop("click", "buy"))
    assert ours.unseen == {"shop": 0, "hour": 0}
    source = tmp_path / "new.parquet"
    new = frame.with_columns(shop=pl.lit("a new one"), hour=pl.lit(25, pl.Int64))
    new.write_parquet(source)
    table, told = predicted(predictor, source, batch_size=999)
    assert told.unseen == {"shop": 4000, "hour": 4000}
    missing = predictor.predict(new.with_columns(shop=None, hour=None)).table
    np.testing.assert_allclose(table, missing, atol=0 if name in TREES else 1e-6)
    # Boosters have learnt the mean from the missing shops. A code beyond those of training would go to
    # XGBoost's side of the likelier click in every split.
    if name in TREES:
        pctr = predictor.predict(frame.with_columns(shop=pl.lit("a new one"))).table["pctr"]
        assert pctr.mean() == pytest.approx(frame["click"].mean(), abs=0.06)


# ------------------------------------------------------------------------------ what is refused


def refusal(predictor, source, target=None, **options):
    with pytest.raises(InputError) as caught:
        predictor.predict_file(source, target or source.with_name("p.parquet"), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_inputs_that_are_refused(folders, source, tmp_path):
    predictor = Predictor.load(folders / "xgboost")
    table = pl.read_parquet(source)
    assert refusal(predictor, tmp_path / "no.parquet") == (
        f"{tmp_path / 'no.parquet'} is not a file; give a Parquet file of exposures"
    )
    table.drop("tags").write_csv(tmp_path / "new.csv")
    assert refusal(predictor, tmp_path / "new.csv") == (
        f"{tmp_path / 'new.csv'} is CSV, whose types would be guessed; convert it first, with "
        f"polars.scan_csv('{tmp_path / 'new.csv'}').sink_parquet('{source}')"
    )
    (tmp_path / "text.parquet").write_text("no parquet")
    assert "text.parquet is no Parquet file (" in refusal(predictor, tmp_path / "text.parquet")
    table.drop("numerical_1", "categorical_10").write_parquet(source)
    assert refusal(predictor, source) == (
        f"{source} lacks 2 of 14 feature columns: categorical_10, numerical_1; give the columns of training"
    )
    table.with_columns(pl.col("numerical_1").cast(pl.String)).write_parquet(source)
    assert refusal(predictor, source) == (
        f"{source}: numerical_1 is String and was numbers in training; convert the values"
    )


def test_options_that_are_refused(folders, source):
    predictor = Predictor.load(folders / "isotonic")
    assert refusal(predictor, source, source) == f"{source} is the input; give another path for the output"
    assert refusal(predictor, source, keep=["ids"]).startswith(f"{source} has no column ids to keep; known: ")
    assert refusal(predictor, source, batch_size=0).startswith(
        "batch_size is 0; give a whole number from 1 to "
    )
    pl.read_parquet(source).with_columns(pctr_uncalibrated=0.0).write_parquet(source)
    assert refusal(predictor, source, keep=["pctr_uncalibrated"]) == (
        "column pctr_uncalibrated cannot be kept, since a prediction has that name; rename it"
    )


def test_a_fault_in_a_later_batch_leaves_the_older_output(folders, source):
    target = source.with_name("p.parquet")
    pl.DataFrame({"pctr": [0.5], "pcvr": [0.5], "pctcvr": [0.25]}).write_parquet(target)
    older = target.read_bytes()
    predictor = Predictor.load(folders / "xgboost")
    last = pl.int_range(pl.len()) == pl.len() - 1
    pl.read_parquet(source).with_columns(
        numerical_1=pl.when(last).then(float("inf")).otherwise(pl.col("numerical_1"))
    ).write_parquet(source)
    assert f"{source}: infinite values in numerical_1" in refusal(predictor, source, batch_size=50)
    damaged = bytearray(source.read_bytes())
    damaged[5000:9000] = bytes(4000)
    source.write_bytes(damaged)
    assert refusal(predictor, source, batch_size=50).startswith(f"{source} is damaged (")
    assert target.read_bytes() == older
    assert sorted(path.name for path in target.parent.iterdir()) == ["new.parquet", "p.parquet"]


def test_a_calibration_that_is_none(folders, split, tmp_path):
    model = fitted(varied(SPEC, rounds=1), split)
    save_model(model, tmp_path / "model", split, calibration={"method": "magic"})
    with pytest.raises(InputError, match="magic"):
        Predictor.load(tmp_path / "model")


# ------------------------------------------------------------------------------ the page about it


def test_the_code_of_the_page(described, tmp_path, monkeypatch):
    """Each block runs as it stands, and boosters without this package predict what it predicts."""
    page = (Path(__file__).parents[1] / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")
    with_package, daily, alone, alone_lightgbm = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    parts, frame = described
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        gbdt_pwiser, "load", lambda _: SimpleNamespace(split=lambda seed: parts), raising=False
    )
    new = frame[::3].with_columns(shop=pl.col("shop").replace("shop 3", "a new one"), exposure_id=pl.lit(7))
    new.write_parquet("new.parquet")
    for name, block in (("xgboost", alone), ("lightgbm", alone + alone_lightgbm)):
        save_model(fitted(varied(SPEC, model=name), parts), Path("MODELDIR"), parts)
        names = {}
        exec(daily, names)
        assert load_model("NEWDIR").manifest.continued["rounds"] > 0
        exec(with_package, names)
        expected = pl.read_parquet("p.parquet")
        assert expected["exposure_id"].unique().to_list() == [7]
        assert names["p"].equals(expected.drop("exposure_id"))
        if name == "lightgbm":
            block = "\n".join(line for line in block.splitlines() if "click.ubj" not in line)
            block = block.replace("pctr = booster.inplace_predict(X, validate_features=False)", "")
        exec(block, names)
        np.testing.assert_allclose(names["pctr"], expected["pctr"], atol=1e-7)


# ------------------------------------------------------------------------------ memory and interrupts


def test_a_batch_is_all_that_is_read(folders, source, monkeypatch):
    heights = []
    collect = serving._collect
    monkeypatch.setattr(serving, "_collect", lambda *a: heights.append(f := collect(*a)) or f)
    predicted(Predictor.load(folders / "xgboost"), source, batch_size=100, keep=["id"])
    assert {frame.height for frame in heights[:-1]} == {100}
    assert {frame.width for frame in heights} == {14 + 1}  # not the tags


def test_an_interrupt_leaves_no_output(folders, source, tmp_path):
    table = pl.read_parquet(source)
    pl.concat([table] * 100).write_parquet(source)
    code = "import sys; from gbdt_pwiser.cli import main; main()"
    arguments = ["predict", "--model", folders / "xgboost", "--input", source, "--batch-size", "5"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--output", tmp_path / "out" / "p.parquet"],
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        time.sleep(0.05)
        if (tmp_path / "out").exists():
            break
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGINT)
    err = process.communicate(timeout=30)[1]
    assert (process.returncode, err.strip()) == (130, "gbdt-pwiser: interrupted")
    assert list((tmp_path / "out").iterdir()) == []
