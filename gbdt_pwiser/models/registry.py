"""Models by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from gbdt_pwiser import __version__
from gbdt_pwiser.models.boosters.lightgbm_model import LightGBMModel
from gbdt_pwiser.models.boosters.xgboost_model import XGBoostModel
from gbdt_pwiser.models.losses import check_loss
from gbdt_pwiser.models.neural import NETWORKS, make_network
from gbdt_pwiser.models.parameters import check_params
from gbdt_pwiser.models.protocol import Model, ModelSpec
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives._errors import unknown

MODELS: dict[str, Callable[[ModelSpec], Model]] = {
    "lightgbm": LightGBMModel,
    "xgboost": XGBoostModel,
    **dict.fromkeys(NETWORKS, make_network),
}


def make_model(spec: ModelSpec) -> Model:
    """Return the untrained model of a spec.

    InputError for an unknown name, a loss, setting or parameter that this model lacks, or a missing extra.
    """
    if spec.model not in MODELS:
        raise unknown("model", spec.model, MODELS)
    check_loss(spec.loss, spec.model)
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
