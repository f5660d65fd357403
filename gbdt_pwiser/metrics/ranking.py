"""Metrics of order: AUC inside groups, and the area under precision over recall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group, check_score, check_weight
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

    key, score_bits, ids = _keys(score, group)
    up, up_weight = _sorted_side(key, weight, positive)
    down, down_weight = _sorted_side(key, weight, ~positive)
    up_start, up_group = _runs(up >> np.uint64(score_bits))
    down_start, down_group = _runs(down >> np.uint64(score_bits))
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
    up, up_weight = _sorted_side(score, weight, positive)
    down, down_weight = _sorted_side(score, weight, ~positive)
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


def _sorted_side(
    key: NDArray[Any], weight: NDArray[np.float64] | None, side: Bools
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """One class in ascending order; without weights a plain sort, several times as fast as a permutation."""
    if weight is None:
        return np.sort(key[side]), None
    key, weight = key[side], weight[side]
    order = _argsort(key) if key.dtype == np.uint64 else np.argsort(key)
    return key[order], weight[order]


def _runs(values: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Where each run of equal values starts, and its value; none for no rows."""
    change = np.ones(len(values), dtype=np.bool_)
    change[1:] = values[1:] != values[:-1]
    starts = np.flatnonzero(change)
    return starts, values[starts]


def _keys(
    score: Floats, group: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.uint64], int, Callable[[NDArray[np.uint64]], NDArray[Any]]]:
    """Integers that sort by group, then score, and tie where both do; with the bits that hold the score.

    Third, what turns the group's part of a key back into its id. Values stand in the key as they are where
    64 bits hold both, as the rank among the distinct values where they do not.
    """
    # Modulo 2^64, so that differences are right for every type of integer.
    high = group.astype(np.uint64)
    least = group.min().astype(np.uint64)
    high -= least
    distinct: NDArray[np.uint64] | None = None
    low = _ordered_integers(score)
    if _bits(high) > 32:
        high, distinct = _ranks(high)
    if _bits(high) + _bits(low) > 64:
        low, _ = _ranks(low)
    score_bits = _bits(low)
    high <<= np.uint64(score_bits)
    high |= low

    def ids(part: NDArray[np.uint64]) -> NDArray[Any]:
        found: NDArray[np.uint64] = (part if distinct is None else distinct[part]) + least
        return found if group.dtype == np.uint64 else found.view(np.int64)

    return high, score_bits, ids


def _bits(values: NDArray[np.uint64]) -> int:
    return int(values.max()).bit_length()


def _ordered_integers(score: Floats) -> NDArray[np.uint64]:
    """Small integers in the order of the scores, from 0.

    The bits of a positive float sort as it does; a negative one becomes minus those of its magnitude, so
    -0.0 is 0. Zeros at the end of all of them, as in numbers that were float32 once, are cut off.
    """
    bits = score.astype(np.float64).view(np.int64)
    sign = bits >> 63
    bits &= 2**63 - 1
    bits ^= sign
    bits -= sign
    bits -= bits.min()  # wraps around where the difference is over 2**63: as unsigned it is right
    code: NDArray[np.uint64] = bits.view(np.uint64)
    used = int(np.bitwise_or.reduce(code))
    return code >> np.uint64((used & -used).bit_length() - 1) if used else code


def _ranks(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the rank of each among the distinct values, and those in ascending order."""
    order = slice(None) if (values[1:] >= values[:-1]).all() else _argsort(values)
    ordered = values[order]
    change = np.ones(len(values), dtype=np.bool_)
    change[1:] = ordered[1:] != ordered[:-1]
    rank = np.empty_like(values)
    rank[order] = np.cumsum(change, dtype=np.uint64) - np.uint64(1)
    return rank, ordered[change]


def _argsort(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Order of the values, from one sort of integers: about twice as fast as NumPy's argsort.

    The row number stands behind the leading bits of each value. Where those tie and the rest is out of
    order, which is rare, the rows concerned are sorted once more by the whole value.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    index_bits = (len(values) - 1).bit_length()
    cut = max(0, _bits(values) + index_bits - 64)
    packed = (values >> np.uint64(cut)) << np.uint64(index_bits)
    packed |= np.arange(len(values), dtype=np.uint64)
    packed.sort()
    order: NDArray[np.int64] = (packed & np.uint64(2**index_bits - 1)).view(np.int64)
    if cut:
        ordered = values[order]
        wrong = np.flatnonzero(ordered[1:] < ordered[:-1])
        if len(wrong):
            packed >>= np.uint64(index_bits)
            heads = np.unique(packed[wrong])
            first = np.searchsorted(packed, heads, "left")
            sizes = np.searchsorted(packed, heads, "right") - first
            # Every place from each first on: counted through, less what the runs before it took.
            place = np.repeat(first - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
            rows = order[place]
            order[place] = rows[np.lexsort((values[rows], packed[place]))]
    return order
