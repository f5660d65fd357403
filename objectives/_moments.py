"""What exact hinge sums are made of, over all pairs and inside groups alike.

A sum of (t - s) ** degree over the anchors below t needs of these only their *moments*, the sums of w s ** k
for k = 0 .. degree. The anchors are sorted, so the moments of those below any opponent are prefix sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, namespace, zeros
from gbdt_pwiser.objectives._block import Block
from gbdt_pwiser.objectives._surrogate import Surrogate


class HingeMoments:
    """The anchors' scores about a point inside them, and sums from moments of either side.

    Parameters
    ----------
    surrogate
        One with a degree of 1 or 2.
    scores
        float64 (anchors,), at least one: scores of the anchors on the scale of the loss.
    margin
        What is added to an opponent's score s to make it t.
    dtype
        Type that the opponents' side is computed in; sums are taken in float64.
    """

    def __init__(self, surrogate: Surrogate, scores: Array, margin: float, dtype: Any) -> None:
        self._degree, self._dtype = surrogate.degree, dtype
        # Sums of (t - s) are taken about a point inside the scores, or digits cancel.
        self._shift, center = _shift_and_center(scores, margin)
        self._scores = scores - center

    def _powers(self, weights: Array) -> list[Array]:
        """Return what the moments are sums of, for k = 0 .. degree."""
        return [weights * self._scores**k for k in range(self._degree + 1)]

    def _shifted(self, block: Block) -> list[Array | None]:
        """Return what is summed of the opponents: weights, and for degree 2 also weighted shifted scores."""
        if self._degree == 1:
            return [block.weight]
        t = block.s - self._shift
        return [block.weight, t if block.weight is None else t * block.weight]

    def _pull(self, block: Block, moments: list[Array]) -> tuple[Array, Array | None]:
        """Return the derivatives in t, for a weight of 1, from the moments of the anchors below each t.

        Works in place on the moments, which are in the computing type; the second is None where it vanishes.
        """
        if self._degree == 1:
            return moments[0], None
        second = moments[0]
        second *= 2.0
        first = block.s - self._shift
        first *= second
        first -= 2.0 * moments[1]
        return first, second

    def _pull_on_anchors(self, above: list[Array]) -> tuple[Array, Array | None]:
        """Return the derivatives in the anchors' scores, from the sums over the opponents above each."""
        if self._degree == 1:
            return -above[0], None
        return -2.0 * (above[1] - above[0] * self._scores), 2.0 * above[0]

    def _sum(self, block: Block, moments: list[Array]) -> float:
        """Return the weighted sum itself, from the moments of the anchors below each t."""
        t = block.s - self._shift
        if self._degree == 1:
            return weighted_sum(moments[0] * t - moments[1], block.weight)
        return weighted_sum((moments[0] * t - 2.0 * moments[1]) * t + moments[2], block.weight)


def _shift_and_center(scores: Array, margin: float) -> tuple[float, float]:
    """Return what to take off an opponent's score s, and off an anchor's, for sums about the middle.

    (s_j + margin) - s_i = (s_j - shift) - (s_i - center)

    The shift has few digits, so that taking it off a float32 score takes off the same as in float64.
    """
    middle = float(scores[scores.shape[0] // 2])
    shift = float(np.float32(middle - margin))
    return shift, shift + margin


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
