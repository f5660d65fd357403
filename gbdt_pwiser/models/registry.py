"""Models by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from gbdt_pwiser.models.neural import NETWORKS, make_network
from gbdt_pwiser.models.protocol import Model, ModelSpec
from gbdt_pwiser.models.trees import LightGBMModel, XGBoostModel
from gbdt_pwiser.objectives import InputError

MODELS: dict[str, Callable[[ModelSpec], Model]] = {
    "lightgbm": LightGBMModel,
    "xgboost": XGBoostModel,
    **dict.fromkeys(NETWORKS, make_network),
}


def make_model(spec: ModelSpec) -> Model:
    """Return the untrained model of a spec; InputError lists the known names, or names the missing extra."""
    if spec.model not in MODELS:
        near = difflib.get_close_matches(spec.model, MODELS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"unknown model {spec.model!r}{hint}; choose one of {', '.join(MODELS)}")
    return MODELS[spec.model](spec)
