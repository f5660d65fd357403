"""What a metric is: how it is read, how it is computed, and how a gain in it is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats
from gbdt_pwiser.metrics.scored import Sample, ScoredExposures
from gbdt_pwiser.objectives import auc

Family = Literal["ranking", "top", "calibration", "coverage", "detail"]

Statistic = Callable[[NDArray[np.float64]], float]
"""A metric, or a gain in one, as a function of weights."""


class Ranking(NamedTuple):
    """What an AUC ranks: m exposures by a score, the positives above the others.

    Parameters
    ----------
    score
        float (m,), any monotone scale.
    positive
        bool (m,).
    rows
        bool (n,): which of the exposures these are; None for all of them.
    """

    score: Floats
    positive: Bools
    rows: Bools | None = None


class GroupValues(NamedTuple):
    """A metric inside groups, of the g groups in which it has a value.

    Parameters
    ----------
    group
        int (g,), the groups.
    value
        float64 (g,), the metric inside each.
    weight
        float64 (g,), that of each in the mean.
    """

    group: NDArray[np.integer[Any]]
    value: NDArray[np.float64]
    weight: NDArray[np.float64]

    def mean(self) -> float:
        """Weighted mean of the values; NaN where no group has one."""
        return float(np.average(self.value, weights=self.weight)) if len(self.value) else float("nan")


@dataclass(frozen=True)
class DeLong:
    """The metric is an AUC, a gain in which DeLong's test judges.

    Parameters
    ----------
    ranking
        What the AUC ranks, the same rows and positives whatever the prediction; None where the data cannot
        tell.
    """

    ranking: Callable[[ScoredExposures], Ranking | None]


@dataclass(frozen=True)
class Bootstrap:
    """A gain in the metric is judged by drawing units of the sample: its groups, or its exposures.

    Parameters
    ----------
    statistic
        Prepares the metric as a function of how often each unit was drawn, float64 (units,). Sorting and the
        like is done here, once and not in every draw. None where the data cannot give the metric.
    """

    statistic: Callable[[Sample], Statistic | None]


@dataclass(frozen=True)
class Metric:
    """How a metric is read, computed and tested.

    Parameters
    ----------
    name
        Its key in results and options.
    label
        Its name in tables and reports.
    family
        "ranking", "top" (the first places of each group) or "calibration"; "coverage" says how much of the
        data another metric saw; "detail" is kept with the results and left out of tables.
    higher_is_better
        None where neither direction is better.
    decimals
        Digits after the point.
    meaning
        One line for the reader of a report.
    compute
        Its value for one prediction: NaN where the data cannot give it, None where data of this kind has no
        such metric.
    gain_test
        How a gain in it is tested; None where it is not.
    ranks_by_pctr
        Whether it follows from the order of pCTR, the grades and the groups alone: a raw score in place of
        pCTR gives the same value.
    """

    name: str
    label: str
    family: Family
    higher_is_better: bool | None
    decimals: int
    meaning: str
    compute: Callable[[ScoredExposures], float | None]
    gain_test: DeLong | Bootstrap | None = None
    ranks_by_pctr: bool = False


def auc_metric(
    name: str,
    label: str,
    family: Family,
    meaning: str,
    ranking: Callable[[ScoredExposures], Ranking | None],
    *,
    ranks_by_pctr: bool = False,
) -> Metric:
    """Return the metric that is the AUC of a ranking, absent where that is None; tested by DeLong's test."""

    def compute(scored: ScoredExposures) -> float | None:
        ranked = ranking(scored)
        return None if ranked is None else auc(ranked.score, ranked.positive)

    return Metric(name, label, family, True, 4, meaning, compute, DeLong(ranking), ranks_by_pctr)


def group_metric(
    name: str,
    label: str,
    family: Family,
    meaning: str,
    values: Callable[[ScoredExposures], GroupValues | None],
    *,
    ranks_by_pctr: bool = False,
) -> Metric:
    """Return the metric that is a mean over groups, higher being better; NaN where values are None.

    Whole groups are drawn for its test, so the value inside each stays what it is.
    """

    def compute(scored: ScoredExposures) -> float:
        found = values(scored)
        return float("nan") if found is None else found.mean()

    def statistic(sample: Sample) -> Statistic | None:
        found = values(sample)
        if found is None:
            return None

        def mean(weight: NDArray[np.float64]) -> float:
            w = weight[found.group] * found.weight
            return float(w @ found.value / w.sum()) if w.any() else float("nan")

        return mean

    return Metric(name, label, family, True, 4, meaning, compute, Bootstrap(statistic), ranks_by_pctr)


def of_decided(metric: Metric) -> Metric:
    """Return the metric, and its test, on the exposures without the clicks whose conversion is open.

    What a metric of conversions would say of them is not known, so they count as neither conversion nor
    anything else: they leave the ranking, and their group.
    """
    test = metric.gain_test
    if isinstance(test, DeLong):
        test = DeLong(_decided_ranking(test.ranking))
    elif isinstance(test, Bootstrap):
        test = Bootstrap(_of_decided_sample(test.statistic))
    return replace(metric, compute=lambda scored: metric.compute(scored.decided), gain_test=test)


def _decided_ranking(
    ranking: Callable[[ScoredExposures], Ranking | None],
) -> Callable[[ScoredExposures], Ranking | None]:
    def ranked(scored: ScoredExposures) -> Ranking | None:
        found = ranking(scored.decided)
        if found is None or scored.decided is scored:
            return found
        rows = ~scored.exposures.open
        if found.rows is not None:
            rows[rows] = found.rows
        return found._replace(rows=rows)

    return ranked


def _of_decided_sample(
    statistic: Callable[[Sample], Statistic | None],
) -> Callable[[Sample], Statistic | None]:
    return lambda sample: statistic(sample.decided)


def share(part: float, whole: float) -> float:
    """Return part / whole; NaN where the whole is not above 0."""
    return part / whole if whole > 0 else float("nan")


def ratio_of_sums(
    columns: Callable[[Sample], tuple[NDArray[Any], ...]], ratio: Callable[..., float] = share
) -> Bootstrap:
    """Test a metric that is a function of sums over the exposures.

    Parameters
    ----------
    columns
        What is summed, each (n,).
    ratio
        The metric from the weighted sums, in the order of the columns; by default the first over the second.
    """

    def statistic(sample: Sample) -> Statistic:
        sums = sample.units.sums(*columns(sample))
        return lambda weight: ratio(*(sums @ weight))

    return Bootstrap(statistic)


def exposure_metric(
    name: str,
    label: str,
    family: Family,
    higher_is_better: bool | None,
    meaning: str,
    values: Callable[[ScoredExposures], NDArray[np.floating[Any]]],
) -> Metric:
    """Return the metric that is the mean of a value of each exposure, (n,); NaN without exposures."""

    def compute(scored: ScoredExposures) -> float:
        found = values(scored)
        return float(found.mean()) if len(found) else float("nan")

    def columns(sample: Sample) -> tuple[NDArray[Any], ...]:
        found = values(sample)
        return found, np.ones(len(found))

    return Metric(
        name, label, family, higher_is_better, 4, meaning, compute, gain_test=ratio_of_sums(columns)
    )
