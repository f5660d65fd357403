"""How many pairs violate their margin, counted without forming a pair, and how hard they push together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, namespace, take
from gbdt_pwiser.objectives._block import Rows, block_of, finite_range, opponents
from gbdt_pwiser.objectives._hinges import HINGE
from gbdt_pwiser.objectives._moments import weighted_sum
from gbdt_pwiser.objectives._parallel import in_order
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives._terms import Scale, pairwise_terms


class PairActivity(NamedTuple):
    """Share of a term's pairs that violate their margin, 0 to 1; NaN for a term without pairs.

    Attributes
    ----------
    click
        Of the pairs of a converted and a click-only exposure.
    impression
        Of the pairs of a converted and an unclicked exposure.
    """

    click: float
    impression: float


def pair_activity(
    raw: Array, plan: PairPlan, margins: tuple[float, float], scale: Scale, *, threads: int
) -> PairActivity:
    """Return the activity at raw scores, for margins to opponents of grade 0 and of grade 1.

    What an opponent is pulled with by the hinge is the weight of the anchors that it violates its margin
    against, so the sums of the hinge count active pairs for every surrogate.
    """
    xp = namespace(raw)
    if plan.n:
        finite_range(raw)  # of all rows, those in no pair too
    _, terms = pairwise_terms(raw, plan, HINGE, margins, scale, xp.float64, total=None)
    # By grade: the weight of active pairs, that of all pairs, and who knows it. Inside groups a worker
    # without pairs of its own does not.
    active, pairs, knows = np.zeros(2), np.zeros(2), np.zeros(2)
    for term in terms:
        pairs[term.opponents.grade], knows[term.opponents.grade] = term.opponents.pairs, 1.0
    for term in terms:

        def count(rows: Rows, sums: Any = term.sums) -> float:
            # The hinge's derivatives are taken from raw scores alone, whatever the scale.
            block = block_of(raw, plan, rows, xp.float64)
            violated, *_ = sums.pull(block)
            return weighted_sum(violated, block.weight)

        def collect(weight: float, grade: int = term.opponents.grade) -> None:
            active[grade] += weight

        in_order(opponents(plan, term.opponents), count, collect, threads=threads)
    active, pairs, knows = plan.peers.sum(np.concatenate((active, pairs, knows))).reshape(3, 2)
    with np.errstate(invalid="ignore"):
        # Sums of weights are rounded, and a share is at most 1.
        share = np.minimum(active / (pairs / knows), 1.0)
    return PairActivity(click=float(share[1]), impression=float(share[0]))


def equivalent_weight(of_bce: Array, of_both: Array, plan: PairPlan) -> float:
    """Return what the pairs add to the push on all anchors together, in units of that of BCE.

    From the gradients (n,) of n * L without and with the pairs. NaN where BCE does not push, as without
    anchors.
    """
    xp = namespace(of_bce)
    bce, both = (take(each, plan.anchors) for each in (of_bce, of_both))
    added, pushed = plan.peers.sum(np.array([float(xp.sum(bce - both)), -float(xp.sum(bce))]))
    return float(added / pushed) if pushed else float("nan")
