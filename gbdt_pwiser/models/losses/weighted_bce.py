"""BCE in which conversions count more than other clicks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.models.losses.loss import Loss
from gbdt_pwiser.objectives.inputs import CONVERSION


def conversions_weigh(converted: NDArray[np.bool_], weight: float) -> NDArray[np.float32]:
    """Return 1 + weight where something converted, else 1."""
    return (1.0 + weight * converted).astype(np.float32)


LOSS: Final = Loss(
    name="weighted_bce",
    weight="A converted exposure has sample weight 1 + w in BCE.",
    weights=(0.3, 1.0, 3.0),
    row_weight=lambda grade, weight: conversions_weigh(grade == CONVERSION, weight),
)
