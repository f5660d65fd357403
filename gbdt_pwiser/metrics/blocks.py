"""Places inside groups by falling score, with the exposures of one score, which have no order, as blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group
from gbdt_pwiser.metrics.scored import ScoredExposures, once
from gbdt_pwiser.metrics.sorting import runs, sorted_in_groups


class Blocks(NamedTuple):
    """Blocks with something relevant, by group and then falling score; each int (b,).

    Parameters
    ----------
    group
        Number of the group, from 0.
    before, tied, relevant
        o, m and r.
    """

    group: NDArray[np.intp]
    before: NDArray[np.intp]
    tied: NDArray[np.intp]
    relevant: NDArray[np.intp]

    def within(self, k: int) -> NDArray[np.intp]:
        """Return how many of each block's places are among the first k."""
        return np.clip(k - self.before, 0, self.tied)

    def ahead(self) -> NDArray[np.intp]:
        """Return a, the relevant exposures of the group before each block."""
        before = np.cumsum(self.relevant) - self.relevant
        starts, _ = runs(self.group)
        return before - np.repeat(before[starts], np.diff(starts, append=len(before)))


@dataclass(frozen=True, eq=False)
class RankedGroups:
    """The exposures of g groups by falling score, sorted once for all metrics inside groups.

    Parameters
    ----------
    order
        intp (n,): the rows by ascending group, then falling score.
    start
        intp (g,), where each group starts there.
    tie_start
        intp (t,), where each run of one group and one score starts there.
    ids
        int64 or uint64 (g,), of the groups.
    """

    order: NDArray[np.intp]
    start: NDArray[np.intp]
    tie_start: NDArray[np.intp]
    ids: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, score: Floats, group: NDArray[np.integer[Any]]) -> RankedGroups:
        """Sort by `score` inside each group; InputError for groups that are not int (n,)."""
        check_group(group, len(score))
        order, new_group, new_score = sorted_in_groups(-score, group)
        start = np.flatnonzero(new_group)
        ids = group[order[start]]
        return cls(
            order,
            start,
            np.flatnonzero(new_score),
            ids.astype(np.uint64 if ids.dtype == np.uint64 else np.int64),
        )

    @cached_property
    def size(self) -> NDArray[np.intp]:
        """Exposures of each group, intp (g,)."""
        return np.diff(self.start, append=len(self.order))

    @property
    def longest(self) -> int:
        """Exposures of the largest group."""
        return int(self.size.max(initial=0))

    def blocks(self, relevant: Bools) -> Blocks:
        """Return the blocks with one of these exposures, bool (n,)."""
        place = np.flatnonzero(relevant[self.order])
        starts, tie = runs(np.searchsorted(self.tie_start, place, "right") - 1)
        first = self.tie_start[tie]
        last = np.append(self.tie_start, len(self.order))[tie + 1]
        group = np.searchsorted(self.start, first, "right") - 1
        return Blocks(group, first - self.start[group], last - first, np.diff(starts, append=len(place)))

    def sums(self, group: NDArray[np.intp], values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum within each group, float64 (g,)."""
        return np.bincount(group, values, len(self.ids)).astype(np.float64, copy=False)


def over_places(
    per_place: NDArray[np.float64], first: NDArray[Any], last: NDArray[Any]
) -> NDArray[np.float64]:
    """Sum what the places first .. last - 1 are worth, counted from 0; past the end it is nothing."""
    first, last = (np.minimum(places, len(per_place)).astype(np.intp) for places in (first, last))
    running = np.append(0.0, np.cumsum(per_place))
    # Most blocks are one exposure: its place is exact, a difference of sums is not.
    single = np.append(per_place, 0.0)[first]
    worth: NDArray[np.float64] = np.where(last - first == 1, single, running[last] - running[first])
    return worth


@once
def ranked_groups(s: ScoredExposures) -> RankedGroups | None:
    """Return the exposures of each group by falling pCTR; None without groups."""
    return None if s.group is None else RankedGroups.of(s.pctr, s.group)


@once
def ranked_clicks(s: ScoredExposures) -> tuple[RankedGroups, Blocks] | None:
    """Return the same with the blocks of clicks."""
    return None if (ranked := ranked_groups(s)) is None else (ranked, ranked.blocks(s.click))


@once
def ranked_conversions(s: ScoredExposures) -> tuple[RankedGroups, Blocks] | None:
    """Return the same with the blocks of conversions."""
    return None if (ranked := ranked_groups(s)) is None else (ranked, ranked.blocks(s.conversion))
