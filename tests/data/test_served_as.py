"""A feature that is unknown before serving: its true values in training, one number everywhere else."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, Exposures, SplitOptions, split
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.relative import Relative
from gbdt_pwiser.objectives import InputError
from tests.exposures import store

ROWS = 300
SERVED = {"^p.*$": 1.0}


def shown(**more):
    """Two numbers, a code between them, and a page of six rows."""
    rng = np.random.default_rng(0)
    rows = np.arange(ROWS)
    features = pl.DataFrame(
        {
            "price": rng.random(ROWS).astype(np.float32),
            "shop": rng.integers(0, 3, ROWS).astype(np.int32),
            "^p.*$": (rows % 6 + 2).astype(np.float32),
        }
    )
    grade = rng.integers(0, 3, ROWS).astype(np.int8)
    named = {"group": rows // 6, "categorical": ("shop",), "served_as": SERVED}
    return Exposures(name="toy", features=features, grade=grade, **(named | more))


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize("in_test", [None, np.arange(ROWS) >= 240])
def test_validation_and_test_see_the_number(where, in_test, tmp_path):
    exposures = shown(in_test=in_test)
    parts = split(store(exposures, tmp_path) if where == "files" else exposures, seed=3)
    without = split(replace(exposures, served_as={}), seed=3)
    np.testing.assert_array_equal(parts.train.matrix(), without.train.matrix())
    assert parts.train.matrix()[:, 2].min() == 2.0
    for name in ("valid", "test"):
        part, before = getattr(parts, name), getattr(without, name)
        matrix = part.matrix()
        np.testing.assert_array_equal(matrix[:, :2], before.matrix()[:, :2])
        assert (matrix[:, 2] == 1.0).all()
        # However it is read.
        assert part.features["^p.*$"].to_list() == [1.0] * len(part)
        assert part.features["price"].to_list() == before.features["price"].to_list()
        some = part.take(np.array([5, 0]))
        np.testing.assert_array_equal(some.matrix(), matrix[[5, 0]])
        np.testing.assert_array_equal(np.concatenate(list(part.blocks(7))), matrix)
        assert part.in_memory().features.columns == exposures.features.columns
        assert part.served_as == SERVED


def test_a_data_set_splits_likewise():
    dataset = Dataset(shown(), SplitOptions("row"))
    assert set(dataset.split().valid.matrix()[:, 2]) == {1.0}
    assert dataset.exposures.matrix()[:, 2].min() == 2.0


def test_without_such_a_feature_the_exposures_stay_the_same_object():
    exposures = shown(served_as={})
    assert exposures.as_served() is exposures


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"served_as": {"rank": 1.0}}, "toy: served_as names no numerical feature: rank"),
        ({"served_as": {"shop": 1.0}}, "toy: served_as names no numerical feature: shop"),
        (
            {"relative": Relative("page", ("price",))},
            "toy: relative names no numerical feature: price_rank, price_difference",
        ),
    ],
)
def test_what_is_no_numerical_feature_is_refused(more, message):
    with pytest.raises(InputError, match=message):
        shown(**more)


def test_a_record_says_so_and_is_read():
    exposures = shown()
    relative = Relative("page", ("price",))
    added = relative.features(exposures.features, exposures.group)
    exposures = replace(exposures, features=exposures.features.hstack(added), relative=relative)
    columns = FeatureColumns.of(exposures)
    record = json.loads(json.dumps(columns.record()))
    assert record[2:] == [
        {"name": "^p.*$", "kind": "position", "served_as": 1.0},
        {"name": "price_rank", "kind": "relative", "of": "price", "within": "page"},
        {"name": "price_difference", "kind": "relative", "of": "price", "within": "page"},
    ]
    read = FeatureColumns.from_record(record)
    assert (read.relative, read.served_as) == (relative, SERVED)
    assert read.inputs == ("price", "shop")
    assert read.needed == ("price", "shop", "page")
    table = exposures.features.select("price", "shop").with_columns(page=pl.Series(exposures.group))
    encoded = read.encode(table, "new").exposures
    np.testing.assert_array_equal(encoded.matrix(), exposures.as_served().matrix())


def test_a_record_without_either_is_that_of_before():
    record = FeatureColumns.of(shown(served_as={})).record()
    assert record == [
        {"name": "price", "kind": "numerical"},
        {"name": "shop", "kind": "categorical"},
        {"name": "^p.*$", "kind": "numerical"},
    ]
