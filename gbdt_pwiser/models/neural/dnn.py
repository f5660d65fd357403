"""A network of its own for one task."""

from __future__ import annotations

from torch import Tensor, nn

from gbdt_pwiser.models.neural._blocks import FeatureEmbedding, Tower
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural.settings import NetworkSettings


class DNN(nn.Module):  # type: ignore[misc]
    """Single task: logit = tower(x), x the embedded features.

    The model `dnn` is two of these that share nothing: pCTR on all exposures, pCVR on clicked ones, each
    stopped on its own AUC.

    Source: Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016, for embeddings
    under plain layers. Differs from Multitask-Recommendation-Library's SingleTask: there the second network
    learns conversions of all exposures (pCTCVR), and numericals go through a linear layer first, which is
    left out in all networks here.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__()
        self.embedding = FeatureEmbedding(layout, config.embedding)
        self.tower = Tower(self.embedding.width, (*config.bottom, *config.towers), config.dropout)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Return the logit (n,) of codes, int (n, codes), and numbers, float (n, numbers)."""
        return self.tower(self.embedding(codes, numbers))
