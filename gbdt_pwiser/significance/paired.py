"""The test of every metric's gain between two predictions of one test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import pcvr_of_clicks
from gbdt_pwiser.metrics.probability import entropy, equal_mass_bins, log_losses
from gbdt_pwiser.metrics.ranking import group_aucs, mass_from
from gbdt_pwiser.significance.intervals import PairedTest, Statistic, bootstrap_groups, delong

if TYPE_CHECKING:
    from gbdt_pwiser.models import Predictions

__all__ = ["paired_tests"]


def paired_tests(
    exposures: Exposures,
    predictions: Predictions,
    baseline: Predictions,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, PairedTest]:
    """Test the gain in each metric of `evaluate` of one prediction over another of the same exposures.

    AUCs by `delong`, everything else by one bootstrap; both by the exposures' groups where there are any, as
    exposures of one search or user are alike. Bins of ECE stay those of the sample.

    Parameters
    ----------
    exposures
        What both predicted.
    predictions, baseline
        Of two losses, say.
    replicates, seed
        Of the bootstrap.

    Returns
    -------
    dict
        A test by metric name. Absent: `gauc_left_out`, which predictions do not change, the medians by grade,
        which are a description, and what `evaluate` lacks or the data cannot give, as GAUC without groups.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN or outside [0, 1].
    """
    click, conversion, group = exposures.click, exposures.conversion, exposures.group
    pair = (predictions, baseline)

    def auc_gain(positive: NDArray[np.bool_], scores: list[NDArray[Any]], rows: Any = ...) -> PairedTest:
        return delong(positive, *scores, group=None if group is None else group[rows])

    pctr = [np.asarray(p.pctr, dtype=np.float64) for p in pair]
    pctcvr = [np.asarray(p.pctcvr, dtype=np.float64) for p in pair]
    pcvr = [pcvr_of_clicks(click, p.pctr, p.pctcvr) for p in pair]
    tests = {
        "ctr_auc": auc_gain(click, pctr),
        "ctcvr_auc": auc_gain(conversion, pctcvr),
        "cvr_auc": auc_gain(conversion[click], pcvr, click),
    }
    if exposures.noise_free_click is not None:
        tests["noise_free_ctr_auc"] = auc_gain(exposures.noise_free_click, pctr)

    if group is None:
        index, groups = np.arange(len(exposures)), len(exposures)
    else:
        ids, index = np.unique(group, return_inverse=True)
        groups = len(ids)
    statistics: dict[str, list[Statistic]] = {}
    for p, joint in zip(pctr, pctcvr, strict=True):
        found = _probability_statistics(p, click, index, groups)
        found["ctr_pr_auc"] = _pr_auc(p, click, index)
        found["ctcvr_pr_auc"] = _pr_auc(joint, conversion, index)
        if group is not None:
            found |= _gauc(p, click, index)
        for name, statistic in found.items():
            statistics.setdefault(name, []).append(statistic)
    gains = {name: _difference(*both) for name, both in statistics.items()}
    return tests | bootstrap_groups(gains, groups, replicates=replicates, seed=seed)


def _difference(statistic: Statistic, baseline: Statistic) -> Statistic:
    return lambda weight: statistic(weight) - baseline(weight)


# What follows prepares each metric once, sorting included, as a function of the groups' weights.


def _probability_statistics(
    p: NDArray[np.float64], positive: NDArray[np.bool_], index: NDArray[np.intp], groups: int
) -> dict[str, Statistic]:
    """Ratios of sums, which need each group's sums only, and ECE, which needs the rows in its bins."""

    def of_sums(ratio: Callable[..., float], *columns: NDArray[Any]) -> Statistic:
        sums = np.stack([np.bincount(index, weights=column, minlength=groups) for column in columns])
        return lambda weight: ratio(*(sums @ weight))

    def over(part: float, whole: float) -> float:
        return part / whole if whole > 0 else float("nan")

    losses, ones = log_losses(p, positive), np.ones(len(p))
    rows, bin_of = equal_mass_bins(p, 20)
    surplus, group_of = (p - positive)[rows], index[rows]

    def ece(weight: NDArray[np.float64]) -> float:
        w = weight[group_of]
        return float(np.abs(np.bincount(bin_of, weights=w * surplus)).sum() / w.sum())

    return {
        "log_loss": of_sums(over, losses, ones),
        "normalized_entropy": of_sums(
            lambda loss, observed, mass: over(loss, mass) / entropy(over(observed, mass)),
            losses,
            positive,
            ones,
        ),
        "pcoc": of_sums(over, p, positive),
        "ece": ece,
    }


def _gauc(
    p: NDArray[np.float64], positive: NDArray[np.bool_], index: NDArray[np.intp]
) -> dict[str, Statistic]:
    """Whole groups are drawn, so the AUC inside each stays what it is."""
    aucs = group_aucs(p, positive, index)

    def averaged(by: NDArray[np.float64]) -> Statistic:
        def statistic(weight: NDArray[np.float64]) -> float:
            w = weight[aucs.group] * by
            return float(w @ aucs.value / w.sum()) if w.any() else float("nan")

        return statistic

    return {
        "gauc": averaged(aucs.exposures),
        "gauc_positives": averaged(aucs.positives),
        "gauc_mean": averaged(np.ones(len(aucs.value))),
    }


def _pr_auc(p: NDArray[np.float64], positive: NDArray[np.bool_], index: NDArray[np.intp]) -> Statistic:
    rows = np.argsort(p)
    up, down = rows[positive[rows]], rows[~positive[rows]]
    first_up, first_down = np.searchsorted(p[up], p[up], "left"), np.searchsorted(p[down], p[up], "left")
    up_group, down_group = index[up], index[down]

    def statistic(weight: NDArray[np.float64]) -> float:
        w = weight[up_group]
        if not w.any():
            return float("nan")
        caught = mass_from(w, first_up, len(w))
        alarms = mass_from(weight[down_group], first_down, len(down_group))
        precision = np.divide(caught, caught + alarms, out=np.zeros(len(w)), where=caught > 0)
        return float(w @ precision / w.sum())

    return statistic
