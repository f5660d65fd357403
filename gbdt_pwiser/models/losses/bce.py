"""Binary cross-entropy of clicks, a booster's built-in objective; all other losses are compared with it."""

from __future__ import annotations

from typing import Final

from gbdt_pwiser.models.losses.loss import Loss

LOSS: Final = Loss(name="bce", weight="It has none.", spans_workers=True)
