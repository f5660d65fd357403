"""LGBMClassifier with BCE + weight * PWiseR as its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Self

import numpy as np
from lightgbm import LGBMClassifier
from lightgbm.basic import LightGBMError
from numpy.typing import ArrayLike

from gbdt_pwiser._lightgbm_text import ModelText
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.traps import refuse_random_forest
from gbdt_pwiser.sklearn._classifier import (
    LOSS_PARAMETERS,
    PWiseRClassifier,
    conversions_of,
    for_now,
    refuse_unweighted,
)
from gbdt_pwiser.sklearn._objective import (
    FitObjective,
    average_precision,
    binary_error,
    binary_logloss,
    click_auc,
    conversion_auc,
    of_probabilities,
)

_OBJECTIVE: Final = ("objective", "objective_type", "app", "application", "loss")
_METRIC: Final = ("metric", "metrics", "metric_types")
# Beside an objective of one's own LightGBM's metrics get raw scores, and come before callables: these are
# what LGBMClassifier shows, in its order. Each with whether more is better.
_METRICS: Final[dict[str, tuple[Callable[..., float], bool]]] = {
    "binary_logloss": (binary_logloss, False),
    "binary_error": (binary_error, False),
    "auc": (click_auc, True),
    "average_precision": (average_precision, True),
}
_OTHERWISE_CALLED: Final = {
    "binary": "binary_logloss",
    **dict.fromkeys(("logloss", "multi_logloss"), "binary_logloss"),
    **dict.fromkeys(("error", "multi_error"), "binary_error"),
}
_NO_METRIC: Final = ("", "none", "null", "na", "custom")


class LGBMPWiseRClassifier(PWiseRClassifier, LGBMClassifier):  # type: ignore[misc]
    """lightgbm.LGBMClassifier that trains on BCE + weight * PWiseR where `fit` is given conversions.

    y is the click, so scores, calibration and stratification see two classes; everything else works as in
    LGBMClassifier. The fitted booster is one of LightGBM's binary objective: it holds its start, the
    log-odds of the (weighted) mean click, in its first tree, and predicts probabilities, also from a file.

    Parameters
    ----------
    pwiser_weight
        Weight of PWiseR; 0 trains LGBMClassifier's own BCE.
    click_margin, impression_margin, surrogate, scale, pairs, warm_up
        See `gbdt_pwiser.objectives.PWiseRLoss`.
    **kwargs
        The parameters of LGBMClassifier, but for objective and, beside PWiseR, those that weigh classes
        and boosting_type="rf".

    Attributes
    ----------
    loss_
        The loss that was trained, margins that are quantiles as numbers; of weight 0 without conversions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, click = rng.random((99, 2)), rng.integers(2, size=99)
    >>> conversion = click * rng.integers(2, size=99)
    >>> model = LGBMPWiseRClassifier(pwiser_weight=0.1, n_estimators=2, verbose=-1)
    >>> model.fit(X, click, conversion=conversion).predict_proba(X).shape
    (99, 2)
    """

    def _process_params(self, stage: str) -> dict[str, Any]:
        """Keep the loss's parameters from the library, and its metrics from raw scores."""
        params: dict[str, Any] = super()._process_params(stage)
        for name in LOSS_PARAMETERS:
            params.pop(name, None)
        if isinstance(self._objective, FitObjective):
            params["metric"] = "None"
        return params

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        init_score: ArrayLike | None = None,
        eval_set: Any = None,
        eval_names: list[str] | None = None,
        eval_sample_weight: Any = None,
        eval_class_weight: Any = None,
        eval_init_score: Any = None,
        eval_metric: Any = None,
        feature_name: Any = "auto",
        categorical_feature: Any = "auto",
        callbacks: list[Callable[..., Any]] | None = None,
        init_model: Any = None,
        *,
        conversion: ArrayLike | None = None,
        group: ArrayLike | None = None,
        eval_conversion: Sequence[ArrayLike | None] | None = None,
        **options: Any,
    ) -> Self:
        """Fit the trees.

        Parameters
        ----------
        X
            (n, features): as LGBMClassifier reads it.
        y
            (n,): the click, of two labels; the second in their order is the click.
        sample_weight
            (n,): counts for BCE and for pairs.
        eval_metric
            As LGBMClassifier's. Beside PWiseR its built-in metrics are auc, average_precision,
            binary_logloss and binary_error.
        conversion
            (n,): 0 or 1, 1 in clicked rows only; NaN where the conversion of a click is open. Without it BCE
            alone is trained, with a warning.
        group
            (n,): ids, needed with pairs="group" only.
        eval_conversion
            Conversions of each evaluation set, or None for one without: `auc_conversion`, the AUC of the
            probabilities for conversions, is then one of the metrics, and of those early stopping looks at.
        init_score, eval_set, eval_names, eval_sample_weight, eval_class_weight, eval_init_score, \
feature_name, categorical_feature, callbacks, init_model, **options
            Those of LGBMClassifier.

        Raises
        ------
        InputError
            A parameter of the loss; a conversion that is neither 0 nor 1 nor NaN, or has no click; more than
            two classes; an objective of one's own; beside PWiseR, parameters that weigh classes, a random
            forest and other built-in metrics.
        """
        given = self.get_params()
        for name in _OBJECTIVE:
            if given.get(name) not in (None, "binary"):
                raise InputError(
                    f"{name} is {given[name]!r}, and {type(self).__name__} brings its own objective; leave "
                    "it out, or use LGBMClassifier with PWiseRSklearnObjective"
                )
        objective, start = self._objective_of_fit(X, y, conversion, sample_weight, group)
        sets = _evaluation_sets(eval_set, options)
        of_conversions = []
        conversions = conversions_of(sets, eval_conversion)
        if conversions is not None:
            # LightGBM evaluates the rows of the training first, and once.
            trained = [eval_set is not None and pair[0] is X and pair[1] is y for pair in sets]
            first = [of_set for of_set, is_trained in zip(conversions, trained, strict=True) if is_trained]
            others = [
                of_set for of_set, is_trained in zip(conversions, trained, strict=True) if not is_trained
            ]
            metric = conversion_auc([*first[:1], *others])
            of_conversions = [partial(_told, "auc_conversion", metric, True)]
        same: dict[str, Any] = {
            "sample_weight": sample_weight,
            "eval_set": eval_set,
            "eval_names": eval_names,
            "eval_sample_weight": eval_sample_weight,
            "eval_class_weight": eval_class_weight,
            "feature_name": feature_name,
            "categorical_feature": categorical_feature,
            "callbacks": callbacks,
            "init_model": init_model,
            **options,
        }
        plain = {
            **same,
            "init_score": init_score,
            "eval_init_score": eval_init_score,
            "eval_metric": [*_listed(eval_metric), *of_conversions] if of_conversions else eval_metric,
        }
        self._objective = self.objective  # a fit before this one has named LightGBM's
        if objective is None:
            super().fit(X, y, **plain)
            return self

        refuse_unweighted(given)
        refuse_random_forest(given)
        metrics = [*_of_raw_scores(eval_metric, given), *of_conversions]
        # A prior, or an old model, is what is started from; and LightGBM may be told to start at 0.
        if init_score is not None or init_model is not None or not given.get("boost_from_average", True):
            start = 0.0
        else:
            init_score = np.full(len(np.asarray(y)), start)
            eval_init_score = [np.full(len(np.asarray(labels)), start) for _, labels in sets] or None
        starts = {"init_score": init_score, "eval_init_score": eval_init_score, "eval_metric": metrics}
        try:
            with for_now(self, objective=objective, _objective=objective):
                super().fit(X, y, **same, **starts)
        except LightGBMError as error:
            if "num_features()" not in str(error):
                raise
            # No feature can be split, which LightGBM takes for an error beside an objective of one's own;
            # what is left is the start, the same for either loss.
            super().fit(X, y, **plain)
            return self
        self._objective = "binary"
        booster = self._Booster
        text = ModelText.of(booster).as_binary(start)
        of_binary = text.rest.replace("\n[objective: custom]\n", "\n[objective: binary]\n", 1)
        booster.model_from_string(text._replace(rest=of_binary).join())
        booster.params.pop("metric", None)
        booster.params["objective"] = "binary"
        self.loss_ = objective.loss
        return self


