"""How many pairs violate their margin, counted without forming a pair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gbdt_pwiser.objectives._arrays import Array, namespace
from gbdt_pwiser.objectives._block import Block, blocks, finite_range, in_type
from gbdt_pwiser.objectives._hinges import HINGE
from gbdt_pwiser.objectives._moments import weighted_sum
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


def pair_activity(raw: Array, plan: PairPlan, margins: tuple[float, float], scale: Scale) -> PairActivity:
    """Return the activity at raw scores, for margins to opponents of grade 0 and of grade 1.

    What an opponent is pulled with by the hinge is the weight of the anchors that it violates its margin
    against, so the sums of the hinge count active pairs for every surrogate.
    """
    xp = namespace(raw)
    _, terms = pairwise_terms(raw, plan, HINGE, margins, scale, xp.float64, total=None)
    # By grade: the weight of active pairs, that of all pairs, and who knows it. Inside groups a worker
    # without pairs of its own does not.
    active, pairs, knows = np.zeros(2), np.zeros(2), np.zeros(2)
    for term in terms:
        pairs[term.opponents.grade], knows[term.opponents.grade] = term.opponents.pairs, 1.0
    for rows, clicked in blocks(plan):
        part = raw[rows]
        low, high = finite_range(part)
        z = in_type(part, xp.float64, low, high)
        weight = None if plan.sample_weight is None else plan.sample_weight[rows]
        # The hinge's derivatives are taken from raw scores alone, whatever the scale.
        block = Block(part, z, z, low, high, weight, clicked)
        for term in terms:
            _, opponents = term.opponents_in(rows, block)
            if opponents is not None:
                violated, _ = term.sums.add(opponents)
                active[term.opponents.grade] += weighted_sum(violated, opponents.weight)
    active, pairs, knows = plan.peers.sum(np.concatenate((active, pairs, knows))).reshape(3, 2)
    with np.errstate(invalid="ignore"):
        # Sums of weights are rounded, and a share is at most 1.
        share = np.minimum(active / (pairs / knows), 1.0)
    return PairActivity(click=float(share[1]), impression=float(share[0]))
