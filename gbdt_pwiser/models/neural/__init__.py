"""Single- and multi-task networks in PyTorch, behind the protocol that the boosters use.

Importing this package does not import PyTorch, which is an extra: making or loading a network does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from gbdt_pwiser.objectives import InputError

if TYPE_CHECKING:
    from gbdt_pwiser.models.neural._model import NetworkModel as NetworkModel
    from gbdt_pwiser.models.spec import ModelSpec

__all__ = ["NETWORKS", "load_network", "make_network"]

NETWORKS: Final = ("dnn", "shared_bottom", "mmoe", "ple", "esmm", "aitm")


def make_network(spec: ModelSpec) -> NetworkModel:
    """Return the untrained network of a spec; InputError where PyTorch is not installed."""
    _require_torch(f"model {spec.model}")
    from gbdt_pwiser.models.neural import _model

    return _model.make_network(spec)


def load_network(path: Path, *, device: str | None = None) -> NetworkModel:
    """Read a network that its `save` wrote, onto the device it was trained on or the one that is named.

    Nothing in the file is executed: weights are tensors, all else is JSON.

    Raises
    ------
    InputError
        The file is missing or is no saved network, the device is not there, or PyTorch is not installed.
    """
    _require_torch("a saved network")
    from gbdt_pwiser.models.neural import _model

    return _model.load_network(path, device=device)


def _require_torch(what: str) -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(f"{what} needs PyTorch ({error}); install gbdt-pwiser[neural]") from error
