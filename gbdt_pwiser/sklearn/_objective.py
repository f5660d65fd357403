"""The objective of one fit, and the metrics beside it: callables as both libraries' classifiers take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import cycle
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from gbdt_pwiser.objectives import PairPlan, PWiseRLoss, auc
from gbdt_pwiser.objectives.inputs import checked_conversion
from gbdt_pwiser.objectives.rounds import loss_of_round


class FitObjective:
    """BCE + weight * PWiseR on the rows of one fit: a call is a boosting round.

    Attributes
    ----------
    loss
        With its margins as numbers, once the warm-up is over.
    """

    def __init__(self, loss: PWiseRLoss, plan: PairPlan) -> None:
        self.loss = loss
        self._plan = plan
        self._round = 0

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[Any, Any]:
        """Return gradient and hessian of n * L, float32 (n,); labels and weights are in the plan already."""
        raw = np.asarray(y_pred)
        self.loss, of_round = loss_of_round(self.loss, self._round, raw, self._plan)
        self._round += 1
        grad, hess = of_round.gradient_hessian(raw, self._plan, dtype="float32")
        return grad, hess

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # LightGBM trains with a deep copy of its parameters; rounds are counted and margins fixed here.
        return self


def of_probabilities(metric: Callable[..., Any]) -> Callable[..., Any]:
    """Return a metric of probabilities as one of raw scores, as metrics beside an own objective get them."""

    @wraps(metric)  # the libraries read name and parameters
    def of_raw_scores(y_true: Any, y_pred: Any, *more: Any, **named: Any) -> Any:
        return metric(y_true, expit(y_pred), *more, **named)

    return of_raw_scores


def conversion_auc(conversions: Sequence[ArrayLike | None]) -> Callable[..., float]:
    """Return the metric "auc_conversion": the AUC of pCTR for conversions, NaN for a set without them.

    Clicks whose conversion is open are left out. Metrics are not told which data set they are called for, but
    are called for each in turn.
    """
    turns = cycle(
        [None if each is None else checked_conversion(each, "eval_conversion") for each in conversions]
    )

    def auc_conversion(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        conversion = next(turns)
        if conversion is None:
            return float("nan")
        decided = ~(np.isnan(conversion) & (np.asarray(y_true) > 0))
        weight = None if sample_weight is None else np.asarray(sample_weight)[decided]
        return auc(np.asarray(y_pred)[decided], conversion[decided] == 1, sample_weight=weight)

    return auc_conversion


def binary_logloss(click: NDArray[Any], probability: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Return LightGBM's binary_logloss."""
    of_label = np.where(click > 0, probability, 1.0 - probability)
    return -float(np.average(np.log(np.maximum(of_label, 1e-15)), weights=weight))


def binary_error(click: NDArray[Any], probability: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Return LightGBM's binary_error."""
    return float(np.average((probability > 0.5) != (click > 0), weights=weight))


def average_precision(click: NDArray[Any], score: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Return LightGBM's average_precision, which is scikit-learn's."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(click > 0, score, sample_weight=weight))


def click_auc(click: NDArray[Any], score: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Return LightGBM's auc."""
    return auc(score, click > 0, sample_weight=weight)
