"""Metrics of predicted click and conversion probabilities: plain functions of NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.objectives import InputError, auc

__all__ = [
    "METRICS",
    "GroupAUC",
    "Metric",
    "auc",
    "check_optimisable",
    "evaluate",
    "gauc",
    "log_loss",
    "normalized_entropy",
    "pcoc",
]


@dataclass(frozen=True)
class Metric:
    """How a metric is printed and read.

    Parameters
    ----------
    label
        Its name in tables and reports.
    family
        "ranking" or "calibration"; "coverage" says how much of the data another metric saw.
    higher_is_better
        None where neither direction is better.
    decimals
        Digits after the point.
    meaning
        One line for the reader of a report.
    """

    label: str
    family: Literal["ranking", "calibration", "coverage"]
    higher_is_better: bool | None
    decimals: int
    meaning: str


METRICS: Final[dict[str, Metric]] = {
    "ctr_auc": Metric(
        "CTR AUC",
        "ranking",
        True,
        4,
        "chance that a clicked exposure has a higher pCTR than an unclicked one",
    ),
    "gauc": Metric(
        "GAUC",
        "ranking",
        True,
        4,
        "CTR AUC inside each group, averaged with the groups' exposures as weights",
    ),
    "ctcvr_auc": Metric(
        "CTCVR AUC", "ranking", True, 4, "chance that a converted exposure has a higher pCTCVR than any other"
    ),
    "cvr_auc": Metric(
        "CVR AUC",
        "ranking",
        True,
        4,
        "among clicked exposures, chance that a converted one has a higher pCVR",
    ),
    "noise_free_ctr_auc": Metric(
        "noise-free CTR AUC",
        "ranking",
        True,
        4,
        "CTR AUC against clicks without the accidental ones (simulated data)",
    ),
    "log_loss": Metric("log loss", "calibration", False, 4, "mean binary cross-entropy of pCTR, in nats"),
    "normalized_entropy": Metric(
        "normalized entropy", "calibration", False, 4, "log loss over that of always predicting the base rate"
    ),
    "pcoc": Metric("PCOC", "calibration", None, 3, "predicted over observed clicks; 1 is calibrated"),
    "gauc_left_out": Metric(
        "groups left out",
        "coverage",
        None,
        3,
        "share of groups without both a click and a non-click, not in GAUC",
    ),
}
"""Every metric `evaluate` returns, in the order in which it is printed."""

def check_optimisable(name: str) -> None:
    """Raise InputError, listing the choices, for a metric that is unknown or has no better direction."""
    if name not in METRICS or METRICS[name].higher_is_better is None:
        known = ", ".join(known for known, metric in METRICS.items() if metric.higher_is_better is not None)
        raise InputError(f"cannot choose by {name!r}; choose one of {known}")


CLIP: Final = float(np.finfo(np.float64).eps)
"""Probabilities are clipped into [CLIP, 1 - CLIP], about 2.2e-16, before a logarithm is taken."""


class GroupAUC(NamedTuple):
    """AUC inside groups, and how many groups it could use."""

    value: float
    groups_used: int
    groups_left_out: int


def gauc(
    score: NDArray[np.floating[Any]],
    positive: NDArray[np.bool_],
    group: NDArray[np.int64],
    *,
    weighting: Literal["exposures", "positives", "mean"] = "exposures",
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
    weighting
        w_g: the group's exposures, its positives, or 1 ("mean").

    Returns
    -------
    GroupAUC
        The value is NaN where no group has both classes. Groups of one class rank nothing; they are left
        out of the average and counted.

    Raises
    ------
    InputError
        A shape differs, a score is NaN, or the weighting is unknown.

    Examples
    --------
    >>> score, positive = np.array([0.9, 0.1, 0.2, 0.3, 0.5]), np.array([True, False, True, False, True])
    >>> gauc(score, positive, np.array([7, 7, 8, 8, 9]))
    GroupAUC(value=0.5, groups_used=2, groups_left_out=1)
    """
    _check(score, positive)
    if group.shape != score.shape:
        raise InputError(f"group has shape {group.shape}; give {score.shape}, as score")
    order = np.lexsort((score, group))
    score, positive, group = score[order], positive[order], group[order]
    wins, pairs = _wins_and_pairs(score, positive, group)

    starts = _run_starts(group)
    match weighting:
        case "exposures":
            weight = np.diff(starts, append=len(group)).astype(np.float64)
        case "positives":
            weight = _run_sums(positive, starts).astype(np.float64)
        case "mean":
            weight = np.ones(len(starts))
        case _:
            raise InputError(f"weighting is {weighting!r}; choose exposures, positives or mean")
    usable = pairs > 0
    used = int(usable.sum())
    value = float(np.average(wins[usable] / pairs[usable], weights=weight[usable])) if used else float("nan")
    return GroupAUC(value, used, len(starts) - used)


