"""Metrics of order: AUC, and the area under precision over recall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_score, check_weight
from gbdt_pwiser.metrics.metric import Bootstrap, Metric, Ranking, Statistic, auc_metric, of_decided
from gbdt_pwiser.metrics.scored import Sample, ScoredExposures
from gbdt_pwiser.metrics.sorting import sorted_side
from gbdt_pwiser.objectives import InputError


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
    ranks_by_pctr=True,
)
CONVERSION_AUC: Final = of_decided(
    auc_metric(
        "conversion_auc",
        "conversion AUC",
        "ranking",
        "chance that a converted exposure has a higher pCTR than any other",
        lambda s: Ranking(s.pctr, s.conversion),
        ranks_by_pctr=True,
    )
)
CTCVR_AUC: Final = of_decided(
    auc_metric(
        "ctcvr_auc",
        "CTCVR AUC",
        "ranking",
        "chance that a converted exposure has a higher pCTCVR than any other",
        lambda s: Ranking(s.pctcvr, s.conversion),
    )
)
CVR_AUC: Final = of_decided(
    auc_metric(
        "cvr_auc",
        "CVR AUC",
        "ranking",
        "among clicked exposures, chance that a converted one has a higher pCVR",
        lambda s: Ranking(_pcvr_of_clicks(s), s.conversion[s.click], rows=s.click),
    )
)
NOISE_FREE_CTR_AUC: Final = auc_metric(
    "noise_free_ctr_auc",
    "noise-free CTR AUC",
    "ranking",
    "CTR AUC against the clicks that were meant (simulated data)",
    _noise_free,
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
    name: str,
    label: str,
    meaning: str,
    ranking: Callable[[ScoredExposures], Ranking],
    *,
    ranks_by_pctr: bool = False,
) -> Metric:
    def compute(s: ScoredExposures) -> float:
        ranked = ranking(s)
        return pr_auc(ranked.score, ranked.positive)

    def statistic(sample: Sample) -> Statistic:
        ranked = ranking(sample)
        return _pr_auc_of_units(ranked.score, ranked.positive, sample.units.index)

    return Metric(name, label, "detail", True, 4, meaning, compute, Bootstrap(statistic), ranks_by_pctr)


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
    ranks_by_pctr=True,
)
CTCVR_PR_AUC: Final = of_decided(
    _pr_auc_metric(
        "ctcvr_pr_auc",
        "CTCVR PR-AUC",
        "average precision of pCTCVR for conversions",
        lambda s: Ranking(s.pctcvr, s.conversion),
    )
)
