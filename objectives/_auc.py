"""The area under the ROC curve, and CTR AUC as a metric that both boosters accept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gbdt_pwiser.objectives._data import read_labels
from gbdt_pwiser.objectives._errors import InputError


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
        Shapes differ, a score is NaN, or a weight is negative or not finite.

    Examples
    --------
    >>> auc([0.1, 0.4, 0.4, 0.9], [False, True, False, True])  # pairs: 1, 1, 1/2, 1
    0.875
    """
    scores, positives = np.asarray(score), np.asarray(positive).astype(bool)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    for what, values in (("positive", positives), ("sample_weight", weight)):
        if values is not None and (scores.ndim != 1 or values.shape != scores.shape):
            raise InputError(f"score has shape {scores.shape}, {what} {values.shape}; give both as (n,)")
    if np.isnan(scores).any():
        raise InputError(f"{int(np.isnan(scores).sum())} scores are NaN; AUC needs a score for each exposure")
    if weight is not None and not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise InputError("a sample_weight is negative or not finite; give weights of at least 0")
    if weight is None:
        return _unweighted(scores, positives)
    return _weighted(scores, positives, weight)


def _unweighted(scores: Any, positives: Any) -> float:
    """Sort each class by itself: no permutation of n rows is built, and counts stay exact."""
    up, down = np.sort(scores[positives]), np.sort(scores[~positives])
    if not (len(up) and len(down)):
        return float("nan")
    few, many = (up, down) if len(up) <= len(down) else (down, up)
    below_or_half = int(np.searchsorted(many, few, "left").sum() + np.searchsorted(many, few, "right").sum())
    doubled_pairs = 2 * len(up) * len(down)
    return (below_or_half if few is up else doubled_pairs - below_or_half) / doubled_pairs


def _weighted(scores: Any, positives: Any, weight: Any) -> float:
    """Sort each class by itself; a positive beats the weight of all negatives below and half of its ties."""

    def ascending(side: Any) -> tuple[Any, Any]:
        order = np.argsort(scores[side])
        return scores[side][order], weight[side][order]

    up, up_weight = ascending(positives)
    down, down_weight = ascending(~positives)
    below = np.append(0.0, np.cumsum(down_weight))
    beaten = below[np.searchsorted(down, up, "left")] + below[np.searchsorted(down, up, "right")]
    doubled_total = 2.0 * up_weight.sum() * below[-1]
    return float(up_weight @ beaten / doubled_total) if doubled_total > 0 else float("nan")


def auc_ctr(raw_score: Any, data: Any) -> tuple[str, float] | tuple[str, float, bool]:
    """Return CTR AUC as `custom_metric` of XGBoost or `feval` of LightGBM.

    Works with every label that the objective accepts, weighted where the data set is. Its name starts
    with "auc", from which XGBoost's early stopping knows to maximise it.

    Parameters
    ----------
    raw_score
        (n,): what the booster hands to a metric.
    data
        The booster's data set.

    Returns
    -------
    tuple
        ("auc_ctr", value), for LightGBM with a third entry True: higher is better.
    """
    labels = read_labels(data)
    value = auc(raw_score, labels.grade() > 0, sample_weight=labels.sample_weight())
    return ("auc_ctr", value) if labels.booster == "xgboost" else ("auc_ctr", value, True)
