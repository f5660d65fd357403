"""The metrics that are printed: `METRICS`, and `evaluate`, which computes them all."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
        ndcg_metric(5),
        map_metric(5),
        MRR,
        conversions_metric(5),
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
        CTR_PR_AUC,
        CTCVR_PR_AUC,
        *MEDIANS,
    )
}
"""Every metric that `evaluate` always returns, by name, in the order in which it is printed."""

_AT: Final = {"ndcg": ndcg_metric, "map": map_metric, "conversions": conversions_metric}
"""Metrics of the first k places, by what stands before the k in their names."""


_WHOLE: Final = "[1-9][0-9]{0,8}"


def metric_named(name: str) -> Metric:
    """Return the metric of that name: of `METRICS`, or ndcg@K, map@K or conversions@K for any whole K from 1.

    InputError for any other.

    Examples
    --------
    >>> metric_named("ndcg@7").label
    'NDCG@7'
    """
    if (metric := _find(name)) is None:
        raise _unknown(name, METRICS)
    return metric


def metrics_at(places: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all metrics of the first K places, for each K; InputError where one is no K.

    Examples
    --------
    >>> metrics_at(["1", "10"])
    ('ndcg@1', 'map@1', 'conversions@1', 'ndcg@10', 'map@10', 'conversions@10')
    """
    names = []
    for k in places:
        if not re.fullmatch(_WHOLE, k):
            raise InputError(f"at is {k!r}; give whole numbers of places from 1, as in 1,10")
        names += [f"{kind}@{k}" for kind in _AT]
    return tuple(names)


def _find(name: str) -> Metric | None:
    kind, _, k = name.partition("@")
    if name not in METRICS and kind in _AT and re.fullmatch(_WHOLE, k):
        return _AT[kind](int(k))
    return METRICS.get(name)


def _unknown(name: object, known: Iterable[str]) -> InputError:
    return unknown("metric", name, _with_places(known))


def _with_places(known: Iterable[str]) -> list[str]:
    return [*known, *(f"{kind}@K" for kind in _AT)]


def metrics_named(names: Iterable[str]) -> dict[str, Metric]:
    """Return the metrics of these names, each once, in the order in which they are printed.

    That is the order of `METRICS`; those of one kind stand by their K. InputError for an unknown name.
    """
    place = {name.partition("@")[0]: number for number, name in enumerate(METRICS)}
    metrics = {name: metric_named(name) for name in names}

    def key(name: str) -> tuple[int, int]:
        kind, _, k = name.partition("@")
        return place[kind], int(k or 0)

    return {name: metrics[name] for name in sorted(metrics, key=key)}


def check_optimisable(name: str) -> None:
    """Raise InputError, listing the choices, for a metric that is unknown or has no better direction."""
    metric = _find(name)
    if metric is None or metric.higher_is_better is None:
        known = [known for known, metric in METRICS.items() if metric.higher_is_better is not None]
        if metric is None:
            raise _unknown(name, known)
        raise InputError(
            f"cannot choose by {name!r}, of which no value is the best; choose one of {', '.join(known)}"
        )


def check_ranks_by_pctr(name: object) -> None:
    """Raise InputError, listing the choices, for a metric that is unknown or needs more than pCTR's order."""
    known = [known for known, metric in METRICS.items() if metric.ranks_by_pctr]
    metric = _find(name) if isinstance(name, str) else None
    if metric is None:
        raise _unknown(name, known)
    if not metric.ranks_by_pctr:
        raise InputError(
            f"cannot stop by {name!r}, which needs more than the order of pCTR on validation; choose one of "
            f"{', '.join(_with_places(known))}"
        )


def evaluate(
    exposures: Exposures,
    pctr: NDArray[np.floating[Any]],
    pctcvr: NDArray[np.floating[Any]],
    pcvr: NDArray[np.floating[Any]] | None = None,
    *,
    also: Iterable[str] = (),
) -> dict[str, float]:
    """Compute every metric of one prediction, in the order and by the names of `METRICS`.

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
    also
        Names of metrics beside those of `METRICS`, such as ndcg@7.

    Returns
    -------
    dict
        Values by metric name. A metric the data cannot give is NaN: without groups those inside groups,
        with one class the AUCs. `noise_free_ctr_auc` is there for simulated data only.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN, or pctr or pctcvr is outside [0, 1]; or a
        metric is unknown.
    """
    metrics = metrics_named((*METRICS, *also))
    scored = ScoredExposures(exposures, pctr, pctcvr, pcvr=pcvr)
    values = {name: metric.compute(scored) for name, metric in metrics.items()}
    return {name: value for name, value in values.items() if value is not None}
