"""From derivatives of the pairwise term in the scores to those of the whole loss in the raw scores."""

from __future__ import annotations

from gbdt_pwiser.objectives._arrays import Array, Index, at_least, namespace, put, take
from gbdt_pwiser.objectives._terms import Scale


def chain_rule(
    scale: Scale,
    p: Array,
    rest: Array,
    clicked: Index,
    w: Array | None,
    pull: tuple[Array | None, Array | None],
    floor: float,
) -> tuple[Array, Array]:
    """Return BCE's derivatives in z, plus the pairs', brought from s to z by the chain rule.

    Works in place: p, rest and the pull's arrays are used up.
    """
    first, second = pull
    h = p * rest
    unclicked = take(rest, clicked)
    if first is None or scale == "logit":
        put(p, clicked, -unclicked)
        if first is not None:
            p += first
        if second is not None:
            second *= 2.0
            h += second
    else:
        rest -= p
        put(p, clicked, -unclicked)
        first *= h
        p += first
        first *= rest  # s'' = q (1 - 2 p), and q is already in
        first = at_least(first, 0.0)
        if second is not None:
            second *= h
            second *= h
            second *= 2.0
            first += second
        h += first
    if w is not None:
        w = namespace(p).astype(w, p.dtype, copy=False)
        p *= w
        h *= w
    return p, at_least(h, floor)
