"""The area under the ROC curve, and CTR AUC and GAUC as metrics that both boosters accept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gbdt_pwiser.objectives._parallel import threads_for
from gbdt_pwiser.objectives._peers import Peers, gather
from gbdt_pwiser.objectives._wins import doubled_wins
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import OPEN, checked_binary, checked_weight, numbers
from gbdt_pwiser.objectives.labels import Labels, peers_of, read_labels


def auc(score: ArrayLike, positive: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Return the probability that a positive outscores a negative, ties counting half.

    ::

        AUC = sum_{i positive, j negative} w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / (W_pos W_neg)

    Parameters
    ----------
    score
        (n,): any monotone scale.
    positive
        (n,): true for the positives.
    sample_weight
        (n,): at least 0; 1 each where it is missing.

    Returns
    -------
    float
        NaN where one of the classes is empty or without weight.

    Raises
    ------
    InputError
        Shapes differ, a score is NaN, a label neither 0 nor 1, or a weight is none.

    Examples
    --------
    >>> auc([0.1, 0.4, 0.4, 0.9], [False, True, False, True])  # pairs: 1, 1, 1/2, 1
    0.875
    """
    scores, positives = numbers("score", score, "a score is a number"), checked_binary("positive", positive)
    if scores.shape != positives.shape:
        raise InputError(f"score has shape {scores.shape}, positive {positives.shape}; give both as (n,)")
    if np.isnan(scores).any():
        raise InputError(f"{int(np.isnan(scores).sum())} scores are NaN; AUC needs a score for each exposure")
    weight = None if sample_weight is None else checked_weight(sample_weight, len(scores), some=False)
    return _area(scores, positives, weight, threads=threads_for(len(scores)))


def _area(scores: Any, positives: Any, weight: Any, *, threads: int) -> float:
    if weight is None:
        up = np.count_nonzero(positives)
        few = positives if 2 * up <= len(positives) else ~positives
        doubled_total, some = 2 * up * (len(positives) - up), scores[few]
        # All scores against the few need no copy of the many. Among themselves, each pair of the few is won
        # once and each is tied with itself.
        won = doubled_wins(scores, None, some, None, threads=threads) - len(some) ** 2 if doubled_total else 0
        won = doubled_total - won if few is positives else won
    else:
        of = np.asarray(weight, dtype=np.float64)
        doubled_total = 2.0 * of[positives].sum() * of[~positives].sum()
        won = _won(scores, positives, of, threads=threads) if doubled_total > 0 else 0.0
    # Sums of weights are rounded, and a share is at most 1.
    return min(max(float(won / doubled_total), 0.0), 1.0) if doubled_total > 0 else float("nan")


def _won(scores: Any, positives: Any, weight: Any, *, threads: int) -> Any:
    """Return twice the weight of the pairs that the positives win; some of either have weight."""
    up, down, of_up, of_down = scores[positives], scores[~positives], weight[positives], weight[~positives]
    if len(up) > len(down):
        return doubled_wins(up, of_up, down, of_down, threads=threads)
    return 2.0 * of_up.sum() * of_down.sum() - doubled_wins(down, of_down, up, of_up, threads=threads)


def auc_ctr(raw_score: Any, data: Any) -> tuple[str, float] | tuple[str, float, bool]:
    """Return CTR AUC as `custom_metric` of XGBoost or `feval` of LightGBM.

    Works with every label that the objective accepts, weighted where the data set is. Its name starts
    with "auc", from which XGBoost's early stopping knows to maximise it. Where XGBoost trains on several
    workers it is the AUC of all workers' rows, whoever holds them: each round they gather the clicked
    exposures' scores.

    Parameters
    ----------
    raw_score
        (n,): what the booster hands to a metric.
    data
        The booster's data set.

    Returns
    -------
    tuple
        ("auc_ctr", value), for LightGBM with a third entry True: higher is better. NaN where one of the
        classes is empty.
    """
    labels, peers = read_labels(data), peers_of(data)
    # A worker may hold no row, and its data set then no label.
    click = labels.grade() > 0 if len(labels.label) or peers.size == 1 else np.zeros(0, dtype=bool)
    weight = labels.sample_weight()
    if peers.size == 1:
        value = auc(raw_score, click, sample_weight=weight)
    else:
        value = _across(np.asarray(raw_score, dtype=np.float64), click, weight, peers)
    return _named("auc_ctr", value, labels)


