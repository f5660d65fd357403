"""What both classifiers share: the loss's parameters, and what is checked before a fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np
from array_api_compat import is_cupy_array
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives import InputError, PWiseRLoss, base_score, grade_from
from gbdt_pwiser.objectives.inputs import check_number, checked_conversion, checked_weight
from gbdt_pwiser.objectives.traps import without_effect
from gbdt_pwiser.sklearn._objective import FitObjective

LOSS_PARAMETERS: Final = (
    "pwiser_weight",
    "click_margin",
    "impression_margin",
    "surrogate",
    "scale",
    "pairs",
    "warm_up",
)


class PWiseRClassifier:
    """The loss's parameters, beside those of a library's classifier; comes before it among the bases."""

    # Metadata that pipelines and searches hand to `fit` without being asked by set_fit_request.
    __metadata_request__fit: ClassVar = {"conversion": True, "group": True}

    loss_: PWiseRLoss

    def __init__(
        self,
        *,
        pwiser_weight: float = 0.03,
        click_margin: float | str = 0.1,
        impression_margin: float | str = 0.3,
        surrogate: str = "hinge",
        scale: str = "probability",
        pairs: str = "all",
        warm_up: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pwiser_weight = pwiser_weight
        self.click_margin = click_margin
        self.impression_margin = impression_margin
        self.surrogate = surrogate
        self.scale = scale
        self.pairs = pairs
        self.warm_up = warm_up

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = False
        return tags

    def _loss(self) -> PWiseRLoss:
        check_number("pwiser_weight", self.pwiser_weight)
        others = {name: getattr(self, name) for name in LOSS_PARAMETERS[1:]}
        return PWiseRLoss(weight=self.pwiser_weight, **others)

    def _objective_of_fit(
        self,
        X: Any,
        y: ArrayLike,
        conversion: ArrayLike | None,
        sample_weight: ArrayLike | None,
        group: ArrayLike | None,
    ) -> tuple[FitObjective | None, float]:
        """Check what a fit is given; return its objective and the log-odds of the mean click.

        None, and 0, where BCE alone is trained, which is what the library's classifier does by itself. Sets
        `loss_` to what is trained, as far as it is known before the fit.
        """
        loss, click = self._loss(), _clicks(y)
        grade = None
        if conversion is not None:
            checked_conversion(conversion)
            if click is None:
                raise InputError("y holds one class only, and conversions need clicks; give both classes")
            grade = grade_from(click, conversion)
            rows = (getattr(X, "shape", None) or (len(grade),))[0]
            if rows != len(grade):
                raise InputError(f"X has {rows} rows, y has {len(grade)}; give one click per row")
        if loss.ranks_pairs and grade is None:
            warnings.warn(
                f"{type(self).__name__} trains on BCE alone, as fit got no conversion; give "
                "fit(X, click, conversion=...), or pwiser_weight=0",
                stacklevel=3,
            )
        self.loss_ = replace(loss, weight=0.0)
        if grade is None or click is None or not loss.ranks_pairs:
            return None, 0.0
        weight: NDArray[Any] | None = None
        if sample_weight is not None:
            weight = checked_weight(sample_weight, len(grade), some=False)
            if not weight.any():
                raise InputError("sample_weight is zero in every row; give a row a positive weight at least")
            weight = weight.astype(np.float32)  # as boosters keep it
        plan = loss.plan(grade, group=group, sample_weight=weight)
        jobs = getattr(self, "n_jobs", None)
        plan = replace(plan, threads=int(jobs) if jobs and jobs > 0 else None)
        if weight is not None and (rate := float(np.average(click, weights=weight))) in (0.0, 1.0):
            raise InputError(
                f"the mean click with these sample weights is {rate}, that of one class only; give rows of "
                "both classes a positive weight"
            )
        if not plan.opponents:
            warnings.warn(
                f"{type(self).__name__} trains on BCE alone: no row is a conversion, or there is nothing to "
                "rank it above",
                stacklevel=3,
            )
            return None, 0.0
        self.loss_ = loss
        rate = base_score(click, sample_weight=weight)
        return FitObjective(loss, plan), float(np.log(rate / (1.0 - rate)))


def _clicks(y: ArrayLike) -> NDArray[np.bool_] | None:
    """Return which rows are of the second class; None where that is not two classes, but for more to refuse.

    Labels that are none (missing, continuous, of two columns) are the library's to refuse.
    """
    labels = y.get() if is_cupy_array(y) else np.asarray(y)  # type: ignore[union-attr]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biufUSOT":
        return None
    try:
        whole = labels.dtype.kind != "f" or bool((labels == np.trunc(labels)).all())
        classes = np.unique(labels) if whole else labels[:0]
    except TypeError:  # of several types
        return None
    if len(classes) > 2 and not any(each is None or each != each for each in classes):
        raise InputError(
            f"Only binary classification is supported. y holds {len(classes)} classes; give the click as y, "
            "and the conversions as fit(X, click, conversion=...)"
        )
    return labels == classes[1] if len(classes) == 2 else None


def refuse_unweighted(params: Mapping[str, Any]) -> None:
    """Raise InputError for parameters that weigh classes: only a built-in objective reads them."""
    names = without_effect(params)
    if params.get("class_weight") is not None:
        names = ["class_weight", *names]
    if names:
        raise InputError(
            f"{', '.join(names)} would do nothing beside PWiseR; leave it out and weigh the rows by "
            "fit(..., sample_weight=...), which BCE and pairs both count"
        )


def conversions_of(
    sets: Sequence[Any], eval_conversion: Sequence[ArrayLike | None] | None
) -> list[ArrayLike | None] | None:
    """Return the conversions of each evaluation set, given as (X, y); None where none are given."""
    if eval_conversion is None:
        return None
    conversions = list(eval_conversion)
    if len(conversions) != len(sets):
        raise InputError(
            f"eval_conversion holds conversions of {len(conversions)} evaluation sets, and there are "
            f"{len(sets)}; give a list with one array, or None, for each"
        )
    for (_, y), conversion in zip(sets, conversions, strict=True):
        click = None if conversion is None else _clicks(y)
        if conversion is not None and click is not None:
            grade_from(click, conversion)
    return conversions


@contextmanager
def for_now(estimator: Any, **attributes: Any) -> Iterator[None]:
    """Set attributes, and set them back."""
    before = {name: getattr(estimator, name) for name in attributes}
    vars(estimator).update(attributes)
    try:
        yield
    finally:
        vars(estimator).update(before)
