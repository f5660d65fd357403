"""Metrics of order: AUC, AUC inside groups, and the area under precision over recall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group, check_score, check_weight
from gbdt_pwiser.metrics.metric import (
    Bootstrap,
    Family,
    GroupValues,
    Metric,
    Ranking,
    Statistic,
    auc_metric,
    group_metric,
    share,
)
from gbdt_pwiser.metrics.scored import Sample, ScoredExposures, once
from gbdt_pwiser.metrics.sorting import keys, runs, sorted_side
from gbdt_pwiser.objectives import InputError

Weighting = Literal["exposures", "positives", "mean"]


def pcvr_of(pctr: Floats, pctcvr: Floats) -> NDArray[np.float64]:
    """Return pCVR = pCTCVR / pCTR of each exposure, float64 (n,), to 12 decimals; 0 where pCTR is 0.

    InputError where their shapes differ.
    """
    if pctr.shape != pctcvr.shape:
        raise InputError(f"pctcvr has shape {pctcvr.shape}, pctr {pctr.shape}; give both as (n,)")
    click = pctr.astype(np.float64)
    pcvr = np.divide(pctcvr, click, out=np.zeros_like(click), where=click > 0)
    # Dividing what was multiplied leaves rounding behind, which would break the ties of a constant pCVR.
    return np.asarray(np.round(pcvr, 12))


def _pcvr_of_clicks(s: ScoredExposures) -> Floats:
    return pcvr_of(s.pctr[s.click], s.pctcvr[s.click]) if s.pcvr is None else s.pcvr[s.click]


def _noise_free(s: ScoredExposures) -> Ranking | None:
    clicks = s.exposures.noise_free_click
    return None if clicks is None else Ranking(s.pctr, clicks)


CTR_AUC: Final = auc_metric(
    "ctr_auc",
    "CTR AUC",
    "ranking",
    "chance that a clicked exposure has a higher pCTR than an unclicked one",
    lambda s: Ranking(s.pctr, s.click),
)
CTCVR_AUC: Final = auc_metric(
    "ctcvr_auc",
    "CTCVR AUC",
    "ranking",
    "chance that a converted exposure has a higher pCTCVR than any other",
    lambda s: Ranking(s.pctcvr, s.conversion),
)
CVR_AUC: Final = auc_metric(
    "cvr_auc",
    "CVR AUC",
    "ranking",
    "among clicked exposures, chance that a converted one has a higher pCVR",
    lambda s: Ranking(_pcvr_of_clicks(s), s.conversion[s.click], rows=s.click),
)
NOISE_FREE_CTR_AUC: Final = auc_metric(
    "noise_free_ctr_auc",
    "noise-free CTR AUC",
    "ranking",
    "CTR AUC against clicks without the accidental ones (simulated data)",
    _noise_free,
)


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
def _in_groups(s: ScoredExposures) -> GroupAUCs | None:
    return None if s.group is None else group_aucs(s.pctr, s.click, s.group)


def _gauc_metric(name: str, label: str, family: Family, meaning: str, weighting: Weighting) -> Metric:
    def values(s: ScoredExposures) -> GroupValues | None:
        aucs = _in_groups(s)
        return None if aucs is None else aucs.weighted(weighting)

    return group_metric(name, label, family, meaning, values)


def _left_out(s: ScoredExposures) -> float:
    aucs = _in_groups(s)
    return float("nan") if aucs is None else share(aucs.left_out, len(aucs.value) + aucs.left_out)


GAUC: Final = _gauc_metric(
    "gauc",
    "GAUC",
    "ranking",
    "CTR AUC inside each group, averaged with the groups' exposures as weights",
    "exposures",
)
GAUC_POSITIVES: Final = _gauc_metric(
    "gauc_positives",
    "GAUC by clicks",
    "detail",
    "CTR AUC inside each group, averaged with the groups' clicks",
    "positives",
)
GAUC_MEAN: Final = _gauc_metric(
    "gauc_mean", "GAUC, plain mean", "detail", "CTR AUC inside each group, plain mean", "mean"
)
# No prediction changes it, so there is no gain to test.
GAUC_LEFT_OUT: Final = Metric(
    "gauc_left_out",
    "groups left out",
    "coverage",
    None,
    3,
    "share of groups without both a click and a non-click, not in GAUC",
    _left_out,
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
    caught = _mass_from(up_weight, np.searchsorted(up, up, "left"), len(up))
    alarms = _mass_from(down_weight, np.searchsorted(down, up, "left"), len(down))
    return float(np.average(caught / (caught + alarms), weights=up_weight))


def _mass_from(weight: NDArray[np.float64] | None, first: NDArray[np.intp], rows: int) -> NDArray[Any]:
    """Weight of the sorted rows from each `first` to the end; their number where there are no weights."""
    if weight is None:
        return rows - first
    return np.append(np.cumsum(weight[::-1])[::-1], 0.0)[first]


def _pr_auc_metric(
    name: str, label: str, meaning: str, ranking: Callable[[ScoredExposures], Ranking]
) -> Metric:
    def compute(s: ScoredExposures) -> float:
        ranked = ranking(s)
        return pr_auc(ranked.score, ranked.positive)

    def statistic(sample: Sample) -> Statistic:
        ranked = ranking(sample)
        return _pr_auc_of_units(ranked.score, ranked.positive, sample.units.index)

    return Metric(name, label, "detail", True, 4, meaning, compute, Bootstrap(statistic))


def _pr_auc_of_units(score: Floats, positive: Bools, unit: NDArray[np.intp]) -> Statistic:
    """`pr_auc` as a function of the units' weights, sorted once."""
    rows = np.argsort(score)
    up, down = rows[positive[rows]], rows[~positive[rows]]
    first_up = np.searchsorted(score[up], score[up], "left")
    first_down = np.searchsorted(score[down], score[up], "left")
    up_unit, down_unit = unit[up], unit[down]

    def statistic(weight: NDArray[np.float64]) -> float:
        w = weight[up_unit]
        if not w.any():
            return float("nan")
        caught = _mass_from(w, first_up, len(w))
        alarms = _mass_from(weight[down_unit], first_down, len(down_unit))
        precision = np.divide(caught, caught + alarms, out=np.zeros(len(w)), where=caught > 0)
        return float(w @ precision / w.sum())

    return statistic


CTR_PR_AUC: Final = _pr_auc_metric(
    "ctr_pr_auc",
    "CTR PR-AUC",
    "average precision of pCTR for clicks",
    lambda s: Ranking(s.pctr, s.click),
)
CTCVR_PR_AUC: Final = _pr_auc_metric(
    "ctcvr_pr_auc",
    "CTCVR PR-AUC",
    "average precision of pCTCVR for conversions",
    lambda s: Ranking(s.pctcvr, s.conversion),
)
