"""Binary cross-entropy of clicks: the built-in objective of a booster, and what all others are compared with."""

from __future__ import annotations

from typing import Final

from gbdt_pwiser.models.losses.loss import Loss

LOSS: Final = Loss(name="bce", weight="It has none.", spans_workers=True)
