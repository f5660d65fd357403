"""Serving makes the features of training again from the raw rows, whatever the description says at once."""

import json

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.sources import load, prepare

TEXT = """
click = "click"
conversion = "buy"
settled = "settled"
group = "page"
time = "at"
relative = ["price"]
position = "place"
position_at_serving = 3
categorical = ["city"]
split = { by = "time" }
"""
ROWS = 900


def table():
    """Rows whose pages lie apart, with words for missing values in `brand`, and a rare and a late value."""
    rng = np.random.default_rng(3)
    click = rng.random(ROWS) < 0.5
    price = pl.Series(rng.integers(1, 50, ROWS) / 4)
    brand = rng.choice(["a", "b", "NA", " - ", "", "seldom"], ROWS, p=[0.4, 0.3, 0.1, 0.1, 0.08, 0.02])
    brand[-3:] = "late"
    return pl.DataFrame(
        {
            "page": [f"p{i}" for i in rng.permutation(np.arange(ROWS) // 6)],
            "click": click.astype(int),
            "buy": (click & (rng.random(ROWS) < 0.4)).astype(int),
            "settled": (rng.random(ROWS) < 0.9).astype(int),
            "at": np.arange(ROWS),
            "price": price.zip_with(pl.Series(rng.random(ROWS) < 0.8), pl.Series([None], dtype=pl.Float64)),
            "brand": brand,
            "city": rng.integers(1, 5, ROWS),
            "place": rng.integers(1, 7, ROWS),
        }
    )


@pytest.mark.parametrize("keys", ["", "rare = 20\n"], ids=["every value", "rare"])
@pytest.mark.parametrize("source", ["log.parquet", "log.csv"])
@pytest.mark.parametrize("prepared", [False, True], ids=["memory", "prepared"])
def test_serving_makes_the_features_of_training_again(tmp_path, source, keys, prepared):
    raw = table()
    raw.write_csv(tmp_path / source) if source == "log.csv" else raw.write_parquet(tmp_path / source)
    words = 'missing = ["NA", "-"]\n' if source == "log.parquet" else ""  # of text by themselves
    path = tmp_path / "log.toml"
    path.write_text(f"source = '{source}'\n{words}{keys}{TEXT}")
    if prepared:
        prepare(path, data_dir=tmp_path / "data", progress=False)
    parts = load(path, data_dir=tmp_path / "data").split()

    record = json.loads(json.dumps(FeatureColumns.of(parts.train).record()))
    served = FeatureColumns.from_record(record).encode(raw, "raw").exposures.features

    trained = served.with_columns(place=raw["place"].cast(pl.Float32))
    sizes = np.cumsum([len(parts.train), len(parts.valid)])
    assert parts.train.features.equals(trained[: sizes[0]])
    assert parts.valid.features.equals(served[sizes[0] : sizes[1]])
    assert parts.test.features.equals(served[sizes[1] :])
    absent = raw["brand"].str.strip_chars().is_in(["", "NA", "-"])
    late = raw["brand"] == "late"  # of test alone
    assert served["brand"].filter(absent).null_count() == absent.sum() > 0
    assert served["brand"].filter(~(absent | late)).null_count() == 0
    if keys:
        assert set(served["brand"].filter((raw["brand"] == "seldom") | late)) == {0}
