"""The losses a pCTR model may be trained with: BCE, PWiseR, and the cheaper ways to the same aim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown
from gbdt_pwiser.objectives.inputs import LARGEST_PARAMETER


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a loss is, as far as a comparison has to know.

    Attributes
    ----------
    name
        As in `ModelSpec.loss`.
    weight
        What its weight w means, in a sentence.
    weights
        The weights that a comparison tries where it is given none.
    most
        Greatest weight; the least is 0.
    needs_groups
        Whether it ranks inside groups, and so needs them.
    is_log_odds
        Whether raw scores are log-odds of a click. Where they are not, a sigmoid fitted on validation makes
        pCTR of them.
    """

    name: str
    weight: str
    weights: tuple[float, ...] = ()
    most: float = LARGEST_PARAMETER
    needs_groups: bool = False
    is_log_odds: bool = True


LOSSES: Final[dict[str, Loss]] = {
    loss.name: loss
    for loss in (
        Loss(name="bce", weight="It has none."),
        Loss(name="pwiser", weight="BCE + w PWiseR.", weights=(0.003, 0.01, 0.03)),
        Loss(
            name="weighted_bce",
            weight="A converted exposure has sample weight 1 + w in BCE.",
            weights=(0.3, 1.0, 3.0),
        ),
        Loss(
            name="lambdarank",
            weight="A conversion gains 1 + w, a click 1, in NDCG inside a group.",
            weights=(0.0, 1.0, 3.0),
            needs_groups=True,
            is_log_odds=False,
        ),
        Loss(
            name="rank_pairwise",
            weight="A group with a conversion weighs 1 + w.",
            weights=(0.0, 1.0, 3.0),
            needs_groups=True,
            is_log_odds=False,
        ),
        Loss(
            name="combined_pair",
            weight="(1 - w) BCE + w times the logistic loss of (click, no click) pairs of a batch.",
            weights=(0.1, 0.5, 0.9),
            most=1.0,
        ),
    )
}
"""Losses by name; BCE, which all others are compared with, first."""


def check_loss(loss: str) -> None:
    """Raise InputError where there is no such loss."""
    if loss not in LOSSES:
        raise unknown("loss", loss, LOSSES)


def check_weight(loss: str, weight: float) -> None:
    """Raise InputError where a loss cannot have this weight."""
    most = LOSSES[loss].most
    is_number = isinstance(weight, int | float | np.number) and not isinstance(weight, bool)
    if not (is_number and 0 <= weight <= most):
        raise InputError(f"the weight of {loss} is {weight!r}; give a number from 0 to {most:g}")
