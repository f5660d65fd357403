"""Sums over the pairs inside groups, for all groups at once.

Anchors are laid out group after group (a *segment* is the run of one group's anchors), opponents know
their segment. Interface as in HingeSweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gbdt_pwiser.objectives._arrays import (
    Array,
    Index,
    add_run,
    arange,
    count,
    count_run,
    namespace,
    nonzero,
    put,
    take,
    zeros,
)
from gbdt_pwiser.objectives._block import Block
from gbdt_pwiser.objectives._convolution import SmoothGrid
from gbdt_pwiser.objectives._moments import HingeMoments, prefix, weighted_sum
from gbdt_pwiser.objectives._peers import Peers
from gbdt_pwiser.objectives._surrogate import Surrogate

# Segments up to this many anchors are paired one by one: at most this many operations an opponent.
PAIRED_ONE_BY_ONE = 64


class GroupedHingeSweep(HingeMoments):
    """Sums of max(0, t_j - s_i) ** degree over the pairs of each segment.

    Parameters
    ----------
    surrogate, scores, weights, margin, thresholds, dtype
        As HingeSweep; anchors segment after segment, ascending inside each.
    bounds
        int64 (segments + 1,): segment g holds the anchors bounds[g] .. bounds[g + 1] - 1.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        scores: Array,
        weights: Array,
        margin: float,
        thresholds: Array,
        bounds: Index,
        dtype: Any,
    ) -> None:
        super().__init__(surrogate, scores, margin, dtype)
        xp = namespace(scores)
        anchors, segments = int(scores.shape[0]), int(bounds.shape[0]) - 1
        segment = xp.repeat(arange(scores, segments), bounds[1:] - bounds[:-1])
        self._thresholds, self._bounds = thresholds, bounds
        self._moments = [prefix(power) for power in self._powers(weights)]
        # A segment of k anchors has k + 1 places for an opponent, so anchor r of segment g has slot r + g.
        self._slot = arange(scores, anchors) + segment
        self._last_slot = take(bounds[1:] + arange(scores, segments), segment)
        self._longest = int(xp.max(bounds[1:] - bounds[:-1]))
        self._by_slot = [zeros(scores, anchors + segments) for _ in range(self._degree)]

    def _locate(self, raw: Array, segment: Index, start: Index) -> Index:
        """Return how many thresholds of its segment, and of those before, lie below each raw score."""
        xp = namespace(raw)
        length = take(self._bounds, segment + 1) - start
        if self._longest == 1:
            return start + xp.astype(take(self._thresholds, start) < raw, xp.int64)
        # Binary search, all opponents a step at a time.
        low, last = start, self._thresholds.shape[0] - 1
        while xp.any(length > 0):
            half = length >> 1
            middle = low + half
            below = (length > 0) & (take(self._thresholds, xp.clip(middle, 0, last)) < raw)
            low = xp.where(below, middle + 1, low)
            length = xp.where(below, length - half - 1, half)
        return low

    def _between(self, k: int, start: Index, stop: Index) -> Array:
        return take(self._moments[k], stop) - take(self._moments[k], start)

    def pull(self, block: Block) -> tuple[Array, Array | None, list[tuple[int, Array]]]:
        """Return how the anchors pull at a block of opponents, each of a segment; as HingeSweep.pull."""
        xp, segment = namespace(block.raw), block.segment
        start = take(self._bounds, segment)
        location = self._locate(block.raw, segment, start)
        slot = location + segment
        counted = [count_run(slot, values) for values in self._shifted(block)]
        below = [self._between(k, start, location) for k in range(self._degree)]
        return *self._pull(block, [xp.astype(moment, self._dtype) for moment in below]), counted

    def collect(self, counted: list[tuple[int, Array]]) -> None:
        """Add what a block counted to the anchors' side."""
        for total, run in zip(self._by_slot, counted, strict=True):
            add_run(total, run)

    def share(self, peers: Peers) -> None:
        """Do nothing: a group lies with one worker."""

    def anchors(self) -> tuple[Array, Array | None]:
        """Return the derivatives in the anchors' scores, for a weight of 1."""
        xp = namespace(self._scores)
        above = []
        for total in self._by_slot:
            running = xp.cumulative_sum(total)
            above.append(take(running, self._last_slot) - take(running, self._slot))
        return self._pull_on_anchors(above)

    def value(self, block: Block) -> float:
        """Return the weighted sum itself over a block of opponents."""
        start = take(self._bounds, block.segment)
        location = self._locate(block.raw, block.segment, start)
        return self._sum(block, [self._between(k, start, location) for k in range(self._degree + 1)])


