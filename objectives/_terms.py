"""A pairwise term: its opponents block by block, its sums, and what becomes of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gbdt_pwiser.objectives._anchors import Anchors, range_of_all, sorted_anchors
from gbdt_pwiser.objectives._arrays import (
    Array,
    namespace,
    take,
)
from gbdt_pwiser.objectives._convolution import SmoothGrid
from gbdt_pwiser.objectives._groups import GroupedHingeSweep, GroupedSmoothSums
from gbdt_pwiser.objectives._logistic import sigmoid
from gbdt_pwiser.objectives._peers import Alone
from gbdt_pwiser.objectives._plan import Opponents, PairPlan
from gbdt_pwiser.objectives._surrogate import Surrogate
from gbdt_pwiser.objectives._sweep import HingeSweep

Scale = Literal["probability", "logit"]

# First and second derivative in the scores; None where they vanish.
Pull = tuple[Array | None, Array | None]


def thresholds(anchors: Array, scores: Array, margin: float, scale: Scale) -> Array:
    """Return the highest raw score that keeps the margin to each anchor, in the type of the scores."""
    if margin == 0:
        return anchors
    xp = namespace(anchors)
    kept = scores - margin
    if scale == "probability":
        with np.errstate(divide="ignore"):
            kept = xp.clip(kept, 0.0, None)
            kept = xp.log(kept) - xp.log1p(-kept)
    rounded = xp.astype(kept, anchors.dtype)
    # A raw score above the rounded threshold must be above the exact one.
    lower = xp.nextafter(rounded, xp.full_like(rounded, -np.inf))
    return xp.where(xp.astype(rounded, xp.float64) > kept, lower, rounded)


def pull_on_anchors(terms: list[Term], anchors: Anchors, dtype: Any) -> Pull:
    """Return the derivatives in the scores of this worker's anchors, of all terms together."""
    pull = []
    for parts in zip(*(term.sums.anchors() for term in terms), strict=True):
        total = None
        for term, part in zip(terms, parts, strict=True):
            if part is not None:
                total = term.unit * part if total is None else total + term.unit * part
        if total is not None:
            total = total if anchors.mine is None else take(total, anchors.mine)
            total = namespace(total).astype(total, dtype)
        pull.append(total)
    return pull[0], pull[1]


@dataclass(frozen=True, eq=False)
class Term:
    """A pairwise term: its opponents, the weight of one of its pairs, and the sums over them."""

    opponents: Opponents
    unit: float
    sums: Any


def pairwise_terms(
    raw: Array,
    plan: PairPlan,
    surrogate: Surrogate,
    margins: tuple[float, float],
    scale: Scale,
    dtype: Any,
    *,
    total: float | None,
) -> tuple[Anchors | None, list[Term]]:
    """Set up the sums of each term that has pairs; no anchors where none has.

    Margins are those to opponents of grade 0 and of grade 1. The weights of a term's pairs are scaled to add
    up to total; with None each pair keeps its own.
    """
    if not plan.opponents:
        return None, []
    xp = namespace(raw)
    anchors = sorted_anchors(raw, plan)
    scores = xp.astype(anchors.raw, xp.float64)
    scores = sigmoid(scores) if scale == "probability" else scores
    sample = raw[:: max(1, plan.n // 2048)]
    low, high = 0.0, 1.0
    if scale == "logit" and surrogate.curvature:
        low, high = range_of_all(raw, plan.peers if plan.bounds is None else Alone())
    terms = []
    for opponents in plan.opponents:
        margin = margins[opponents.grade]
        # What a pair weighs goes into the anchors' weights, and so into everything made of them.
        unit = 1.0 if total is None else total / opponents.pairs
        shared = surrogate, scores, unit * anchors.weights, margin
        sums: HingeSweep | SmoothGrid | GroupedHingeSweep | GroupedSmoothSums
        if surrogate.degree:
            reached = thresholds(anchors.raw, scores, margin, scale)
            if plan.bounds is None:
                sums = HingeSweep(*shared, reached, sample, dtype)
            else:
                sums = GroupedHingeSweep(*shared, reached, plan.bounds, dtype)
        else:
            limits = low + margin, high + margin
            if plan.bounds is None:
                sums = SmoothGrid(*shared, *limits)
            else:
                sums = GroupedSmoothSums(*shared, plan.bounds, *limits)
        terms.append(Term(opponents, unit, sums))
    return anchors, terms
