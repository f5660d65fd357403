"""What the loss needs to know of grades, groups and weights, computed once per data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from array_api_compat import device
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._arrays import Array, Index, like, namespace
from gbdt_pwiser.objectives._peers import Alone, Peers
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import (
    CLICK,
    CONVERSION,
    OPEN,
    checked_grade,
    checked_group,
    checked_weight,
)


@dataclass(frozen=True, eq=False)
class Opponents:
    """One pairwise term: the opponents of one grade, and the number of their pairs.

    Attributes
    ----------
    grade
        0 (unclicked) or 1 (click-only); it decides the margin.
    rows
        int64: their positions; None for "all rows but the clicked", which needs no list.
    segment
        int64, one per row: the run of anchors a row is paired with; None when it is paired with all.
    pairs
        Number of pairs, or with sample weights the sum of the pairs' weights; with peers, of all workers.
    """

    grade: int
    rows: Index | None
    segment: Index | None
    pairs: float


@dataclass(frozen=True, eq=False)
class PairPlan:
    """Positions of anchors and opponents; depends on grades, groups and weights, never on scores.

    Attributes
    ----------
    n
        Number of rows.
    mean_weight, total_weight
        Of all rows' weights, 1 each without sample weights; with peers, of all workers' rows.
    clicked
        int64: positions with a click, ascending.
    decided
        int64: those of them whose conversion is not open. Open ones are in no pair.
    anchors
        int64: positions with a conversion; group after group where pairs stay inside groups.
    bounds
        int64 (groups with anchors + 1,): where each group's run of anchors begins; None for all pairs.
    anchor_segment
        int64, one per anchor: which run it is in, ascending; None for all pairs.
    opponents
        The terms that have pairs.
    sample_weight
        float64 (n,) or None.
    peers
        The workers that hold the other rows; positions are this worker's own.
    threads
        What the data set is computed with; None where it says nothing.
    """

    n: int
    mean_weight: float
    total_weight: float
    clicked: Index
    decided: Index
    anchors: Index
    bounds: Index | None
    anchor_segment: Index | None
    opponents: tuple[Opponents, ...]
    sample_weight: Array | None
    peers: Peers
    threads: int | None = None

    def beside(self, x: Array) -> PairPlan:
        """Return the plan as arrays of the library, and on the device, of x."""
        if isinstance(x, np.ndarray):
            return self
        kept = self._elsewhere
        key = namespace(x).__name__, str(device(x))
        if key not in kept:

            def move(values: Array | None) -> Array | None:
                return None if values is None else like(x, values)

            opponents = tuple(replace(o, rows=move(o.rows), segment=move(o.segment)) for o in self.opponents)
            kept[key] = replace(
                self,
                clicked=move(self.clicked),
                decided=move(self.decided),
                anchors=move(self.anchors),
                bounds=move(self.bounds),
                anchor_segment=move(self.anchor_segment),
                opponents=opponents,
                sample_weight=move(self.sample_weight),
            )
        return kept[key]

    @cached_property
    def spare(self) -> list[tuple[Array, Array]]:
        """Arrays (n,) that were given out as derivatives, to be filled again once nobody holds them."""
        return []

    def __getstate__(self) -> dict[str, Any]:
        # Arrays to be used again, and copies on devices, stay where they are.
        return {name: value for name, value in vars(self).items() if name not in ("spare", "_elsewhere")}

    @cached_property
    def _elsewhere(self) -> dict[tuple[str, str], PairPlan]:
        return {}


def make_plan(
    grade: ArrayLike,
    *,
    group: ArrayLike | None,
    sample_weight: ArrayLike | None,
    within_groups: bool,
    peers: Peers | None = None,
) -> PairPlan:
    """Check grades, groups and weights and find anchors and opponents.

    Raises InputError for a grade outside 0, 1, 2, 3, a shape that differs, a weight or a group that breaks a
    rule of `_inputs`, or missing groups where pairs stay inside groups. With peers every worker makes its
    plan together with the others; a group must not be split between them.
    """
    grades = checked_grade(grade)
    n = len(grades)
    peers = peers or Alone()
    # A worker's rows may all have weight 0.
    weight = None if sample_weight is None else checked_weight(sample_weight, n, some=peers.size == 1)
    groups = None if group is None else checked_group(group, n)
    clicked, anchors = np.flatnonzero(grades), np.flatnonzero(grades == CONVERSION)

    def mass(members: Index | NDArray[np.bool_]) -> float:
        if weight is not None:
            return float(weight[members].sum())
        return float(len(members) if members.dtype != np.bool_ else np.count_nonzero(members))

    total_weight, total_rows = peers.sum(np.array([float(n) if weight is None else weight.sum(), n]))
    planned = partial(
        PairPlan,
        n=n,
        mean_weight=float(total_weight / max(total_rows, 1.0)),
        total_weight=float(total_weight),
        clicked=clicked,
        decided=clicked[grades[clicked] != OPEN],
        sample_weight=weight,
        peers=peers,
    )
    if not within_groups:
        click_only = np.flatnonzero(grades == CLICK)
        masses = peers.sum(np.array([mass(anchors), mass(grades == 0), mass(click_only)]))
        terms = [
            Opponents(0, None, None, float(masses[0] * masses[1])),
            Opponents(CLICK, click_only, None, float(masses[0] * masses[2])),
        ]
        return planned(anchors=anchors, bounds=None, anchor_segment=None, opponents=_with_pairs(terms))

    if groups is None:
        raise InputError('pairs="group" needs the group of each exposure; pass group=..., or use pairs="all"')
    ids, group_of = np.unique(groups, return_inverse=True)
    holds_anchor = np.zeros(len(ids), dtype=bool)
    holds_anchor[group_of[anchors]] = True
    segment_of = (np.cumsum(holds_anchor) - 1)[group_of]
    paired = holds_anchor[group_of]
    anchors = anchors[np.argsort(segment_of[anchors], kind="stable")]
    anchor_mass = np.bincount(
        segment_of[anchors], None if weight is None else weight[anchors], minlength=int(holds_anchor.sum())
    )
    bounds = np.concatenate(([0], np.cumsum(np.bincount(segment_of[anchors])))).astype(np.int64)
    listed = []
    for kind in (0, CLICK):
        rows = np.flatnonzero(paired & (grades == kind))
        segment = segment_of[rows]
        masses = anchor_mass[segment]
        listed.append((kind, rows, segment, masses.sum() if weight is None else masses @ weight[rows]))
    pairs = peers.sum(np.array([own for *_, own in listed], dtype=np.float64))
    terms = [
        Opponents(kind, rows, segment, float(total))
        for (kind, rows, segment, own), total in zip(listed, pairs, strict=True)
        if own > 0
    ]
    return planned(
        anchors=anchors,
        bounds=bounds,
        anchor_segment=segment_of[anchors],
        opponents=_with_pairs(terms),
    )


def _with_pairs(terms: list[Opponents]) -> tuple[Opponents, ...]:
    # Weights of zero can leave a term without weight; a mean over no pairs is 0.
    return tuple(term for term in terms if term.pairs > 0)