def auc_tasks(raw_score: Any, data: Any) -> list[tuple[str, float]]:
    """Return CTR AUC and CVR AUC as `custom_metric` of an XGBoost model of both tasks.

    CVR AUC is that of the second output for conversions among the clicks whose conversion is not open.
    Weights, workers and names are as in `auc_ctr`.

    Parameters
    ----------
    raw_score
        (n, 2): what the booster hands to a metric.
    data
        Built by `make_dmatrix(..., tasks=2)`.

    Returns
    -------
    list
        [("auc_ctr", value), ("auc_cvr", value)]; NaN where a class is empty.
    """
    labels, peers = read_labels(data, tasks=2), peers_of(data)
    grade = labels.grade() if len(labels.label) or peers.size == 1 else np.zeros(0)
    clicked, weight = grade > 0, labels.sample_weight()
    decided = clicked & (grade != OPEN)
    scores = np.asarray(raw_score, dtype=np.float64).reshape(-1, 2)
    told = []
    for name, rows, score, positive in (
        ("auc_ctr", slice(None), scores[:, 0], clicked),
        ("auc_cvr", decided, scores[:, 1], grade == 2),
    ):
        weights = None if weight is None else np.asarray(weight)[rows]
        if peers.size == 1:
            value = auc(score[rows], positive[rows], sample_weight=weights)
        else:
            value = _across(score[rows], positive[rows], weights, peers)
        told.append((name, value))
    return told


def auc_by_group(raw_score: Any, data: Any) -> tuple[str, float] | tuple[str, float, bool]:
    """Return GAUC of the click as `custom_metric` of XGBoost or `feval` of LightGBM.

    ::

        GAUC = sum_g w_g AUC_g / sum_g w_g

    over the groups of the data set with both classes; w_g is the weight of the group's exposures, their
    number without sample weights. It is called auc_by_group because XGBoost's early stopping would minimise
    a metric named gauc. Where XGBoost trains on several workers, a group must lie with one of them.

    Parameters and result are those of `auc_ctr`; NaN where no group has both classes, InputError where the
    data set has no groups.
    """
    labels, peers = read_labels(data), peers_of(data)
    total = np.zeros(2)
    if len(labels.label) or peers.size == 1:
        group, click = labels.group(), labels.grade() > 0
        if group is None:
            raise InputError(
                "auc_by_group needs the groups of the data set; give group= to make_dmatrix or make_dataset, "
                "or use auc_ctr"
            )
        total += _of_groups(np.asarray(raw_score), click, group, labels.sample_weight())
    won, of = peers.sum(total)
    return _named("auc_by_group", float(won / of) if of > 0 else float("nan"), labels)


def _named(name: str, value: float, labels: Labels) -> tuple[str, float] | tuple[str, float, bool]:
    return (name, value) if labels.booster == "xgboost" else (name, value, True)


def _across(scores: Any, positives: Any, weight: Any, peers: Peers) -> float:
    """Gather all workers' positives, which are few; each worker holds them against its own negatives."""
    weight = np.ones(len(scores)) if weight is None else np.asarray(weight, dtype=np.float64)
    up, _ = gather(peers, scores[positives])
    of_up, _ = gather(peers, weight[positives])
    down, of_down = scores[~positives], weight[~positives]
    lost = doubled_wins(down, of_down, up, of_up) if len(up) and len(down) else 0.0
    lost, total = peers.sum(np.array([lost, of_down.sum()]))
    doubled_total = 2.0 * of_up.sum() * total
    return min(max(float(1.0 - lost / doubled_total), 0.0), 1.0) if doubled_total > 0 else float("nan")


def _of_groups(scores: Any, positives: Any, group: Any, weight: Any) -> tuple[float, float]:
    """Return the sum over groups with both classes of weight times AUC, and that of the weights."""
    if not len(scores):
        return 0.0, 0.0
    weight = np.ones(len(scores)) if weight is None else np.asarray(weight, dtype=np.float64)
    order = np.lexsort((scores, group))
    scores, group, positives, weight = scores[order], group[order], positives[order], weight[order]
    of_group = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    tied = np.flatnonzero(np.append(True, (group[1:] != group[:-1]) | (scores[1:] != scores[:-1])))
    up, down = np.where(positives, weight, 0.0), np.where(positives, 0.0, weight)
    all_up, all_down = np.add.reduceat(up, of_group), np.add.reduceat(down, of_group)
    # Each group's negatives weigh 1 in all, so that no group drowns another in the running sum.
    share = down / np.repeat(np.where(all_down > 0, all_down, 1.0), np.diff(of_group, append=len(scores)))
    below = np.append(0.0, np.cumsum(share))
    ends = np.append(tied[1:], len(scores))
    first = of_group[np.searchsorted(of_group, tied, "right") - 1]
    beaten = np.add.reduceat(up, tied) * ((below[tied] + below[ends]) / 2 - below[first])
    won = np.add.reduceat(beaten, np.searchsorted(tied, of_group))
    both = (all_up > 0) & (all_down > 0)
    of = (all_up + all_down)[both]
    return float(of @ (won[both] / all_up[both])), float(of.sum())
