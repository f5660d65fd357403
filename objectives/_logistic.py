"""The logistic function and its integral: what BCE is made of, and the surrogate log(1 + e^u)."""

from __future__ import annotations

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, at_least, namespace
from gbdt_pwiser.objectives._surrogate import Surrogate


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise; large scores saturate silently at 0 and 1."""
    with np.errstate(over="ignore"):
        p = namespace(z).exp(-z)
    p += 1.0
    return 1.0 / p


def sigmoid_and_rest(z: Array, high: float) -> tuple[Array, Array]:
    """Return p = sigmoid(z) and 1 - p, both to the last digits of their type; no z is above high."""
    xp = namespace(z)
    highest = 700.0 if z.dtype == xp.float64 else 80.0  # exp(z) must not overflow
    if high > highest:
        z = xp.clip(z, None, highest)
    p = xp.exp(z)
    rest = p + 1.0
    rest = 1.0 / rest
    p *= rest
    return p, rest


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)), elementwise, without overflow."""
    xp = namespace(z)
    return at_least(1.0 * z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))


def _sigmoid_slope(u: Array) -> Array:
    xp = namespace(u)
    e = xp.exp(-xp.abs(u))
    return e / (1.0 + e) ** 2


LOGISTIC = Surrogate(
    name="logistic",
    value=softplus,
    first=sigmoid,
    second=_sigmoid_slope,
    curvature=lambda low, high: (0.25, 0.0963, 0.125),  # those of the whole line, taken near 0
)
