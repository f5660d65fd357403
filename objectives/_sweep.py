"""Exact hinge sums over all pairs without forming a pair.

An opponent with shifted score t (its score plus the margin) violates its margin against exactly the
anchors with score s < t. Sort the few anchors once; then everything an opponent needs is a prefix sum
looked up at its *location*, the number of distinct anchor scores below t, and everything an anchor
needs is a suffix sum over the locations of the opponents. The n opponents are never sorted.
"""

from __future__ import annotations

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, Index, count, like, namespace, nonzero, put, zeros
from gbdt_pwiser.objectives._surrogates import Surrogate


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
        xp = namespace(scores)
        self._scores, self._size = scores, int(scores.shape[0])
        self._next = xp.concat([scores, like(scores, [np.inf])])
        low, high = float(scores[0]), float(scores[-1])
        if sample.shape[0]:
            ordered, last = xp.sort(sample), sample.shape[0] - 1
            bulk_low, bulk_high = float(ordered[int(0.005 * last)]), float(ordered[int(0.995 * last)])
            if max(low, bulk_low) < min(high, bulk_high):
                low, high = max(low, bulk_low), min(high, bulk_high)
        # Room for 16 cells a score while the table fits the cache; for very many scores, at least 2.
        wanted = max(1 << 10, min(16 * self._size, 1 << 16), min(2 * self._size, 1 << 20))
        cells = 1 << (wanted - 1).bit_length()
        per_unit = cells / (high - low) if high > low else 0.0
        if not np.isfinite(per_unit):  # a range of a few subnormal numbers
            per_unit = 0.0
        self._low, self._per_unit, self._last_cell = low, per_unit, float(cells + 1)
        held = count(self._cell(scores), None, cells + 2)
        before = xp.astype(xp.cumulative_sum(held) - held, xp.int64)
        # One table answers both questions: ~before, which is negative, where a score has to be compared.
        self._before = xp.where(held > 0, ~before, before)

    def _cell(self, t: Array) -> Index:
        xp = namespace(t)
        x = t - self._low
        x *= self._per_unit
        return xp.astype(xp.clip(x, 0.0, self._last_cell), xp.int64)

    def between(self, t: Array) -> int | None:
        """Return the location that all t share, or None where they have several."""
        xp = namespace(t)
        location = int(xp.searchsorted(self._scores, xp.min(t)))
        return location if bool(xp.max(t) <= self._next[location]) else None

    def locate(self, t: Array) -> Index:
        """Return, for each t, the number of scores < t; int64, the shape of t."""
        xp = namespace(t)
        location = xp.take(self._before, self._cell(t))
        shared = nonzero(location < 0)
        if shared.shape[0]:
            put(location, shared, self._compare(xp.take(t, shared), ~xp.take(location, shared)))
        return location

    def _compare(self, t: Array, before: Index) -> Index:
        """Locate t in cells that hold scores, of which `before` lie in earlier cells."""
        xp = namespace(t)
        location = before + xp.astype(xp.take(self._next, before) < t, xp.int64)
        several = nonzero((location > before) & (xp.take(self._next, location) < t))
        if several.shape[0]:
            found = xp.searchsorted(self._scores, xp.take(t, several))
            put(location, several, xp.astype(found, xp.int64))
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
        xp = namespace(scores)
        distinct, self._rank = xp.unique_inverse(scores)
        self._size = int(distinct.shape[0]) + 1
        # Sums of (t - s) are taken about a point inside the scores, or digits cancel.
        self._center = float(distinct[self._size // 2 - 1])
        self._scores, self._weights = scores - self._center, weights
        self._grid = ScoreGrid(distinct, sample)
        # Blocks between two neighbouring anchors are cheap, but worth looking for only if the sample is one.
        self._narrow = bool(sample.shape[0]) and self._grid.between(sample) is not None
        self._moments = [
            prefix(count(self._rank, weights * self._scores**k, self._size - 1))
            for k in range(self._degree + 1)
        ]
        self._opponents = [zeros(scores, self._size) for _ in range(self._degree)]

    def _locate(self, t: Array, skip: Index | None) -> Index:
        location = self._grid.locate(t)
        if skip is not None:
            put(location, skip, 0)  # below every anchor: no pair
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
        if self._narrow and self._degree == 1 and weight is None:
            between = self._grid.between(t)
            if between is not None:
                return self._add_between(between, t, skip), None
        location = self._locate(t, skip)
        xp = namespace(t)
        first = xp.take(self._moments[0], location)
        second = None
        self._opponents[0] += count(location, weight, self._size)
        if self._degree == 2:
            t = t - self._center
            self._opponents[1] += count(location, t if weight is None else t * weight, self._size)
            second = 2.0 * first
            first = second * t
            first -= 2.0 * xp.take(self._moments[1], location)
        if weight is not None:
            first *= weight
            if second is not None:
                second *= weight
        return first, second

    def _add_between(self, location: int, t: Array, skip: Index | None) -> Array:
        """Take in a block whose opponents all have one location, as most have in practice."""
        first = namespace(t).full_like(t, float(self._moments[0][location]))
        opponents = t.shape[0]
        if skip is not None:
            put(first, skip, 0.0)
            opponents -= skip.shape[0]
        self._opponents[0][location] += float(opponents)
        return first

    def anchors(self) -> tuple[Array, Array | None]:
        """Return the derivatives of the weighted sum in the anchors' scores, for all opponents so far."""
        xp = namespace(self._scores)
        above = [xp.take(suffix(total), self._rank) for total in self._opponents]
        if self._degree == 1:
            return -self._weights * above[0], None
        return -2.0 * self._weights * (above[1] - above[0] * self._scores), 2.0 * self._weights * above[0]

    def value(self, t: Array, weight: Array | None, skip: Index | None = None) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        location = self._locate(t, skip)
        t = t - self._center
        m = [namespace(t).take(moment, location) for moment in self._moments]
        each = m[0] * t - m[1] if self._degree == 1 else (m[0] * t - 2.0 * m[1]) * t + m[2]
        return weighted_sum(each, weight)


def weighted_sum(values: Array, weight: Array | None) -> float:
    """Return sum_i w_i x_i, with weights of 1 where there are none."""
    return float(namespace(values).sum(values if weight is None else values * weight))


def prefix(values: Array) -> Array:
    """Return the sums of the first r values, for r = 0 .. all."""
    xp = namespace(values)
    return xp.concat([zeros(values, 1), xp.cumulative_sum(values)])


def suffix(by_location: Array) -> Array:
    """Return the sums over the locations > r, for r = 0 .. locations - 2."""
    xp = namespace(by_location)
    return xp.flip(xp.cumulative_sum(xp.flip(by_location[1:])))
