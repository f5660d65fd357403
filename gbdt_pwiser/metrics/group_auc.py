"""AUC inside groups: each one's, and their average, GAUC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group, check_score, check_weight
from gbdt_pwiser.metrics.metric import Family, GroupValues, Metric, group_metric, share
from gbdt_pwiser.metrics.scored import ScoredExposures, once
from gbdt_pwiser.metrics.sorting import keys, runs, sorted_side
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

    group: NDArray[np.int64] | NDArray[np.uint64]
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
    """AUC of each group; arguments and errors as of `gauc`.

    Positives and negatives are sorted apart, by group and score packed into one integer. What a positive
    beats is then the place of its key among the negatives', less where its group starts there.
    """
    check_score(score, positive)
    check_group(group, len(score))
    weight = check_weight(sample_weight, len(score))
    if weight is not None and not weight.all():
        seen = weight > 0
        score, positive, group, weight = score[seen], positive[seen], group[seen], weight[seen]
    if not len(score):
        nothing = np.zeros(0)
        return GroupAUCs(np.zeros(0, np.int64), nothing, nothing, nothing, 0)

    key, score_bits, ids = keys(score, group)
    up, up_weight = sorted_side(key, weight, positive)
    down, down_weight = sorted_side(key, weight, ~positive)
    up_start, up_group = runs(up >> np.uint64(score_bits))
    down_start, down_group = runs(down >> np.uint64(score_bits))
    both, in_up, in_down = np.intersect1d(up_group, down_group, assume_unique=True, return_indices=True)

    def totals(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
        return np.add.reduceat(values, starts) if len(starts) else values[:0]

    left, right = np.searchsorted(down, up, "left"), np.searchsorted(down, up, "right")
    n_up, n_down = np.diff(up_start, append=len(up)), np.diff(down_start, append=len(down))
    if up_weight is None or down_weight is None:
        doubled_wins = totals(left + right, up_start)[in_up] - 2 * n_up[in_up] * down_start[in_down]
        value = doubled_wins / (2 * n_up[in_up] * n_down[in_down])
        positives, negatives = n_up.astype(np.float64), n_down.astype(np.float64)
    else:
        positives, negatives = totals(up_weight, up_start), totals(down_weight, down_start)
        # Each group's negatives have weight 1 in all, so that no group drowns another in the running sum.
        below = np.append(0.0, np.cumsum(down_weight / np.repeat(negatives, n_down)))
        wins = totals(up_weight * (below[left] + below[right]) / 2, up_start)[in_up]
        value = wins / positives[in_up] - below[down_start[in_down]]
    return GroupAUCs(
        group=ids(both),
        value=value,
        exposures=positives[in_up] + negatives[in_down],
        positives=positives[in_up],
        left_out=len(up_group) + len(down_group) - 2 * len(both),
    )


@once
def _clicks_in_groups(s: ScoredExposures) -> GroupAUCs | None:
    return None if s.group is None else group_aucs(s.pctr, s.click, s.group)


@once
def _conversions_in_groups(s: ScoredExposures) -> GroupAUCs | None:
    return None if s.group is None else group_aucs(s.pctr, s.conversion, s.group)


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
CONVERSION_GAUC: Final = _gauc_metric(
    "conversion_gauc",
    "conversion GAUC",
    "ranking",
    "conversion AUC inside each group, averaged with the groups' exposures as weights",
    _conversions_in_groups,
    "exposures",
)
CONVERSION_GAUC_LEFT_OUT: Final = _left_out_metric(
    "conversion_gauc_left_out",
    "groups left out of conversion GAUC",
    "share of groups without both a conversion and another exposure, not in conversion GAUC",
    _conversions_in_groups,
)
