"""Columns that repeat another one, or are ranges over its values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from gbdt_pwiser.sources.guess.column import Column

RANGES: Final = ("range", "bucket", "buckets", "bin", "bins", "binned", "level", "group", "segment", "band")
ENOUGH: Final = 20
"""Values that a column with missing ones needs to be called a copy."""
FEW: Final = 64
"""Rows by which most columns are told apart."""


class Copies:
    """The columns of a sample of which another one has all the values.

    Parameters
    ----------
    columns
        All of them.
    first
        Those that stay: label, group and time.
    """

    def __init__(self, columns: Iterable[Column], first: Iterable[Column]) -> None:
        kept = list(first)
        # The one with fewest missing values stays, of equal ones the first.
        others = [column for column in columns if column not in kept and not column.values.dtype.is_nested()]
        self._order = [*kept, *sorted(others, key=lambda column: column.values.null_count())]
        self._numbers = [
            column for column in self._order if column.is_number and column.values.dtype != pl.Null
        ]
        self._by_name = {column.snake: column for column in self._order}
        rows = min((len(column.values) for column in self._order), default=0)
        self._rows = np.unique(np.linspace(0, max(0, rows - 1), FEW).astype(np.int64)) if rows else None
        self._heads = (
            np.stack([column.numbers[self._rows] for column in self._numbers]) if self._numbers else None
        )
        self._texts: dict[int, list[Column]] = {}
        for column in self._order:
            if column.is_text:
                self._texts.setdefault(column.distinct, []).append(column)

    def reason(self, column: Column) -> str | None:
        """Say what a column repeats; None where it is nothing."""
        given = len(column.values) - column.values.null_count()
        if column.values.dtype.is_nested() or column.distinct < 2 or (column.missing and given < ENOUGH):
            return None
        if original := self._original(column):
            return f"a copy of {original.shown}"
        for ending in RANGES:
            if column.snake.endswith(f"_{ending}"):
                base = self._by_name.get(column.snake.removesuffix(f"_{ending}"))
                if base is not None and base is not column and _is_range(column, base):
                    return f"ranges of {base.shown}"
        return None

    def _original(self, column: Column) -> Column | None:
        if column.is_text:
            for other in self._texts[column.distinct]:
                if other is column:
                    return None
                if other.values.equals(column.values):
                    return other
            return None
        if not column.is_number or self._heads is None:
            return None
        place = next(i for i, other in enumerate(self._numbers) if other is column)
        head = self._heads[place]
        alike = ((self._heads[:place] == head) | np.isnan(head)).all(axis=1)
        for other in (self._numbers[i] for i in np.flatnonzero(alike)):
            if (np.isnan(column.numbers) | (column.numbers == other.numbers)).all():
                return other
        return None


def _is_range(column: Column, base: Column) -> bool:
    """Return whether the values of a column part those of a number into stretches that do not overlap."""
    if not base.is_number or base.distinct <= column.distinct:
        return False
    frame = pl.DataFrame({"range": column.values, "base": base.values}).drop_nulls()
    ends = (
        frame.group_by("range")
        .agg(pl.col("base").min().alias("low"), pl.col("base").max().alias("high"))
        .sort("low")
    )
    return bool((ends["low"][1:] > ends["high"][:-1]).all())
