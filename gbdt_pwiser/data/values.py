"""How the values of a column become those of a feature: numbers as float32, categories as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from gbdt_pwiser.data.stored import has_infinite
from gbdt_pwiser.objectives import InputError

SHARED: Final = 0
"""Code of the values that have none of their own, where a description says so by `rare`."""
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)
_MANY: Final = 1 << 14  # categories beyond which a table of them takes longer than a search
_EXACT: Final = 1 << 24  # whole numbers up to here are float32


def as_float32(values: pl.Series, what: str) -> pl.Series:
    """Return a numerical feature; InputError where a finite value is too large for float32."""
    single = values.cast(pl.Float32)
    if not has_infinite(single):
        return single
    beyond = single.is_infinite().fill_null(False)
    if values.dtype.is_float():
        beyond &= ~values.is_infinite().fill_null(True)
    rows = beyond.arg_true()
    if len(rows):
        raise InputError(
            f"{what} has {values[rows[0]]:g}, too large for float32 (3.4e38 at most); divide the column, or "
            "make that value missing"
        )
    return single


@dataclass
class Digits:
    """Whether numbers, seen a block at a time, are whole and some of them lose digits as float32."""

    some_lost: bool = False
    all_whole: bool = True

    def add(self, values: pl.Series, single: pl.Series) -> None:
        """Look at numbers and what they are as float32."""
        if not (values.dtype.is_integer() or values.dtype.is_float()):
            return
        if values.dtype.is_float():
            self.all_whole &= bool((values == values.floor()).all())
        if self.some_lost or not self.all_whole:
            return
        large = single.abs() >= _EXACT
        if large.any():
            kept = single.cast(values.dtype, strict=False)  # null where rounded up beyond the type
            self.some_lost = bool(((kept.is_null() | (kept != values)) & large).any())

    @property
    def are_lost(self) -> bool:
        """Return whether they are."""
        return self.some_lost and self.all_whole


def is_number(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can be a numerical feature."""
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def is_text(dtype: pl.DataType) -> bool:
    """Return whether a column of this type is categorical without being listed."""
    return dtype in _TEXTS


def plain(values: pl.Series) -> pl.Series:
    """Return values with texts as strings, and null as the one way to be missing."""
    if values.dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    return values.fill_nan(None) if values.dtype.is_float() else values


def without(texts: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Return texts with null for each that, blanks around it apart, is empty or one of the missing words."""
    absent = texts.str.strip_chars().is_in(["", *missing]).fill_null(True)
    return texts.zip_with(~absent, pl.Series(values=[None], dtype=pl.String))


def has_shared_code(categories: pl.Series) -> bool:
    """Return whether `SHARED` is the code of all values that have none of their own."""
    return len(categories) > 0 and categories[0] is None


def with_shared_code(known: pl.Series) -> pl.Series:
    """Return the categories in which the known values come after the code that all others share."""
    return pl.concat([pl.Series([None], dtype=known.dtype), known])


def encode_categories(values: pl.Series, categories: pl.Series) -> pl.Series:
    """Return Int32 codes, the places of values among the categories; null where missing.

    A value that is none of them has the code `SHARED` where the categories begin with null; else it is null.
    """
    given = plain(values)
    stored = given.cast(categories.dtype, strict=False)
    known = categories.drop_nulls()
    codes = _places(stored, known) + (len(categories) - len(known))
    if given.dtype.is_float() and categories.dtype.is_integer():  # 3.0 is a 3, 3.5 is none
        codes = pl.select(pl.when(stored.cast(given.dtype) == given).then(codes)).to_series()
    if has_shared_code(categories):
        shared = pl.Series([SHARED], dtype=pl.Int32)
        codes = codes.zip_with(codes.is_not_null() | given.is_null(), shared)
    return codes


def _places(values: pl.Series, known: pl.Series) -> pl.Series:
    """Return Int32: where values are among known ones, from 0; null for others."""
    if len(known) > _MANY and (known.dtype == pl.String or known.dtype.is_integer()) and known.is_sorted():
        place = known.search_sorted(values.fill_null(known[0])).clip(upper_bound=len(known) - 1)
        found = known.gather(place) == values
        return place.cast(pl.Int32).zip_with(found.fill_null(False), pl.Series([None], dtype=pl.Int32))
    return values.replace_strict(
        known, pl.int_range(len(known), dtype=pl.Int32, eager=True), default=None, return_dtype=pl.Int32
    )
