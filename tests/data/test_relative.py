"""Features relative to the page, against loops and pandas."""

import statistics

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data.relative import Relative, group_ids, relative_to_group
from gbdt_pwiser.objectives import InputError

NAN = float("nan")
VALUES = st.one_of(st.just(NAN), st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))
ROWS = st.lists(st.tuples(st.integers(0, 4), VALUES), max_size=40)


def arrays(rows):
    group, values = zip(*rows, strict=True) if rows else ((), ())
    return np.array(values, dtype=np.float64), np.array(group, dtype=np.int64)


@given(ROWS)
def test_against_loops(rows):
    rank, difference = relative_to_group(*arrays(rows))
    for place, (group, value) in enumerate(rows):
        page = [other for of, other in rows if of == group and other == other]
        if value != value:
            assert np.isnan(rank[place])
            assert np.isnan(difference[place])
            continue
        below, alike = sum(other < value for other in page), page.count(value)
        assert rank[place] == pytest.approx((below + alike / 2) / len(page), rel=1e-15)
        assert difference[place] == value - statistics.median(page)


@given(ROWS)
def test_equal_to_pandas(rows):
    pd = pytest.importorskip("pandas")
    values, group = arrays(rows)
    frame = pd.DataFrame({"x": values, "page": group})
    g = frame.groupby("page")["x"]
    rank, difference = relative_to_group(values, group)
    np.testing.assert_array_equal(rank, (g.rank(method="average") - 0.5) / g.transform("count"))
    np.testing.assert_array_equal(difference, frame["x"] - g.transform("median"))


@given(ROWS.filter(bool), st.randoms())
def test_neither_the_order_of_rows_nor_other_pages_matter(rows, random):
    values, group = arrays(rows)
    expected = np.stack(relative_to_group(values, group))
    order = np.array(random.sample(range(len(rows)), len(rows)))
    np.testing.assert_array_equal(
        np.stack(relative_to_group(values[order], group[order])), expected[:, order]
    )
    alone = group == group[0]
    np.testing.assert_array_equal(
        np.stack(relative_to_group(values[alone], group[alone])), expected[:, alone]
    )


def test_a_page_of_one_row_and_a_page_of_missing_values():
    rank, difference = relative_to_group(np.array([5.0, NAN, NAN]), np.array([1, 2, 2]))
    np.testing.assert_array_equal(rank, [0.5, NAN, NAN])
    np.testing.assert_array_equal(difference, [0.0, NAN, NAN])


def test_features_of_a_table_are_float32_of_float64():
    exact = [2**24 + 1, 2**24, 2**24 + 3]  # the first is no float32
    table = pl.DataFrame({"^p.*$": exact, "new": [True, None, False]})
    features = Relative("page", ("^p.*$", "new")).features(table, np.array([7, 7, 7]))
    assert features.columns == ["^p.*$_rank", "^p.*$_difference", "new_rank", "new_difference"]
    assert set(features.dtypes) == {pl.Float32}
    assert features["^p.*$_difference"].to_list() == [0.0, -1.0, 2.0]
    assert features["new_rank"].to_list() == [0.75, None, 0.25]


def test_a_difference_beyond_float32_is_refused():
    table = pl.DataFrame({"x": [3e38, 3e38, -3e38]})
    with pytest.raises(InputError, match=r"^t: x_difference has -6e\+38, too large for float32"):
        Relative("page", ("x",)).features(table, np.zeros(3, dtype=np.int64), "t: ")


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 3],
        ["b", "a", "b"],
        [0.5, -1.0, 0.5],
        pl.Series(["b", "a", "b"], dtype=pl.Categorical),
        pl.Series([9, 1, 9]).cast(pl.Date),
    ],
)
def test_ids_are_equal_where_groups_are(values):
    ids = group_ids(pl.Series(values), "group page")
    assert ids.dtype == np.int64
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize("values", [[3, None, 3, None], [1.0, NAN, 1.0, None], ["a", None, "b", None]])
def test_rows_without_a_group_are_refused(values):
    with pytest.raises(
        InputError, match=r"group page is missing in 2 rows \(the first is row 2\); give each"
    ):
        group_ids(pl.Series(values, strict=False), "group page")


def test_groups_without_an_order_are_refused():
    with pytest.raises(InputError, match=r"group page is List.*, which has no order; store text"):
        group_ids(pl.Series([[1], [2]]), "group page")
