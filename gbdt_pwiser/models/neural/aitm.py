"""Adaptive Information Transfer Multi-task."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gbdt_pwiser.models.neural._blocks import Network, Outputs, Tower, layers
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural._loss import exposed_bce
from gbdt_pwiser.models.neural.settings import NetworkSettings


class Transfer(nn.Module):  # type: ignore[misc]
    """Attention over what the earlier task passes on, p, and what the later one has, q.

    ::

        z = sum_{u in p, q} w_u V u,    w = softmax(<K u, Q u> / sqrt(width))
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.key, self.query = (nn.Linear(width, width) for _ in range(3))

    def forward(self, p: Tensor, q: Tensor) -> Tensor:
        """Return z, float (n, width), of p and q, float (n, width)."""
        u = torch.stack([p, q], dim=1)
        alike = (self.key(u) * self.query(u)).sum(dim=2) / math.sqrt(u.shape[2])
        return torch.einsum("nu,nuw->nw", torch.softmax(alike, dim=1), self.value(u))


class AITM(Network):
    """The click's representation is passed on to the conversion, which is predicted for all exposures.

    ::

        logit_click = tower_click(q_1),    logit_ctcvr = tower_conversion(transfer(g(q_1), q_2))
        L = loss of the click + conversion_weight * BCE(pCTCVR, conversion)
            + constraint * mean max(0, pCTCVR - pCTR)

    with bottoms q_1 and q_2 and a linear g. The second head is pCTCVR itself; what the constraint has left
    above pCTR is cut off in predictions, so that pCVR = pCTCVR / pCTR is a probability. In the BCE of pCTCVR
    clicks whose conversion is open weigh 0 and decided ones stand in for them.

    Source: Xi et al., Modeling the Sequential Dependence among Audience Multi-step Conversions with
    Multi-task Learning in Targeted Display Advertising, KDD 2021. Multitask-Recommendation-Library and
    torch-rechub leave out the constraint; the latter has a g with a ReLU and a transfer without biases.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__(layout, config)
        self.constraint = config.constraint
        width, inner = self.embedding.width, config.bottom[-1]
        self.click_bottom = layers(width, config.bottom, config.dropout)
        self.conversion_bottom = layers(width, config.bottom, config.dropout)
        self.passed = nn.Linear(inner, inner)
        self.transfer = Transfer(inner)
        self.click = Tower(inner, config.towers, config.dropout)
        self.conversion = Tower(inner, config.towers, config.dropout)

    def heads(self, x: Tensor) -> Outputs:
        """Return the logits of embedded features, float (n, width)."""
        click = self.click_bottom(x)
        conversion = self.transfer(self.passed(click), self.conversion_bottom(x))
        return Outputs(self.click(click), self.conversion(conversion))

    def conversion_loss(self, outputs: Outputs, grade: Tensor, per_decided: float = 1.0) -> Tensor:
        """Return the weighted BCE of pCTCVR over all exposures, see `stand_ins`, and the constraint."""
        excess = torch.sigmoid(outputs.conversion) - torch.sigmoid(outputs.click)
        penalty = self.constraint * torch.relu(excess).mean()
        return self.conversion_weight * exposed_bce(outputs.conversion, grade, per_decided) + penalty

    def pctcvr(self, outputs: Outputs) -> Tensor:
        """Return the probability of the second head, at most pCTR."""
        return torch.sigmoid(torch.minimum(outputs.conversion, outputs.click))

    def pcvr(self, outputs: Outputs) -> Tensor:
        """Return pCTCVR / pCTR, in logarithms, where pCTR cannot round to 0."""
        either = torch.minimum(outputs.conversion, outputs.click)
        return torch.exp(functional.logsigmoid(either) - functional.logsigmoid(outputs.click))