def log_loss(probability: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Mean binary cross-entropy in nats, probabilities clipped into [CLIP, 1 - CLIP].

    log loss = -mean_i [ y_i log p_i + (1 - y_i) log(1 - p_i) ]

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,), y.

    Returns
    -------
    float
        At least 0; NaN for no rows.

    Raises
    ------
    InputError
        A shape differs, or a probability is NaN or outside [0, 1].

    Examples
    --------
    >>> round(log_loss(np.array([0.5, 0.5]), np.array([True, False])), 6)
    0.693147
    """
    _check_probability("probability", probability, positive)
    if not len(positive):
        return float("nan")
    p = probability.astype(np.float64)
    return float(-np.log(np.clip(np.where(positive, p, 1.0 - p), CLIP, 1.0 - CLIP)).mean())


def normalized_entropy(probability: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Log loss in units of the log loss of always predicting the base rate r.

    NE = log loss / -(r log r + (1 - r) log(1 - r))

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,); r is its mean.

    Returns
    -------
    float
        Below 1 where the prediction beats the base rate; NaN for one class or no rows.

    Raises
    ------
    InputError
        A shape differs, or a probability is NaN or outside [0, 1].
    """
    loss = log_loss(probability, positive)
    rate = positive.mean() if len(positive) else 0.0
    if not 0.0 < rate < 1.0:
        return float("nan")
    return float(loss / -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate)))


def pcoc(probability: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Predicted over observed clicks; 1 is calibrated on the whole, 2 promises twice what came.

    PCOC = sum_i p_i / sum_i y_i

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,), y.

    Returns
    -------
    float
        At least 0; NaN where there is no positive.

    Raises
    ------
    InputError
        A shape differs, or a probability is NaN or outside [0, 1].
    """
    _check_probability("probability", probability, positive)
    observed = int(positive.sum())
    return float(probability.sum(dtype=np.float64) / observed) if observed else float("nan")


def evaluate(
    exposures: Exposures, pctr: NDArray[np.floating[Any]], pctcvr: NDArray[np.floating[Any]]
) -> dict[str, float]:
    """Every metric of one prediction, in the order and by the names of `METRICS`.

    pCVR = pCTCVR / pCTR on the clicked exposures, 0 where pCTR is 0.

    Parameters
    ----------
    exposures
        The n exposures that were predicted, with what came of them.
    pctr
        float (n,), probability of a click given the exposure.
    pctcvr
        float (n,), probability of a conversion given the exposure.

    Returns
    -------
    dict
        Values by metric name. A metric the data cannot give is NaN: without groups `gauc` and
        `gauc_left_out`, with one class the AUCs. `noise_free_ctr_auc` is there for simulated data only.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN or outside [0, 1].
    """
    click, conversion = exposures.click, exposures.conversion
    _check_probability("pctr", pctr, click)
    _check_probability("pctcvr", pctcvr, click)

    clicked_ctr = pctr[click].astype(np.float64)
    pcvr = np.divide(pctcvr[click], clicked_ctr, out=np.zeros_like(clicked_ctr), where=clicked_ctr > 0)
    # Dividing what was multiplied leaves rounding behind, which would break the ties of a constant pCVR.
    pcvr = np.round(pcvr, 12)
    in_groups = (
        GroupAUC(float("nan"), 0, 0) if exposures.group is None else gauc(pctr, click, exposures.group)
    )
    groups = in_groups.groups_used + in_groups.groups_left_out
    values = {
        "ctr_auc": auc(pctr, click),
        "gauc": in_groups.value,
        "ctcvr_auc": auc(pctcvr, conversion),
        "cvr_auc": auc(pcvr, conversion[click]),
        "log_loss": log_loss(pctr, click),
        "normalized_entropy": normalized_entropy(pctr, click),
        "pcoc": pcoc(pctr, click),
        "gauc_left_out": in_groups.groups_left_out / groups if groups else float("nan"),
    }
    if exposures.noise_free_click is not None:
        values["noise_free_ctr_auc"] = auc(pctr, exposures.noise_free_click)
    return {name: values[name] for name in METRICS if name in values}


def _check(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_], name: str = "score") -> None:
    if positive.ndim != 1 or positive.dtype != np.bool_:
        raise InputError(
            f"positive has shape {positive.shape} and type {positive.dtype}; give bool, shape (n,)"
        )
    if score.shape != positive.shape:
        raise InputError(f"{name} has shape {score.shape}; give one per exposure, shape {positive.shape}")
    if np.isnan(score).any():
        raise InputError(f"{name} is NaN in {np.isnan(score).sum()} places; a prediction must be a number")


def _check_probability(
    name: str, probability: NDArray[np.floating[Any]], positive: NDArray[np.bool_]
) -> None:
    _check(probability, positive, name)
    if len(probability) and not (probability.min() >= 0 and probability.max() <= 1):
        raise InputError(
            f"{name} runs from {probability.min()} to {probability.max()}; a probability lies in [0, 1], "
            "so pass log-odds through the sigmoid first"
        )


def _run_starts(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """Where a new run of equal keys starts, in arrays sorted by them; none for no rows."""
    change = np.ones(len(keys[0]), dtype=np.bool_)
    change[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.flatnonzero(change)


def _run_sums(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Sum of each run: integers for bools, so that counts of pairs stay exact."""
    exact = np.int64 if values.dtype == np.bool_ else values.dtype
    return np.add.reduceat(values, starts, dtype=exact) if len(starts) else np.zeros(0, dtype=exact)


def _wins_and_pairs(
    score: NDArray[np.floating[Any]], positive: NDArray[np.bool_], group: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Count the pairs a positive wins, and all pairs, per group; both doubled, so ties stay whole.

    Rows come sorted by group, then score. Tied scores are one step of the ROC curve, whatever their order.
    """
    ties = _run_starts(group, score)
    up, down = _run_sums(positive, ties), _run_sums(~positive, ties)
    first = _run_starts(group[ties])
    before = np.cumsum(down) - down
    before -= np.repeat(before[first], np.diff(first, append=len(ties)))
    return _run_sums(up * (2 * before + down), first), 2 * _run_sums(up, first) * _run_sums(down, first)
