"""How each booster is told of a loss: by parameters, and by what its data set holds while it trains.

Weights, labels and starting scores are put into the binned data for one training and taken out again, so
that all losses share one binning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.losses.data_sets import lightgbm_fields, xgboost_infos
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, Objective, PWiseRLoss, base_score, grade_from, xgboost_params

Derivatives = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""From raw scores (n,) to gradient and hessian (n,) of the loss, summed over the exposures."""


def objective_of(spec: ModelSpec, loss: str) -> Objective | None:
    """Return the objective of a loss of raw scores; None for any other, whose objective the library has."""
    of_scores = LOSSES[loss].of_scores
    pwiser = replace(spec.pwiser, threads=spec.threads or spec.pwiser.threads)
    return None if of_scores is None else Objective(of_scores(spec.weight, pwiser))


def derivatives_on(exposures: Exposures, spec: ModelSpec, loss: str) -> Derivatives:
    """Return what gives gradient and hessian of a loss on exposures, as a booster of it is told them.

    InputError for a loss that a library has of its own, which does not tell them.
    """
    described = LOSSES[loss]
    if described.native:
        raise InputError(
            f"the gradients of {loss} are its library's own; continue without refit, or train again"
        )
    weighs = described.row_weight is not None and spec.weight > 0
    weight = described.row_weight(exposures.grade, spec.weight) if weighs else None  # type: ignore[misc]
    of_scores = described.of_scores
    scored = PWiseRLoss(weight=0) if of_scores is None else of_scores(spec.weight, spec.pwiser)
    group = exposures.group if loss == spec.loss and spec.needs_groups else None
    plan = scored.plan(exposures.grade, group=group, sample_weight=weight)
    return lambda raw: scored.gradient_hessian(raw, plan)


@contextmanager
def lightgbm_loss(data: Any, spec: ModelSpec, loss: str) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a loss; the lightgbm.Dataset is as the loss wants it until the block ends.

    InputError for exposures that the loss cannot be trained with.
    """
    described = LOSSES[loss]
    if objective := objective_of(spec, loss):
        yield {"objective": objective}
    elif "lightgbm" in described.native:
        with described.native["lightgbm"](data, spec.weight) as params:
            yield params
    elif described.row_weight is not None and spec.weight > 0:
        grade = data.get_label()
        weight = described.row_weight(grade, spec.weight)
        start = logit(base_score(grade > 0, sample_weight=weight))
        with lightgbm_fields(data, weight=weight, init_score=np.full(len(grade), start)):
            yield {"objective": "binary"}
    else:
        # The binary objective counts a label > 0 as positive: grades serve it as they are.
        yield {"objective": "binary"}


@contextmanager
def xgboost_loss(data: Any, spec: ModelSpec, loss: str) -> Iterator[tuple[dict[str, Any], Objective | None]]:
    """Yield the parameters of a loss and its objective, None for a built-in one.

    The DMatrix, which has click and conversion as `make_dmatrix` puts them, is as the loss wants it until
    the block ends.
    """
    described = LOSSES[loss]
    click = data.get_label()
    if objective := objective_of(spec, loss):
        yield xgboost_params(click), objective
    elif "xgboost" in described.native:
        with described.native["xgboost"](data, spec.weight) as params:
            yield params, None
    elif described.row_weight is not None and spec.weight > 0:
        grade = grade_from(click, data.get_float_info("label_lower_bound"))
        weight = described.row_weight(grade, spec.weight)
        with xgboost_infos(data, weight=weight):
            yield xgboost_params(click, sample_weight=weight), None
    else:
        yield xgboost_params(click), None
