"""Scored exposures: what came of them beside what was predicted, from which every metric is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics.checks import Bools, Floats, check_probability, check_score

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ScoredExposures:
    """One prediction of n exposures beside what came of them, checked on construction.

    Parameters
    ----------
    exposures
        What came of them.
    pctr
        float (n,), probability of a click given the exposure.
    pctcvr
        float (n,), probability of a conversion given the exposure.
    pcvr
        float (n,), probability of a conversion given the click; None for pctcvr / pctr.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN, or pctr or pctcvr is outside [0, 1].
    """

    exposures: Exposures
    pctr: Floats
    pctcvr: Floats
    pcvr: Floats | None = field(default=None, kw_only=True)
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_probability(self.pctr, self.click, "pctr")
        check_probability(self.pctcvr, self.click, "pctcvr")
        if self.pcvr is not None:
            check_score(self.pcvr, self.click, "pcvr")  # a model may put a conversion above its click

    @cached_property
    def click(self) -> Bools:
        """Clicks, bool (n,)."""
        return self.exposures.click

    @cached_property
    def conversion(self) -> Bools:
        """Conversions, bool (n,)."""
        return self.exposures.conversion

    @property
    def group(self) -> NDArray[np.integer[Any]] | None:
        """Group of each exposure, int (n,); None where there are none."""
        return self.exposures.group

    @cached_property
    def decided(self) -> Self:
        """The same without the clicks whose conversion is open, which no metric of conversions knows."""
        open_click = self.exposures.open
        return self._take(np.flatnonzero(~open_click)) if open_click.any() else self

    def _take(self, rows: NDArray[np.intp]) -> Self:
        pcvr = None if self.pcvr is None else self.pcvr[rows]
        labels = _labels_of(self.exposures, rows)
        return replace(self, exposures=labels, pctr=self.pctr[rows], pctcvr=self.pctcvr[rows], pcvr=pcvr)


def _labels_of(exposures: Exposures, rows: NDArray[np.intp]) -> Exposures:
    """Return some exposures without their features, which may lie in files and no metric reads."""
    group, meant = exposures.group, exposures.noise_free_click
    return Exposures(
        name=exposures.name,
        features=pl.DataFrame({"none": np.zeros(len(rows), dtype=np.float32)}),
        grade=exposures.grade[rows],
        group=None if group is None else group[rows],
        noise_free_click=None if meant is None else meant[rows],
    )


@dataclass(frozen=True, eq=False)
class RankedExposures(ScoredExposures):
    """Exposures in the order of a raw score, for the metrics that rank by pCTR; others make no sense of them.

    InputError for a score of another shape or with NaN; any finite or infinite number is allowed.
    """

    def __post_init__(self) -> None:
        check_score(self.pctr, self.click)

    @classmethod
    def of(cls, exposures: Exposures, score: Floats) -> Self:
        """Put a score, float (n,), on any monotone scale of pCTR, beside what came of the exposures."""
        return cls(exposures, score, score)


@dataclass(frozen=True, eq=False)
class Units:
    """What a bootstrap draws: whole groups, or single exposures where there are no groups.

    Parameters
    ----------
    index
        intp (n,): the unit of each exposure, from 0; groups are numbered in ascending order.
    count
        How many units there are.
    """

    index: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, exposures: Exposures) -> Units:
        """Return the groups of the exposures as units; the exposures themselves where there are none."""
        if exposures.group is None:
            return cls(np.arange(len(exposures)), len(exposures))
        ids, index = np.unique(exposures.group, return_inverse=True)
        return cls(index, len(ids))

    def sums(self, *columns: NDArray[Any]) -> NDArray[np.float64]:
        """Sum each column, (n,), within each unit: float64 (columns, units)."""
        return np.stack([np.bincount(self.index, weights=c, minlength=self.count) for c in columns])


@dataclass(frozen=True, eq=False)
class Sample(ScoredExposures):
    """Scored exposures as a bootstrap sees them: groups have the numbers of the units that it draws."""

    units: Units

    @property
    def group(self) -> NDArray[np.integer[Any]] | None:
        """Unit of each exposure, int (n,); None where there are no groups."""
        return None if self.exposures.group is None else self.units.index

    def _take(self, rows: NDArray[np.intp]) -> Self:
        # As many units are drawn, some of which may have no rows left.
        return replace(super()._take(rows), units=replace(self.units, index=self.units.index[rows]))


def once(compute: Callable[[ScoredExposures], T]) -> Callable[[ScoredExposures], T]:
    """Compute what several metrics need, as a sort, once for each prediction: the value stays with it."""

    @wraps(compute)
    def kept(scored: ScoredExposures) -> T:
        if compute not in scored._kept:
            scored._kept[compute] = compute(scored)
        value: T = scored._kept[compute]
        return value

    return kept
