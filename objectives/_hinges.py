"""The surrogates max(0, u) and max(0, u)^2."""

from __future__ import annotations

from gbdt_pwiser.objectives._arrays import Array, at_least, namespace
from gbdt_pwiser.objectives._surrogate import Surrogate


def _violated(u: Array) -> Array:
    xp = namespace(u)
    return xp.astype(u > 0, xp.float64)


HINGE = Surrogate(
    name="hinge",
    value=lambda u: at_least(1.0 * u, 0.0),
    first=_violated,
    second=lambda u: 0.0 * u,
    degree=1,
)
SQUARED_HINGE = Surrogate(
    name="squared_hinge",
    value=lambda u: at_least(1.0 * u, 0.0) ** 2,
    first=lambda u: at_least(2.0 * u, 0.0),
    second=lambda u: 2.0 * _violated(u),
    degree=2,
)
