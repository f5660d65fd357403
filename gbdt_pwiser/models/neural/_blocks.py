"""What the architectures are built of: embedding, layers, gate, tower, and the two-headed network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gbdt_pwiser.models.neural import UNSEEN
from gbdt_pwiser.models.neural._features import Layout
from gbdt_pwiser.models.neural._loss import clicked_bce
from gbdt_pwiser.models.neural.settings import NetworkSettings


class FeatureEmbedding(nn.Module):  # type: ignore[misc]
    """Embeddings of the codes, side by side with the numbers: float (n, width)."""

    def __init__(self, layout: Layout, embedding: int) -> None:
        super().__init__()
        self.table = nn.Embedding(layout.table, embedding, padding_idx=UNSEEN)
        # Not the standard normal of nn.Embedding: over many columns it drowns the standardised numbers.
        nn.init.normal_(self.table.weight, std=embedding**-0.5)
        with torch.no_grad():
            self.table.weight[UNSEEN] = 0.0
        self.width = layout.codes * embedding + layout.numbers

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Return float (n, width) of codes, int (n, codes), and numbers, float (n, numbers)."""
        return torch.cat([self.table(codes).flatten(1), numbers], dim=1)


def layers(inputs: int, widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Return layers of relu(batch_norm(W x + b)), each with dropout."""
    parts: list[nn.Module] = []
    for width in widths:
        parts += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*parts)


class Tower(nn.Module):  # type: ignore[misc]
    """Layers and one linear output: logit (n,)."""

    def __init__(self, inputs: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.layers = layers(inputs, widths, dropout)
        self.output = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logit (n,) of x, float (n, inputs)."""
        return self.output(self.layers(x)).squeeze(1)


class Gate(nn.Module):  # type: ignore[misc]
    """Mixture of experts: sum_k softmax(W x)_k e_k."""

    def __init__(self, inputs: int, experts: int) -> None:
        super().__init__()
        self.weights = nn.Linear(inputs, experts, bias=False)

    def forward(self, x: Tensor, experts: Iterable[Tensor]) -> Tensor:
        """Return float (n, width) of x, float (n, inputs), and of each expert's float (n, width)."""
        shares = torch.softmax(self.weights(x), dim=1)
        return torch.einsum("nk,nkw->nw", shares, torch.stack(list(experts), dim=1))


class Outputs(NamedTuple):
    """Logits (n,): of pCTR, and of pCVR unless the network says otherwise."""

    click: Tensor
    conversion: Tensor


class Network(nn.Module):  # type: ignore[misc]
    """Features to a logit for each of the two tasks.

    ::

        L = loss of the click + conversion_weight / n * sum over clicked i of BCE(pCVR_i, conversion_i)

    over the n exposures of a batch; clicks whose conversion is open are left out of the sum. The conversion
    head predicts pCVR; a network whose head lives in another sample space says so by its own
    `conversion_loss`, `pctcvr` and `pcvr`.
    """

    def __init__(self, layout: Layout, config: NetworkSettings) -> None:
        super().__init__()
        self.embedding = FeatureEmbedding(layout, config.embedding)
        self.conversion_weight = config.conversion_weight

    def forward(self, codes: Tensor, numbers: Tensor) -> Outputs:
        """Return the logits of codes, int (n, codes), and numbers, float (n, numbers)."""
        return self.heads(self.embedding(codes, numbers))

    def heads(self, x: Tensor) -> Outputs:
        """Return the logits of embedded features, float (n, width)."""
        raise NotImplementedError

    def conversion_loss(self, outputs: Outputs, grade: Tensor, per_decided: float = 1.0) -> Tensor:
        """Return the weighted loss of the conversion head on a batch of grades, int (n,).

        `per_decided` is the `clicks_per_decided` of training.
        """
        return self.conversion_weight * clicked_bce(outputs.conversion, grade)

    def pctcvr(self, outputs: Outputs) -> Tensor:
        """Return the probability (n,) of a conversion given the exposure."""
        return torch.sigmoid(outputs.click) * self.pcvr(outputs)

    def pcvr(self, outputs: Outputs) -> Tensor:
        """Return the probability (n,) of a conversion given the click."""
        return torch.sigmoid(outputs.conversion)


def exact(outputs: Outputs) -> Outputs:
    """Return the logits as float64, of which probabilities near 1 stay apart."""
    return Outputs(outputs.click.double(), outputs.conversion.double())


class Probabilities(nn.Module):  # type: ignore[misc]
    """Features to pCTR and pCVR, float64 (n,), of the networks of a model: what an export traces."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return both of codes, int (n, codes), and numbers, float (n, numbers)."""
        first = self.networks[0]
        if isinstance(first, Network):
            logits = exact(first(codes, numbers))
            return torch.sigmoid(logits.click), first.pcvr(logits)
        pctr, *pcvr = (torch.sigmoid(network(codes, numbers).double()) for network in self.networks)
        return pctr, pcvr[0] if pcvr else torch.ones_like(pctr)
