"""Rare and unknown categories share a code, in training as in prediction."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.rare import share_rare
from gbdt_pwiser.data.stored import StoredFeatures
from gbdt_pwiser.data.values import encode_categories, with_shared_code
from tests.exposures import categories_of, store


def exposures(values: list[str | None], categories: pl.Series) -> Exposures:
    codes = encode_categories(pl.Series(values, dtype=pl.String), categories)
    features = pl.DataFrame({"x": np.arange(len(values), dtype=np.float32), "shop": codes})
    return Exposures(
        "s", features, np.zeros(len(values), np.int8), ("shop",), categories={"shop": categories}
    )


VALUES = st.lists(st.sampled_from(["a", "b", "c", "d", "e", None]), min_size=1, max_size=20)


@given(VALUES, VALUES, VALUES, st.integers(1, 4))
def test_only_rows_of_training_count(
    train: list[str | None], valid: list[str | None], test: list[str | None], rare: int
) -> None:
    categories = categories_of(pl.Series(train + valid + test, dtype=pl.String))
    parts = share_rare([exposures(values, categories) for values in (train, valid, test)], rare)
    counts = Counter(value for value in train if value is not None)
    known = sorted(value for value, rows in counts.items() if rows >= rare)
    for part, values in zip(parts, (train, valid, test), strict=True):
        assert part.categories is not None
        assert part.categories["shop"].to_list() == [None, *known]
        wanted = [
            None if value is None else known.index(value) + 1 if value in known else 0 for value in values
        ]
        assert part.features["shop"].to_list() == wanted
        columns = FeatureColumns.from_record(json.loads(json.dumps(FeatureColumns.of(part).record())))
        for repeats in (1, 70):  # few rows and many
            table = pl.DataFrame({"x": [1.0] * len(values), "shop": pl.Series(values, dtype=pl.String)})
            encoded, unseen = columns.encode(pl.concat([table] * repeats), "new")
            assert encoded.features["shop"].to_list() == wanted * repeats
            assert unseen == {"shop": 0}  # they have a code


@pytest.mark.parametrize(
    ("training", "new", "codes"),
    [
        ([3, 5], [5.0, 3.5, float("nan"), None, 1e30], [2, 0, None, None, 0]),
        (pl.Series([3, 5], dtype=pl.Int8), [259, 5, None], [0, 2, None]),
        ([], ["a", None], [0, None]),
        ([None, None], [None], [None]),
    ],
)
def test_what_has_no_category_of_its_own(training: object, new: object, codes: object) -> None:
    categories = with_shared_code(categories_of(pl.Series(training)))  # type: ignore[call-overload]
    values = pl.Series("v", new)  # type: ignore[call-overload]
    assert encode_categories(values, categories).to_list() == codes
    columns = FeatureColumns(("v",), ("v",), {"v": categories})
    assert columns.encode(pl.DataFrame({"v": values}), "new").exposures.features["v"].to_list() == codes


def test_codes_of_another_day() -> None:
    """A value that shares its code today is not known any more, and shares that of the model."""
    model = with_shared_code(pl.Series(["a", "b"]))
    today = exposures(["a", "z", None, "y"], with_shared_code(pl.Series(["a", "z"])))
    columns = FeatureColumns(("x", "shop"), ("shop",), {"shop": model})
    assert columns.recode(today).exposures.features["shop"].to_list() == [1, 0, None, 0]
    columns = FeatureColumns(("x", "shop"), ("shop",), {"shop": pl.Series(["a", "b"])})
    recoded = columns.recode(today)
    assert recoded.exposures.features["shop"].to_list() == [0, None, None, None]
    assert recoded.unseen == {"shop": 2}


def test_codes_of_another_day_are_read_from_its_files(tmp_path: Path) -> None:
    today = exposures(["a", "z", None, "y", "b"] * 3, pl.Series(["a", "b", "y", "z"]))
    columns = FeatureColumns(("x", "shop"), ("shop",), {"shop": with_shared_code(pl.Series(["b", "a"]))})
    stored = store(today, tmp_path / "stored")
    assert isinstance(stored.features, StoredFeatures)
    wanted, found = columns.recode(today), columns.recode(stored)
    assert isinstance(found.exposures.features, StoredFeatures)
    assert found.unseen == wanted.unseen
    some = np.array([4, 0, 14, 2, 2])
    assert found.exposures.in_memory().features.equals(wanted.exposures.features)
    assert found.exposures.take(some).in_memory().features.equals(wanted.exposures.take(some).features)
    assert found.exposures.features["shop"].to_list() == [2, 0, None, 0, 1] * 3
