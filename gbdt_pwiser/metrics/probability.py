"""Metrics of a probability's size: log loss, entropy, PCOC and calibration error."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_probability, check_weight
from gbdt_pwiser.metrics.metric import Bootstrap, Metric, Statistic, exposure_metric, ratio_of_sums, share
from gbdt_pwiser.metrics.scored import Sample, ScoredExposures, once
from gbdt_pwiser.metrics.sorting import order_of
from gbdt_pwiser.objectives import InputError

CLIP: Final = float(np.finfo(np.float64).eps)
"""Probabilities are clipped into [CLIP, 1 - CLIP], about 2.2e-16, before a logarithm is taken."""


def log_losses(probability: Floats, positive: Bools) -> NDArray[np.float64]:
    """Binary cross-entropy of each exposure in nats, float64 (n,); see `log_loss`."""
    check_probability(probability, positive)
    p = probability.astype(np.float64)
    return np.asarray(-np.log(np.clip(np.where(positive, p, 1.0 - p), CLIP, 1.0 - CLIP)))


def log_loss(probability: Floats, positive: Bools, *, sample_weight: Floats | None = None) -> float:
    """Mean binary cross-entropy in nats, probabilities clipped into [CLIP, 1 - CLIP].

        log loss = -sum_i w_i [ y_i log p_i + (1 - y_i) log(1 - p_i) ] / sum_i w_i

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,), y.
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    float
        At least 0; NaN for no rows, or rows without weight.

    Raises
    ------
    InputError
        A shape differs, a weight is negative, or a probability is NaN or outside [0, 1].

    Examples
    --------
    >>> round(log_loss(np.array([0.5, 0.5]), np.array([True, False])), 6)
    0.693147
    """
    return _mean(log_losses(probability, positive), check_weight(sample_weight, len(positive)))


def normalized_entropy(probability: Floats, positive: Bools, *, sample_weight: Floats | None = None) -> float:
    """Log loss in units of the log loss of always predicting the base rate r.

    NE = log loss / -(r log r + (1 - r) log(1 - r)), from He et al. 2014, Practical lessons from predicting
    clicks on ads at Facebook

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,); r is its (weighted) mean.
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    float
        Below 1 where the prediction beats the base rate; NaN for one class or no rows.

    Raises
    ------
    InputError
        A shape differs, a weight is negative, or a probability is NaN or outside [0, 1].
    """
    loss = log_loss(probability, positive, sample_weight=sample_weight)
    return loss / entropy(_mean(positive, check_weight(sample_weight, len(positive))))


def entropy(rate: float) -> float:
    """Log loss of always predicting the base rate, in nats; NaN where that is 0 or 1."""
    if not 0.0 < rate < 1.0:
        return float("nan")
    return float(-(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate)))


def pcoc(probability: Floats, positive: Bools, *, sample_weight: Floats | None = None) -> float:
    """Predicted over observed clicks; 1 is calibrated on the whole, 2 promises twice what came.

        PCOC = sum_i w_i p_i / sum_i w_i y_i

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,), y.
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    float
        At least 0; NaN where there is no positive, or none with weight.

    Raises
    ------
    InputError
        A shape differs, a weight is negative, or a probability is NaN or outside [0, 1].
    """
    check_probability(probability, positive)
    weight = check_weight(sample_weight, len(positive))
    predicted = probability.sum(dtype=np.float64) if weight is None else weight @ probability
    observed = positive.sum() if weight is None else weight @ positive
    return float(predicted / observed) if observed > 0 else float("nan")


class Reliability(NamedTuple):
    """Predicted beside observed rates, bin by bin in ascending order of the prediction; each (bins,).

    Parameters
    ----------
    predicted, observed
        Mean probability and share of positives of each bin.
    weight
        Its exposures, or the sum of their weights.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    weight: NDArray[np.float64]


def reliability(
    probability: Floats, positive: Bools, *, bins: int = 20, sample_weight: Floats | None = None
) -> Reliability:
    """Mean prediction and share of positives in bins of equal mass, as a reliability curve draws them.

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,).
    bins
        At most so many. Equal probabilities are never told apart: all of them go to the bin in which the
        middle of their mass lies. A bin left empty by that is not returned.
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    Reliability
        One bin for a constant prediction; none without exposures.

    Raises
    ------
    InputError
        A shape differs, a weight is negative, bins is below 1, or a probability is NaN or outside [0, 1].

    Examples
    --------
    >>> curve = reliability(np.array([0.1, 0.2, 0.5, 0.7]), np.array([False, False, False, True]), bins=2)
    >>> curve.predicted.round(3).tolist(), curve.observed.tolist()
    ([0.15, 0.6], [0.0, 0.5])
    """
    check_probability(probability, positive)
    weight = check_weight(sample_weight, len(positive))
    rows, bin_of = equal_mass_bins(probability, bins, weight)
    w = np.ones(len(rows)) if weight is None else weight[rows]
    if not len(rows):
        return Reliability(w, w, w)
    starts = np.flatnonzero(np.append(True, bin_of[1:] != bin_of[:-1]))
    mass = np.add.reduceat(w, starts)
    return Reliability(
        predicted=np.add.reduceat(w * probability[rows], starts) / mass,
        observed=np.add.reduceat(w * positive[rows], starts) / mass,
        weight=mass,
    )


