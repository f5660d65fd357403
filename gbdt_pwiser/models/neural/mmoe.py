"""Multi-gate Mixture-of-Experts."""

from __future__ import annotations

from torch import Tensor, nn

from gbdt_pwiser.models.neural._blocks import Gate, Network, Outputs, Tower, layers
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural.settings import NetworkSettings


class MMoE(Network):
    """Experts that both tasks mix, each with a gate of its own.

    ::

        logit_k = tower_k(sum_i g_k(x)_i f_i(x)),    g_k(x) = softmax(W_k x)

    Source: Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts,
    KDD 2018. As there, gates have no bias. In Multitask-Recommendation-Library they have one; in torch-rechub
    they are Linear, batch norm, softmax. The former trains the second tower on all exposures as pCTCVR, here
    it learns pCVR from the clicked ones.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__(layout, config)
        width, inner = self.embedding.width, config.bottom[-1]
        self.experts = nn.ModuleList(
            layers(width, config.bottom, config.dropout) for _ in range(config.experts)
        )
        self.click_gate, self.conversion_gate = Gate(width, config.experts), Gate(width, config.experts)
        self.click = Tower(inner, config.towers, config.dropout)
        self.conversion = Tower(inner, config.towers, config.dropout)

    def heads(self, x: Tensor) -> Outputs:
        """Return the logits of embedded features, float (n, width)."""
        experts = [expert(x) for expert in self.experts]
        return Outputs(
            self.click(self.click_gate(x, experts)), self.conversion(self.conversion_gate(x, experts))
        )
