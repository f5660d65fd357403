"""Entire Space Multi-task Model."""

from __future__ import annotations

from torch import Tensor

from gbdt_pwiser.models.neural._blocks import Network, Outputs, Tower
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural._loss import product_bce
from gbdt_pwiser.models.neural.settings import NetworkSettings


class ESMM(Network):
    """Two towers over one embedding; pCVR is learnt from all exposures, as a factor of pCTCVR.

    ::

        pCTCVR = sigmoid(tower_click(x)) * sigmoid(tower_conversion(x))
        L = loss of the click + conversion_weight * BCE(pCTCVR, conversion),    both over all exposures

    In the second, clicks whose conversion is open weigh 0 and decided ones stand in for them.

    Source: Ma et al., Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click
    Conversion Rate, SIGIR 2018. torch-rechub computes the product of probabilities, which
    rounds to 0 or 1; here it is taken in logarithms.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__(layout, config)
        widths = (*config.bottom, *config.towers)
        self.click = Tower(self.embedding.width, widths, config.dropout)
        self.conversion = Tower(self.embedding.width, widths, config.dropout)

    def heads(self, x: Tensor) -> Outputs:
        """Return the logits of embedded features, float (n, width)."""
        return Outputs(self.click(x), self.conversion(x))

    def conversion_loss(self, outputs: Outputs, grade: Tensor, per_decided: float = 1.0) -> Tensor:
        """Return the weighted BCE of pCTCVR over all exposures; see `stand_ins`."""
        return self.conversion_weight * product_bce(outputs.click, outputs.conversion, grade, per_decided)
