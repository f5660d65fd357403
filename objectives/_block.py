"""A run of exposures small enough for the processor's cache, as the sums over pairs take them in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, Index, arange, like, namespace, on_cpu, take
from gbdt_pwiser.objectives._plan import Opponents, PairPlan
from gbdt_pwiser.objectives.errors import InputError

# Rows handled at a time: a few arrays of this length stay in the processor's cache, and a pass over one of
# them outlasts the hand-over of the interpreter from thread to thread.
BLOCK = 1 << 17


@dataclass(frozen=True, eq=False)
class Block:
    """Opponents of one pairwise term.

    Attributes
    ----------
    raw
        (b,): raw scores as they were given. Which pairs violate their margin is decided on these.
    z, s
        (b,): raw scores, and scores on the scale of the loss, in the type that is computed in.
    low, high
        Bounds of the raw scores, as near as the computing type tells.
    weight
        float64 (b,), or None for 1 each.
    skip
        Positions in the block that are no opponents.
    segment
        int64 (b,): the run of anchors that each is paired with; None when it is paired with all.
    """

    raw: Array
    z: Array
    s: Array
    low: float
    high: float
    weight: Array = None
    skip: Index = None
    segment: Index = None

    @property
    def opponents(self) -> float:
        """How many rows are opponents."""
        return float(self.raw.shape[0] - (0 if self.skip is None else self.skip.shape[0]))

    def take(self, positions: Index, segment: Index = None) -> Block:
        """Return some of the rows, each with its segment, as opponents of another term."""
        raw = take(self.raw, positions)
        z = raw if self.z is self.raw else take(self.z, positions)
        s = z if self.s is self.z else take(self.s, positions)
        weight = None if self.weight is None else take(self.weight, positions)
        # The bounds of all rows are bounds of some.
        return Block(raw, z, s, self.low, self.high, weight, None, segment)


@dataclass(frozen=True, eq=False)
class Rows:
    """Which rows a block is made of.

    Attributes
    ----------
    rows
        A run of all rows, or int64: listed ones.
    clicked
        Positions inside the block that are clicked.
    segment
        int64: the run of anchors that each listed row is paired with; None when it is paired with all.
    """

    rows: slice | Index
    clicked: Index
    segment: Index = None


def all_rows(plan: PairPlan) -> Iterator[Rows]:
    """Return all rows, block after block."""
    parts = runs(plan.clicked, plan.n)
    ends = like(plan.clicked, [0, *(part.stop for part in parts)])
    cuts = namespace(plan.clicked).searchsorted(plan.clicked, ends)
    for k, part in enumerate(parts):
        yield Rows(part, plan.clicked[int(cuts[k]) : int(cuts[k + 1])] - part.start)


def opponents(plan: PairPlan, term: Opponents) -> Iterator[Rows]:
    """Return the opponents of a term, block after block; what is clicked is none where all rows are."""
    if term.rows is None:
        yield from all_rows(plan)
        return
    for part in runs(term.rows, term.rows.shape[0]):
        rows = term.rows[part]
        clicked = arange(rows, rows.shape[0] if term.grade else 0)
        yield Rows(rows, clicked, None if term.segment is None else term.segment[part])


def runs(beside: Array, rows: int) -> list[slice]:
    """Return slices of one length, and an even number of them: two threads have then as much to do.

    Neither depends on the number of threads, nor then does any sum.
    """
    number = -(-rows // BLOCK) if on_cpu(beside) else 1
    length = max(1, -(-rows // (number + number % 2 if number > 1 else 1)))
    return [slice(start, min(start + length, rows)) for start in range(0, rows, length)]


def block_of(raw: Array, plan: PairPlan, rows: Rows, dtype: Any) -> Block:
    """Return rows of raw scores as opponents, their scores on the logit scale."""
    run = rows.rows
    of_all, w = isinstance(run, slice), plan.sample_weight
    part = raw[run] if of_all else take(raw, run)
    if w is not None:
        w = w[run] if of_all else take(w, run)
    z, low, high = in_type(part, dtype)
    # Where rows are listed, all are opponents.
    return Block(part, z, z, low, high, w, rows.clicked if of_all else None, rows.segment)


def finite_range(raw: Array) -> tuple[float, float]:
    """Return the least and the greatest raw score; InputError if any is NaN or infinite.

    Boosters take NaN gradients in silence, so they must not get there.
    """
    low, high = _range(raw)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(
            "a raw score is NaN or infinite; look for NaN in labels, base score or learning rate before it"
        )
    return low, high


def in_type(raw: Array, dtype: Any) -> tuple[Array, float, float]:
    """Return raw scores in the computing type, those beyond its range at its end, and bounds of the scores.

    InputError as `finite_range`. In a narrower type the range is found quicker, and one number further out on
    either side bounds what was rounded.
    """
    if raw.dtype == dtype:
        return raw, *finite_range(raw)
    xp = namespace(raw)
    with np.errstate(over="ignore"):
        z = xp.astype(raw, dtype)
    low, high = _range(z)
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = finite_range(raw)
        greatest = float(xp.finfo(dtype).max)
        return xp.astype(xp.clip(raw, -greatest, greatest), dtype), low, high
    if dtype == xp.float32:
        with np.errstate(over="ignore", under="ignore"):
            low = float(np.nextafter(np.float32(low), np.float32(-np.inf)))
            high = float(np.nextafter(np.float32(high), np.float32(np.inf)))
    return z, low, high


def _range(x: Array) -> tuple[float, float]:
    # NaN is the minimum of anything that holds one.
    if isinstance(x, np.ndarray):
        return float(x.min()), float(x.max())
    xp = namespace(x)
    return float(xp.min(x)), float(xp.max(x))
