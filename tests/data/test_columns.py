"""Values of new data become the codes that they had in the training data."""

import datetime
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.values import encode_categories
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load_description
from tests.exposures import categories_of, store

NAN = float("nan")
DAYS = [datetime.date(2024, 1, d) for d in (3, 1, 2)]
TABLE = pl.DataFrame(
    {
        "click": [1, 0, 1],
        "buy": [1, 0, 0],
        "price": [1.5, None, NAN],
        "new": [True, None, False],
        "shop": ["b", None, "a"],
        "brand": [30, 10, None],
        "size": pl.Series([0.1, NAN, 2.5], dtype=pl.Float32),
        "day": DAYS,
        "at": [datetime.datetime(2024, 1, d.day, 5, 6, 7, 8) for d in DAYS],
        "sale": [True, False, None],
        "nothing": [None, None, None],
        "kind": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
    }
)
LISTED = ["brand", "size", "day", "at", "sale", "nothing"]


@pytest.fixture
def exposures(tmp_path):
    return described(tmp_path, TABLE, LISTED)


def described(folder, table, listed):
    table.write_parquet(folder / "toy.parquet")
    (folder / "toy.toml").write_text(
        f'source = "toy.parquet"\nclick = "click"\nconversion = "buy"\ncategorical = {json.dumps(listed)}\n'
    )
    return load_description(folder / "toy.toml").exposures


def through_json(columns):
    return FeatureColumns.from_record(json.loads(json.dumps(columns.record(), allow_nan=False)))


def test_the_training_table_becomes_the_training_features_again(exposures):
    columns = through_json(FeatureColumns.of(exposures))
    shuffled = TABLE.select(reversed(TABLE.columns))
    encoded, unseen = columns.encode(shuffled, "new")
    assert encoded.features.equals(exposures.features)
    assert encoded.categorical == exposures.categorical == ("shop", *LISTED, "kind")
    assert encoded.grade.tolist() == [0, 0, 0]
    assert unseen == dict.fromkeys(exposures.categorical, 0)


def test_codes_are_the_places_of_sorted_values(exposures):
    values = {name: series.to_list() for name, series in exposures.categories.items()}
    assert values["shop"] == ["a", "b"]
    assert values["brand"] == [10, 30]
    assert values["day"] == sorted(DAYS)
    assert values["sale"] == [False, True]
    assert values["nothing"] == []
    assert exposures.features["day"].to_list() == [2, 0, 1]
    assert exposures.features["size"].to_list() == [0, None, 1]


def test_a_subset_keeps_the_codes(exposures):
    """Codes of one row, of an empty part, and of any take, are those of the whole data set."""
    columns = FeatureColumns.of(exposures.take(np.array([0])))
    assert columns.record() == FeatureColumns.of(exposures).record()


ENCODED = [
    (["b", "a", None], ["a", "c", None, ""], [0, None, None, None]),
    ([3, 5], [5.0, 3.5, NAN, None, 1e30], [1, None, None, None, None]),  # an int that went through pandas
    (pl.Series([3, 5], dtype=pl.Int8), [259, 5, 3], [None, 1, 0]),  # 259 is 3 in 8 bits
    (pl.Series([0.1, 0.5], dtype=pl.Float32), [0.1, 0.5, NAN, 0.2], [0, 1, None, None]),
    ([0.5, 3.0], [3, 4], [1, None]),
    ([False, True], [True, None], [1, None]),
    (["b", "a"], pl.Series(["b", "x"], dtype=pl.Categorical), [1, None]),
    ([], [1], [None]),
]


@pytest.mark.parametrize(("training", "new", "codes"), ENCODED)
def test_encoding(training, new, codes):
    values = pl.Series("v", new)
    encoded = encode_categories(values, categories_of(pl.Series(training)))
    assert encoded.dtype == pl.Int32
    assert encoded.name == "v"
    assert encoded.to_list() == codes


