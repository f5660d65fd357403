"""The loss's value and derivatives, block by block of rows, on any number of threads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain
from sys import getrefcount
from typing import Any

import numpy as np

from gbdt_pwiser.objectives._anchors import Anchors
from gbdt_pwiser.objectives._arrays import Array, arange, namespace, put, take
from gbdt_pwiser.objectives._block import Block, Rows, all_rows, block_of, opponents
from gbdt_pwiser.objectives._chain_rule import chain_rule
from gbdt_pwiser.objectives._logistic import sigmoid_and_rest, softplus
from gbdt_pwiser.objectives._moments import weighted_sum
from gbdt_pwiser.objectives._parallel import in_order
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives._terms import Scale, Term, pull_on_anchors

# Least second-order value, in units of the mean sample weight: a leaf whose hessians sum to nearly nothing
# gets an absurd value or none.
HESSIAN_FLOOR = 1e-6

# Rows, their derivatives, the term they are opponents in, and what they add to its anchors' side.
Done = tuple[Rows, tuple[Array, Array], Term | None, Any]


def total_value(raw: Array, plan: PairPlan, terms: list[Term], scale: Scale, *, threads: int) -> float:
    """Return total weight times the loss: BCE, and the terms as they are weighed."""
    kind = namespace(raw).float64
    values = [0.0] * (1 + len(terms))

    def bce(rows: Rows) -> float:
        block = block_of(raw, plan, rows, kind)
        each = softplus(block.z)
        put(each, rows.clicked, take(each, rows.clicked) - take(block.z, rows.clicked))
        return weighted_sum(each, block.weight)

    def of_term(rows: Rows, term: Term) -> float:
        return float(term.sums.value(_on_scale(block_of(raw, plan, rows, kind), scale)[0]))

    def collect(value: float, of: int = 0) -> None:
        values[of] += value

    in_order(all_rows(plan), bce, collect, threads=threads)
    for k, term in enumerate(terms, 1):
        rows = opponents(plan, term.opponents)
        in_order(rows, partial(of_term, term=term), partial(collect, of=k), threads=threads)
    return sum(values)


def derivatives(
    raw: Array,
    plan: PairPlan,
    anchors: Anchors | None,
    terms: list[Term],
    scale: Scale,
    kind: Any,
    *,
    threads: int,
) -> tuple[Array, Array]:
    """Return gradient and second-order value of total weight times the loss, in the type `kind`."""
    grad, hess = _outputs(raw, plan, kind)
    floor = HESSIAN_FLOOR * plan.mean_weight
    # Alone, BCE is computed as precisely as the scores are, and then rounded, as boosters do it: in near
    # ties of two splits the last digit decides.
    computed = kind if terms else raw.dtype

    def of_opponents(item: tuple[Rows, Term | None]) -> Done:
        rows, term = item
        block, p, rest = _on_scale(block_of(raw, plan, rows, computed), scale)
        first, second, counted = (None, None, None) if term is None else term.sums.pull(block)
        # What is listed is written when it is collected, after all rows.
        out = (grad[rows.rows], hess[rows.rows]) if isinstance(rows.rows, slice) else _empty_like(p, kind)
        chain_rule(scale, p, rest, rows.clicked, block.weight, (first, second), floor, out)
        return rows, out, term, counted

    def collect(done: Done) -> None:
        rows, out, term, counted = done
        if not isinstance(rows.rows, slice):
            for target, values in zip((grad, hess), out, strict=True):
                put(target, rows.rows, values)
        if term is not None:
            term.sums.collect(counted)

    # All rows first, together with the term that needs no list of its opponents. Of the other rows that is
    # BCE alone, and those in a list are written once more.
    unlisted = next((term for term in terms if term.opponents.rows is None), None)
    listed = [term for term in terms if term is not unlisted]
    items = chain(
        ((rows, unlisted) for rows in all_rows(plan)),
        ((rows, term) for term in listed for rows in opponents(plan, term.opponents)),
    )
    in_order(items, of_opponents, collect, threads=threads)

    for term in terms:
        term.sums.share(plan.peers)
    if anchors is not None and anchors.rows.shape[0]:  # their side is complete now
        rows = Rows(anchors.rows, arange(anchors.rows, anchors.rows.shape[0]))
        block, p, rest = _on_scale(block_of(raw, plan, rows, kind), scale)
        out, pull = _empty_like(p, kind), pull_on_anchors(terms, anchors, kind)
        chain_rule(scale, p, rest, rows.clicked, block.weight, pull, floor, out)
        collect((rows, out, None, None))
    if isinstance(grad, np.ndarray):
        plan.spare.append((grad, hess))
    return grad, hess


def _on_scale(block: Block, scale: Scale) -> tuple[Block, Array, Array]:
    """Return a block with its scores on the scale of the loss, p and 1 - p."""
    p, rest = sigmoid_and_rest(block.z, block.high)
    return (replace(block, s=p) if scale == "probability" else block), p, rest


def _empty_like(x: Array, kind: Any) -> tuple[Array, Array]:
    xp = namespace(x)
    return xp.empty_like(x, dtype=kind), xp.empty_like(x, dtype=kind)


def _outputs(raw: Array, plan: PairPlan, kind: Any) -> tuple[Array, Array]:
    """Return two arrays to fill: those of the last call on the plan, where nobody holds them any more.

    The system clears large arrays when it hands them out, which takes as long as much of the gradient.
    """
    if not isinstance(raw, np.ndarray):
        return _empty_like(raw, kind)
    try:
        pair = plan.spare.pop()
    except IndexError:
        pair = None
    if pair is None or _holders(pair) != _NOBODY or not all(_is_fresh(array, plan.n, kind) for array in pair):
        pair = np.empty(plan.n, dtype=kind), np.empty(plan.n, dtype=kind)
    return pair


def _is_fresh(array: Array, n: int, kind: Any) -> bool:
    """Whether an array is as it was made: who had it may have changed its shape, type or flags."""
    return bool(array.shape == (n,) and array.dtype == kind and array.flags.carray)


def _holders(pair: tuple[Array, Array]) -> list[int]:
    return [getrefcount(array) for array in pair]


_NOBODY = _holders((np.empty(0), np.empty(0)))
