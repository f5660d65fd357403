"""Single- and multi-task networks in PyTorch, behind the protocol that the boosters use.

Importing this package does not import PyTorch, which is an extra: making or loading a network does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from gbdt_pwiser.models.kind import ModelKind
from gbdt_pwiser.models.neural.settings import NetworkSettings
from gbdt_pwiser.models.ranges import Float, LogFloat
from gbdt_pwiser.objectives import InputError

if TYPE_CHECKING:
    from gbdt_pwiser.models.neural._model import NetworkModel as NetworkModel
    from gbdt_pwiser.models.spec import ModelSpec

__all__ = ["NETWORKS", "NetworkSettings", "load_network", "make_network"]

ARCHITECTURES: Final = {
    "dnn": "DNN",
    "shared_bottom": "SharedBottom",
    "mmoe": "MMoE",
    "ple": "PLE",
    "esmm": "ESMM",
    "aitm": "AITM",
}
"""Names of the networks, which are those of their modules, and the class in each."""

FILE: Final = "network.pt"

UNSEEN: Final = 0
"""Position of every code that training has not seen: its embedding is zero and stays so."""


def make_network(spec: ModelSpec) -> NetworkModel:
    """Return the untrained network of a spec.

    InputError where PyTorch is not installed, or for a loss with a warm-up.
    """
    if spec.loss == "pwiser" and spec.pwiser.warm_up:
        raise InputError(
            f"warm_up is {spec.pwiser.warm_up}, in boosting rounds, and {spec.model} has none; leave it out, "
            "and give margins as numbers"
        )
    _require_torch(f"model {spec.model}")
    from gbdt_pwiser.models.neural import _model

    return _model.make_network(spec)


def load_network(path: Path | str, *, device: str | None = None) -> NetworkModel:
    """Read a network that its `write` wrote, onto the device it was trained on or the one that is named.

    Nothing in the file is executed: weights are tensors, all else is JSON.

    Raises
    ------
    InputError
        The file is missing or is no saved network, the device is not there, or PyTorch is not installed.
    """
    _require_torch("a saved network")
    from gbdt_pwiser.models.neural import _model

    return _model.load_network(Path(path), device=device)


def _require_torch(what: str) -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(f"{what} needs PyTorch ({error}); install gbdt-pwiser[neural]") from error


NETWORKS: Final[dict[str, ModelKind]] = {
    name: ModelKind(
        make=make_network,
        settings=NetworkSettings,
        library="torch",
        rounds="epoch",
        searched={
            "learning_rate": LogFloat(1e-4, 1e-2),
            "dropout": Float(0.0, 0.5),
            "weight_decay": LogFloat(1e-7, 1e-3),
            **({} if name == "dnn" else {"conversion_weight": LogFloat(0.1, 10.0)}),
        },
        shares_tasks=name != "dnn",
        files=(FILE,),
    )
    for name in ARCHITECTURES
}
"""Networks by name."""
