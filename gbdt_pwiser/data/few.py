"""A few rows of a table as a model's features, where handling columns would take longer than their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.stored import FEW
from gbdt_pwiser.data.values import SHARED, has_shared_code

_TEXTS: Final = frozenset({pl.String, pl.Categorical, pl.Enum, pl.Null})
_INTEGERS: Final = frozenset(
    {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Null}
)
_NUMBERS: Final = _INTEGERS | {pl.Float32, pl.Float64, pl.Boolean}
_CODES_BELOW: Final = 2.0**31
_NUMBERS_BELOW: Final = 2.0**53


class FewRows(NamedTuple):
    """`Exposures.matrix`, and per encoded column how many values are none of its categories."""

    matrix: NDArray[np.float32]
    unseen: dict[str, int]


class FewRowsEncoder:
    """What `FeatureColumns.encode` does and `Exposures.matrix` makes of it, for a few plain rows at once.

    The columns and types of a table are looked at once, and again where another table has others.
    """

    def __init__(self, columns: FeatureColumns) -> None:
        self._columns = columns
        self._codes = columns.codes_of_values
        self._shared = {name for name, values in columns.categories.items() if has_shared_code(values)}
        # Words that count as missing are left to polars; `str.strip` takes off all that it does.
        self._missing = {name: frozenset(["", *words]) for name, words in columns.missing_words.items()}
        codes = [name in columns.categorical and name not in columns.categories for name in columns.names]
        self._below = np.where(codes, _CODES_BELOW, _NUMBERS_BELOW)[:, np.newaxis]
        self._known: _Known | None = None

    def encode(self, table: pl.DataFrame, source: str) -> FewRows | None:
        """Return the rows; None for those that `FeatureColumns.encode` must see to, or refuse.

        Raises
        ------
        InputError
            As `FeatureColumns.check`.
        """
        if not 0 < table.height <= FEW:
            return None
        names, types = table.columns, list(map(type, table.dtypes))
        if self._known is None or (self._known.names, self._known.types) != (names, types):
            self._columns.check(table.schema, source)
            self._known = self._look_at(names, types)
        if not self._known.plain:
            return None
        unseen = {}
        encoded: list[list[Any]] = []
        for name in self._columns.names:
            if name in self._columns.served_as:
                encoded.append([self._columns.served_as[name]] * table.height)
                continue
            given = table[name].to_list()
            if (codes := self._codes.get(name)) is not None:
                words = self._missing.get(name)
                if words and any(value is not None and value.strip() in words for value in given):
                    return None
                other = SHARED if name in self._shared else None
                found = [None if value is None else codes.get(value, other) for value in given]
                unseen[name] = found.count(None) - given.count(None)
                encoded.append(found)
            else:
                encoded.append(given)
        numbers = np.array(encoded, dtype=np.float64)  # None is NaN
        # Infinite ones, those beyond float32 or int32, and those that two roundings could move.
        if (np.abs(numbers) >= self._below).any():
            return None
        return FewRows(np.ascontiguousarray(numbers.T, dtype=np.float32), unseen)

    def _look_at(self, names: list[str], types: list[type]) -> _Known:
        columns = self._columns
        stored = dict(zip(names, types, strict=True))

        def fits(name: str) -> bool:
            if name not in columns.categories:
                return stored[name] in _NUMBERS
            if name not in self._codes:
                return False
            return stored[name] in (_TEXTS if columns.categories[name].dtype == pl.String else _INTEGERS)

        # What is relative to a page is for whole pages.
        return _Known(names, types, columns.relative is None and all(map(fits, columns.inputs)))


@dataclass(frozen=True)
class _Known:
    """Names and types of a table's columns, and whether those of the features are plain."""

    names: list[str]
    types: list[type]
    plain: bool
