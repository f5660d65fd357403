"""Metrics of the first places of each group: NDCG@k, MAP@k, MRR and recall@k, exact where scores tie.

Inside each group the exposures stand by falling score. Tied ones have no order, so every metric is its
expected value over all orders of the tied, which depends on neither a seed nor the order of rows. Groups in
which nothing is relevant have no value; they are counted and left out of the mean, in which all others count
alike.

In the formulas a block is the exposures of one group with one score: o exposures of the group stand before
it, a of them relevant, and it has m exposures itself, r of them relevant. Places count from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.blocks import (
    Blocks,
    RankedGroups,
    over_places,
    ranked_clicks,
    ranked_conversions,
    ranked_groups,
)
from gbdt_pwiser.metrics.checks import Bools, Floats, check_score
from gbdt_pwiser.metrics.metric import GroupValues, Metric, group_metric, of_decided, share
from gbdt_pwiser.metrics.scored import ScoredExposures, once
from gbdt_pwiser.metrics.sorting import runs
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import LARGEST, check_whole

T = TypeVar("T")

GAINS: Final = (0.0, 1.0, 3.0)
"""Gain of each grade in NDCG: 2^grade - 1, as LightGBM and XGBoost have it."""


class TopOfGroups(NamedTuple):
    """A metric of the first places of each group in which something is relevant, by ascending group.

    Parameters
    ----------
    group
        int (g,), their ids.
    value
        float64 (g,), the metric of each.
    left_out
        Groups in which nothing is relevant.
    """

    group: NDArray[np.integer[Any]]
    value: NDArray[np.float64]
    left_out: int

    def mean(self) -> float:
        """Mean over the groups; NaN where none has a value."""
        return self.values().mean()

    def values(self) -> GroupValues:
        """Return the values with equal weights."""
        return GroupValues(self.group, self.value, np.ones(len(self.value)))


def ndcg_at_k(
    score: Floats,
    grade: NDArray[np.integer[Any]],
    group: NDArray[np.integer[Any]],
    *,
    k: int,
    gains: Sequence[float] = GAINS,
) -> TopOfGroups:
    """Return the discounted gains of the first k places of each group, over those of the best order.

        DCG = sum over places i <= k of gain_i / log2(1 + i); NDCG = DCG / the largest DCG of any order

    A block adds its mean gain times the sum of the discounts of those of its places o + 1 .. o + m that are
    at most k.

    Parameters
    ----------
    score
        float (n,), any monotone scale.
    grade
        int (n,), from 0.
    group
        int (n,), in any order.
    k
        Places, at least 1; of a smaller group all.
    gains
        Of each grade from 0 on, at least 0. Exposures with a gain above 0 are the relevant ones.

    Returns
    -------
    TopOfGroups
        In [0, 1], of the groups with a relevant exposure.

    Raises
    ------
    InputError
        A shape or type differs, a score is NaN, a grade has no gain, a gain is below 0, or k is below 1.

    Examples
    --------
    >>> score, grade = np.array([0.9, 0.5, 0.1, 0.4]), np.array([0, 2, 0, 0])
    >>> ndcg_at_k(score, grade, np.array([7, 7, 7, 8]), k=2)  # (3 / log2(3)) / (3 / log2(2))
    TopOfGroups(group=array([7]), value=array([0.63092975]), left_out=1)
    """
    _check_k(k)
    levels = _levels(grade, gains)
    check_score(score, grade > 0)
    ranked = RankedGroups.of(score, group)
    return _ndcg(ranked, [(gain, ranked.blocks(rows[grade])) for gain, rows in levels], k)


def map_at_k(score: Floats, positive: Bools, group: NDArray[np.integer[Any]], *, k: int) -> TopOfGroups:
    """Return the average precision of the first k places of each group; their mean is MAP@k.

    AP@k = (sum over relevant places i <= k of precision(i)) / min(k, R), where precision(i) is the share of
    relevant exposures in the first i places, and R how many the group has

    Place o + j of a block is relevant with chance r / m, and then (j - 1) q of the block's other relevant
    ones are expected before it, q = (r - 1) / (m - 1). So with J of its places within k and
    H_i = 1 + 1/2 + ... + 1/i a block adds to the sum

        r / m sum_{j <= J} (a + 1 + (j - 1) q) / (o + j) = r / m (q J + (a + 1 - q (o + 1)) (H_{o+J} - H_o))

    Parameters, result and errors are as of `ndcg_at_k`, with bool (n,) for the grades.

    Examples
    --------
    >>> score, click = np.array([0.9, 0.5, 0.1]), np.array([False, True, True])
    >>> map_at_k(score, click, np.array([7, 7, 7]), k=3).mean()  # (1/2 + 2/3) / 2
    0.5833333333333333
    """
    _check_k(k)
    check_score(score, positive)
    ranked = RankedGroups.of(score, group)
    return _map(ranked, ranked.blocks(positive), k)


def mrr(score: Floats, positive: Bools, group: NDArray[np.integer[Any]]) -> TopOfGroups:
    """Return 1 / place of the first relevant exposure of each group; their mean is MRR.

    The first relevant exposure of a block is its j-th, j = 1 .. m - r + 1, with chance
    C(m - j, r - 1) / C(m, r): of all choices of r places those of j and r - 1 later ones. So with the group's
    first block that has a relevant exposure

        RR = sum_j C(m - j, r - 1) / C(m, r) / (o + j)

    which for r = 1 is (H_{o+m} - H_o) / m.

    Parameters, result and errors are as of `map_at_k`, without k.

    Examples
    --------
    >>> score, click = np.array([0.9, 0.5, 0.5]), np.array([False, True, False])
    >>> mrr(score, click, np.array([7, 7, 7])).value  # (1/2 + 1/3) / 2
    array([0.41666667])
    """
    check_score(score, positive)
    ranked = RankedGroups.of(score, group)
    return _mrr(ranked, ranked.blocks(positive))


def recall_at_k(score: Floats, positive: Bools, group: NDArray[np.integer[Any]], *, k: int) -> TopOfGroups:
    """Return the share of each group's relevant exposures that stand in its first k places.

    A block adds r / m times those of its places that are within k.

    Parameters, result and errors are as of `map_at_k`.

    Examples
    --------
    >>> score, converted = np.array([0.9, 0.5, 0.1]), np.array([True, False, True])
    >>> recall_at_k(score, converted, np.array([7, 7, 7]), k=2).mean()
    0.5
    """
    _check_k(k)
    check_score(score, positive)
    ranked = RankedGroups.of(score, group)
    return _recall(ranked, ranked.blocks(positive), k)


def _check_k(k: int) -> None:
    check_whole("k", k, 1, LARGEST)


def _levels(grade: NDArray[np.integer[Any]], gains: Sequence[float]) -> list[tuple[float, Bools]]:
    """Return each gain above 0, the largest first, and which grades have it."""
    each = np.asarray(gains, dtype=np.float64)
    if each.ndim != 1 or not (np.isfinite(each).all() and (each >= 0).all() and (each > 0).any()):
        raise InputError(
            f"gains are {gains}; give one per grade from 0 on, finite, none below 0 and some above it"
        )
    if grade.ndim != 1 or not np.issubdtype(grade.dtype, np.integer):
        raise InputError(f"grade has shape {grade.shape} and type {grade.dtype}; give int, shape (n,)")
    if len(grade) and not (grade.min() >= 0 and grade.max() < len(each)):
        raise InputError(
            f"grade runs from {grade.min()} to {grade.max()}, and there are gains of 0 to {len(each) - 1}; "
            "give one gain per grade"
        )
    return [(float(gain), each == gain) for gain in np.unique(each[each > 0])[::-1]]


def _top(ranked: RankedGroups, total: NDArray[np.float64], most: NDArray[np.float64]) -> TopOfGroups:
    """Divide what the groups have by the most that they could have, which is 0 where nothing is relevant."""
    used = most > 0
    return TopOfGroups(ranked.ids[used], total[used] / most[used], len(used) - int(used.sum()))


def _ndcg(ranked: RankedGroups, levels: Sequence[tuple[float, Blocks]], k: int) -> TopOfGroups:
    discount = 1 / np.log2(np.arange(min(k, ranked.longest)) + 2)
    total, most, placed = np.zeros((3, len(ranked.ids)))
    for gain, b in levels:
        worth = over_places(discount, b.before, b.before + b.tied)
        total += gain * ranked.sums(b.group, b.relevant / b.tied * worth)
        best = placed + ranked.sums(b.group, b.relevant)  # the best order has the largest gains first
        most += gain * over_places(discount, placed, best)
        placed = best
    return _top(ranked, total, most)


def _map(ranked: RankedGroups, b: Blocks, k: int) -> TopOfGroups:
    k = min(k, ranked.longest)
    within = b.within(k)
    harmonic = over_places(1 / np.arange(1, k + 1), b.before, b.before + within)
    q = (b.relevant - 1) / np.maximum(b.tied - 1, 1)
    precisions = q * within + (b.ahead() + 1 - q * (b.before + 1)) * harmonic
    total = ranked.sums(b.group, b.relevant / b.tied * precisions)
    return _top(ranked, total, np.minimum(ranked.sums(b.group, b.relevant), k))


def _mrr(ranked: RankedGroups, b: Blocks) -> TopOfGroups:
    first, _ = runs(b.group)
    b = Blocks(*(column[first] for column in b))
    expected = over_places(1 / np.arange(1, ranked.longest + 1), b.before, b.before + b.tied) / b.tied
    several = b.relevant > 1
    expected[several] = _first_of_several(b.before[several], b.tied[several], b.relevant[several])
    return _top(ranked, ranked.sums(b.group, expected), ranked.sums(b.group, np.ones(len(first))))


def _first_of_several(
    before: NDArray[np.intp], tied: NDArray[np.intp], relevant: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the expected 1 / place of the first relevant exposure of each block, see `mrr`.

    Place by place, the chance that none was relevant before times the chance r / (m - j + 1) that this one
    is: no binomials, which overflow. Blocks with about as many places to go through, up to a factor of 2, are
    the rows of one matrix, so the work grows as the number of tied exposures.
    """
    expected = np.empty(len(tied))
    _, exponent = np.frexp(tied - relevant)  # 2^exponent > m - r, so that many places are enough
    for power in np.unique(exponent):
        rows = np.flatnonzero(exponent == power)
        gone = np.arange(2 ** int(power))
        o, m, r = before[rows, None], tied[rows, None], relevant[rows, None]
        left = np.maximum(m - gone, 1)
        none_before = np.ones((len(rows), len(gone)))
        np.cumprod((np.maximum(m - r - gone, 0) / left)[:, :-1], axis=1, out=none_before[:, 1:])
        expected[rows] = (none_before * (r / left) / (o + 1 + gone)).sum(axis=1)
    return expected


