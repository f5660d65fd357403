"""BCE and the logistic loss of (click, no click) pairs of a batch, for networks."""

from __future__ import annotations

from typing import Any, Final

from gbdt_pwiser.models.losses.loss import Loss


def _for_torch(weight: float) -> Any:
    from gbdt_pwiser.models.losses import _combined_pair_torch

    return _combined_pair_torch.CombinedPair(weight)


LOSS: Final = Loss(
    name="combined_pair",
    weight="(1 - w) BCE + w times the logistic loss of (click, no click) pairs of a batch.",
    weights=(0.1, 0.5, 0.9),
    most=1.0,
    native={"torch": _for_torch},
)
