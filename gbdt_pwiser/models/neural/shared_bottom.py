"""Shared-Bottom."""

from __future__ import annotations

from torch import Tensor

from gbdt_pwiser.models.neural._blocks import Network, Outputs, Tower, layers
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural.settings import NetworkSettings


class SharedBottom(Network):
    """One bottom below two towers: logit_k = tower_k(f(x)).

    Source: Caruana, Multitask Learning, Machine Learning 28, 1997. Multitask-Recommendation-Library trains
    the second tower on all exposures as pCTCVR, here it learns pCVR from the clicked ones.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__(layout, config)
        self.bottom = layers(self.embedding.width, config.bottom, config.dropout)
        self.click = Tower(config.bottom[-1], config.towers, config.dropout)
        self.conversion = Tower(config.bottom[-1], config.towers, config.dropout)

    def heads(self, x: Tensor) -> Outputs:
        """Return the logits of embedded features, float (n, width)."""
        shared = self.bottom(x)
        return Outputs(self.click(shared), self.conversion(shared))
