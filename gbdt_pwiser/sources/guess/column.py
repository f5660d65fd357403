"""A column of a sample: what its name and its values say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.data.values import is_number, is_text, plain

_JOINED: Final = re.compile(
    r"^(ad|advertiser|app|author|brand|campaign|cate|category|creative|customer|device|goods|item|media|member"
    r"|page|product|query|request|search|seller|session|shop|site|sku|store|user|video|visitor)(id)$"
)


@dataclass(frozen=True, eq=False)
class Column:
    """A column of the sample.

    Attributes
    ----------
    name
        As it stands in the source.
    values
        (n,), null where missing.
    """

    name: str
    values: pl.Series = field(repr=False)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the name: `isClick`, `is-click` and `is_click` are of is and click."""
        parts = re.split(r"[\W_]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", self.name).lower())
        return tuple(word for part in parts for word in _JOINED.sub(r"\1 \2", part).split())

    @property
    def snake(self) -> str:
        """The words of the name, joined: `is_click`."""
        return "_".join(self.words)

    @property
    def shown(self) -> str:
        """The name for a line of text: one with odd characters as Python writes it."""
        return self.name if self.name.isprintable() and self.name.strip() else repr(self.name)

    @cached_property
    def missing(self) -> float:
        """Share of the rows without a value."""
        return self.values.null_count() / max(1, len(self.values))

    @cached_property
    def distinct(self) -> int:
        """Number of distinct values, missing apart."""
        return self.values.drop_nulls().n_unique()

    @property
    def rows_a_value(self) -> float:
        """Rows with a value, per distinct value."""
        return (len(self.values) - self.values.null_count()) / max(1, self.distinct)

    @property
    def is_text(self) -> bool:
        """Whether the values are texts."""
        return is_text(self.values.dtype)

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers or booleans."""
        return is_number(self.values.dtype)

    @cached_property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers, whatever their type."""
        if self.values.dtype.is_float():
            given = self.values.drop_nulls()
            return bool(given.is_finite().all() and (given == given.floor()).all())
        return self.values.dtype.is_integer()

    @cached_property
    def is_binary(self) -> bool:
        """Whether the values are 0 and 1, or booleans."""
        return self.is_number and 0 < self.distinct <= 2 and self._within(1)

    @cached_property
    def is_grade(self) -> bool:
        """Whether the values are 0, 1 and 2, and none is missing."""
        return self.is_number and not self.missing and self.distinct == 3 and self._within(2)

    def _within(self, most: int) -> bool:
        return bool(
            self.values.drop_nulls().cast(pl.Float64).is_in([float(i) for i in range(most + 1)]).all()
        )

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The values of a column of numbers, float64 (n,), missing as NaN."""
        return self.values.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    @cached_property
    def happened(self) -> NDArray[np.bool_]:
        """Where there is a value, and for a number one that is not 0: bool (n,)."""
        given = self.values.is_not_null().to_numpy()
        return given & (self.numbers != 0) if self.is_number else given


def columns_of(frame: pl.DataFrame) -> dict[str, Column]:
    """Return the columns of a table by name."""
    return {name: Column(name, plain(nameless(frame, name))) for name in frame.columns}


def told(columns: Iterable[Column], most: int = 8) -> str:
    """Name some columns in a line."""
    names = [column.shown for column in columns]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
