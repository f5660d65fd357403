"""Metrics of predicted click and conversion probabilities: plain functions of NumPy arrays.

All take the prediction first, then what came of it, and `sample_weight` where weights exist. A row of
weight 0 is as good as absent, and one of weight 2 as good as two. Ties count half in an AUC and share a
threshold or bin elsewhere: no value depends on the order of rows. What cannot be computed is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics.checks import check_probability
from gbdt_pwiser.metrics.distribution import score_quantiles
from gbdt_pwiser.metrics.probability import (
    ece,
    log_loss,
    normalized_entropy,
    pcoc,
)
from gbdt_pwiser.metrics.ranking import group_aucs, pr_auc
from gbdt_pwiser.objectives import InputError, auc
from gbdt_pwiser.objectives.errors import unknown


@dataclass(frozen=True)
class Metric:
    """How a metric is printed and read.

    Parameters
    ----------
    label
        Its name in tables and reports.
    family
        "ranking" or "calibration"; "coverage" says how much of the data another metric saw; "detail" is
        kept with the results and left out of tables.
    higher_is_better
        None where neither direction is better.
    decimals
        Digits after the point.
    meaning
        One line for the reader of a report.
    """

    label: str
    family: Literal["ranking", "calibration", "coverage", "detail"]
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
    "ece": Metric(
        "ECE",
        "calibration",
        False,
        4,
        "mean distance of predicted and observed click rate over 20 bins of equally many exposures",
    ),
    "gauc_left_out": Metric(
        "groups left out",
        "coverage",
        None,
        3,
        "share of groups without both a click and a non-click, not in GAUC",
    ),
    "gauc_positives": Metric(
        "GAUC by clicks", "detail", True, 4, "CTR AUC inside each group, averaged with the groups' clicks"
    ),
    "gauc_mean": Metric("GAUC, plain mean", "detail", True, 4, "CTR AUC inside each group, plain mean"),
    "ctr_pr_auc": Metric("CTR PR-AUC", "detail", True, 4, "average precision of pCTR for clicks"),
    "ctcvr_pr_auc": Metric("CTCVR PR-AUC", "detail", True, 4, "average precision of pCTCVR for conversions"),
    "median_pctr_impression": Metric(
        "median pCTR, impressions", "detail", None, 4, "median pCTR of exposures without a click"
    ),
    "median_pctr_click": Metric(
        "median pCTR, clicks", "detail", None, 4, "median pCTR of clicks without a conversion"
    ),
    "median_pctr_conversion": Metric(
        "median pCTR, conversions", "detail", None, 4, "median pCTR of conversions"
    ),
}
"""Every metric `evaluate` returns, in the order in which it is printed."""


def check_optimisable(name: str) -> None:
    """Raise InputError, listing the choices, for a metric that is unknown or has no better direction."""
    if name not in METRICS or METRICS[name].higher_is_better is None:
        known = [known for known, metric in METRICS.items() if metric.higher_is_better is not None]
        if name not in METRICS:
            raise unknown("metric", name, known)
        raise InputError(
            f"cannot choose by {name!r}, of which no value is the best; choose one of {', '.join(known)}"
        )


def pcvr_of_clicks(
    click: NDArray[np.bool_], pctr: NDArray[np.floating[Any]], pctcvr: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return pCVR = pCTCVR / pCTR of the clicked exposures, float64 (clicks,); 0 where pCTR is 0."""
    clicked = pctr[click].astype(np.float64)
    pcvr = np.divide(pctcvr[click], clicked, out=np.zeros_like(clicked), where=clicked > 0)
    # Dividing what was multiplied leaves rounding behind, which would break the ties of a constant pCVR.
    return np.asarray(np.round(pcvr, 12))


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
        Values by metric name. A metric the data cannot give is NaN: without groups those of GAUC,
        with one class the AUCs. `noise_free_ctr_auc` is there for simulated data only.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN or outside [0, 1].
    """
    click, conversion = exposures.click, exposures.conversion
    check_probability(pctr, click, "pctr")
    check_probability(pctcvr, click, "pctcvr")

    nan = float("nan")
    values = {
        "ctr_auc": auc(pctr, click),
        "ctcvr_auc": auc(pctcvr, conversion),
        "cvr_auc": auc(pcvr_of_clicks(click, pctr, pctcvr), conversion[click]),
        "log_loss": log_loss(pctr, click),
        "normalized_entropy": normalized_entropy(pctr, click),
        "pcoc": pcoc(pctr, click),
        "ece": ece(pctr, click),
        "ctr_pr_auc": pr_auc(pctr, click),
        "ctcvr_pr_auc": pr_auc(pctcvr, conversion),
        **dict.fromkeys(("gauc", "gauc_positives", "gauc_mean", "gauc_left_out"), nan),
    }
    medians = score_quantiles(pctr, exposures.grade, levels=[0.5])[:, 0]
    for grade, median in zip(("impression", "click", "conversion"), medians, strict=True):
        values[f"median_pctr_{grade}"] = float(median)
    if exposures.noise_free_click is not None:
        values["noise_free_ctr_auc"] = auc(pctr, exposures.noise_free_click)
    if exposures.group is not None:
        in_groups = group_aucs(pctr, click, exposures.group)
        values["gauc"], used, left_out = in_groups.mean("exposures")
        values["gauc_positives"] = in_groups.mean("positives").value
        values["gauc_mean"] = in_groups.mean("mean").value
        values["gauc_left_out"] = left_out / (used + left_out) if used + left_out else nan
    return {name: values[name] for name in METRICS if name in values}