def _evaluation_sets(eval_set: Any, options: dict[str, Any]) -> list[Any]:
    """Return the evaluation sets as pairs of X and y, however they are given."""
    if eval_set is not None:
        return [eval_set] if isinstance(eval_set, tuple) else list(eval_set)
    features, labels = options.get("eval_X"), options.get("eval_y")
    if features is None or labels is None:
        return []
    if isinstance(features, tuple) and isinstance(labels, tuple):
        return list(zip(features, labels, strict=False))
    return [(features, labels)]


def _told(
    name: str, metric: Callable[..., float], more_is_better: bool, y_true: Any, y_pred: Any, weight: Any
) -> tuple[str, float, bool]:
    """Return a metric's value as LightGBM takes it."""
    return name, metric(y_true, y_pred, weight), more_is_better


def _listed(metrics: Any) -> list[Any]:
    if metrics is None:
        return []
    if isinstance(metrics, str):
        return metrics.split(",")
    return [metrics] if callable(metrics) else list(metrics)


def _of_raw_scores(eval_metric: Any, given: dict[str, Any]) -> list[Callable[..., Any]]:
    """Return the metrics that LGBMClassifier would evaluate, in its order, as callables of raw scores."""
    of_fit = _listed(eval_metric)
    of_parameters = next((given[name] for name in _METRIC if given.get(name) is not None), "binary_logloss")
    named = [metric for metric in [*of_fit, *_listed(of_parameters)] if isinstance(metric, str)]
    names = [_OTHERWISE_CALLED.get(name.strip().lower(), name.strip().lower()) for name in named]
    names = [name for name in dict.fromkeys(names) if name not in _NO_METRIC]
    if unknown := [name for name in names if name not in _METRICS]:
        raise InputError(
            f"metric {', '.join(unknown)} of LightGBM would get raw scores beside PWiseR; choose of "
            f"{', '.join(_METRICS)}, or give a callable (y_true, probability)"
        )
    metrics: list[Callable[..., Any]] = []
    for name in names:
        metric, more_is_better = _METRICS[name]
        metrics.append(partial(_told, name, of_probabilities(metric), more_is_better))
    return metrics + [of_probabilities(metric) for metric in of_fit if callable(metric)]
