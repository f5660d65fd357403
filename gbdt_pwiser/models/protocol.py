"""What every model is built from, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.models.neural import NetworkConfig
from gbdt_pwiser.objectives import InputError, PWiseRLoss

LOSSES = ("bce", "pwiser")

OnRound = Callable[[int, float], None]
"""Called after each round, or epoch of a network, with its number from 0 and the CTR AUC on validation."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """All that decides a model, apart from its data.

    `rounds`, `early_stopping`, `learning_rate` and `params` are the boosters'; networks have `network` in
    their place. Everything else holds for both.

    Attributes
    ----------
    model
        Its name, a key of `gbdt_pwiser.models.MODELS`.
    loss
        "bce" (a booster's built-in objective) or "pwiser".
    pwiser
        The loss behind "pwiser"; "bce" ignores all of it.
    seed
        Of everything random in training.
    rounds
        Most boosting rounds.
    early_stopping
        Rounds without a better CTR AUC on validation after which training stops; the best round counts.
    learning_rate
        Shrinkage of each round.
    device
        "cpu" or "cuda", as both boosters call them; for networks also "auto".
    threads
        CPU threads; 0 for the library's own choice.
    params
        More parameters in the library's own words; they win over the defaults here.
    network
        Sizes and training of a network.

    Raises
    ------
    InputError
        An unknown loss, or a number that makes no sense.
    """

    model: str
    loss: str = "bce"
    pwiser: PWiseRLoss = field(default_factory=PWiseRLoss)
    seed: int = 0
    rounds: int = 500
    early_stopping: int = 50
    learning_rate: float = 0.05
    device: str = "cpu"
    threads: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    network: NetworkConfig = field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError(f"unknown loss {self.loss!r}; choose one of {', '.join(LOSSES)}")
        for name in ("rounds", "early_stopping"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; give at least 1")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}; give a positive number")

    @property
    def weight(self) -> float:
        """Weight of the pairwise term that this spec trains with; 0 for bce."""
        return float(self.pwiser.weight) if self.loss == "pwiser" else 0.0


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities per exposure.

    Attributes
    ----------
    pctr
        float64 (n,): click given exposure.
    pctcvr
        float64 (n,): conversion given exposure, pCTR * pCVR.
    """

    pctr: NDArray[np.float64]
    pctcvr: NDArray[np.float64]


class Model(Protocol):
    """A trainable model; `fit` sees train and validation only."""

    spec: ModelSpec

    def fit(self, train: Exposures, valid: Exposures, on_round: OnRound | None = None) -> None:
        """Train, stopping early on validation; what `on_round` raises ends the training."""

    def predict(self, exposures: Exposures) -> Predictions:
        """Return probabilities for exposures with the training features."""

    @property
    def rounds_used(self) -> int:
        """Rounds, or epochs, of the pCTR model that count after early stopping."""

    @property
    def fit_seconds(self) -> float:
        """Time that training took, without binning or encoding the features."""

    @property
    def size(self) -> int:
        """Trees of both boosters that count, or trainable parameters of all networks."""
