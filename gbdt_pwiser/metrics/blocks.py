"""Places inside groups by falling score, with the exposures of one score, which have no order, as blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group
from gbdt_pwiser.metrics.sorting import keys, runs


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
    """The exposures of g groups by falling score, sorted once for all metrics.

    Parameters
    ----------
    key
        uint64 (n,), of each row: sorts by group, then falling score.
    ordered
        The same, sorted.
    start
        intp (g,), where each group starts there.
    ids
        int (g,), of the groups.
    """

    key: NDArray[np.uint64]
    ordered: NDArray[np.uint64]
    start: NDArray[np.intp]
    ids: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, score: Floats, group: NDArray[np.integer[Any]]) -> RankedGroups:
        """Sort by `score` inside each group; InputError for groups that are not int (n,)."""
        check_group(group, len(score))
        if not len(score):
            nothing = np.zeros(0, dtype=np.uint64)
            return cls(nothing, nothing, np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64))
        key, score_bits, ids = keys(-score, group)
        ordered = np.sort(key)
        start, part = runs(ordered >> np.uint64(score_bits))
        return cls(key, ordered, start, ids(part))

    @property
    def longest(self) -> int:
        """Exposures of the largest group."""
        return int(np.diff(self.start, append=len(self.ordered)).max(initial=0))

    def blocks(self, relevant: Bools) -> Blocks:
        """Return the blocks with one of these exposures, bool (n,)."""
        up = np.sort(self.key[relevant])
        starts, key = runs(up)
        first = np.searchsorted(self.ordered, key, "left")
        last = np.searchsorted(self.ordered, key, "right")
        group = np.searchsorted(self.start, first, "right") - 1
        return Blocks(group, first - self.start[group], last - first, np.diff(starts, append=len(up)))

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