def _recall(ranked: RankedGroups, b: Blocks, k: int) -> TopOfGroups:
    total = ranked.sums(b.group, b.relevant / b.tied * b.within(k))
    return _top(ranked, total, ranked.sums(b.group, b.relevant))


@once
def _grades(s: ScoredExposures) -> tuple[RankedGroups, list[tuple[float, Blocks]]] | None:
    if (ranked := ranked_groups(s)) is None:
        return None
    grade = s.exposures.grade
    return ranked, [(gain, ranked.blocks(rows[grade])) for gain, rows in _levels(grade, GAINS)]


def _top_metric(
    name: str,
    label: str,
    meaning: str,
    prepared: Callable[[ScoredExposures], tuple[RankedGroups, T] | None],
    top: Callable[[RankedGroups, T], TopOfGroups],
) -> Metric:
    def values(s: ScoredExposures) -> GroupValues | None:
        found = prepared(s)
        return None if found is None else top(*found).values()

    return group_metric(name, label, "top", meaning, values, ranks_by_pctr=True)


def _first(k: int) -> str:
    return f"first {k} places" if k > 1 else "first place"


def ndcg_metric(k: int) -> Metric:
    """Return NDCG@k of pCTR as a metric of `evaluate`."""
    return of_decided(
        _top_metric(
            f"ndcg@{k}",
            f"NDCG@{k}",
            f"gains of the {_first(k)} of each group by pCTR, 1 for a click and 3 for a conversion, "
            "discounted by place, over those of the best order",
            _grades,
            lambda ranked, levels: _ndcg(ranked, levels, k),
        )
    )