@pytest.mark.parametrize(("training", "new", "codes"), ENCODED)
def test_few_rows_are_encoded_as_many(training, new, codes):
    columns = FeatureColumns(("v",), ("v",), {"v": categories_of(pl.Series(training))})
    table = pl.DataFrame({"v": new})
    few, many = columns.encode(table, "new"), columns.encode(pl.concat([table] * 100), "new")
    assert few.exposures.features["v"].to_list() == codes
    assert many.exposures.features["v"].to_list() == codes * 100
    assert many.unseen["v"] == 100 * few.unseen["v"]
    np.testing.assert_array_equal(np.concatenate([few.exposures.matrix()] * 100), many.exposures.matrix())


def test_unseen_values_are_missing_and_counted(exposures):
    columns = FeatureColumns.of(exposures)
    new = TABLE.with_columns(shop=pl.Series(["z", None, "y"]), brand=pl.Series([30, 31, None]))
    encoded, unseen = columns.encode(new, "new")
    assert encoded.features["shop"].null_count() == 3
    assert encoded.features["brand"].to_list() == [1, None, None]
    assert {name: count for name, count in unseen.items() if count} == {"shop": 2, "brand": 1}


def test_words_that_were_missing_are_missing_again():
    known = pl.Series(["NA", "a"])  # the name of a folder, say
    columns = through_json(
        FeatureColumns(
            ("shop", "brand"), ("shop", "brand"), {"shop": known, "brand": known[1:]}, missing=("NA", "-")
        )
    )
    new = pl.Series(["a", "NA", " - ", "", "b", None])
    for times in (1, 20):  # a few rows, and many
        encoded, unseen = columns.encode(
            pl.concat([pl.DataFrame({"shop": new, "brand": new})] * times), "new"
        )
        assert encoded.features["shop"].to_list() == [1, 0, None, None, None, None] * times
        assert encoded.features["brand"].to_list() == [0, None, None, None, None, None] * times
        assert unseen == {"shop": times, "brand": times}  # only b is a value


def test_words_of_both_days_are_missing_from_then_on():
    of = {"name": "new", "grade": np.zeros(3, np.int8), "categorical": ("shop",)}
    old = FeatureColumns(
        ("shop",), ("shop",), {"shop": pl.Series([None, "a"], dtype=pl.String)}, missing=("NA",)
    )
    day = Exposures(
        features=pl.DataFrame({"shop": [0, 1, 2]}, schema={"shop": pl.Int32}),
        categories={"shop": pl.Series(["NA", "a", "b"])},
        missing=("-",),
        **of,
    )
    recoded = old.recode(day).exposures
    assert recoded.features["shop"].to_list() == [None, 1, 0]
    assert recoded.missing == ("NA", "-")
    plain = FeatureColumns(old.names, old.categorical, old.categories)
    assert plain.recode(day).exposures.missing == ("-",)
    assert plain.recode(replace(day, missing=None)).exposures.missing is None


def test_stored_codes_stay_as_they_are():
    features = pl.DataFrame({"c": [5, None]}, schema={"c": pl.Int32})
    columns = FeatureColumns.of(Exposures("s", features, np.zeros(2, np.int8), categorical=("c",)))
    new = pl.DataFrame({"c": [7, None, 5], "x": ["a", "b", "c"]})
    encoded, unseen = through_json(columns).encode(new, "new")
    assert encoded.features["c"].to_list() == [7, None, 5]
    assert unseen == {}
    with pytest.raises(InputError, match="new: c has values beyond int32; give the codes of training"):
        columns.encode(pl.DataFrame({"c": [2**31]}), "new")
    with pytest.raises(InputError, match="c is Float64 and was whole numbers, its codes, in training"):
        columns.encode(pl.DataFrame({"c": [1.0]}), "new")


def test_what_is_refused(exposures):
    columns = FeatureColumns.of(exposures)
    with pytest.raises(InputError, match="new lacks 2 of 10 feature columns: shop, kind; give the columns"):
        columns.encode(TABLE.drop("shop", "kind"), "new")
    wrong = TABLE.with_columns(
        price=pl.lit("1"), shop=pl.lit(1), brand=pl.lit("30"), day=pl.lit(1), sale=pl.lit(1)
    )
    with pytest.raises(InputError) as caught:
        columns.encode(wrong, "new")
    assert str(caught.value) == (
        "new: price is String and was numbers, shop is Int32 and was String, brand is String and was Int64, "
        "day is Int32 and was Date, sale is Int32 and was Boolean in training; convert the values"
    )
    with pytest.raises(InputError, match="infinite values in price"):
        columns.encode(TABLE.with_columns(price=pl.lit(float("inf"))), "new")
    with pytest.raises(
        InputError, match=r"new: price has -1e\+300, too large for float32 \(3.4e38 at most\)"
    ):
        columns.encode(TABLE.with_columns(price=pl.lit(-1e300)), "new")


