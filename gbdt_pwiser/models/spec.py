"""What every model is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from gbdt_pwiser.models.losses import LOSSES, check_loss, check_weight
from gbdt_pwiser.models.network_config import NetworkConfig
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import LARGEST, check_whole, unknown

MOST_THREADS: Final = 1024
"""OpenMP ends the process where it cannot start as many threads as it is asked for."""

DEVICES: Final = ("cpu", "cuda", "auto")


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
        "bce" (a booster's built-in objective), "pwiser" or a rival of it: a name in `LOSSES`.
    pwiser
        The loss behind "pwiser"; all others ignore it.
    rival_weight
        The weight of any other loss that has one; `LOSSES` says what it means.
    seed
        Of everything random in training, from 0 to 2**31 - 1.
    rounds
        Most boosting rounds.
    early_stopping
        Rounds without a better CTR AUC on validation after which training stops; the best round counts.
    learning_rate
        Shrinkage of each round, above 0 and at most 1.
    device
        "cpu" or "cuda", as both boosters call them, or "cuda:1" for the second GPU; for networks also "auto".
    threads
        CPU threads, at most 1024; 0 for the library's own choice.
    external_memory
        Whether XGBoost keeps its bins in temporary files and reads them in every round; no other model can.
    params
        More parameters in the library's own words; they win over the defaults here. `make_model` refuses
        those that the library does not know.
    network
        Sizes and training of a network.

    Raises
    ------
    InputError
        An unknown loss or device, or a number that makes no sense; `make_model` refuses a loss that its
        model lacks.
    """

    model: str
    loss: str = "bce"
    pwiser: PWiseRLoss = field(default_factory=PWiseRLoss)
    rival_weight: float = 0.5
    seed: int = 0
    rounds: int = 500
    early_stopping: int = 50
    learning_rate: float = 0.05
    device: str = "cpu"
    threads: int = 0
    external_memory: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    network: NetworkConfig = field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        check_loss(self.loss)
        check_weight(self.loss, self.rival_weight)
        check_whole("rounds", self.rounds, 1, LARGEST)
        check_whole("early_stopping", self.early_stopping, 1, LARGEST)
        check_whole("seed", self.seed, 0, LARGEST)
        check_whole("threads", self.threads, 0, MOST_THREADS)
        rate = self.learning_rate
        is_number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
        if not (is_number and 0 < rate <= 1):
            raise InputError(f"learning_rate is {rate!r}; give a number above 0 and at most 1")
        check_device(self.device)

    @property
    def weight(self) -> float:
        """The number that a sweep over this loss varies; 0 for bce, which has none."""
        match self.loss:
            case "bce":
                return 0.0
            case "pwiser":
                return float(self.pwiser.weight)
        return float(self.rival_weight)

    def with_weight(self, weight: float) -> ModelSpec:
        """Return the spec with another weight of its loss.

        InputError for bce, which has none, and for a weight that the loss cannot have.

        Examples
        --------
        >>> ModelSpec(model="lightgbm", loss="weighted_bce").with_weight(3).weight
        3.0
        """
        match self.loss:
            case "bce":
                raise InputError("bce has no weight; leave it out, or choose another loss")
            case "pwiser":
                return replace(self, pwiser=replace(self.pwiser, weight=weight))
        return replace(self, rival_weight=weight)

    @property
    def needs_groups(self) -> bool:
        """Whether training has to know which exposures belong together."""
        return LOSSES[self.loss].needs_groups or (self.loss == "pwiser" and self.pwiser.pairs == "group")


def check_device(device: str) -> None:
    """Raise InputError for what is no device; whether there is one, the library of the model says."""
    kind, colon, index = str(device).partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and index.isdigit())):
        raise unknown("device", device, DEVICES)
