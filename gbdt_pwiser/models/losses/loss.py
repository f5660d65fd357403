"""What a loss is, and how a model is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.objectives import PWiseRLoss, ScoreLoss
from gbdt_pwiser.objectives.inputs import LARGEST_PARAMETER

RowWeight = Callable[[NDArray[np.int8], float], NDArray[np.float32]]
"""From grades (n,) and the weight of the loss to the weights (n,) of exposures in BCE."""

OfScores = Callable[[float, PWiseRLoss], ScoreLoss]
"""From the weight of the loss, and the parameters of PWiseR, to a loss of raw scores."""

Native = Callable[[Any, float], AbstractContextManager[dict[str, Any]]]
"""From a booster's data set and the weight of the loss to its library's parameters, for one training."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss of the click: what a comparison has to know of it, and one of four ways to train with it.

    Any model can be trained with BCE, which is what a loss without a way is, with BCE of weighted exposures
    (`row_weight`) and with a loss of raw scores (`of_scores`). A loss that a library has of its own
    (`native`) exists for the models of that library only.

    Attributes
    ----------
    name
        As in `ModelSpec.loss`.
    weight
        What its weight w means, in a sentence.
    weights
        The weights that a comparison tries where it is given none; none where it has no weight.
    most
        Greatest weight; the least is 0.
    needs_groups
        Whether it ranks inside groups, and so needs them.
    is_log_odds
        Whether raw scores are log-odds of a click. Where they are not, a sigmoid fitted on validation makes
        pCTR of them.
    spans_workers
        Whether workers that each hold a part of the exposures can train with it as one machine would.
    row_weight
        The weights of exposures in BCE.
    of_scores
        Makes the loss of raw scores that models minimise by its gradients.
    native
        By library ("lightgbm", "xgboost", "torch") what it is told. For a booster that is a `Native`; for
        PyTorch, what makes the loss of a batch's logits (see `models.neural`) of the weight.
    """

    name: str
    weight: str
    weights: tuple[float, ...] = ()
    most: float = LARGEST_PARAMETER
    needs_groups: bool = False
    is_log_odds: bool = True
    spans_workers: bool = False
    row_weight: RowWeight | None = None
    of_scores: OfScores | None = None
    native: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
