"""Exact hinge sums over all pairs without forming a pair.

An opponent with shifted score t (its score plus the margin) violates its margin against exactly the
anchors with score s < t. Sort the few anchors once; then everything an opponent needs is a prefix sum
looked up at its *location*, the number of distinct anchor scores below t, and everything an anchor
needs is a suffix sum over the locations of the opponents. The n opponents are never sorted.
"""

from __future__ import annotations

import numpy as np

from gbdt_pwiser.objectives._surrogates import Array, Index, Surrogate


class ScoreGrid:
    """Locate scores among sorted ones by a lookup table, exactly.

    The range is cut into equal cells and a table holds, for each cell, how many sorted scores lie in
    earlier cells. Rounding keeps the cell a monotone function of the score, so a score in a later cell is
    surely larger, and only scores that share a cell need to be compared: once where the cell holds one,
    by binary search for the few rows that meet a cell with several.

    Parameters
    ----------
    scores
        float64 (k,), k >= 1, strictly increasing.
    sample
        float64 (any,): scores like those that will be located. They choose where the cells are fine, so
        they affect speed, never the result: a single anchor at 1e30 must not make all others share a cell.
    """

    def __init__(self, scores: Array, sample: Array) -> None:
        self._scores = scores
        self._next = np.append(scores, np.inf)
        low, high = scores[0], scores[-1]
        if len(sample):
            bulk_low, bulk_high = np.quantile(sample, (0.005, 0.995))
            if max(low, bulk_low) < min(high, bulk_high):
                low, high = max(low, bulk_low), min(high, bulk_high)
        cells = int(min(1 << 16, max(1 << 10, 1 << int(16 * len(scores)).bit_length())))
        with np.errstate(over="ignore", divide="ignore"):
            per_unit = cells / (high - low) if high > low else 0.0
        if not np.isfinite(per_unit):  # a range of a few subnormal numbers
            per_unit = 0.0
        self._low, self._per_unit, self._last_cell = low, per_unit, float(cells + 1)
        held = np.bincount(self._cell(scores), minlength=cells + 2)
        before = np.cumsum(held) - held
        # One table answers both questions: ~before, which is negative, where a score has to be compared.
        self._before = np.where(held > 0, ~before, before)

    def _cell(self, t: Array) -> Index:
        x: Array = t - self._low
        x *= self._per_unit
        np.clip(x, 0.0, self._last_cell, out=x)
        return x.astype(np.int64)

    def between(self, t: Array) -> int | None:
        """Return the location that all t share, or None where they have several."""
        low, high = np.searchsorted(self._scores, (t.min(), t.max()), side="left")
        return int(low) if low == high else None

    def locate(self, t: Array) -> Index:
        """Return, for each t, the number of scores < t; int64, the shape of t."""
        location: Index = self._before.take(self._cell(t))
        shared = np.flatnonzero(location < 0)
        if len(shared):
            location[shared] = self._compare(t.take(shared), ~location.take(shared))
        return location

    def _compare(self, t: Array, before: Index) -> Index:
        """Locate t in cells that hold scores, of which `before` lie in earlier cells."""
        location = before + (self._next.take(before) < t)
        several = np.flatnonzero((location > before) & (self._next.take(location) < t))
        if len(several):
            location[several] = np.searchsorted(self._scores, t.take(several), side="left")
        return location


class HingeSweep:
    """Sums of max(0, t_j - s_i) ** degree over all anchors i and opponents j, and their derivatives.

    Opponents come in blocks; the anchors' side accumulates meanwhile and is read at the end.

    Parameters
    ----------
    surrogate
        One with a degree of 1 or 2.
    scores, weights
        float64 (anchors,): scores of the anchors, at least one, and their weights.
    sample
        Some shifted opponent scores, for ScoreGrid.
    """

    def __init__(self, surrogate: Surrogate, scores: Array, weights: Array, sample: Array) -> None:
        self._degree = surrogate.degree
        distinct, self._rank = np.unique(scores, return_inverse=True)
        # Sums of (t - s) are taken about a point inside the scores, or digits cancel.
        self._center = distinct[len(distinct) // 2]
        self._scores, self._weights = scores - self._center, weights
        self._grid = ScoreGrid(distinct, sample)
        self._moments = [_prefix(self._rank, weights * self._scores**k) for k in range(self._degree + 1)]
        size = len(distinct) + 1
        self._opponents = [np.zeros(size) for _ in range(self._degree)]

    def _locate(self, t: Array, skip: Index | None) -> Index:
        location = self._grid.locate(t)
        if skip is not None:
            location[skip] = 0  # below every anchor: no pair
        return location

    def add(self, t: Array, weight: Array | None, skip: Index | None = None) -> tuple[Array, Array | None]:
        """Take in a block of opponents.

        Parameters
        ----------
        t
            float64 (b,): score plus margin.
        weight
            float64 (b,), or None for 1 each.
        skip
            Positions in the block that are no opponents.

        Returns
        -------
        first, second
            float64 (b,): derivatives of the weighted sum in t; second is None where it vanishes.
        """
        if self._degree == 1 and weight is None:
            between = self._grid.between(t)
            if between is not None:
                return self._add_between(between, len(t), skip), None
        location = self._locate(t, skip)
        size = len(self._opponents[0])
        first = self._moments[0].take(location)
        second = None
        self._opponents[0] += np.bincount(location, weight, minlength=size)
        if self._degree == 2:
            t = t - self._center
            self._opponents[1] += np.bincount(location, t if weight is None else t * weight, minlength=size)
            second = 2.0 * first
            first = second * t
            first -= 2.0 * self._moments[1].take(location)
        if weight is not None:
            first *= weight
            if second is not None:
                second *= weight
        return first, second

    def _add_between(self, location: int, count: int, skip: Index | None) -> Array:
        """Take in a block whose opponents all have one location, as most have in practice."""
        first = np.full(count, self._moments[0][location])
        if skip is not None:
            first[skip] = 0.0
            count -= len(skip)
        self._opponents[0][location] += count
        return first

    def anchors(self) -> tuple[Array, Array | None]:
        """Return the derivatives of the weighted sum in the anchors' scores, for all opponents so far."""
        count = _suffix(self._opponents[0])[self._rank]
        if self._degree == 1:
            return -self._weights * count, None
        total = _suffix(self._opponents[1])[self._rank]
        return -2.0 * self._weights * (total - count * self._scores), 2.0 * self._weights * count

    def value(self, t: Array, weight: Array | None, skip: Index | None = None) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        location = self._locate(t, skip)
        t = t - self._center
        m = [moment.take(location) for moment in self._moments]
        each = m[0] * t - m[1] if self._degree == 1 else (m[0] * t - 2.0 * m[1]) * t + m[2]
        return float(each.sum() if weight is None else each @ weight)


def _prefix(rank: Index, values: Array) -> Array:
    """Return the sums of the values of rank < r, for r = 0 .. ranks."""
    return np.concatenate(([0.0], np.cumsum(np.bincount(rank, values))))


def _suffix(by_location: Array) -> Array:
    """Return the sums over the locations > r, for r = 0 .. ranks - 1."""
    return np.cumsum(by_location[:0:-1])[::-1]
