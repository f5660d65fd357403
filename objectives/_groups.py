"""Sums over the pairs inside groups, for all groups at once.

Anchors are laid out group after group (a *segment* is the run of one group's anchors), opponents know
their segment. Interface as in HingeSweep, with the opponents' segments in place of the skipped ones.
"""

from __future__ import annotations

import numpy as np

from gbdt_pwiser.objectives._convolution import LogisticGrid
from gbdt_pwiser.objectives._surrogates import Array, Index, Surrogate

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
        self._bounds = bounds
        segment = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        self._order = np.lexsort((scores, segment))
        self._center = float(np.median(scores))
        self._sorted = scores[self._order]
        self._scores, self._weights = self._sorted - self._center, weights[self._order]
        self._moments = [
            np.concatenate(([0.0], np.cumsum(self._weights * self._scores**k)))
            for k in range(self._degree + 1)
        ]
        # A segment of k anchors has k + 1 places for an opponent, so anchor r of segment g has slot r + g.
        self._slot = np.arange(len(scores)) + segment
        self._last_slot = (bounds[1:] + np.arange(len(bounds) - 1))[segment]
        self._opponents = [np.zeros(len(scores) + len(bounds) - 1) for _ in range(self._degree)]

    def _locate(self, t: Array, segment: Index) -> Index:
        """Lower bound of each t inside its segment: binary search, all opponents a step at a time."""
        low = self._bounds[segment]
        length = self._bounds[segment + 1] - low
        while length.any():
            half = length >> 1
            middle = low + half
            below = (length > 0) & (self._sorted.take(middle, mode="clip") < t)
            low = np.where(below, middle + 1, low)
            length = np.where(below, length - half - 1, half)
        return low

    def _between(self, k: int, start: Index, stop: Index) -> Array:
        return self._moments[k].take(stop) - self._moments[k].take(start)

    def add(self, t: Array, weight: Array | None, segment: Index) -> tuple[Array, Array | None]:
        """Take in a block of opponents, each of a segment; returns as HingeSweep.add."""
        location = self._locate(t, segment)
        start = self._bounds[segment]
        t = t - self._center
        for k, total in enumerate(self._opponents):
            values = weight if k == 0 else (t if weight is None else t * weight)
            total += np.bincount(location + segment, values, minlength=len(total))
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
        above = []
        for total in self._opponents:
            running = np.cumsum(total)
            above.append(running[self._last_slot] - running[self._slot])
        first, second = np.empty_like(self._weights), None
        if self._degree == 1:
            first[self._order] = -self._weights * above[0]
        else:
            second = np.empty_like(self._weights)
            first[self._order] = -2.0 * self._weights * (above[1] - above[0] * self._scores)
            second[self._order] = 2.0 * self._weights * above[0]
        return first, second

    def value(self, t: Array, weight: Array | None, segment: Index) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        location, start = self._locate(t, segment), self._bounds[segment]
        t = t - self._center
        m = [self._between(k, start, location) for k in range(self._degree + 1)]
        each = m[0] * t - m[1] if self._degree == 1 else (m[0] * t - 2.0 * m[1]) * t + m[2]
        return float(each.sum() if weight is None else each @ weight)


class GroupedLogistic:
    """Sums of log(1 + exp(t_j - s_i)) over the pairs of each segment.

    Pairs of a segment with few anchors are summed one by one, exactly; a segment with many gets a grid of
    its own. Parameters as GroupedHingeSweep; low and high as LogisticGrid.
    """

    def __init__(
        self, surrogate: Surrogate, scores: Array, weights: Array, bounds: Index, low: float, high: float
    ) -> None:
        self._surrogate, self._scores, self._weights, self._bounds = surrogate, scores, weights, bounds
        self._first, self._second = np.zeros_like(scores), np.zeros_like(scores)
        self._grids = {
            int(g): LogisticGrid(
                surrogate, scores[bounds[g] : bounds[g + 1]], weights[bounds[g] : bounds[g + 1]], low, high
            )
            for g in np.flatnonzero(np.diff(bounds) > PAIRED_ONE_BY_ONE)
        }

    def _pairs(self, segment: Index) -> tuple[Index, Index]:
        """Opponent and anchor of every pair of the segments without a grid."""
        start = self._bounds[segment]
        count = self._bounds[segment + 1] - start
        count[count > PAIRED_ONE_BY_ONE] = 0
        opponent = np.repeat(np.arange(len(segment)), count)
        offset = np.arange(len(opponent)) - np.repeat(np.cumsum(count) - count, count)
        return opponent, start[opponent] + offset

    def _blocks_with_grid(self, segment: Index) -> list[tuple[LogisticGrid, Index]]:
        # Only the few segments with many anchors come here, so this loop is short.
        present = np.unique(segment) if self._grids else ()
        return [(self._grids[g], np.flatnonzero(segment == g)) for g in map(int, present) if g in self._grids]

    def add(self, t: Array, weight: Array | None, segment: Index) -> tuple[Array, Array]:
        """Take in a block of opponents, each of a segment; returns as HingeSweep.add."""
        weight = np.ones_like(t) if weight is None else weight
        opponent, anchor = self._pairs(segment)
        u = t[opponent] - self._scores[anchor]
        pair_weight = weight[opponent] * self._weights[anchor]
        out = []
        for kernel, total in ((self._surrogate.first, self._first), (self._surrogate.second, self._second)):
            pull = kernel(u) * pair_weight
            total += np.bincount(anchor, pull, minlength=len(total))
            # Of no pairs at all bincount makes whole numbers, which would cut what a grid writes in.
            out.append(np.bincount(opponent, pull, minlength=len(t)).astype(np.float64))
        for grid, rows in self._blocks_with_grid(segment):
            for sums, of_grid in zip(out, grid.add(t[rows], weight[rows]), strict=True):
                sums[rows] = of_grid
        return out[0], out[1]

    def anchors(self) -> tuple[Array, Array]:
        """Return the derivatives in the anchors' scores, in the order they were given."""
        derivatives = (-self._first, self._second.copy())
        for g, grid in self._grids.items():
            for sums, of_grid in zip(derivatives, grid.anchors(), strict=True):
                sums[self._bounds[g] : self._bounds[g + 1]] = of_grid
        return derivatives

    def value(self, t: Array, weight: Array | None, segment: Index) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        weight = np.ones_like(t) if weight is None else weight
        opponent, anchor = self._pairs(segment)
        pair_weight = weight[opponent] * self._weights[anchor]
        total = float(self._surrogate.value(t[opponent] - self._scores[anchor]) @ pair_weight)
        return total + sum(
            grid.value(t[rows], weight[rows]) for grid, rows in self._blocks_with_grid(segment)
        )