def equal_mass_bins(
    probability: Floats, bins: int, weight: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that have weight, by ascending probability, and the bin of each; see `reliability`."""
    if bins < 1:
        raise InputError(f"bins is {bins}; give at least 1")
    rows = order_of(probability)
    if weight is not None:
        rows = rows[weight[rows] > 0]
    ordered = probability[rows]
    mass = np.arange(1, len(rows) + 1) if weight is None else np.cumsum(weight[rows])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(rows) else rows
    upper = mass[last]
    # Twice the middle of a run of ties: a whole number where there are no weights, so no bin is off by one.
    middle = upper + np.append(0, upper[:-1]) if len(last) else upper
    bin_of_run = np.minimum(middle * bins // (2 * upper[-1:]), bins - 1).astype(np.intp)
    return rows, np.repeat(bin_of_run, np.diff(last, prepend=-1))


def ece(
    probability: Floats, positive: Bools, *, bins: int = 20, sample_weight: Floats | None = None
) -> float:
    """Average the gap of predicted and observed rate over bins of equal mass: expected calibration error.

        ECE = sum_b W_b |mean_b p - mean_b y| / sum_b W_b

    Chance alone keeps it above 0, the more the more bins; so compare it at one number of bins and exposures
    only. Equal masses, because equal widths put nearly all exposures of a click log into one bin
    (Nguyen and O'Connor 2015; Roelofs et al. 2022).

    Parameters
    ----------
    probability
        float (n,), in [0, 1].
    positive
        bool (n,), y.
    bins
        At most so many, with ties kept together as `reliability` says.
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    float
        In [0, 1], at least `|mean p - mean y|`, and equal to it for one bin; NaN without exposures.

    Raises
    ------
    InputError
        A shape differs, a weight is negative, bins is below 1, or a probability is NaN or outside [0, 1].

    Examples
    --------
    >>> p, y = np.array([0.1, 0.2, 0.5, 0.7]), np.array([False, False, False, True])
    >>> round(ece(p, y, bins=2), 6)  # (2 |.15 - 0| + 2 |.6 - .5|) / 4
    0.125
    """
    curve = reliability(probability, positive, bins=bins, sample_weight=sample_weight)
    return _mean(np.abs(curve.predicted - curve.observed), curve.weight)


def _mean(values: NDArray[Any], weight: NDArray[np.float64] | None) -> float:
    """(Weighted) mean, NaN where there is nothing to average."""
    if not len(values) or (weight is not None and not weight.sum() > 0):
        return float("nan")
    return float(values.mean() if weight is None else np.average(values, weights=weight))


def _ece_in_fixed_bins(sample: Sample) -> Statistic:
    """`ece` as a function of the units' weights; the bins stay those of the sample."""
    rows, bin_of = equal_mass_bins(sample.pctr, 20)
    surplus, unit = (sample.pctr - sample.click)[rows], sample.units.index[rows]

    def statistic(weight: NDArray[np.float64]) -> float:
        w = weight[unit]
        return float(np.abs(np.bincount(bin_of, weights=w * surplus)).sum() / w.sum())

    return statistic


@once
def _click_losses(s: ScoredExposures) -> NDArray[np.float64]:
    return log_losses(s.pctr, s.click)


LOG_LOSS: Final = exposure_metric(
    "log_loss",
    "log loss",
    "calibration",
    False,
    "mean binary cross-entropy of pCTR, in nats",
    _click_losses,
)
NORMALIZED_ENTROPY: Final = Metric(
    "normalized_entropy",
    "normalized entropy",
    "calibration",
    False,
    4,
    "log loss over that of always predicting the base rate",
    lambda s: normalized_entropy(s.pctr, s.click),
    ratio_of_sums(
        lambda s: (_click_losses(s), s.click, np.ones(len(s.pctr))),
        lambda loss, observed, mass: share(loss, mass) / entropy(share(observed, mass)),
    ),
)
PCOC: Final = Metric(
    "pcoc",
    "PCOC",
    "calibration",
    None,
    3,
    "predicted over observed clicks; 1 is calibrated",
    lambda s: pcoc(s.pctr, s.click),
    ratio_of_sums(lambda s: (s.pctr, s.click)),
)
ECE: Final = Metric(
    "ece",
    "ECE",
    "calibration",
    False,
    4,
    "mean distance of predicted and observed click rate over 20 bins of equally many exposures",
    lambda s: ece(s.pctr, s.click),
    Bootstrap(_ece_in_fixed_bins),
)
