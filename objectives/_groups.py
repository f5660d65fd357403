"""Sums over the pairs inside groups, for all groups at once.

Anchors are laid out group after group (a *segment* is the run of one group's anchors), opponents know
their segment. Interface as in HingeSweep, with the opponents' segments in place of the skipped ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from gbdt_pwiser.objectives._arrays import (
    Array,
    Index,
    arange,
    count,
    namespace,
    nonzero,
    put,
    sort_by,
    zeros,
)
from gbdt_pwiser.objectives._convolution import LogisticGrid
from gbdt_pwiser.objectives._surrogates import Surrogate
from gbdt_pwiser.objectives._sweep import prefix, weighted_sum

# Segments up to this many anchors are paired one by one: at most this many operations an opponent.
PAIRED_ONE_BY_ONE = 64


class GroupedHingeSweep:
    """Sums of max(0, t_j - s_i) ** degree over the pairs of each segment.

    Parameters
    ----------
    surrogate
        One with a degree of 1 or 2.
    scores, weights
        float64 (anchors,): segment after segment, in any order inside one.
    bounds
        int64 (segments + 1,): segment g holds the anchors bounds[g] .. bounds[g + 1] - 1.
    """

    def __init__(self, surrogate: Surrogate, scores: Array, weights: Array, bounds: Index) -> None:
        self._degree = surrogate.degree
        xp = namespace(scores)
        self._bounds = bounds
        anchors, segments = int(scores.shape[0]), int(bounds.shape[0]) - 1
        segment = xp.repeat(arange(scores, segments), bounds[1:] - bounds[:-1])
        self._order = sort_by(scores, segment)
        self._sorted = xp.take(scores, self._order)
        self._center = float(self._sorted[anchors // 2])
        self._scores, self._weights = self._sorted - self._center, xp.take(weights, self._order)
        self._moments = [prefix(self._weights * self._scores**k) for k in range(self._degree + 1)]
        # A segment of k anchors has k + 1 places for an opponent, so anchor r of segment g has slot r + g.
        self._slot = arange(scores, anchors) + segment
        self._last_slot = xp.take(bounds[1:] + arange(scores, segments), segment)
        self._opponents = [zeros(scores, anchors + segments) for _ in range(self._degree)]

    def _locate(self, t: Array, segment: Index) -> Index:
        """Lower bound of each t inside its segment: binary search, all opponents a step at a time."""
        xp = namespace(t)
        low = xp.take(self._bounds, segment)
        length = xp.take(self._bounds, segment + 1) - low
        last = self._sorted.shape[0] - 1
        while xp.any(length > 0):
            half = length >> 1
            middle = low + half
            below = (length > 0) & (xp.take(self._sorted, xp.clip(middle, 0, last)) < t)
            low = xp.where(below, middle + 1, low)
            length = xp.where(below, length - half - 1, half)
        return low

    def _between(self, k: int, start: Index, stop: Index) -> Array:
        xp = namespace(start)
        return xp.take(self._moments[k], stop) - xp.take(self._moments[k], start)

    def add(self, t: Array, weight: Array | None, segment: Index) -> tuple[Array, Array | None]:
        """Take in a block of opponents, each of a segment; returns as HingeSweep.add."""
        location = self._locate(t, segment)
        start = namespace(t).take(self._bounds, segment)
        t = t - self._center
        for k, total in enumerate(self._opponents):
            values = weight if k == 0 else (t if weight is None else t * weight)
            total += count(location + segment, values, total.shape[0])
        first = self._between(0, start, location)
        second = None
        if self._degree == 2:
            second = 2.0 * first
            first = second * t - 2.0 * self._between(1, start, location)
        if weight is not None:
            first = first * weight
            second = None if second is None else second * weight
        return first, second

    def anchors(self) -> tuple[Array, Array | None]:
        """Return the derivatives in the anchors' scores, in the order they were given."""
        xp = namespace(self._scores)
        above = []
        for total in self._opponents:
            running = xp.cumulative_sum(total)
            above.append(xp.take(running, self._last_slot) - xp.take(running, self._slot))
        back = xp.argsort(self._order)
        if self._degree == 1:
            return xp.take(-self._weights * above[0], back), None
        first = -2.0 * self._weights * (above[1] - above[0] * self._scores)
        return xp.take(first, back), xp.take(2.0 * self._weights * above[0], back)

    def value(self, t: Array, weight: Array | None, segment: Index) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        location, start = self._locate(t, segment), namespace(t).take(self._bounds, segment)
        t = t - self._center
        m = [self._between(k, start, location) for k in range(self._degree + 1)]
        each = m[0] * t - m[1] if self._degree == 1 else (m[0] * t - 2.0 * m[1]) * t + m[2]
        return weighted_sum(each, weight)


