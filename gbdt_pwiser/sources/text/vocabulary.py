"""Codes for ids, learnt from the training rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

UNKNOWN = 0
"""Code of an id that training rows have too seldom, or never."""
_FEWEST = 1 << 18


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The ids of one feature that are known by a code of their own.

    Attributes
    ----------
    ids
        uint32 (k,), ascending.
    codes
        int32 (k,): 1 for the most frequent id, and so on; of equally frequent ones the smaller id first.
    """

    ids: NDArray[np.uint32]
    codes: NDArray[np.int32]

    @classmethod
    def fit(cls, counts: pl.DataFrame, rare: int) -> Vocabulary:
        """Learn from the columns `id` and `rows`; ids of fewer than `rare` rows get no code."""
        known = (
            counts.filter(pl.col("id").is_not_null() & (pl.col("rows") >= rare))
            .sort("rows", "id", descending=[True, False])
            .with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("code"))
            .sort("id")
        )
        return cls(known["id"].to_numpy(), known["code"].to_numpy())

    def encode(self, ids: pl.Series) -> pl.Series:
        """Return Int32 codes; `UNKNOWN` for other ids, null where there is none."""
        values = ids.fill_null(0).to_numpy()
        codes = np.zeros(len(values), dtype=np.int32)
        if len(self.ids):
            place = np.minimum(np.searchsorted(self.ids, values), len(self.ids) - 1)
            codes = np.where(self.ids[place] == values, self.codes[place], np.int32(UNKNOWN))
        encoded = pl.Series(ids.name, codes)
        return encoded.set(ids.is_null(), None) if ids.null_count() else encoded


@dataclass
class Counted:
    """The distinct values of a column and their rows, counted a block at a time.

    Memory holds each value once, and until as many new ones have come, some of them twice.
    """

    _counts: pl.DataFrame | None = None
    _new: list[pl.DataFrame] = field(default_factory=list)

    def add(self, values: pl.Series) -> None:
        """Count the values of a block; missing ones count for nothing."""
        self._new.append(
            pl.DataFrame({"value": values}).drop_nulls().group_by("value").agg(pl.len().alias("rows"))
        )
        if sum(map(len, self._new)) > max(_FEWEST, 0 if self._counts is None else len(self._counts)):
            self._merge()

    def settle(self) -> pl.DataFrame:
        """Return the columns `value`, ascending, and `rows`."""
        self._merge()
        assert self._counts is not None
        return self._counts.sort("value")

    def _merge(self) -> None:
        counts = pl.concat([*([] if self._counts is None else [self._counts]), *self._new])
        self._counts = counts.group_by("value").agg(pl.col("rows").sum())
        self._new = []
