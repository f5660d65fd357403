"""The loss `combined_pair` in PyTorch, which an import of the losses must not need."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# Pairs of scores that are in memory at a time.
PAIRS = 1 << 20


class CombinedPair:
    """BCE and the logistic loss of all pairs of a clicked and an unclicked exposure of a batch.

    ::

        L = (1 - weight) BCE + weight * mean_{i clicked, j unclicked} log(1 + exp(-(z_i - z_j)))

    A mean over no pairs is 0. Source: Li et al., Click-through Prediction for Advertising in Twitter
    Timeline, KDD 2015; docs/explanation/rivals.md says in whose form.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return the loss of a batch, a scalar; logit float (n,), grade (n,) on the host."""
        clicked = (torch.as_tensor(grade, device=logit.device) >= 1).to(logit.dtype)
        bce = functional.binary_cross_entropy_with_logits(logit, clicked)
        upper, lower = logit[clicked > 0], logit[clicked == 0]
        pairs: Tensor = _PairSum.apply(upper, lower)
        return (1.0 - self._weight) * bce + self._weight * pairs / max(1, len(upper) * len(lower))


class _PairSum(torch.autograd.Function):  # type: ignore[misc]
    """Sum of log(1 + exp(lower_j - upper_i)) over all pairs, of which PAIRS are in memory at a time."""

    @staticmethod
    def forward(ctx: Any, upper: Tensor, lower: Tensor) -> Tensor:
        total, up, down = upper.new_zeros(()), torch.zeros_like(upper), torch.zeros_like(lower)
        rows = max(1, PAIRS // max(1, len(lower)))
        for start in range(0, len(upper), rows):
            gap = lower - upper[start : start + rows, None]
            total += functional.softplus(gap).sum()
            slope = torch.sigmoid(gap)
            up[start : start + rows] = -slope.sum(dim=1)
            down += slope.sum(dim=0)
        ctx.save_for_backward(up, down)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        up, down = ctx.saved_tensors
        return upstream * up, upstream * down
