"""The loss of each head, as a mean over a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import PairPlan, PWiseRLoss

# Pairs of scores that are in memory at a time.
PAIRS = 1 << 20


class LossOfClicks(Protocol):
    """The loss of the click head of a batch, a scalar that can be differentiated in the logits."""

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return it; logit float (n,), grade and group (n,) on the host."""


def loss_of_clicks(spec: ModelSpec) -> LossOfClicks:
    """Return the loss of a spec's click head. A weight of 0 is BCE, to the last bit."""
    if spec.weight == 0:
        return ClickLoss(PWiseRLoss(weight=0.0))
    match spec.loss:
        case "weighted_bce":
            return WeightedBCE(spec.weight)
        case "combined_pair":
            return CombinedPair(spec.weight)
    return ClickLoss(spec.pwiser, spec.network.anchor_memory)


class ClickLoss:
    """BCE + weight * PWiseR of the click head: the formula, and the code, that the boosters train with.

    ::

        L = PWiseRLoss.value(logit, grade),    dL / dlogit_i = PWiseRLoss.gradient_hessian(...)[0][i] / n

    over the exposures of one batch. A batch without conversions has no pairs, and with a weight of 0 no
    batch has: what is left is BCE.

    Parameters
    ----------
    loss
        Of the spec; "bce" is a weight of 0.
    memory
        So many scores of the latest anchors of earlier batches are further anchors. They are constants:
        opponents are pushed below them, and they themselves are not moved.
    """

    def __init__(self, loss: PWiseRLoss, memory: int = 0) -> None:
        if loss.weight == 0:  # no pairs, and so neither groups nor memory
            loss, memory = PWiseRLoss(weight=0.0), 0
        self._loss, self._memory = loss, memory
        self._scores: Tensor | None = None
        self._groups = np.empty(0, dtype=np.int64)

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return the loss of a batch, a scalar that can be differentiated in the logits.

        Parameters
        ----------
        logit
            float (n,).
        grade, group
            (n,), on the host; group is needed with pairs="group" only.
        """
        if self._loss.pairs == "all":
            group = None
        if not self._memory:
            return _PairwiseLoss.apply(logit, None, self._loss, self._loss.plan(grade, group=group))
        remembered = logit.detach()[:0] if self._scores is None else self._scores
        grades = np.concatenate([grade, np.full(len(remembered), 2, dtype=np.int8)])
        groups = None if group is None else np.concatenate([group, self._groups])
        value = _PairwiseLoss.apply(logit, remembered, self._loss, self._loss.plan(grades, group=groups))
        anchors = np.flatnonzero(grade == 2)
        latest = logit.detach()[torch.as_tensor(anchors, device=logit.device)]
        self._scores = torch.cat([remembered, latest])[-self._memory :]
        if group is not None:
            self._groups = np.concatenate([self._groups, group[anchors]])[-self._memory :]
        return value


class _PairwiseLoss(torch.autograd.Function):  # type: ignore[misc]
    """PWiseRLoss under autograd; remembered anchors lie behind the rows of the batch in the plan."""

    @staticmethod
    def forward(
        ctx: Any, logit: Tensor, remembered: Tensor | None, loss: PWiseRLoss, plan: PairPlan
    ) -> Tensor:
        n, total = len(logit), plan.n
        scores = logit.detach()
        if remembered is not None:
            scores = torch.cat([scores, remembered])
            # gradient_hessian multiplies the pairs by all its rows, and their mean belongs to n of them.
            loss = replace(loss, weight=loss.weight * n / total)
        on_cpu = scores.device.type == "cpu"
        z = scores.numpy() if on_cpu else scores  # the same memory, without a call of torch per small step
        gradient, _ = loss.gradient_hessian(z, plan)
        value = loss.value(z, plan) * total
        if remembered is not None:
            value -= float(functional.softplus(-remembered.double()).sum())
        ctx.save_for_backward((torch.from_numpy(gradient) if on_cpu else gradient)[:n] / n)
        return logit.new_tensor(value / n)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None, None, None


class WeightedBCE:
    """BCE of the click as a mean in which a converted exposure weighs 1 + weight, others 1."""

    def __init__(self, weight: float) -> None:
        self._weight = weight

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return the loss of a batch; see `LossOfClicks`."""
        grades = torch.as_tensor(grade, device=logit.device)
        weight = 1.0 + self._weight * _converted(grades, logit)
        each = functional.binary_cross_entropy_with_logits(logit, _clicked(grades, logit), reduction="none")
        return (weight * each).sum() / weight.sum()


class CombinedPair:
    """BCE and the logistic loss of all pairs of a clicked and an unclicked exposure of a batch.

    ::

        L = (1 - weight) BCE + weight * mean_{i clicked, j unclicked} log(1 + exp(-(z_i - z_j)))

    A mean over no pairs is 0. Source: Li et al., Click-through Prediction for Advertising in Twitter
    Timeline, KDD 2015; docs/rivals.md says in whose form.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return the loss of a batch; see `LossOfClicks`."""
        clicked = _clicked(torch.as_tensor(grade, device=logit.device), logit)
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


def clicked_bce(logit: Tensor, grade: Tensor) -> Tensor:
    """BCE of conversions, mean over the clicked exposures; 0 where none is clicked."""
    clicked = _clicked(grade, logit)
    each = functional.binary_cross_entropy_with_logits(logit, _converted(grade, logit), reduction="none")
    return (each * clicked).sum() / clicked.sum().clamp(min=1.0)


def exposed_bce(logit: Tensor, grade: Tensor) -> Tensor:
    """BCE of conversions, mean over all exposures."""
    return functional.binary_cross_entropy_with_logits(logit, _converted(grade, logit))


def product_bce(first: Tensor, second: Tensor, grade: Tensor) -> Tensor:
    """BCE of conversions with probability sigmoid(first) * sigmoid(second), mean over all exposures.

    In logarithms, where neither factor can round to 0 or 1::

        log(1 - p) = log(e^-a + e^-b + e^-(a+b)) - log(1 + e^-a) - log(1 + e^-b)
    """
    converted = _converted(grade, first)
    log_p = functional.logsigmoid(first) + functional.logsigmoid(second)
    log_not = torch.logsumexp(torch.stack([-first, -second, -first - second]), dim=0) + log_p
    return -(converted * log_p + (1.0 - converted) * log_not).mean()


def _clicked(grade: Tensor, like: Tensor) -> Tensor:
    return (grade >= 1).to(like.dtype)


def _converted(grade: Tensor, like: Tensor) -> Tensor:
    return (grade == 2).to(like.dtype)
