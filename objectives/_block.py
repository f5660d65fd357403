"""A run of exposures small enough for the processor's cache, as the sums over pairs take them in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gbdt_pwiser.objectives._arrays import Array, Index, like, namespace, on_cpu, take
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives.errors import InputError

# Rows handled at a time: a few arrays of this length stay in the processor's cache.
BLOCK = 1 << 16


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
        Least and greatest raw score.
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


def blocks(plan: PairPlan) -> Iterator[tuple[slice, Index]]:
    """Blocks of rows, each with the positions of its clicked rows inside the block."""
    length = BLOCK if on_cpu(plan.clicked) else max(1, plan.n)
    starts = list(range(0, plan.n, length))
    cuts = namespace(plan.clicked).searchsorted(plan.clicked, like(plan.clicked, [*starts, plan.n]))
    for k, start in enumerate(starts):
        clicked = plan.clicked[int(cuts[k]) : int(cuts[k + 1])] - start
        yield slice(start, min(start + length, plan.n)), clicked


def finite_range(raw: Array) -> tuple[float, float]:
    """Return the least and the greatest raw score; InputError if any is NaN or infinite.

    Boosters take NaN gradients in silence, so they must not get there.
    """
    xp = namespace(raw)
    low, high = float(xp.min(raw)), float(xp.max(raw))  # NaN is the minimum of anything that holds one
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(
            "a raw score is NaN or infinite; look for NaN in labels, base score or learning rate before it"
        )
    return low, high


def in_type(raw: Array, dtype: Any, low: float, high: float) -> Array:
    """Return raw scores between low and high in the computing type, those beyond its range at its end."""
    xp = namespace(raw)
    if raw.dtype == dtype:
        return raw
    greatest = float(xp.finfo(dtype).max)
    if max(-low, high) > greatest:
        raw = xp.clip(raw, -greatest, greatest)
    return xp.astype(raw, dtype)
