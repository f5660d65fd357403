"""How often one score is above another, over all pairs of two classes, without forming or sorting them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gbdt_pwiser.objectives._block import runs
from gbdt_pwiser.objectives._parallel import in_order
from gbdt_pwiser.objectives._score_grid import ScoreGrid

# Below so many rows they are found by binary search before a grid is made.
FEWEST_ROWS = 1 << 14

# So few of the scores meet one of the others in a cell.
CELLS_A_SCORE = 8


def doubled_wins(scores: Any, weight: Any, others: Any, weight_of_others: Any, *, threads: int = 1) -> Any:
    """Return twice the weight of the pairs in which a score is above one of the others, ties counting half.

    ::

        sum_{i, j} w_i v_j (2 [s_i > t_j] + [s_i = t_j])

    The others are sorted, so they should be the fewer; the scores are counted block by block.

    Parameters
    ----------
    scores, others
        (n,) and (m,), at least one of each, none NaN.
    weight, weight_of_others
        float64, both or none.
    threads
        As everywhere: the result is the same, bit for bit, for any number.

    Returns
    -------
    int or float
        A whole number where there are no weights.
    """
    if weight_of_others is None:
        ordered = np.sort(others)
    else:
        order = np.argsort(others)
        ordered = others[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    distinct, below = ordered[starts], np.append(starts, len(others))
    if weight_of_others is not None:
        below = np.append(0.0, np.cumsum(weight_of_others[order]))[below]

    def won(part: Any, at: Any) -> Any:
        # One place further where the score there is met; beyond the last there is none to meet.
        return below[at] + below[at + (distinct.take(at, mode="clip") == part)]

    grid = _grid_of(scores, distinct)
    if grid is None:
        # Scores in a row are found much faster.
        if weight is None:
            in_a_row = np.sort(scores)
            return int(won(in_a_row, distinct.searchsorted(in_a_row)).sum())
        order = np.argsort(scores)
        return float(won(scores[order], distinct.searchsorted(scores[order])) @ weight[order])

    # In half the digits where they suffice, for a table that fits the cache.
    narrow = np.int32 if weight is None and 2 * len(others) < 2**31 else below.dtype
    by_cell = (2 * below.astype(narrow)).take(grid.before)
    by_cell[grid.held] = -1

    def count(rows: slice) -> Any:
        part = scores[rows]
        cell = grid.cell(part, -np.inf, np.inf)
        found = by_cell.take(cell)
        compared = np.flatnonzero(found < 0)
        there = part[compared]
        found[compared] = won(there, grid.compare(there, cell[compared]))
        return int(found.sum(dtype=np.int64)) if weight is None else float(found @ weight[rows])

    totals: list[Any] = []
    in_order(runs(scores, len(scores)), count, totals.append, threads=threads)
    return sum(totals)


def _grid_of(scores: Any, distinct: Any) -> ScoreGrid | None:
    """Return a grid of the distinct scores; None where it is not worth making, or cannot tell them apart."""
    if len(scores) < FEWEST_ROWS or scores.dtype.kind != "f" or distinct.dtype != scores.dtype:
        return None
    greatest = max(-scores.min(), scores.max(), -distinct[0], distinct[-1])
    if not greatest < np.finfo(scores.dtype).max / 4:
        return None
    sample = scores[:: max(1, len(scores) // 2048)]
    grid = ScoreGrid(distinct, sample, scores.dtype, cells=CELLS_A_SCORE * len(distinct))
    # Where most lie in cells with one of them, sorting is faster than comparing.
    return grid if grid.held[grid.cell(sample, -np.inf, np.inf)].mean() < 0.5 else None