class GroupedSmoothSums:
    """Sums of phi(t_j - s_i) over the pairs of each segment.

    Pairs of a segment with few anchors are summed one by one, exactly; a segment with many gets a grid of
    its own. Parameters as SmoothGrid; bounds as GroupedHingeSweep.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        scores: Array,
        weights: Array,
        margin: float,
        bounds: Index,
        low: float,
        high: float,
    ) -> None:
        self._surrogate, self._scores, self._weights, self._bounds = surrogate, scores, weights, bounds
        self._margin = margin
        self._first, self._second = (zeros(scores, scores.shape[0]) for _ in range(2))
        many = nonzero(bounds[1:] - bounds[:-1] > PAIRED_ONE_BY_ONE)
        # Only segments with many anchors come here, so this loop is short.
        self._grids: dict[int, tuple[slice, SmoothGrid]] = {}
        for g in (int(many[k]) for k in range(many.shape[0])):
            run = slice(int(bounds[g]), int(bounds[g + 1]))
            self._grids[g] = run, SmoothGrid(surrogate, scores[run], weights[run], margin, low, high)

    def _pairs(self, block: Block) -> tuple[Index, Index, Array]:
        """Opponent, anchor and t - s of every pair of the segments without a grid."""
        xp = namespace(block.raw)
        start = take(self._bounds, block.segment)
        anchors = take(self._bounds, block.segment + 1) - start
        anchors = xp.where(anchors > PAIRED_ONE_BY_ONE, 0, anchors)
        opponent = xp.repeat(arange(start, start.shape[0]), anchors)
        first_pair = xp.cumulative_sum(anchors) - anchors
        anchor = arange(start, opponent.shape[0]) + take(start - first_pair, opponent)
        t = xp.astype(block.s, xp.float64) + self._margin
        return opponent, anchor, take(t, opponent) - take(self._scores, anchor)

    def _with_grid(self, block: Block) -> Iterator[tuple[SmoothGrid, Index, Block]]:
        for g, (_, grid) in self._grids.items():
            rows = nonzero(block.segment == g)
            if rows.shape[0]:
                yield grid, rows, block.take(rows, None)

    def pull(self, block: Block) -> tuple[Array, Array, Any]:
        """Return how the anchors pull at a block of opponents, each of a segment; as HingeSweep.pull."""
        xp, size = namespace(block.raw), block.raw.shape[0]
        opponent, anchor, u = self._pairs(block)
        weight = None if block.weight is None else take(block.weight, opponent)
        anchor_weight = take(self._weights, anchor)
        out, counted, of_grids = [], [], []
        for kernel in (self._surrogate.first, self._surrogate.second):
            pull = kernel(u)
            counted.append(count_run(anchor, pull if weight is None else pull * weight))
            out.append(xp.astype(count(opponent, pull * anchor_weight, size), block.z.dtype))
        for grid, rows, part in self._with_grid(block):
            *pulls, mass = grid.pull(part)
            of_grids.append((grid, mass))
            for sums, of_grid in zip(out, pulls, strict=True):
                put(sums, rows, of_grid)
        return out[0], out[1], (counted, of_grids)

    def collect(self, counted: Any) -> None:
        """Add what a block counted to the anchors' side."""
        runs, of_grids = counted
        for total, run in zip((self._first, self._second), runs, strict=True):
            add_run(total, run)
        for grid, mass in of_grids:
            grid.collect(mass)

    def share(self, peers: Peers) -> None:
        """Do nothing: a group lies with one worker."""

    def anchors(self) -> tuple[Array, Array]:
        """Return the derivatives in the anchors' scores, for a weight of 1."""
        derivatives = (-self._first, 1.0 * self._second)
        for run, grid in self._grids.values():
            for sums, of_grid in zip(derivatives, grid.anchors(), strict=True):
                sums[run] = of_grid
        return derivatives

    def value(self, block: Block) -> float:
        """Return the weighted sum itself over a block of opponents."""
        opponent, anchor, u = self._pairs(block)
        weight = take(self._weights, anchor)
        if block.weight is not None:
            weight = weight * take(block.weight, opponent)
        total = weighted_sum(self._surrogate.value(u), weight)
        return total + sum(grid.value(part) for grid, _, part in self._with_grid(block))
