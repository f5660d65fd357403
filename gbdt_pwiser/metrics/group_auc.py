"""AUC inside groups: each one's, and their average, GAUC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.blocks import Blocks, RankedGroups, ranked_clicks, ranked_conversions
from gbdt_pwiser.metrics.checks import Bools, Floats, check_group, check_score, check_weight
from gbdt_pwiser.metrics.metric import Family, GroupValues, Metric, group_metric, of_decided, share
from gbdt_pwiser.metrics.scored import ScoredExposures, once
from gbdt_pwiser.objectives import InputError

Weighting = Literal["exposures", "positives", "mean"]


class GroupAUC(NamedTuple):
    """AUC inside groups, and how many groups it could use."""

    value: float
    groups_used: int
    groups_left_out: int


class GroupAUCs(NamedTuple):
    """The AUC of each group that has both classes, in ascending order of the groups.

    Parameters
    ----------
    group
        int64 or uint64 (g,), their ids.
    value
        float64 (g,), AUC inside each.
    exposures, positives
        float64 (g,), their weights; counts where there are no weights.
    left_out
        Groups of one class.
    """

    group: NDArray[np.integer[Any]]
    value: NDArray[np.float64]
    exposures: NDArray[np.float64]
    positives: NDArray[np.float64]
    left_out: int

    def mean(self, weighting: Weighting) -> GroupAUC:
        """Average with the named weights, see `gauc`."""
        return GroupAUC(self.weighted(weighting).mean(), len(self.value), self.left_out)

    def weighted(self, weighting: Weighting) -> GroupValues:
        """Return the AUCs with the named weights, see `gauc`."""
        match weighting:
            case "exposures":
                weight = self.exposures
            case "positives":
                weight = self.positives
            case "mean":
                weight = np.ones(len(self.value))
            case _:
                raise InputError(f"weighting is {weighting!r}; choose exposures, positives or mean")
        return GroupValues(self.group, self.value, weight)


def gauc(
    score: Floats,
    positive: Bools,
    group: NDArray[np.integer[Any]],
    *,
    sample_weight: Floats | None = None,
    weighting: Weighting = "exposures",
) -> GroupAUC:
    """AUC inside each group, averaged over the groups that have both classes.

        GAUC = sum_g w_g AUC_g / sum_g w_g

    Parameters
    ----------
    score
        float (n,), any monotone scale.
    positive
        bool (n,).
    group
        int (n,), in any order.
    sample_weight
        float (n,), at least 0; a row of weight 0 is as good as absent. 1 each where it is missing.
    weighting
        w_g: "exposures", the group's exposures (Zhu et al., arXiv 1706.06978); "positives", its positives;
        "mean", 1. With sample weights, the sums of those of the exposures, of the positives, and 1.

    Returns
    -------
    GroupAUC
        The value is NaN where no group has both classes. Groups of one class rank nothing; they are left
        out of the average and counted. Ties count half.

    Raises
    ------
    InputError
        A shape differs, a score is NaN, a weight is negative, or the weighting is unknown.

    Examples
    --------
    >>> score, positive = np.array([0.9, 0.1, 0.2, 0.3, 0.5]), np.array([True, False, True, False, True])
    >>> gauc(score, positive, np.array([7, 7, 8, 8, 9]))
    GroupAUC(value=0.5, groups_used=2, groups_left_out=1)
    """
    return group_aucs(score, positive, group, sample_weight=sample_weight).mean(weighting)


def group_aucs(
    score: Floats, positive: Bools, group: NDArray[np.integer[Any]], *, sample_weight: Floats | None = None
) -> GroupAUCs:
    """AUC of each group; arguments and errors as of `gauc`."""
    check_score(score, positive)
    check_group(group, len(score))
    weight = check_weight(sample_weight, len(score))
    if weight is None:
        ranked = RankedGroups.of(score, group)
        return _aucs(ranked, ranked.blocks(positive))
    seen = weight > 0
    if not seen.all():
        score, positive, group, weight = score[seen], positive[seen], group[seen], weight[seen]
    return _weighted_aucs(RankedGroups.of(score, group), positive, weight)


def _aucs(ranked: RankedGroups, b: Blocks) -> GroupAUCs:
    """Count what the positives beat: of a block's r each beats the negatives behind it, and half of its own.

    Of n exposures of the group with R positives, n - o - m stand behind a block, and R - a - r of those are
    positives. Whole numbers throughout, so nothing is rounded.
    """
    positives = ranked.sums(b.group, b.relevant).astype(np.intp)
    behind = (ranked.size - positives)[b.group] - (b.before - b.ahead()) - (b.tied - b.relevant)
    doubled_wins = ranked.sums(b.group, b.relevant * (2 * behind + b.tied - b.relevant))
    doubled_pairs = 2 * positives * (ranked.size - positives)
    used = doubled_pairs > 0
    return GroupAUCs(
        group=ranked.ids[used],
        value=doubled_wins[used] / doubled_pairs[used],
        exposures=ranked.size[used].astype(np.float64),
        positives=positives[used].astype(np.float64),
        left_out=len(used) - int(used.sum()),
    )


def _weighted_aucs(ranked: RankedGroups, positive: Bools, weight: NDArray[np.float64]) -> GroupAUCs:
    """Weigh what the positives beat, from running sums of the negatives' weights by falling score."""
    positive, weight = positive[ranked.order], weight[ranked.order]

    def totals(side: Bools, starts: NDArray[np.intp]) -> NDArray[np.float64]:
        values = np.where(side, weight, 0.0)
        return np.add.reduceat(values, starts) if len(starts) else values

    positives, negatives = totals(positive, ranked.start), totals(~positive, ranked.start)
    used = (positives > 0) & (negatives > 0)
    # Each group's negatives have weight 1 in all, so that no group drowns another in the running sum.
    share = np.where(positive, 0.0, weight) / np.repeat(np.where(used, negatives, np.inf), ranked.size)
    to = np.append(0.0, np.cumsum(share))
    first, end = ranked.tie_start, np.append(ranked.tie_start[1:], len(weight))
    group_end = np.append(ranked.start[1:], len(weight))
    of_group = np.searchsorted(ranked.start, first, "right") - 1
    beaten = to[group_end][of_group] - (to[first] + to[end]) / 2
    wins = ranked.sums(of_group, totals(positive, first) * beaten)
    return GroupAUCs(
        group=ranked.ids[used],
        value=wins[used] / positives[used],
        exposures=positives[used] + negatives[used],
        positives=positives[used],
        left_out=len(used) - int(used.sum()),
    )


