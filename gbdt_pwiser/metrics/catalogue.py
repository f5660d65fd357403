"""The metrics that are printed: `METRICS`, and `evaluate`, which computes them all."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics.distribution import MEDIANS
from gbdt_pwiser.metrics.group_auc import (
    CONVERSION_GAUC,
    CONVERSION_GAUC_LEFT_OUT,
    GAUC,
    GAUC_LEFT_OUT,
    GAUC_MEAN,
    GAUC_POSITIVES,
)
from gbdt_pwiser.metrics.metric import Metric
from gbdt_pwiser.metrics.probability import ECE, LOG_LOSS, NORMALIZED_ENTROPY, PCOC
from gbdt_pwiser.metrics.ranking import (
    CONVERSION_AUC,
    CTCVR_AUC,
    CTCVR_PR_AUC,
    CTR_AUC,
    CTR_PR_AUC,
    CVR_AUC,
    NOISE_FREE_CTR_AUC,
)
from gbdt_pwiser.metrics.scored import ScoredExposures
from gbdt_pwiser.metrics.top_k import (
    MRR,
    WITHOUT_CLICK,
    WITHOUT_CONVERSION,
    conversions_metric,
    map_metric,
    ndcg_metric,
)
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        CTR_AUC,
        GAUC,
        CONVERSION_AUC,
        CONVERSION_GAUC,
        CTCVR_AUC,
        CVR_AUC,
        NOISE_FREE_CTR_AUC,
        ndcg_metric(5, "top"),
        map_metric(5, "top"),
        MRR,
        conversions_metric(5, "top"),
        LOG_LOSS,
        NORMALIZED_ENTROPY,
        PCOC,
        ECE,
        GAUC_LEFT_OUT,
        CONVERSION_GAUC_LEFT_OUT,
        WITHOUT_CLICK,
        WITHOUT_CONVERSION,
        GAUC_POSITIVES,
        GAUC_MEAN,
        ndcg_metric(1, "detail"),
        ndcg_metric(10, "detail"),
        conversions_metric(1, "detail"),
        CTR_PR_AUC,
        CTCVR_PR_AUC,
        *MEDIANS,
    )
}
"""Every metric that `evaluate` returns, by name, in the order in which it is printed."""


def check_optimisable(name: str) -> None:
    """Raise InputError, listing the choices, for a metric that is unknown or has no better direction."""
    if name not in METRICS or METRICS[name].higher_is_better is None:
        known = [known for known, metric in METRICS.items() if metric.higher_is_better is not None]
        if name not in METRICS:
            raise unknown("metric", name, known)
        raise InputError(
            f"cannot choose by {name!r}, of which no value is the best; choose one of {', '.join(known)}"
        )


def evaluate(
    exposures: Exposures,
    pctr: NDArray[np.floating[Any]],
    pctcvr: NDArray[np.floating[Any]],
    pcvr: NDArray[np.floating[Any]] | None = None,
) -> dict[str, float]:
    """Every metric of one prediction, in the order and by the names of `METRICS`.

    Parameters
    ----------
    exposures
        The n exposures that were predicted, with what came of them.
    pctr
        float (n,), probability of a click given the exposure.
    pctcvr
        float (n,), probability of a conversion given the exposure.
    pcvr
        float (n,), probability of a conversion given the click; None for pctcvr / pctr, 0 where pctr is 0.

    Returns
    -------
    dict
        Values by metric name. A metric the data cannot give is NaN: without groups those inside groups,
        with one class the AUCs. `noise_free_ctr_auc` is there for simulated data only.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN, or pctr or pctcvr is outside [0, 1].
    """
    scored = ScoredExposures(exposures, pctr, pctcvr, pcvr=pcvr)
    values = {name: metric.compute(scored) for name, metric in METRICS.items()}
    return {name: value for name, value in values.items() if value is not None}
