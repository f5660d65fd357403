"""The surrogates that a loss may name."""

from __future__ import annotations

from gbdt_pwiser.objectives._hinges import HINGE, SQUARED_HINGE
from gbdt_pwiser.objectives._logistic import LOGISTIC
from gbdt_pwiser.objectives._surrogate import Surrogate
from gbdt_pwiser.objectives.errors import unknown

SURROGATES: dict[str, Surrogate] = {
    surrogate.name: surrogate
    for surrogate in (
        HINGE,
        SQUARED_HINGE,
        LOGISTIC,
    )
}
"""Surrogates by name, the default first."""


def surrogate_named(name: str) -> Surrogate:
    """Return the surrogate of that name; InputError lists the known ones."""
    try:
        return SURROGATES[name]
    except (KeyError, TypeError):
        raise unknown("surrogate", name, SURROGATES) from None
