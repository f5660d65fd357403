"""Sums of a smooth surrogate over all pairs by a grid and a convolution.

A sum over anchors of k(t - s) with a smooth k has no finite sweep, but it is a convolution: spread the
anchors' weights over a uniform grid, convolve with k by FFT, read the result between the grid nodes. Both
the spreading and the reading are linear, so each costs at most h^2 / 8 max |k''| for a grid step h.
"""

from __future__ import annotations

import math
from functools import cached_property

from gbdt_pwiser.objectives._arrays import (
    Array,
    Index,
    arange,
    at_least,
    count,
    host,
    like,
    namespace,
    put,
    take,
    to_index,
    zeros,
)
from gbdt_pwiser.objectives._block import Block
from gbdt_pwiser.objectives._logistic import LOGISTIC
from gbdt_pwiser.objectives._peers import Peers
from gbdt_pwiser.objectives._surrogate import Surrogate
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import LARGEST_PARAMETER

STEP = 2.0**-10
MAX_NODES = 2**17
MAX_RANGE = 1024.0


def grid_step(low: float, high: float) -> float:
    """Return the grid step h for scores between low and high."""
    return max(STEP, min(high - low, MAX_RANGE) / (MAX_NODES - 2))


def grid_error_bound(surrogate: Surrogate, low: float, high: float) -> tuple[float, float, float]:
    """Return the error bounds of the pair mean, of its first and of its second derivative in a score.

    `h^2 / 4 * max |k''|`, with k = phi, its derivative, and its second derivative, and h the grid step for
    scores (opponents' with their margin) between low and high; 0 for a surrogate whose sums are exact. A
    derivative's bound is relative to the weight of the opposite side. Scores more than 512 from the median
    anchor count as 512 from it.

    >>> from gbdt_pwiser.objectives import SURROGATES
    >>> grid_error_bound(SURROGATES["hinge"], 0.0, 1.3)
    (0.0, 0.0, 0.0)
    """
    if surrogate.curvature is None:
        return 0.0, 0.0, 0.0
    h = grid_step(low, high)
    reach = min(high - low, MAX_RANGE) + 2.0 * h  # differences of scores, each with the nodes beside it
    value, first, second = (h * h / 4.0 * c for c in surrogate.curvature(-reach, reach))
    return value, first, second


def logistic_error_bound(low: float, high: float) -> tuple[float, float, float]:
    """Return `grid_error_bound` of the logistic surrogate for scores between low and high.

    >>> all(bound < 1e-7 for bound in logistic_error_bound(0.0, 1.3))
    True
    """
    return grid_error_bound(LOGISTIC, low, high)


def check_curvature(surrogate: Surrogate, scale: str, **margins: float) -> None:
    """Raise InputError where a smooth surrogate is so steep that the error bound of a grid says nothing.

    On the probability scale no pair has a u beyond 1 + margin. Raw scores have no limits, and there a phi
    whose derivatives grow for ever has sums that the rounding of the FFT drowns: it is relative to the
    largest value of phi in the grid, however small most pairs' own are.
    """
    if surrogate.curvature is None:
        return
    for name, margin in margins.items():
        reach = 1.0 + margin if scale == "probability" else math.inf
        try:
            greatest = max(surrogate.curvature(-reach, reach))
        except OverflowError:
            greatest = math.inf
        if greatest <= LARGEST_PARAMETER:
            continue
        if scale == "logit":
            raise InputError(
                f"surrogate {surrogate.name!r} has derivatives without bound, and so would be the error of "
                "its sums on the logit scale, whose scores have no limits; choose "
                'scale="probability" or another surrogate'
            )
        raise InputError(
            f"{name} is {margin:g}, where surrogate {surrogate.name!r} has derivatives of up to "
            f"{greatest:.2g}, more than {LARGEST_PARAMETER:g}; give a smaller margin or choose another "
            "surrogate"
        )


