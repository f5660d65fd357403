"""The convex functions phi(u) that stand in for "the pair is in the wrong order"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, at_least, namespace
from gbdt_pwiser.objectives.errors import unknown


@dataclass(frozen=True)
class Surrogate:
    """phi, its derivatives in u, and what the computation over all pairs may rely on.

    Attributes
    ----------
    name
        What the user calls it.
    value, first, second
        phi(u), phi'(u) and phi''(u), elementwise. At a kink both derivatives are those from the left
        (a pair exactly at its margin is satisfied and pulls at nothing).
    degree
        1 or 2: phi(u) = max(0, u) ** degree, so sums over all pairs come exactly from prefix moments.
        0: no such form; sums come from a grid, to a stated bound.
    """

    name: str
    value: Callable[[Array], Array]
    first: Callable[[Array], Array]
    second: Callable[[Array], Array]
    degree: int


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise; large scores saturate silently at 0 and 1."""
    with np.errstate(over="ignore"):
        p = namespace(z).exp(-z)
    p += 1.0
    return 1.0 / p


def sigmoid_and_rest(z: Array, low: float) -> tuple[Array, Array]:
    """Return p = sigmoid(z) and 1 - p, both to the last digits of their type; no z is below low."""
    xp = namespace(z)
    lowest = -700.0 if z.dtype == xp.float64 else -80.0  # exp(-z) must not overflow
    if low < lowest:
        z = xp.clip(z, lowest, None)
    rest = xp.exp(-z)
    p = 1.0 + rest
    p = 1.0 / p
    rest *= p
    return p, rest


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)), elementwise, without overflow."""
    xp = namespace(z)
    return at_least(1.0 * z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))


def _sigmoid_slope(u: Array) -> Array:
    xp = namespace(u)
    e = xp.exp(-xp.abs(u))
    return e / (1.0 + e) ** 2


def _violated(u: Array) -> Array:
    xp = namespace(u)
    return xp.astype(u > 0, xp.float64)


SURROGATES: dict[str, Surrogate] = {
    s.name: s
    for s in (
        Surrogate(
            name="hinge",
            value=lambda u: at_least(1.0 * u, 0.0),
            first=_violated,
            second=lambda u: 0.0 * u,
            degree=1,
        ),
        Surrogate(
            name="squared_hinge",
            value=lambda u: at_least(1.0 * u, 0.0) ** 2,
            first=lambda u: at_least(2.0 * u, 0.0),
            second=lambda u: 2.0 * _violated(u),
            degree=2,
        ),
        Surrogate(name="logistic", value=softplus, first=sigmoid, second=_sigmoid_slope, degree=0),
    )
}


def surrogate_named(name: str) -> Surrogate:
    """Return the surrogate of that name; InputError lists the known ones."""
    try:
        return SURROGATES[name]
    except (KeyError, TypeError):
        raise unknown("surrogate", name, SURROGATES) from None
