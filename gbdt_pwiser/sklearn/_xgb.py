"""XGBClassifier with BCE + weight * PWiseR as its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from numpy.typing import ArrayLike
from scipy.special import expit
from xgboost import XGBClassifier

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sklearn._classifier import (
    LOSS_PARAMETERS,
    PWiseRClassifier,
    conversions_of,
    for_now,
    refuse_unweighted,
)
from gbdt_pwiser.sklearn._objective import conversion_auc, of_probabilities


class XGBPWiseRClassifier(PWiseRClassifier, XGBClassifier):  # type: ignore[misc]
    """xgboost.XGBClassifier that trains on BCE + weight * PWiseR where `fit` is given conversions.

    y is the click, so scores, calibration and stratification see two classes; everything else works as in
    XGBClassifier. Probabilities start at the (weighted) mean click, as those of BCE do.

    Parameters
    ----------
    pwiser_weight
        Weight of PWiseR; 0 trains XGBClassifier's own BCE.
    click_margin, impression_margin, surrogate, scale, pairs, warm_up
        See `gbdt_pwiser.objectives.PWiseRLoss`.
    **kwargs
        The parameters of XGBClassifier, but for objective and, beside PWiseR, scale_pos_weight.

    Attributes
    ----------
    loss_
        The loss that was trained, margins that are quantiles as numbers; of weight 0 without conversions.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, click = rng.random((99, 2)), rng.integers(2, size=99)
    >>> conversion = click * rng.integers(2, size=99)
    >>> model = XGBPWiseRClassifier(pwiser_weight=0.1, n_estimators=2).fit(X, click, conversion=conversion)
    >>> model.predict_proba(X).shape
    (99, 2)
    """

    def _wrapper_params(self) -> set[str]:
        """Keep the loss's parameters from the library."""
        return {*super()._wrapper_params(), *LOSS_PARAMETERS}

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        conversion: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        group: ArrayLike | None = None,
        base_margin: ArrayLike | None = None,
        eval_set: Sequence[tuple[Any, ArrayLike]] | None = None,
        eval_conversion: Sequence[ArrayLike | None] | None = None,
        verbose: bool | int | None = True,
        xgb_model: Any = None,
        sample_weight_eval_set: Sequence[ArrayLike] | None = None,
        base_margin_eval_set: Sequence[ArrayLike] | None = None,
        feature_weights: ArrayLike | None = None,
    ) -> Self:
        """Fit the trees.

        Parameters
        ----------
        X
            (n, features): as XGBClassifier reads it.
        y
            (n,): the click, 0 or 1.
        conversion
            (n,): 0 or 1, 1 in clicked rows only; NaN where the conversion of a click is open. Without it BCE
            alone is trained, with a warning.
        sample_weight
            (n,): counts for BCE and for pairs.
        group
            (n,): ids, needed with pairs="group" only.
        eval_conversion
            Conversions of each evaluation set, or None for one without: `auc_conversion`, the AUC of the
            probabilities for conversions, then comes last among the metrics, where early stopping looks.
        base_margin, eval_set, verbose, xgb_model, sample_weight_eval_set, base_margin_eval_set, \
feature_weights
            Those of XGBClassifier.

        Raises
        ------
        InputError
            A parameter of the loss; a conversion that is neither 0 nor 1 nor NaN, or has no click; more than
            two classes; an objective of one's own; beside PWiseR, scale_pos_weight.
        """
        if self.objective not in (None, "binary:logistic"):
            raise InputError(
                f"objective is {self.objective!r}, and {type(self).__name__} brings its own; leave it out, "
                "or use XGBClassifier with PWiseRSklearnObjective"
            )
        fit, start = self._objective_of_fit(X, y, conversion, sample_weight, group)
        instead: dict[str, Any] = {"eval_metric": self.eval_metric}
        if fit is not None:
            refuse_unweighted(self.get_xgb_params())
            instead["objective"] = fit
            instead["eval_metric"] = _of_raw_scores(self.eval_metric)
            if self.base_score is None and xgb_model is None:  # an old model has a start already
                instead["base_score"] = float(expit(start))
        conversions = conversions_of(eval_set or [], eval_conversion)
        if conversions is not None:
            instead["eval_metric"] = _joined(instead["eval_metric"], conversion_auc(conversions))
        others: dict[str, Any] = {} if feature_weights is None else {"feature_weights": feature_weights}
        with for_now(self, **instead):
            super().fit(
                X,
                y,
                sample_weight=sample_weight,
                base_margin=base_margin,
                eval_set=eval_set,
                verbose=verbose,
                xgb_model=xgb_model,
                sample_weight_eval_set=sample_weight_eval_set,
                base_margin_eval_set=base_margin_eval_set,
                **others,
            )
        if fit is not None:
            self.loss_ = fit.loss
        return self


def _of_raw_scores(metrics: Any) -> Any:
    """Return the metrics of a classifier as they must be beside an objective of one's own."""
    if callable(metrics):
        return of_probabilities(metrics)
    if metrics is None or isinstance(metrics, str):
        return metrics
    return [of_probabilities(metric) if callable(metric) else metric for metric in metrics]


def _joined(metrics: Any, last: Callable[..., float]) -> list[Any]:
    """Return a list of the metrics and one more."""
    if metrics is None:
        metrics = "logloss"  # what XGBoost evaluates by itself
    listed = [metrics] if callable(metrics) or isinstance(metrics, str) else list(metrics)
    if any(callable(metric) for metric in listed):
        raise InputError(
            "XGBoost takes one callable metric, and eval_conversion brings one; give either of them"
        )
    return [*listed, last]
