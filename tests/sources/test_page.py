"""What a description makes of the page: features relative to it, and a position."""

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data.relative import Relative
from gbdt_pwiser.sources import load_description

LABEL = 'source = "shown.parquet"\nclick = "click"\nconversion = "buy"\ngroup = "page"\n'
RELATIVE = 'relative = ["price", "score"]\n'


def frame(rows=240):
    rng = np.random.default_rng(1)
    click = rng.random(rows) < 0.5
    price = rng.integers(1, 9, rows).astype(np.float64)
    return pl.DataFrame(
        {
            "click": click,
            "buy": click & (rng.random(rows) < 0.5),
            "price": np.where(rng.random(rows) < 0.2, np.nan, price),
            "page": [f"p{i}" for i in rng.permutation(np.arange(rows) // 7)],  # apart
            "score": rng.integers(0, 2**40, rows),
            "rank": rng.integers(1, 8, rows),
            "shop": [f"s{i}" for i in rng.integers(0, 3, rows)],
            "day": np.arange(rows),
        }
    ).with_columns(price=pl.col("price").fill_nan(None))


def load(folder, text, table, source="shown.parquet"):
    if source.endswith(".csv"):
        table.write_csv(folder / source)
    else:
        table.write_parquet(folder / source)
    path = folder / "toy.toml"
    path.write_text(LABEL.replace("shown.parquet", source) + 'ignore = ["day"]\n' + text)
    return load_description(path)


@pytest.mark.filterwarnings("ignore:whole numbers beyond")
@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
def test_relative_features_follow_the_columns(tmp_path, source):
    table = frame()
    exposures = load(tmp_path, RELATIVE, table, source).exposures
    added = ["price_rank", "price_difference", "score_rank", "score_difference"]
    assert exposures.features.columns == ["price", "score", "rank", "shop", *added]
    assert exposures.relative == Relative("page", ("price", "score"))
    assert exposures.categorical == ("shop",)
    for column in ("price", "score"):
        over = pl.col(column).cast(pl.Float64)
        rank = (over.rank("average").over("page") - 0.5) / over.count().over("page")
        wanted = table.select(rank=rank, difference=over - over.median().over("page"))
        for what in ("rank", "difference"):
            # Of whole numbers beyond float32 too.
            expected = wanted[what].cast(pl.Float32)
            np.testing.assert_allclose(
                exposures.features[f"{column}_{what}"].fill_null(np.nan),
                expected.fill_null(np.nan),
                rtol=1e-6,
            )


@pytest.mark.filterwarnings("ignore:whole numbers beyond")
def test_they_are_of_the_page_as_shown_whatever_the_split(tmp_path):
    """A split by time cuts pages in two; their features are made before."""
    text = RELATIVE + 'time = "day"\n[split]\nby = "time"\n'
    dataset = load(tmp_path, text.replace('ignore = ["day"]\n', ""), frame())
    parts = dataset.split()
    features = dataset.exposures.features
    assert set(parts.train.group) & set(parts.test.group)
    joined = pl.concat([parts.train.features, parts.valid.features, parts.test.features])
    assert joined.equals(features)
    assert parts.train.relative == dataset.exposures.relative


@pytest.mark.filterwarnings("ignore:whole numbers beyond")
def test_they_know_no_labels(tmp_path):
    table = frame()
    other = table.with_columns(click=True, buy=~pl.col("buy"))
    features = [load(tmp_path, RELATIVE, each).exposures.features for each in (table, other)]
    assert features[0].equals(features[1])


def test_a_name_that_is_taken_is_free_again_once_it_is_ignored(tmp_path):
    table = frame().rename({"score": "price_rank"})
    text = 'relative = ["price"]\n'
    exposures = load(tmp_path, text, table.drop("price_rank").with_columns(day_=pl.lit(0.0))).exposures
    path = tmp_path / "toy.toml"
    path.write_text(path.read_text().replace('["day"]', '["day", "price_rank"]'))
    table.with_columns(day_=pl.lit(0.0)).write_parquet(tmp_path / "shown.parquet")
    assert load_description(path).exposures.features.equals(exposures.features)


def test_a_position_is_left_out(tmp_path):
    exposures = load(tmp_path, 'position = "rank"\n', frame().drop("score")).exposures
    assert exposures.features.columns == ["price", "shop"]
    assert exposures.served_as == {}


@pytest.mark.parametrize("source", ["shown.parquet", "shown.csv"])
def test_a_position_is_learnt_and_served_as_a_number(tmp_path, source):
    table = frame().drop("score")
    dataset = load(tmp_path, 'position = "rank"\nposition_at_serving = 1\n', table, source)
    exposures = dataset.exposures
    assert exposures.features.columns == ["price", "rank", "shop"]
    assert exposures.served_as == {"rank": 1.0}
    assert exposures.features["rank"].to_list() == table["rank"].to_list()
    parts = dataset.split()
    assert parts.train.features["rank"].n_unique() == 7
    assert {*parts.valid.features["rank"], *parts.test.features["rank"]} == {1.0}
