"""The converted exposures, whoever holds them, in the order of their scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gbdt_pwiser.objectives._arrays import (
    Array,
    Index,
    host,
    like,
    namespace,
    sort_by,
    take,
)
from gbdt_pwiser.objectives._block import finite_range
from gbdt_pwiser.objectives._peers import Peers, gather
from gbdt_pwiser.objectives._plan import PairPlan


@dataclass(frozen=True, eq=False)
class Anchors:
    """All workers' anchors in ascending order (inside each group, where pairs stay in groups).

    Attributes
    ----------
    raw, weights
        Raw scores, and float64 sample weights.
    rows
        Positions of this worker's own.
    mine
        Where they are among all; None where all are its own and in the same order.
    """

    raw: Array
    weights: Array
    rows: Index
    mine: Index | None


def sorted_anchors(raw: Array, plan: PairPlan) -> Anchors:
    xp = namespace(raw)
    own = take(raw, plan.anchors)
    if own.shape[0]:
        finite_range(own)  # before anything is made of them
    w = plan.sample_weight
    weights = xp.ones_like(own, dtype=xp.float64) if w is None else take(w, plan.anchors)
    if plan.peers.size == 1 or plan.anchor_segment is not None:
        order = xp.argsort(own) if plan.anchor_segment is None else sort_by(own, plan.anchor_segment)
        return Anchors(take(own, order), take(weights, order), take(plan.anchors, order), None)
    everyone, start = gather(plan.peers, host(own))
    every_weight, _ = gather(plan.peers, host(weights))
    order = np.argsort(everyone, kind="stable")  # the same on every worker
    mine = np.argsort(order, kind="stable")[start : start + own.shape[0]]
    return Anchors(
        like(raw, everyone[order], dtype=raw.dtype),
        like(raw, every_weight[order]),
        plan.anchors,
        like(plan.anchors, mine),
    )


def range_of_all(raw: Array, peers: Peers) -> tuple[float, float]:
    """Return the least and the greatest raw score of all workers."""
    ends, _ = gather(peers, np.array(finite_range(raw) if raw.shape[0] else ()))
    return float(ends.min()), float(ends.max())
