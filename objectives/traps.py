"""What boosters get wrong in silence beside a custom objective, met at its first call on a data set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives.errors import InputError

# How far from the mean click, in log-odds, a start may lie. Folds of cv start at the mean of all rows, and a
# start somewhat off costs a round or two; standard errors say how far a small fold may be off.
TOLERANCE, STANDARD_ERRORS = 0.1, 3.0

START_OF_LIGHTGBM: Final = (
    "give the Dataset init_score = log(mean click / (1 - mean click)) in every row, as make_dataset does (a "
    "Dataset from save_binary has lost it), and add it to the raw scores that predict returns"
)
START_OF_INIT_MODEL: Final = (
    "init_model has put the old booster's raw scores, without its start, in the place of init_score; leave "
    "it out, give make_dataset(init_score=start + old raw scores), and add the raw scores of both boosters"
)
START_OF_XGBOOST: Final = "train with base_score = the mean click, as xgboost_params(click) has it"
START_OF_ESTIMATORS: Final = (
    "give XGBoost's estimator base_score = the mean click, or LightGBM's fit init_score = its log-odds in "
    "every row, to be added to the raw scores that predict returns"
)

# What of LightGBM's and XGBoost's parameters only a built-in objective reads, and the values that ask for
# nothing.
_ONE, _FALSE = ("1", "1.0", "none"), ("false", "0", "-", "none")
_WITHOUT_EFFECT: Final = {
    "scale_pos_weight": _ONE,
    **dict.fromkeys(("is_unbalance", "unbalance", "unbalanced_sets"), _FALSE),
    **dict.fromkeys(("pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"), _ONE),
    **dict.fromkeys(("neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"), _ONE),
}
# Metrics of LightGBM that expect probabilities, and get raw scores beside an objective of one's own.
_OF_PROBABILITIES: Final = ("binary", "binary_logloss", "binary_error")
_METRIC: Final = ("metric", "metrics", "metric_types")
_BOOSTING: Final = ("boosting", "boosting_type", "boost")


def without_effect(params: Mapping[str, Any] | None) -> list[str]:
    """Return the names of parameters that only a built-in objective reads, where they ask for something.

    Examples
    --------
    >>> without_effect({"scale_pos_weight": 9, "unbalance": False, "max_depth": 3})
    ['scale_pos_weight']
    """
    return [
        name
        for name, value in (params or {}).items()
        if name in _WITHOUT_EFFECT and str(value).lower() not in _WITHOUT_EFFECT[name]
    ]


def refuse_random_forest(params: Mapping[str, Any] | None) -> None:
    """Raise InputError where LightGBM is asked for a random forest."""
    for name in _BOOSTING:
        if str(value := (params or {}).get(name)).lower() in ("rf", "random_forest"):
            raise InputError(
                f"{name}={value} fits every tree to the gradient at the start and takes neither an "
                "objective of one's own nor init_score; choose gbdt, dart or goss"
            )


def warn_without_effect(params: Mapping[str, Any] | None) -> None:
    """Warn of parameters that do nothing beside a custom objective."""
    if names := without_effect(params):
        warnings.warn(
            f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect beside an objective of "
            "one's own; give sample weights to the data set in place of it",
            stacklevel=3,
        )


def warn_of_metrics(params: Mapping[str, Any] | None) -> None:
    """Warn of metrics of LightGBM that are wrong beside a custom objective."""
    given = [(params or {}).get(name) or () for name in _METRIC]
    names = [name for each in given for name in (each.split(",") if isinstance(each, str) else each)]
    if wrong := [name for name in names if str(name).strip() in _OF_PROBABILITIES]:
        warnings.warn(
            f"metric {', '.join(wrong)} is of probabilities and gets raw scores beside an objective of one's "
            "own, so its values are wrong; use auc, or feval=auc_ctr",
            stacklevel=3,
        )


def warn_without_anchors(plan: PairPlan, *, ranks_pairs: bool) -> None:
    """Warn where no exposure is clicked, and where a loss that ranks pairs has none to rank."""
    if plan.n and plan.peers.size == 1 and not len(plan.clicked):
        warnings.warn(
            "no exposure is clicked, so there is nothing to learn (LightGBM takes a Dataset without a label "
            "for one of zeros); give grades 0, 1, 2 (click + conversion), 3 where the conversion is open, as "
            "the label",
            stacklevel=3,
        )
    elif ranks_pairs and not plan.opponents:
        warnings.warn(
            "no pairs to rank: the labels hold no conversion (grade 2), or nothing to rank it above; "
            "training on BCE alone",
            stacklevel=3,
        )


def warn_of_start(raw_score: NDArray[Any], plan: PairPlan, remedy: str, *, equal_only: bool) -> None:
    """Warn where raw scores at the first call are far from the mean click: sigmoids' mean against it.

    Parameters
    ----------
    raw_score
        (n,): finite.
    plan
        Of the data set; with peers, all of them call this together, and the first warns.
    remedy
        How to start right.
    equal_only
        Whether scores that differ may be anything: those of a prior, or of an earlier round.
    """
    n, weight = plan.n, plan.sample_weight
    w = np.ones(n) if weight is None else weight
    differ = float(n > 0 and raw_score.min() < raw_score.max())
    own = np.array([w[plan.clicked].sum(), w @ expit(raw_score), w @ w, differ])
    clicks, predicted, squares, differ = plan.peers.sum(own)
    rate, start = clicks / plan.total_weight, predicted / plan.total_weight
    if (differ and equal_only) or not 0 < rate < 1 or plan.peers.rank:
        return
    error = np.sqrt(squares / (rate * (1 - rate))) / plan.total_weight
    if abs(logit(start) - logit(rate)) > TOLERANCE + STANDARD_ERRORS * error:
        # Few digits, so that the folds of cv say the same, which Python shows once.
        warnings.warn(
            f"training starts at a mean pCTR of {start:.2g}, where the mean click is {rate:.2g}; {remedy}",
            stacklevel=3,
        )
