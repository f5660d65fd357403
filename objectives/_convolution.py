"""Logistic sums over all pairs by a grid and a convolution.

A sum over anchors of k(t - s) with a smooth k has no finite sweep, but it is a convolution: spread the
anchors' weights over a uniform grid, convolve with k by FFT, read the result between the grid nodes. Both
the spreading and the reading are linear, so each costs at most h^2 / 8 max |k''| for a grid step h.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.signal import fftconvolve

from gbdt_pwiser.objectives._surrogates import Array, Index, Surrogate

STEP = 2.0**-10
MAX_NODES = 2**17
MAX_RANGE = 1024.0
# max |k''| of log(1 + e^u), of its derivative and of its second derivative.
MAX_CURVATURE = (0.25, 0.0963, 0.125)


def grid_step(low: float, high: float) -> float:
    """Return the grid step h for scores between low and high."""
    return max(STEP, min(high - low, MAX_RANGE) / (MAX_NODES - 2))


def logistic_error_bound(low: float, high: float) -> tuple[float, float, float]:
    """Return the error bounds of the pair mean, of its first and of its second derivative in a score.

    h^2 / 4 * max |k''|, with k = log(1 + e^u), its derivative, and its second derivative, and h the grid
    step for scores (opponents' with their margin) between low and high. A derivative's bound is relative to
    the weight of the opposite side. Scores more than 512 from the median anchor count as 512 from it.

    >>> all(bound < 1e-7 for bound in logistic_error_bound(0.0, 1.3))
    True
    """
    h = grid_step(low, high)
    return tuple(h * h / 4.0 * c for c in MAX_CURVATURE)  # type: ignore[return-value]


class LogisticGrid:
    """Sums of log(1 + exp(t_j - s_i)) over all anchors i and opponents j, and their derivatives.

    Parameters
    ----------
    surrogate
        The logistic one.
    scores, weights
        float64 (anchors,): scores of the anchors, at least one, and their weights.
    low, high
        Limits of the shifted scores of all opponents to come.
    """

    def __init__(self, surrogate: Surrogate, scores: Array, weights: Array, low: float, high: float) -> None:
        self._surrogate = surrogate
        middle = float(np.median(scores))
        low = max(min(low, float(scores.min())), middle - MAX_RANGE / 2)
        high = min(max(high, float(scores.max())), middle + MAX_RANGE / 2)
        self._low, self._step = low, grid_step(low, high)
        self._nodes = int(np.ceil((high - low) / self._step)) + 2
        self._last = float(self._nodes - 1.001)
        self._weights = weights
        self._at = self._place(scores)
        self._anchor_mass = self._spread(self._at, weights)
        self._opponent_mass = np.zeros(self._nodes)
        self._differences = np.arange(1 - self._nodes, self._nodes) * self._step
        self._first, self._second = (
            self._convolve(self._anchor_mass, k(self._differences))
            for k in (surrogate.first, surrogate.second)
        )

    def _place(self, t: Array) -> tuple[Index, Array]:
        x = (t - self._low) / self._step
        np.clip(x, 0.0, self._last, out=x)
        node = x.astype(np.int64)
        x -= node
        return node, x

    def _spread(self, at: tuple[Index, Array], weight: Array) -> Array:
        node, fraction = at
        right = fraction * weight
        mass = np.bincount(node, weight - right, minlength=self._nodes)
        mass[1:] += np.bincount(node, right, minlength=self._nodes)[:-1]
        return mass

    def _convolve(self, mass: Array, kernel: Array) -> Array:
        # FFT rounding may dip below zero; none of the sums can.
        return np.maximum(fftconvolve(mass, kernel, mode="valid"), 0.0)  # type: ignore[no-any-return]

    @staticmethod
    def _read(at: tuple[Index, Array], table: Array) -> Array:
        node, fraction = at
        left = table.take(node)
        return left + fraction * (table.take(node + 1) - left)  # type: ignore[no-any-return]

    @staticmethod
    def _weight(t: Array, weight: Array | None, skip: Index | None) -> Array:
        weight = np.ones_like(t) if weight is None else weight.copy()
        if skip is not None:
            weight[skip] = 0.0
        return weight

    def add(self, t: Array, weight: Array | None, skip: Index | None = None) -> tuple[Array, Array]:
        """Take in a block of opponents; see HingeSweep.add."""
        weight = self._weight(t, weight, skip)
        at = self._place(t)
        self._opponent_mass += self._spread(at, weight)
        return self._read(at, self._first) * weight, self._read(at, self._second) * weight

    def anchors(self) -> tuple[Array, Array]:
        """Return the derivatives in the anchors' scores; see HingeSweep.anchors."""
        first, second = (
            # Read from the anchors' side the differences run backwards.
            self._read(self._at, self._convolve(self._opponent_mass, k(-self._differences)))
            for k in (self._surrogate.first, self._surrogate.second)
        )
        return -self._weights * first, self._weights * second

    def value(self, t: Array, weight: Array | None, skip: Index | None = None) -> float:
        """Return the weighted sum itself over a block of opponents, given as to `add`."""
        mass = self._spread(self._place(t), self._weight(t, weight, skip))
        return float(self._values @ mass)

    @cached_property
    def _values(self) -> Array:
        return self._convolve(self._anchor_mass, self._surrogate.value(self._differences))
