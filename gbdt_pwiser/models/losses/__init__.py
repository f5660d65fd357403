"""The losses a pCTR model may be trained with: BCE, PWiseR, and the cheaper ways to the same aim."""

from __future__ import annotations

from typing import Final

import numpy as np

from gbdt_pwiser.models.losses import (
    bce,
    combined_pair,
    lambdarank,
    pwiser,
    rank_pairwise,
    weighted_bce,
)
from gbdt_pwiser.models.losses.loss import Loss
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

__all__ = ["LOSSES", "Loss", "check_loss", "check_weight"]

LOSSES: Final[dict[str, Loss]] = {
    loss.name: loss
    for loss in (
        bce.LOSS,
        pwiser.LOSS,
        weighted_bce.LOSS,
        lambdarank.LOSS,
        rank_pairwise.LOSS,
        combined_pair.LOSS,
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
