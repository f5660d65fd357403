"""The group and the time of each row, a block of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.values import encode_categories, is_text, plain
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.labels import Faults
from gbdt_pwiser.sources.text.table import first_line
from gbdt_pwiser.sources.text.values import MOMENTS, Kind, converted, fitting, not_iso
from gbdt_pwiser.sources.text.vocabulary import Counted


@dataclass
class Groups:
    """Ids of groups, which number their sorted distinct values from 0.

    All blocks are looked at by `learn` before the first is `read`.
    """

    name: str
    _values: Counted = field(default_factory=Counted)
    _missing: Faults = field(default_factory=Faults)
    _sorted: pl.Series | None = None

    def learn(self, values: pl.Series, before: int = 0) -> None:
        """Look at the values of a block."""
        if values.dtype.is_nested():
            raise self._without_order(values)
        given = plain(values)
        self._missing.add(given.is_null(), given, before)
        try:
            self._values.add(given)
        except pl.exceptions.PolarsError as error:
            raise self._without_order(values) from error

    def _without_order(self, values: pl.Series) -> InputError:
        return InputError(
            f"group {self.name} is {values.dtype}, which has no order; store text or whole numbers"
        )

    def check(self) -> None:
        """Raise InputError where a group is missing."""
        _check_complete(f"group {self.name}", self._missing, "give each row one")
        self._sorted = self._values.settle()["value"]

    def read(self, values: pl.Series) -> NDArray[np.int64]:
        """int64 (n,): ids of a block."""
        assert self._sorted is not None
        return encode_categories(values, self._sorted).cast(pl.Int64).to_numpy()


@dataclass
class Times:
    """Times as whole numbers that sort: those that are stored, or days or microseconds.

    All blocks are looked at by `learn` before the first is `read`: texts of ISO 8601 may be days, times with
    an offset, or without.
    """

    name: str
    time_format: str | None = None
    _possible: list[Kind] = field(default_factory=lambda: list(MOMENTS))
    _missing: Faults = field(default_factory=Faults)

    @property
    def _what(self) -> str:
        return f"time {self.name}"

    def learn(self, values: pl.Series, before: int = 0) -> None:
        """Look at the values of a block; InputError for the first that is no time."""
        what, dtype = self._what, values.dtype
        if self.time_format is not None and not (is_text(dtype) or dtype.is_integer()):
            raise InputError(f"{what} is {dtype}, no text that a time_format could read; remove time_format")
        texts = self.time_format is not None or is_text(dtype)
        if not (texts or dtype.is_integer() or dtype.is_temporal()):
            raise InputError(f"{what} is {dtype}; store whole numbers, dates or times")
        self._missing.add(values.is_null(), values, before)
        given = plain(values).drop_nulls() if values.null_count() else plain(values)
        if texts and self.time_format is None:
            if (row := not_iso(given)) is not None and not values.null_count():
                raise InputError(
                    f"{what} is {given[row]!r} in row {before + row + 1}, which is not ISO 8601 (2024-12-31 "
                    "or 2024-12-31T23:59:00); say how to read it by time_format, as in '%d/%m/%Y %H:%M'"
                )
            self._possible = fitting(given, self._possible)
        elif not values.null_count():
            self._whole(values, before)

    def check(self) -> None:
        """Raise InputError where a time is missing, or some have an offset from UTC."""
        _check_complete(self._what, self._missing, "drop those rows")
        if not self._possible:
            raise InputError(f"{self._what} has an offset from UTC in some rows only; store it in all")

    def read(self, values: pl.Series) -> NDArray[np.int64]:
        """int64 (n,): the times of a block."""
        return self._whole(values, 0).to_numpy()

    def _whole(self, values: pl.Series, before: int) -> pl.Series:
        if self.time_format is not None:
            values = self._formatted(plain(values).cast(pl.String), before)
        elif is_text(values.dtype):
            values = converted(plain(values), self._possible[0])
        whole = values.to_physical().cast(pl.Int64, strict=False)
        if whole.null_count():
            row = whole.is_null().arg_true()[0]
            raise InputError(
                f"{self._what} is {values[row]} in row {before + row + 1}, beyond int64; store it in a "
                "larger unit"
            )
        return whole

    def _formatted(self, texts: pl.Series, before: int) -> pl.Series:
        wanted = self.time_format
        assert wanted is not None
        try:
            moments = texts.str.strip_chars().str.to_datetime(wanted, strict=False, time_unit="us")
        except pl.exceptions.PolarsError as error:
            raise InputError(f"time_format is {wanted!r}: {first_line(error)}; correct it") from error
        rows = moments.is_null().arg_true()
        if len(rows):
            raise InputError(
                f"{self._what} is {texts[rows[0]]!r} in row {before + rows[0] + 1}, not as time_format "
                f"{wanted!r} says; correct one of the two"
            )
        if (moments.dt.year() == 1).any():  # what a format without a year is read as
            raise InputError(f"time_format is {wanted!r} and gives no year; store the year, and add %Y")
        return moments


def _check_complete(what: str, missing: Faults, remedy: str) -> None:
    if missing.rows:
        raise InputError(
            f"{what} is missing in {missing.rows} rows (the first is row {missing.first}); {remedy}"
        )
