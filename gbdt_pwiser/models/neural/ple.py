"""Progressive Layered Extraction."""

from __future__ import annotations

from torch import Tensor, nn

from gbdt_pwiser.models.neural._blocks import Gate, Network, Outputs, Tower, layers
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural.settings import NetworkSettings


class Extraction(nn.Module):  # type: ignore[misc]
    """One level: experts of the click, of the conversion, and shared ones, each fed by its own branch.

    A task's gate mixes its own and the shared experts; the shared branch, absent from the last level,
    mixes all of them.
    """

    def __init__(self, inputs: int, width: int, experts: int, dropout: float, last: bool) -> None:
        super().__init__()

        def some() -> nn.ModuleList:
            return nn.ModuleList(layers(inputs, [width], dropout) for _ in range(experts))

        self.click, self.conversion, self.shared = some(), some(), some()
        self.click_gate, self.conversion_gate = Gate(inputs, 2 * experts), Gate(inputs, 2 * experts)
        self.shared_gate = None if last else Gate(inputs, 3 * experts)

    def forward(self, click: Tensor, conversion: Tensor, shared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the branches, float (n, width), of those below, float (n, inputs)."""
        of_click = [expert(click) for expert in self.click]
        of_conversion = [expert(conversion) for expert in self.conversion]
        of_all = [expert(shared) for expert in self.shared]
        return (
            self.click_gate(click, of_click + of_all),
            self.conversion_gate(conversion, of_conversion + of_all),
            self.shared_gate(shared, of_click + of_conversion + of_all)
            if self.shared_gate is not None
            else shared,
        )


class PLE(Network):
    """Levels of experts, some of a task and some shared.

    ::

        x_k^j = sum_e softmax(W_k^j x_k^(j-1))_e f_e(x^(j-1) of e's branch),    e of task k or shared
        logit_k = tower_k(x_k^last)

    Source: Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model for
    Personalized Recommendations, RecSys 2020. As in Multitask-Recommendation-Library there is one level per
    width of `bottom`, with experts of one layer, as many shared as of each task; torch-rechub repeats levels
    of equal experts. Gates, here without a bias, have one in the former and are Linear, batch norm, softmax
    in the latter. Both leave the sample spaces to the data; here, as in the paper, each task has its own: the
    clicked exposures for pCVR.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__(layout, config)
        experts = max(1, config.experts // 2)
        inputs = (self.embedding.width, *config.bottom[:-1])
        self.levels = nn.ModuleList(
            Extraction(below, width, experts, config.dropout, last=level == len(inputs))
            for level, (below, width) in enumerate(zip(inputs, config.bottom, strict=True), start=1)
        )
        self.click = Tower(config.bottom[-1], config.towers, config.dropout)
        self.conversion = Tower(config.bottom[-1], config.towers, config.dropout)

    def heads(self, x: Tensor) -> Outputs:
        """Return the logits of embedded features, float (n, width)."""
        click = conversion = shared = x
        for level in self.levels:
            click, conversion, shared = level(click, conversion, shared)
        return Outputs(self.click(click), self.conversion(conversion))
