"""A few rows at once: what the columns one by one give, to the last bit, or nothing."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.few import FewRowsEncoder
from gbdt_pwiser.data.relative import Relative
from gbdt_pwiser.data.stored import FEW
from gbdt_pwiser.objectives import InputError

COLUMNS = FeatureColumns(
    ("number", "text", "^whole.*$", "code", "day"),
    ("text", "^whole.*$", "code"),
    {
        "text": pl.Series(["", "a", "b, «é»"]),
        "^whole.*$": pl.Series([-3, 7, 2**40]),
    },
)
PLAIN = FeatureColumns(COLUMNS.names[:4], COLUMNS.categorical, COLUMNS.categories)
SERVED = FeatureColumns(
    (*COLUMNS.names[:2], "rank", *COLUMNS.names[2:4]),
    COLUMNS.categorical,
    {name: pl.concat([pl.Series([None], dtype=of.dtype), of]) for name, of in COLUMNS.categories.items()},
    served_as={"rank": 3.0},
)
WORDS = replace(SERVED, missing=("new", "b"))
NUMBERS = {
    pl.Float32: st.floats(width=32, allow_infinity=False),
    pl.Float64: st.floats(-3.4e38, 3.4e38, allow_infinity=False),
    pl.Int8: st.integers(-128, 127),
    pl.UInt16: st.integers(0, 2**16 - 1),
    pl.Int64: st.integers(-(2**63), 2**63 - 1),
    pl.UInt64: st.integers(0, 2**64 - 1),
    pl.Boolean: st.booleans(),
    pl.Null: st.none(),
}
TEXTS = {
    pl.String: st.sampled_from(["", "a", "b, «é»", "new", " new\u2003"]),
    pl.Categorical: st.sampled_from(["a", "new"]),
    pl.Enum(["a", "new"]): st.sampled_from(["a", "new"]),
}
WHOLE = {pl.Int16: st.sampled_from([-3, 7, 8]), pl.Int64: st.sampled_from([-3, 7, 8, 2**40])}
CODES = {pl.Int32: st.integers(-(2**31), 2**31 - 1), pl.UInt8: st.integers(0, 255)}


def one_by_one(columns, table):
    exposures, unseen = columns.encode(table, "the table")
    return exposures.matrix(), unseen


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 5))

    def column(name, types):
        dtype = draw(st.sampled_from(list(types)))
        values = st.lists(st.none() | types[dtype], min_size=rows, max_size=rows)
        return pl.Series(name, draw(values), dtype=dtype)

    columns = [
        column(name, types) for name, types in zip(PLAIN.names, (NUMBERS, TEXTS, WHOLE, CODES), strict=True)
    ]
    more = pl.Series("more", [[1]] * rows)
    return pl.DataFrame(draw(st.permutations([*columns, more])))


@pytest.mark.parametrize(
    "columns", [PLAIN, SERVED, WORDS], ids=["plain", "shared codes and a position", "words that are missing"]
)
@given(table=tables())
def test_the_same_or_nothing(columns, table):
    encoder = FewRowsEncoder(columns)
    for _ in range(2):  # the types are looked at, and then known
        few = encoder.encode(table, "the table")
        far = table["number"].cast(pl.Float64).abs().max()
        if few is None:
            codes = table["code"].drop_nulls().to_list()
            words = {"", "new"} if columns is WORDS else set()
            given = {str(text).strip() for text in table["text"]}
            assert (far is not None and far >= 2.0**53) or -(2**31) in codes or words & given
            return
        matrix, unseen = one_by_one(columns, table)
        assert few.matrix.dtype == np.float32
        assert few.matrix.flags.c_contiguous
        np.testing.assert_array_equal(few.matrix, matrix)
        assert few.unseen == unseen
        assert list(few.unseen) == list(unseen)


def row(**columns):
    plain = {"number": [0.5], "text": ["a"], "^whole.*$": [7], "code": [1], "day": [0.0]}
    return pl.DataFrame(plain | columns)


def test_by_hand():
    table = row(text=["new"], number=[None], code=[None])
    matrix, unseen = FewRowsEncoder(COLUMNS).encode(table, "the table")
    np.testing.assert_array_equal(matrix, np.float32([[math.nan, math.nan, 1, math.nan, 0]]))
    assert unseen == {"text": 1, "^whole.*$": 0}


@pytest.mark.parametrize(
    "table",
    [
        row()[:0],
        pl.concat([row()] * (FEW + 1)),
        row(number=[math.inf]),
        row(number=[1e39]),
        row(number=[2**53]),
        row(code=[2**31]),
        row(**{"^whole.*$": [7.0]}),
        row(day=pl.Series([1], dtype=pl.Decimal(10, 2))),
    ],
)
def test_what_is_left_to_the_columns(table):
    assert FewRowsEncoder(COLUMNS).encode(row(), "the table") is not None
    encoder = FewRowsEncoder(COLUMNS)
    assert encoder.encode(table, "the table") is None
    assert encoder.encode(row(), "the table") is not None


def test_what_is_relative_to_a_page_is_left_to_the_columns():
    made = replace(
        COLUMNS, names=(*COLUMNS.names, "day_rank", "day_difference"), relative=Relative("page", ("day",))
    )
    assert FewRowsEncoder(made).encode(row(page=[1]), "the table") is None


def test_each_table_is_checked():
    encoder = FewRowsEncoder(COLUMNS)
    assert encoder.encode(row(), "the table") is not None
    with pytest.raises(InputError, match="the table lacks 1 of 5 feature columns: day"):
        encoder.encode(row().drop("day"), "the table")
    with pytest.raises(InputError, match="new: number is String and was numbers"):
        encoder.encode(row(number=["1"]), "new")
    moved = pl.DataFrame(row().get_columns()[::-1])
    np.testing.assert_array_equal(encoder.encode(moved, "").matrix, encoder.encode(row(), "").matrix)
