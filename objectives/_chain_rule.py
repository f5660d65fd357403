"""From derivatives of the pairwise term in the scores to those of the whole loss in the raw scores."""

from __future__ import annotations

from gbdt_pwiser.objectives._arrays import Array, Index, at_least, namespace, put, take, write
from gbdt_pwiser.objectives._terms import Scale


def chain_rule(
    scale: Scale,
    p: Array,
    rest: Array,
    clicked: Index,
    w: Array | None,
    pull: tuple[Array | None, Array | None],
    floor: float,
    out: tuple[Array, Array],
) -> None:
    """Write BCE's derivatives in z, plus the pairs', brought from s to z by the chain rule, into out.

    Works in place: p, rest and the pull's arrays are used up.
    """
    grad, hess = out
    first, second = pull
    h = p * rest
    unclicked = take(rest, clicked)
    if scale == "probability" and first is not None:
        rest -= p
        first *= h
        rest *= first  # s'' = q (1 - 2 p), and q is already in
        rest = at_least(rest, 0.0)
        if second is not None:
            second *= h
            second *= h
            second *= 2.0
            rest += second
        second = rest
    elif second is not None:
        second *= 2.0
    put(p, clicked, -unclicked)
    if w is None:
        write(grad, p, first)
        write(hess, h, second)
    else:
        w = namespace(p).astype(w, p.dtype, copy=False)
        for values, more, target in ((p, first, grad), (h, second, hess)):
            if more is not None:
                values += more
            values *= w
            write(target, values)
    at_least(hess, floor)
