"""What a surrogate is: a convex function phi(u) that stands in for "the pair is in the wrong order"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives.errors import InputError


@dataclass(frozen=True)
class Surrogate:
    """phi, its derivatives in u, and what the computation over all pairs may rely on.

    phi is convex, nowhere negative and nowhere falling. Its sums over all pairs come in one of two ways, so
    one of `degree` and `curvature` is given.

    Attributes
    ----------
    name
        What the user calls it.
    value, first, second
        phi(u), phi'(u) and phi''(u), elementwise, of arrays of any Array API library. At a kink both
        derivatives are those from the left (a pair exactly at its margin is satisfied and pulls at nothing).
    degree
        1 or 2: phi(u) = max(0, u) ** degree, so sums over all pairs come exactly from prefix moments. 0 for
        any other phi.
    curvature
        Of a phi with continuous derivatives, whose sums come from a grid: called with the limits of u, low
        and high, it returns the greatest `|phi''|`, `|phi'''|` and `|phi''''|` between them. The grid's error
        is proportional to them (`grid_error_bound`), so they must be finite where phi is used; on the logit
        scale, that is for all u, from -inf to inf.

    Raises
    ------
    InputError
        Neither a degree of 1 or 2 nor a curvature, or both.
    """

    name: str
    value: Callable[[Array], Array]
    first: Callable[[Array], Array]
    second: Callable[[Array], Array]
    degree: int = 0
    curvature: Callable[[float, float], tuple[float, float, float]] | None = None

    def __post_init__(self) -> None:
        if self.degree not in ((1, 2) if self.curvature is None else (0,)):
            raise InputError(
                f"surrogate {self.name!r} has degree {self.degree!r} and "
                f"{'no' if self.curvature is None else 'a'} curvature; give degree 1 or 2 where phi(u) is "
                "max(0, u) ** degree, else the curvature alone"
            )
