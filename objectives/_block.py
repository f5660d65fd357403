"""A run of exposures small enough for the processor's cache, as the sums over pairs take them in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gbdt_pwiser.objectives._arrays import Array, Index, namespace, take
from gbdt_pwiser.objectives.errors import InputError


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