def map_metric(k: int) -> Metric:
    """Return MAP@k of clicks by pCTR as a metric of `evaluate`."""
    return _top_metric(
        f"map@{k}",
        f"MAP@{k}",
        f"average precision of the {_first(k)} of each group by pCTR for clicks",
        ranked_clicks,
        lambda ranked, clicks: _map(ranked, clicks, k),
    )


def conversions_metric(k: int) -> Metric:
    """Return recall@k of conversions by pCTR as a metric of `evaluate`."""
    return of_decided(
        _top_metric(
            f"conversions@{k}",
            f"conversions top {k}",
            f"share of each group's conversions in its {_first(k)} by pCTR",
            ranked_conversions,
            lambda ranked, conversions: _recall(ranked, conversions, k),
        )
    )


MRR: Final = _top_metric(
    "mrr", "MRR", "1 / place of the first click of each group by pCTR", ranked_clicks, _mrr
)


def _without_metric(
    name: str,
    label: str,
    meaning: str,
    prepared: Callable[[ScoredExposures], tuple[RankedGroups, Blocks] | None],
) -> Metric:
    def compute(s: ScoredExposures) -> float:
        if (found := prepared(s)) is None:
            return float("nan")
        groups, relevant = len(found[0].ids), len(np.unique(found[1].group))
        return share(groups - relevant, groups)

    # No prediction changes it, so there is no gain to test.
    return Metric(name, label, "coverage", None, 3, meaning, compute)


WITHOUT_CLICK: Final = _without_metric(
    "groups_without_click",
    "groups without a click",
    "share of groups without a click, not in NDCG, MAP and MRR",
    ranked_clicks,
)
WITHOUT_CONVERSION: Final = of_decided(
    _without_metric(
        "groups_without_conversion",
        "groups without a conversion",
        "share of groups without a conversion, not in the conversions of the first places",
        ranked_conversions,
    )
)
