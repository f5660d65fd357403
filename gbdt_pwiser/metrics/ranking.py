"""Metrics of order: AUC inside groups, and the area under precision over recall."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group, check_score, check_weight
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
        match weighting:
            case "exposures":
                weight = self.exposures
            case "positives":
                weight = self.positives
            case "mean":
                weight = np.ones(len(self.value))
            case _:
                raise InputError(f"weighting is {weighting!r}; choose exposures, positives or mean")
        used = len(self.value)
        value = float(np.average(self.value, weights=weight)) if used else float("nan")
        return GroupAUC(value, used, self.left_out)


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


def pr_auc(score: Floats, positive: Bools, *, sample_weight: Floats | None = None) -> float:
    """Area under precision over recall as scikit-learn's average precision: steps, no interpolation.

    PR-AUC = sum_{i positive} w_i precision(s_i) / sum_{i positive} w_i, where precision(s) is the positives'
    share of the exposures with a score of at least s

    Parameters
    ----------
    score
        float (n,), any monotone scale. Ties are one threshold, whatever their order.
    positive
        bool (n,).
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    float
        In [0, 1]; the base rate for a constant score, 1 without negatives, NaN without positives.

    Raises
    ------
    InputError
        A shape differs, a score is NaN, or a weight is negative.

    Examples
    --------
    >>> pr_auc(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    check_score(score, positive)
    weight = check_weight(sample_weight, len(score))
    if weight is not None and not weight.all():
        seen = weight > 0
        score, positive, weight = score[seen], positive[seen], weight[seen]
    up, up_weight = sorted_side(score, weight, positive)
    down, down_weight = sorted_side(score, weight, ~positive)
    if not len(up):
        return float("nan")
    caught = mass_from(up_weight, np.searchsorted(up, up, "left"), len(up))
    alarms = mass_from(down_weight, np.searchsorted(down, up, "left"), len(down))
    return float(np.average(caught / (caught + alarms), weights=up_weight))


def mass_from(weight: NDArray[np.float64] | None, first: NDArray[np.intp], rows: int) -> NDArray[Any]:
    """Weight of the sorted rows from each `first` to the end; their number where there are no weights."""
    if weight is None:
        return rows - first
    return np.append(np.cumsum(weight[::-1])[::-1], 0.0)[first]