@once
def _clicks_in_groups(s: ScoredExposures) -> GroupAUCs | None:
    return None if (found := ranked_clicks(s)) is None else _aucs(*found)


@once
def _conversions_in_groups(s: ScoredExposures) -> GroupAUCs | None:
    return None if (found := ranked_conversions(s)) is None else _aucs(*found)


InGroups = Callable[[ScoredExposures], GroupAUCs | None]


def _gauc_metric(
    name: str, label: str, family: Family, meaning: str, in_groups: InGroups, weighting: Weighting
) -> Metric:
    def values(s: ScoredExposures) -> GroupValues | None:
        aucs = in_groups(s)
        return None if aucs is None else aucs.weighted(weighting)

    return group_metric(name, label, family, meaning, values, ranks_by_pctr=True)


def _left_out_metric(name: str, label: str, meaning: str, in_groups: InGroups) -> Metric:
    def compute(s: ScoredExposures) -> float:
        aucs = in_groups(s)
        return float("nan") if aucs is None else share(aucs.left_out, len(aucs.value) + aucs.left_out)

    # No prediction changes it, so there is no gain to test.
    return Metric(name, label, "coverage", None, 3, meaning, compute)


GAUC: Final = _gauc_metric(
    "gauc",
    "GAUC",
    "ranking",
    "CTR AUC inside each group, averaged with the groups' exposures as weights",
    _clicks_in_groups,
    "exposures",
)
GAUC_POSITIVES: Final = _gauc_metric(
    "gauc_positives",
    "GAUC by clicks",
    "detail",
    "CTR AUC inside each group, averaged with the groups' clicks",
    _clicks_in_groups,
    "positives",
)
GAUC_MEAN: Final = _gauc_metric(
    "gauc_mean",
    "GAUC, plain mean",
    "detail",
    "CTR AUC inside each group, plain mean",
    _clicks_in_groups,
    "mean",
)
GAUC_LEFT_OUT: Final = _left_out_metric(
    "gauc_left_out",
    "groups left out",
    "share of groups without both a click and a non-click, not in GAUC",
    _clicks_in_groups,
)
CONVERSION_GAUC: Final = of_decided(
    _gauc_metric(
        "conversion_gauc",
        "conversion GAUC",
        "ranking",
        "conversion AUC inside each group, averaged with the groups' exposures as weights",
        _conversions_in_groups,
        "exposures",
    )
)
CONVERSION_GAUC_LEFT_OUT: Final = of_decided(
    _left_out_metric(
        "conversion_gauc_left_out",
        "groups left out of conversion GAUC",
        "share of groups without both a conversion and another exposure, not in conversion GAUC",
        _conversions_in_groups,
    )
)
