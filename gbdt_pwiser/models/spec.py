"""What every model is built from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from gbdt_pwiser.models.losses import LOSSES, check_loss, check_weight
from gbdt_pwiser.models.settings import Settings, plain
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import LARGEST, check_whole, unknown

MOST_THREADS: Final = 1024
"""OpenMP ends the process where it cannot start as many threads as it is asked for."""

DEVICES: Final = ("cpu", "cuda", "auto")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """All that decides a model, apart from its data.

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
    device
        "cpu" or "cuda", as both boosters call them, or "cuda:1" for the second GPU; for networks also "auto".
    threads
        CPU threads, at most 1024; 0 for the library's own choice.
    settings
        What decides the models of its family beside that, such as `BoosterSettings` or `NetworkSettings`;
        None for the defaults. `make_model` refuses those of another family.

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
    device: str = "cpu"
    threads: int = 0
    settings: Settings | None = None

    def __post_init__(self) -> None:
        check_loss(self.loss)
        check_weight(self.loss, self.rival_weight)
        check_whole("seed", self.seed, 0, LARGEST)
        check_whole("threads", self.threads, 0, MOST_THREADS)
        if not isinstance(self.settings, Settings | None):
            raise InputError(
                f"settings is {self.settings!r}; give BoosterSettings(...) or NetworkSettings(...)"
            )
        check_device(self.device)
        for name in ("seed", "threads", "rival_weight"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        object.__setattr__(self, "pwiser", replace(self.pwiser, **plain(asdict(self.pwiser))))

    def record(self) -> dict[str, Any]:
        """Return the fields as files keep them: of the loss what it is, not the threads it is computed on."""
        loss = {f.name: getattr(self.pwiser, f.name) for f in fields(self.pwiser) if f.compare}
        return {**asdict(self), "pwiser": loss}

    @property
    def weight(self) -> float:
        """The number that a sweep over this loss varies; 0 for a loss without one, such as bce."""
        if not LOSSES[self.loss].weights:
            return 0.0
        return float(self.pwiser.weight if self.loss == "pwiser" else self.rival_weight)

    @property
    def title(self) -> str:
        """What the model is called while it trains.

        Examples
        --------
        >>> ModelSpec(model="xgboost").title, ModelSpec(model="xgboost", loss="weighted_bce").title
        ('xgboost:bce', 'xgboost:weighted_bce 0.5')
        """
        return f"{self.model}:{self.loss}" + (f" {self.weight:g}" if LOSSES[self.loss].weights else "")

    def with_weight(self, weight: float) -> ModelSpec:
        """Return the spec with another weight of its loss.

        InputError for a loss without one, such as bce, and for a weight that the loss cannot have.

        Examples
        --------
        >>> ModelSpec(model="lightgbm", loss="weighted_bce").with_weight(3).weight
        3.0
        """
        if not LOSSES[self.loss].weights:
            raise InputError(f"{self.loss} has no weight; leave it out, or choose another loss")
        if self.loss == "pwiser":
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