def test_missing_values_need_no_type(exposures):
    nothing = TABLE.select(pl.lit(None).alias(name) for name in exposures.features.columns)
    encoded, unseen = FeatureColumns.of(exposures).encode(nothing, "new")
    assert encoded.features.null_count().row(0) == (1,) * 10
    assert set(unseen.values()) == {0}


def test_categories_that_json_cannot_hold(tmp_path):
    zoned = TABLE.with_columns(at=pl.col("at").dt.replace_time_zone("UTC"))
    with pytest.raises(
        InputError, match=r"categories of at are Datetime.*UTC.*; store text or whole numbers"
    ):
        FeatureColumns.of(described(tmp_path, zoned, LISTED))
    infinite = TABLE.with_columns(size=pl.lit(float("inf")))
    with pytest.raises(InputError, match="size has an infinite category; make it missing"):
        FeatureColumns.of(described(tmp_path, infinite, LISTED))


def test_lists_are_no_categories(tmp_path):
    nested = TABLE.with_columns(tags=pl.Series([[1], [2], [3]]))
    with pytest.raises(InputError, match=r"tags \(List\(Int64\)\) cannot be features; list them in ignore"):
        described(tmp_path, nested, [*LISTED, "tags"])


def test_codes_of_other_data_become_those_of_training(exposures, tmp_path):
    """As the values behind them would be encoded."""
    columns = through_json(FeatureColumns.of(exposures))
    more = TABLE.with_columns(
        shop=pl.Series(["c", "b", None]),
        brand=pl.Series([30, None, 20]),
        day=pl.Series([DAYS[0], None, datetime.date(2025, 1, 1)]),
        kind=pl.Series(["y", "z", "y"]),
    )
    (tmp_path / "more").mkdir()
    other = described(tmp_path / "more", more, LISTED)
    recoded, wanted = columns.recode(other), columns.encode(more, "more")
    assert recoded.unseen == wanted.unseen
    assert sum(recoded.unseen.values()) == 4
    assert recoded.exposures.features.equals(wanted.exposures.features)
    np.testing.assert_array_equal(recoded.exposures.grade, other.grade)
    assert FeatureColumns.of(recoded.exposures).record() == columns.record()


@pytest.mark.parametrize(
    ("listed", "change", "message"),
    [
        (LISTED[1:], {}, "brand is numerical and was categorical in training; convert the values"),
        ([*LISTED, "price"], {}, "price is categorical and was numerical in training"),
        (
            LISTED,
            {"day": pl.Series(["a", "b", None])},
            "day is String values and was Date values in training",
        ),
        (LISTED, {"more": pl.lit(1.0)}, "adds more; give the columns of training"),
    ],
)
def test_columns_of_another_kind_keep_their_codes_to_themselves(exposures, tmp_path, listed, change, message):
    (tmp_path / "more").mkdir()
    other = described(tmp_path / "more", TABLE.with_columns(**change), listed)
    with pytest.raises(InputError, match=message):
        FeatureColumns.of(exposures).recode(other)


def test_columns_without_categories_are_left_where_they_are_stored(exposures, tmp_path):
    few = exposures.features.select("price", "shop")
    plain = Exposures(name="plain", features=few, grade=exposures.grade, categorical=("shop",))
    stored = store(plain, tmp_path / "stored")
    assert FeatureColumns.of(plain).recode(stored) == (stored, {})
    with pytest.raises(InputError, match="shop is codes and was categorical in training"):
        FeatureColumns(("price", "shop"), ("shop",), {"shop": exposures.categories["shop"]}).recode(stored)
