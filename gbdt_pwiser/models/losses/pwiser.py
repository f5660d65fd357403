"""BCE and the pairwise term that this package is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gbdt_pwiser.models.losses.loss import Loss

LOSS: Final = Loss(
    name="pwiser",
    weight="BCE + w PWiseR.",
    weights=(0.003, 0.01, 0.03),
    spans_workers=True,
    of_scores=lambda weight, pwiser: replace(pwiser, weight=weight),
)