class GroupedLogistic:
    """Sums of log(1 + exp(t_j - s_i)) over the pairs of each segment.

    Pairs of a segment with few anchors are summed one by one, exactly; a segment with many gets a grid of
    its own. Parameters as GroupedHingeSweep; low and high as LogisticGrid.
    """

    def __init__(
        self, surrogate: Surrogate, scores: Array, weights: Array, bounds: Index, low: float, high: float
    ) -> None:
        self._surrogate, self._scores, self._weights, self._bounds = surrogate, scores, weights, bounds
        self._first, self._second = (zeros(scores, scores.shape[0]) for _ in range(2))
        many = nonzero(bounds[1:] - bounds[:-1] > PAIRED_ONE_BY_ONE)
        # Only segments with many anchors come here, so this loop is short.
        self._grids: dict[int, tuple[slice, LogisticGrid]] = {}
        for g in (int(many[k]) for k in range(many.shape[0])):
            run = slice(int(bounds[g]), int(bounds[g + 1]))
            self._grids[g] = run, LogisticGrid(surrogate, scores[run], weights[run], low, high)

    def _pairs(self, segment: Index) -> tuple[Index, Index]:
        """Opponent and anchor of every pair of the segments without a grid."""
        xp = namespace(segment)
        start = xp.take(self._bounds, segment)
        anchors = xp.take(self._bounds, segment + 1) - start
        anchors = xp.where(anchors > PAIRED_ONE_BY_ONE, 0, anchors)
        opponent = xp.repeat(arange(segment, segment.shape[0]), anchors)
        first_pair = xp.cumulative_sum(anchors) - anchors
        offset = arange(segment, opponent.shape[0]) - xp.take(first_pair, opponent)
        return opponent, xp.take(start, opponent) + offset

    def _with_grid(self, segment: Index) -> Iterator[tuple[LogisticGrid, Index]]:
        for g, (_, grid) in self._grids.items():
            rows = nonzero(segment == g)
            if rows.shape[0]:
                yield grid, rows

    def add(self, t: Array, weight: Array | None, segment: Index) -> tuple[Array, Array]:
        """Take in a block of opponents, each of a segment; returns as HingeSweep.add."""
        xp = namespace(t)
        weight = xp.ones_like(t) if weight is None else weight
        opponent, anchor = self._pairs(segment)
        u = xp.take(t, opponent) - xp.take(self._scores, anchor)
        pair_weight = xp.take(weight, opponent) * xp.take(self._weights, anchor)
        out = []
        for kernel, total in ((self._surrogate.first, self._first), (self._surrogate.second, self._second)):
            pull = kernel(u) * pair_weight
            total += count(anchor, pull, total.shape[0])
            out.append(count(opponent, pull, t.shape[0]))
        for grid, rows in self._with_grid(segment):
            for sums, of_grid in zip(out, grid.add(xp.take(t, rows), xp.take(weight, rows)), strict=True):
                put(sums, rows, of_grid)
        return out[0], out[1]

    def anchors(self) -> tuple[Array, Array]:
        """Return the derivatives in the anchors' scores, in the order they were given."""
        derivatives = (-self._first, 1.0 * self._second)
        for run, grid in self._grids.values():
            for sums, of_grid in zip(derivatives, grid.anchors(), strict=True):
                sums[run] = of_grid
        return derivatives

    def value(self, t: Array, weight: Array | None, segment: Index) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        xp = namespace(t)
        weight = xp.ones_like(t) if weight is None else weight
        opponent, anchor = self._pairs(segment)
        pair_weight = xp.take(weight, opponent) * xp.take(self._weights, anchor)
        u = xp.take(t, opponent) - xp.take(self._scores, anchor)
        total = weighted_sum(self._surrogate.value(u), pair_weight)
        return total + sum(
            grid.value(xp.take(t, rows), xp.take(weight, rows)) for grid, rows in self._with_grid(segment)
        )