class SmoothGrid:
    """Sums of phi(t_j - s_i) over all anchors i and opponents j, and their derivatives.

    Parameters
    ----------
    surrogate
        One with a curvature.
    scores, weights
        float64 (anchors,): scores of the anchors, at least one, and their weights.
    margin
        What is added to an opponent's score s to make it t.
    low, high
        Limits of the shifted scores t of all opponents to come.
    """

    def __init__(
        self, surrogate: Surrogate, scores: Array, weights: Array, margin: float, low: float, high: float
    ) -> None:
        xp = namespace(scores)
        self._surrogate, self._margin = surrogate, margin
        middle = float(xp.sort(scores)[scores.shape[0] // 2])
        low = max(min(low, float(xp.min(scores))), middle - MAX_RANGE / 2)
        high = min(max(high, float(xp.max(scores))), middle + MAX_RANGE / 2)
        self._low, self._step = low, grid_step(low, high)
        self._nodes = math.ceil((high - low) / self._step) + 2
        self._last = float(self._nodes - 1.001)
        self._at = self._place(scores)
        self._anchor_mass = self._spread(self._place(scores), weights)
        self._opponent_mass = zeros(scores, self._nodes)
        steps = arange(scores, 2 * self._nodes - 1) - (self._nodes - 1)
        self._differences = xp.astype(steps, xp.float64) * self._step
        self._first, self._second = (
            self._convolve(self._anchor_mass, k(self._differences))
            for k in (surrogate.first, surrogate.second)
        )

    def _place(self, t: Array) -> tuple[Index, Array]:
        xp = namespace(t)
        x = t - self._low
        x *= 1.0 / self._step
        x = xp.clip(x, 0.0, self._last)
        node = to_index(x)
        x -= xp.astype(node, xp.float64)
        return node, x

    def _spread(self, at: tuple[Index, Array], weight: Array | None, skip: Index | None = None) -> Array:
        """Return the mass on each node; works in place on at."""
        xp = namespace(at[1])
        node, right = at
        if skip is not None:
            put(node, skip, self._nodes)  # one beyond the last
        if weight is not None:
            right *= weight
        mass = xp.astype(count(node, weight, self._nodes + 1), xp.float64)[:-1]
        moved = count(node, right, self._nodes + 1)[:-1]
        mass -= moved
        mass[1:] += moved[:-1]
        return mass

    def _convolve(self, mass: Array, kernel: Array) -> Array:
        import scipy.fft  # at the top it would be most of the time that the command line takes to start

        xp = namespace(mass)
        size = scipy.fft.next_fast_len(3 * self._nodes - 2, real=True)
        product = xp.fft.rfft(mass, n=size) * xp.fft.rfft(kernel, n=size)
        full = xp.fft.irfft(product, n=size)
        # FFT rounding may dip below zero; none of the sums can.
        return at_least(full[self._nodes - 1 : 2 * self._nodes - 1], 0.0)

    @staticmethod
    def _read(at: tuple[Index, Array], table: Array) -> Array:
        node, fraction = at
        left = take(table, node)
        return left + fraction * (take(table, node + 1) - left)

    def _shifted(self, block: Block) -> Array:
        xp = namespace(block.s)
        return xp.astype(block.s, xp.float64) + self._margin

    def pull(self, block: Block) -> tuple[Array, Array, Array]:
        """Return how the anchors pull at a block of opponents, and its mass; see HingeSweep.pull."""
        xp = namespace(block.s)
        at = self._place(self._shifted(block))
        pull = []
        for table in (self._first, self._second):
            read = xp.astype(self._read(at, table), block.z.dtype)
            if block.skip is not None:
                put(read, block.skip, 0.0)
            pull.append(read)
        return pull[0], pull[1], self._spread(at, block.weight, block.skip)

    def collect(self, mass: Array) -> None:
        """Add the mass of a block to the anchors' side; see HingeSweep.collect."""
        self._opponent_mass += mass

    def share(self, peers: Peers) -> None:
        """Add up what all workers have collected; see HingeSweep.share."""
        if peers.size > 1:
            self._opponent_mass = like(self._opponent_mass, peers.sum(host(self._opponent_mass)))

    def anchors(self) -> tuple[Array, Array]:
        """Return the derivatives in the anchors' scores, for a weight of 1; see HingeSweep.anchors."""
        first, second = (
            # Read from the anchors' side the differences run backwards.
            self._read(self._at, self._convolve(self._opponent_mass, k(-self._differences)))
            for k in (self._surrogate.first, self._surrogate.second)
        )
        return -first, second

    def value(self, block: Block) -> float:
        """Return the weighted sum itself over a block of opponents."""
        mass = self._spread(self._place(self._shifted(block)), block.weight, block.skip)
        return float(namespace(mass).sum(self._values * mass))

    @cached_property
    def _values(self) -> Array:
        return self._convolve(self._anchor_mass, self._surrogate.value(self._differences))
