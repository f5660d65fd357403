"""Where scores lie among sorted ones: a table of cells, corrected where one of them holds a score."""

from __future__ import annotations

from typing import Any

import numpy as np

from gbdt_pwiser.objectives._arrays import (
    Array,
    Index,
    between,
    count,
    like,
    namespace,
    nonzero,
    put,
    take,
    to_index,
)


class ScoreGrid:
    """Locate scores among sorted ones by a lookup table, exactly.

    The range is cut into equal cells and a table holds, for each cell, how many sorted scores lie in
    earlier cells. Rounding keeps the cell a monotone function of the score, so a score in a later cell is
    surely larger, and only scores that share a cell need to be compared: once where the cell holds one,
    by binary search for the few rows that meet a cell with several.

    Parameters
    ----------
    scores
        float (k,): strictly increasing; only the first may be -inf.
    sample
        float (any,): scores like those that will be located. They choose where the cells are fine, so
        they affect speed, never the result: a single anchor at 1e30 must not make all others share a cell.
    dtype
        Floating type that cells are computed in.
    cells
        How many are wanted, at most 2^22; None for what a table of a few columns has room for in the cache.

    Attributes
    ----------
    cells
        How many there are; the last one is nowhere: it holds no score and no score falls into it.
    before
        int64 (cells,): scores in earlier cells; 0 for nowhere.
    held
        bool (cells,): whether a cell holds a score, so that what falls into it must be compared.
    """

    def __init__(self, scores: Array, sample: Array, dtype: Any, *, cells: int | None = None) -> None:
        xp = namespace(scores)
        self._scores, self._dtype = scores, dtype
        self._next = xp.concat([scores, like(scores, [np.inf], dtype=scores.dtype)])
        infinite = int(xp.sum(xp.astype(scores == -np.inf, xp.int64)))
        finite = scores[infinite:]
        size = int(finite.shape[0])
        # Room for 16 cells a score while the table fits the cache; for very many scores, at least 2.
        wanted = max(1 << 12, min(16 * size, 1 << 16), min(2 * size, 1 << 20))
        if cells is not None:
            wanted = max(1 << 12, min(cells, 1 << 22))
        inner = 1 << (wanted - 1).bit_length()
        low, high = _fine_range(finite, sample)
        per_unit = inner / (high - low) if high > low else 0.0
        if not per_unit <= float(xp.finfo(dtype).max):  # a range of a few numbers next to each other
            per_unit = 0.0
        # A cell below the range and one above: what lies there shares none with the scores at the ends, which
        # half a cell keeps clear of the border.
        self._low, self._per_unit, self._last = low - 1.5 * (high - low) / inner, per_unit, float(inner + 2)
        self.cells = inner + 4
        cell = self.cell(xp.astype(finite, dtype), -np.inf, np.inf)
        held = count(cell, None, self.cells)
        self.before = xp.astype(xp.cumulative_sum(held) - held, xp.int64) + infinite
        self.before[-1] = 0
        self.held = held > 0

    @property
    def nowhere(self) -> int:
        """The cell for rows that are no opponents."""
        return self.cells - 1

    def cell(self, z: Array, low: float, high: float) -> Index:
        """Return the cell of each z, which lie between low and high."""
        if not self._per_unit:  # all share a cell
            return namespace(z).zeros_like(z, dtype=namespace(z).int64)
        with np.errstate(over="ignore", invalid="ignore"):
            x = z - self._low
            x *= self._per_unit
        # One cell and the rounding of z are what x may be off by.
        slack = 1.0 + 1e-6 * max(abs(low), abs(high)) * self._per_unit
        inside = (low - self._low) * self._per_unit > slack
        if not (inside and (high - self._low) * self._per_unit < self._last - slack):
            x = between(x, 0.0, self._last)
        return to_index(x)

    def compare(self, raw: Array, cell: Index) -> Index:
        """Return, for each raw score in a cell that holds some, the number of scores < it."""
        xp = namespace(raw)
        before = take(self.before, cell)
        location = before + xp.astype(take(self._next, before) < raw, xp.int64)
        several = nonzero((location > before) & (take(self._next, location) < raw))
        if several.shape[0]:
            found = xp.searchsorted(self._scores, take(raw, several))
            put(location, several, xp.astype(found, xp.int64))
        return location

    def locate(self, raw: Array) -> Index:
        """Return, for each raw score, the number of scores < it."""
        xp = namespace(raw)
        cell = self.cell(xp.astype(raw, self._dtype), -np.inf, np.inf)
        location = take(self.before, cell)
        shared = nonzero(take(self.held, cell))
        if shared.shape[0]:
            put(location, shared, self.compare(take(raw, shared), take(cell, shared)))
        return location


def _fine_range(scores: Array, sample: Array) -> tuple[float, float]:
    """Return the range to cut into cells: where the scores lie, as far as the bulk of the sample does."""
    low, high = (float(scores[0]), float(scores[-1])) if scores.shape[0] else (0.0, 0.0)
    if not sample.shape[0]:
        return low, high
    ordered, last = namespace(sample).sort(sample), sample.shape[0] - 1
    bulk_low, bulk_high = float(ordered[int(0.005 * last)]), float(ordered[int(0.995 * last)])
    if max(low, bulk_low) < min(high, bulk_high):
        low, high = max(low, bulk_low), min(high, bulk_high)
    # A single score would leave no range at all.
    room = max(0.0, (bulk_high - bulk_low) / 64 - (high - low)) / 2
    return low - room, high + room
