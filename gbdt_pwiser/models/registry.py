"""Models by name, and which losses each of them has."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from gbdt_pwiser._version import __version__
from gbdt_pwiser.models.boosters.lightgbm_model import LightGBMModel
from gbdt_pwiser.models.boosters.xgboost_model import XGBoostModel
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.neural import NETWORKS, make_network
from gbdt_pwiser.models.parameters import check_params
from gbdt_pwiser.models.protocol import Model
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

MODELS: dict[str, Callable[[ModelSpec], Model]] = {
    "lightgbm": LightGBMModel,
    "xgboost": XGBoostModel,
    **dict.fromkeys(NETWORKS, make_network),
}


_FOR_SOME: Final[dict[str, tuple[str, ...]]] = {
    "lambdarank": ("lightgbm",),
    "rank_pairwise": ("xgboost",),
    "combined_pair": NETWORKS,
}
"""Losses that exist for some models only, by name; all others exist for all."""


def exists_for(loss: str, model: str) -> bool:
    """Whether a model can be trained with a loss."""
    return loss in LOSSES and model in _FOR_SOME.get(loss, (model,))


def models_of(loss: str) -> tuple[str, ...]:
    """Return the names of the models that can be trained with a loss."""
    return _FOR_SOME.get(loss, tuple(MODELS))


def losses_of(model: str) -> tuple[str, ...]:
    """Return the names of the losses that exist for a model.

    Examples
    --------
    >>> losses_of("xgboost")
    ('bce', 'pwiser', 'weighted_bce', 'rank_pairwise')
    """
    return tuple(loss for loss in LOSSES if exists_for(loss, model))


def make_model(spec: ModelSpec) -> Model:
    """Return the untrained model of a spec.

    InputError for an unknown name, a loss, setting or parameter that this model lacks, or a missing extra.
    """
    if spec.model not in MODELS:
        raise unknown("model", spec.model, MODELS)
    if not exists_for(spec.loss, spec.model):
        raise InputError(
            f"{spec.loss} exists for {', '.join(models_of(spec.loss))} only; "
            f"for {spec.model} choose one of {', '.join(losses_of(spec.model))}"
        )
    if spec.external_memory and spec.model != "xgboost":
        raise InputError(f"external memory is for xgboost alone, not for {spec.model}; leave one of them out")
    model = MODELS[spec.model](spec)
    check_params(spec.model, spec.params)
    return model


def versions_of(model: str) -> dict[str, str]:
    """Return the versions of this package and of the libraries behind a model, by name."""
    library = {"lightgbm": "lightgbm", "xgboost": "xgboost", **dict.fromkeys(NETWORKS, "torch")}.get(model)
    # Of the modules: a library may be installed under another name, as xgboost-cpu.
    modules = (*([library] if library else []), "numpy", "polars")
    return {"gbdt-pwiser": __version__} | {name: str(import_module(name).__version__) for name in modules}
