"""Exact hinge sums over all pairs without forming a pair.

An opponent violates its margin against exactly the anchors whose *threshold*, the highest raw score that
still keeps the margin, lies below its own raw score. Sort the few thresholds once; then everything an
opponent needs is a prefix sum looked up at its *location*, the number of distinct thresholds below it, and
everything an anchor needs is a suffix sum over the locations of the opponents. The n opponents are never
sorted, and their raw scores are compared as they were given, whatever type the rest is computed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from gbdt_pwiser.objectives._arrays import (
    Array,
    add_run,
    count,
    count_run,
    host,
    like,
    namespace,
    nonzero,
    put,
    take,
    zeros,
)
from gbdt_pwiser.objectives._block import Block
from gbdt_pwiser.objectives._moments import HingeMoments, prefix, suffix
from gbdt_pwiser.objectives._peers import Peers
from gbdt_pwiser.objectives._score_grid import ScoreGrid
from gbdt_pwiser.objectives._surrogate import Surrogate

# Up to this many thresholds inside a block's range are compared with its rows one after another.
FEW = 6


@dataclass(frozen=True)
class Counted:
    """What a block of opponents adds to the anchors' side, one array for each power that is summed.

    Attributes
    ----------
    runs
        By location: the first location, and the sums from there on.
    by_cell
        By cell, of opponents that need no comparison; None where all are in runs.
    """

    runs: list[tuple[int, Array]]
    by_cell: list[Array] | None = None


class HingeSweep(HingeMoments):
    """Sums of max(0, t_j - s_i) ** degree over all anchors i and opponents j, and their derivatives.

    t = s + margin is an opponent's shifted score. Opponents come in blocks, on any thread; what `pull`
    returns for the anchors' side is collected in the order of the blocks and read at the end.

    Parameters
    ----------
    surrogate
        One with a degree of 1 or 2.
    scores, weights
        float64 (anchors,), at least one: scores of the anchors on the scale of the loss, ascending, and
        their weights.
    margin
        What is added to an opponent's score s to make it t.
    thresholds
        (anchors,), ascending, in the type of the raw scores: an opponent with a greater raw score violates
        the margin.
    sample
        Some raw scores, for ScoreGrid.
    dtype
        Type that the opponents' side is computed in; sums are taken in float64.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        scores: Array,
        weights: Array,
        margin: float,
        thresholds: Array,
        sample: Array,
        dtype: Any,
    ) -> None:
        super().__init__(surrogate, scores, margin, dtype)
        xp, self._sample = namespace(scores), sample
        thresholds = xp.sort(thresholds)  # rounding may have swapped neighbours
        starts = xp.concat([thresholds[:1] == thresholds[:1], thresholds[1:] > thresholds[:-1]])
        self._distinct = take(thresholds, nonzero(starts))
        self._rank = xp.cumulative_sum(xp.astype(starts, xp.int64)) - 1
        distinct = int(self._distinct.shape[0])
        self._size = distinct + 1
        self._moments = [prefix(count(self._rank, power, distinct)) for power in self._powers(weights)]
        self._by_location = [zeros(scores, self._size) for _ in range(self._degree)]
        self._by_cell: list[Array] = []
        self._lock = Lock()

    @cached_property
    def _grid(self) -> ScoreGrid:
        return ScoreGrid(self._distinct, self._sample, self._dtype)

    @cached_property
    def _tables(self) -> list[Array]:
        """What an opponent in each cell needs: the moments before it, or -1 where it must be compared."""
        xp = namespace(self._distinct)
        tables = [take(moment, self._grid.before) for moment in self._moments[: self._degree]]
        tables[0] = xp.where(self._grid.held, -1.0, tables[0])
        return [xp.astype(table, self._dtype) for table in tables]

    def pull(self, block: Block) -> tuple[Array, Array | None, Counted]:
        """Return how the anchors pull at a block of opponents.

        Returns
        -------
        first, second
            (b,): derivatives in t, for a weight of 1; second is None where it vanishes.
        counted
            For `collect`.
        """
        ends = like(self._distinct, [block.low, block.high], dtype=self._distinct.dtype)
        lowest, highest = (int(end) for end in namespace(ends).searchsorted(self._distinct, ends))
        if lowest == highest:
            return self._pull_at_one_place(block, lowest)
        if highest - lowest <= FEW and self._degree == 1 and block.weight is None:
            return self._pull_among_few(block, lowest, highest)
        return self._pull_among_many(block)

    def _pull_at_one_place(self, block: Block, location: int) -> tuple[Array, Array | None, Counted]:
        """Pull at a block between two neighbouring thresholds."""
        xp = namespace(block.raw)
        moments = [float(moment[location]) for moment in self._moments]
        runs = []
        for values in self._shifted(block):
            total = block.opponents
            if values is not None:
                total = float(xp.sum(values, dtype=xp.float64))
                if block.skip is not None:
                    total -= float(xp.sum(take(values, block.skip), dtype=xp.float64))
            runs.append((location, like(self._scores, [total])))
        if self._degree == 1:
            pulls = [xp.full_like(block.z, moments[0])]
        else:
            first = block.s - self._shift
            first *= 2.0 * moments[0]
            first -= 2.0 * moments[1]
            pulls = [first, xp.full_like(first, 2.0 * moments[0])]
        if block.skip is not None:
            for pull in pulls:
                put(pull, block.skip, 0.0)
        return pulls[0], pulls[1] if self._degree == 2 else None, Counted(runs)

    def _pull_among_few(self, block: Block, lowest: int, highest: int) -> tuple[Array, None, Counted]:
        """Pull at a block with a few locations, from lowest to highest."""
        xp, moments = namespace(block.raw), self._moments[0]
        first = xp.full_like(block.z, float(moments[lowest]))
        above_each = [block.opponents]
        for k in range(lowest, highest):
            above = block.raw > float(self._distinct[k])
            if block.skip is not None:
                put(above, block.skip, False)
            above_each.append(float(xp.count_nonzero(above)))
            step = xp.astype(above, self._dtype)
            step *= float(moments[k + 1] - moments[k])
            first += step
        if block.skip is not None:
            put(first, block.skip, 0.0)
        between = like(self._scores, -np.diff(above_each, append=0.0))
        return first, None, Counted([(lowest, between)])

    def _pull_among_many(self, block: Block) -> tuple[Array, Array | None, Counted]:
        xp = namespace(block.raw)
        with self._lock:  # both are made for the first block that needs them
            grid, tables = self._grid, self._tables
        cell = grid.cell(block.z, block.low, block.high)
        if block.skip is not None:
            put(cell, block.skip, grid.nowhere)
        counted = self._shifted(block)
        moments = [take(table, cell) for table in tables]
        by_cell = [count(cell, values, grid.cells) for values in counted]
        runs = []
        compared = nonzero(moments[0] < 0)
        if compared.shape[0]:
            at = grid.compare(take(block.raw, compared), take(cell, compared))
            for k, values in enumerate(counted):
                runs.append(count_run(at, None if values is None else take(values, compared)))
                put(moments[k], compared, xp.astype(take(self._moments[k], at), self._dtype))
        return *self._pull(block, moments), Counted(runs, by_cell)

    def collect(self, counted: Counted) -> None:
        """Add what a block counted to the anchors' side."""
        # Without a run there is nothing to add by location.
        for total, run in zip(self._by_location, counted.runs, strict=False):
            add_run(total, run)
        if counted.by_cell is None:
            return
        if not self._by_cell:
            self._by_cell = counted.by_cell
            return
        for total, more in zip(self._by_cell, counted.by_cell, strict=True):
            total += more

    def share(self, peers: Peers) -> None:
        """Add up what all workers have collected; after the last block, before `anchors`."""
        if self._by_cell:
            xp = namespace(self._scores)
            free = xp.astype(~self._grid.held, xp.float64)  # the others were compared
            for total, cells in zip(self._by_location, self._by_cell, strict=True):
                total += count(self._grid.before, free * xp.astype(cells, xp.float64), self._size)
            self._by_cell = []
        if peers.size > 1:
            self._by_location = [like(total, peers.sum(host(total))) for total in self._by_location]

    def anchors(self) -> tuple[Array, Array | None]:
        """Return the derivatives in the anchors' scores, for a weight of 1, for all opponents so far."""
        return self._pull_on_anchors([take(suffix(total), self._rank) for total in self._by_location])

    def value(self, block: Block) -> float:
        """Return the weighted sum itself over a block of opponents."""
        with self._lock:
            grid = self._grid
        location = grid.locate(block.raw)
        if block.skip is not None:
            put(location, block.skip, 0)  # below every threshold: no pair
        return self._sum(block, [take(moment, location) for moment in self._moments])
