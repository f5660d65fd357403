"""The loss of each head, divided by all rows of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.losses.loss import RowWeight
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import PairPlan, PWiseRLoss, ScoreLoss
from gbdt_pwiser.objectives.inputs import CLICK, CONVERSION, OPEN


class LossOfClicks(Protocol):
    """The loss of the click head of a batch, a scalar that can be differentiated in the logits."""

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return it; logit float (n,), grade and group (n,) on the host."""


def loss_of_clicks(spec: ModelSpec, memory: int = 0) -> LossOfClicks:
    """Return the loss of a spec's click head, see `ClickLoss`. A weight of 0 is BCE, to the last bit."""
    loss = LOSSES[spec.loss]
    if loss.weights and spec.weight == 0:
        return ClickLoss(PWiseRLoss(weight=0.0))
    if loss.row_weight is not None:
        return WeightedBCE(loss.row_weight, spec.weight)
    if "torch" in loss.native:
        made: LossOfClicks = loss.native["torch"](spec.weight)
        return made
    if loss.of_scores is None:
        return ClickLoss(PWiseRLoss(weight=0.0))
    return ClickLoss(loss.of_scores(spec.weight, spec.pwiser), memory)


class ClickLoss:
    """A loss of raw scores, such as BCE + weight * PWiseR: formula and code are those of the boosters.

    ::

        L = loss.value(logit, grade),    dL / dlogit_i = loss.gradient_hessian(...)[0][i] / n

    over the exposures of one batch. A batch without conversions has no pairs, and with a weight of 0 no
    batch has: what is left of PWiseR is BCE.

    Parameters
    ----------
    loss
        Of the spec; "bce" is a weight of 0.
    memory
        So many scores of the latest anchors of earlier batches are further anchors of PWiseR. They are
        constants: opponents are pushed below them, and they themselves are not moved.
    """

    def __init__(self, loss: ScoreLoss, memory: int = 0) -> None:
        if isinstance(loss, PWiseRLoss) and loss.weight == 0:  # no pairs, and so neither groups nor memory
            loss, memory = PWiseRLoss(weight=0.0), 0
        self._loss = loss
        self._memory = memory if isinstance(loss, PWiseRLoss) else 0
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
        if isinstance(self._loss, PWiseRLoss) and self._loss.pairs == "all":
            group = None
        if not self._memory:
            return _ScoreLoss.apply(logit, None, self._loss, self._loss.plan(grade, group=group))
        remembered = logit.detach()[:0] if self._scores is None else self._scores
        grades = np.concatenate([grade, np.full(len(remembered), CONVERSION, dtype=np.int8)])
        groups = None if group is None else np.concatenate([group, self._groups])
        value = _ScoreLoss.apply(logit, remembered, self._loss, self._loss.plan(grades, group=groups))
        anchors = np.flatnonzero(grade == CONVERSION)
        latest = logit.detach()[torch.as_tensor(anchors, device=logit.device)]
        self._scores = torch.cat([remembered, latest])[-self._memory :]
        if group is not None:
            self._groups = np.concatenate([self._groups, group[anchors]])[-self._memory :]
        return value


class _ScoreLoss(torch.autograd.Function):  # type: ignore[misc]
    """A loss of raw scores under autograd; in the plan remembered anchors lie behind the batch."""

    @staticmethod
    def forward(
        ctx: Any, logit: Tensor, remembered: Tensor | None, loss: ScoreLoss, plan: PairPlan
    ) -> Tensor:
        n, total = len(logit), plan.n
        scores = logit.detach()
        if remembered is not None:
            scores = torch.cat([scores, remembered])
            # gradient_hessian multiplies the pairs by all its rows, and their mean belongs to n of them.
            assert isinstance(loss, PWiseRLoss)  # only it remembers
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
    """BCE of the click as a mean over weighted exposures.

    Parameters
    ----------
    row_weight
        Of the loss: from grades and its weight to the weights of exposures.
    weight
        Of the loss.
    """

    def __init__(self, row_weight: RowWeight, weight: float) -> None:
        self._row_weight, self._weight = row_weight, weight

    def __call__(
        self, logit: Tensor, grade: NDArray[np.int8], group: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return the loss of a batch; see `LossOfClicks`."""
        weight = torch.as_tensor(self._row_weight(grade, self._weight), device=logit.device).to(logit.dtype)
        clicked = _clicked(torch.as_tensor(grade, device=logit.device), logit)
        each = functional.binary_cross_entropy_with_logits(logit, clicked, reduction="none")
        return (weight * each).sum() / weight.sum()


def clicked_bce(logit: Tensor, grade: Tensor) -> Tensor:
    """BCE of conversions, summed over the decided clicks and divided by all exposures; 0 where there is none.

    Not a mean over the clicked ones: in it a clicked row would weigh 1 / CTR times as much as in the loss of
    the click.
    """
    each = functional.binary_cross_entropy_with_logits(logit, _converted(grade, logit), reduction="none")
    return (each * (_clicked(grade, logit) * _decided(grade, logit))).mean()


def exposed_bce(logit: Tensor, grade: Tensor, per_decided: float = 1.0) -> Tensor:
    """BCE of conversions, mean over all exposures weighted by `stand_ins`."""
    return functional.binary_cross_entropy_with_logits(
        logit, _converted(grade, logit), weight=stand_ins(grade, logit, per_decided)
    )


def product_bce(first: Tensor, second: Tensor, grade: Tensor, per_decided: float = 1.0) -> Tensor:
    """BCE of conversions with probability sigmoid(first) * sigmoid(second), mean weighted by `stand_ins`.

    In logarithms, where neither factor can round to 0 or 1::

        log(1 - p) = log(e^-a + e^-b + e^-(a+b)) - log(1 + e^-a) - log(1 + e^-b)
    """
    converted = _converted(grade, first)
    log_p = functional.logsigmoid(first) + functional.logsigmoid(second)
    log_not = torch.logsumexp(torch.stack([-first, -second, -first - second]), dim=0) + log_p
    return -(stand_ins(grade, first, per_decided) * (converted * log_p + (1.0 - converted) * log_not)).mean()


def stand_ins(grade: Tensor, like: Tensor, per_decided: float) -> Tensor:
    """Return the weights (n,) of a batch's exposures in a loss of pCTCVR.

    The target of a click whose conversion is open is not known, so it weighs 0. Leaving it out alone would
    leave too few clicks among the exposures, and pCTCVR too low: each decided click weighs `per_decided`, see
    `clicks_per_decided`, in its place. All other exposures weigh 1.
    """
    clicked, decided = _clicked(grade, like), _decided(grade, like)
    return 1.0 - clicked + clicked * decided * per_decided


def clicks_per_decided(grade: NDArray[np.int8]) -> float:
    """Return the clicks of training per click whose conversion is decided; 1 where none is open.

    Of all training, not of a batch: where clicks are few, all those of a batch may be open, and nothing in it
    could stand in for them.
    """
    decided = np.count_nonzero((grade == CLICK) | (grade == CONVERSION))
    return float(np.count_nonzero(grade) / decided) if decided else 1.0


def _clicked(grade: Tensor, like: Tensor) -> Tensor:
    return (grade >= 1).to(like.dtype)


def _converted(grade: Tensor, like: Tensor) -> Tensor:
    return (grade == CONVERSION).to(like.dtype)


def _decided(grade: Tensor, like: Tensor) -> Tensor:
    return (grade != OPEN).to(like.dtype)
