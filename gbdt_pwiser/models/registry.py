"""Models by name, and which losses each of them has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from gbdt_pwiser._version import __version__
from gbdt_pwiser.models.boosters import BOOSTERS
from gbdt_pwiser.models.kind import ModelKind
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.models.protocol import Model
from gbdt_pwiser.models.settings import Settings
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

MODELS: dict[str, ModelKind] = {
    **BOOSTERS,
    **NETWORKS,
}
"""Models by name, those that are trained by default first."""


def kind_of(model: str) -> ModelKind:
    """Return what is known of a model; InputError for an unknown name."""
    if not isinstance(model, str) or model not in MODELS:
        raise unknown("model", model, MODELS)
    return MODELS[model]


def families() -> dict[str, type[Settings]]:
    """Return the classes of settings by the name of their family.

    Examples
    --------
    >>> list(families())
    ['booster', 'network']
    """
    return {kind.settings.family: kind.settings for kind in MODELS.values()}


def exists_for(loss: str, model: str) -> bool:
    """Whether a model can be trained with a loss."""
    if loss not in LOSSES or model not in MODELS:
        return False
    native = LOSSES[loss].native
    return not native or MODELS[model].library in native


def models_of(loss: str) -> tuple[str, ...]:
    """Return the names of the models that can be trained with a loss."""
    return tuple(model for model in MODELS if exists_for(loss, model))


def losses_of(model: str) -> tuple[str, ...]:
    """Return the names of the losses that exist for a model.

    Examples
    --------
    >>> losses_of("xgboost")
    ('bce', 'pwiser', 'weighted_bce', 'rank_pairwise')
    """
    return tuple(loss for loss in LOSSES if exists_for(loss, model))


def settings_of(spec: ModelSpec) -> Settings:
    """Return the settings of a spec, the defaults where it has none."""
    return spec.settings or kind_of(spec.model).settings()


def with_settings(spec: ModelSpec, others: Sequence[Settings] = ()) -> ModelSpec:
    """Return the spec with settings of its model's family.

    Those are its own, else the first of the others that are of the family, else the defaults. InputError for
    an unknown model.
    """
    family = kind_of(spec.model).settings
    if type(spec.settings) is family:
        return spec
    settings = next((each for each in others if type(each) is family), family())
    return replace(spec, settings=settings)


def make_model(spec: ModelSpec) -> Model:
    """Return the untrained model of a spec.

    InputError for an unknown name, a loss, setting or parameter that this model lacks, settings of another
    family, or a missing extra.
    """
    return checked_kind(spec).make(with_settings(spec))


def make_on_workers(spec: ModelSpec, client: Any) -> Model:
    """Return the untrained model of a spec that the workers of a Dask client train.

    InputError as in `make_model`, and for a model, loss or setting that workers cannot have.
    """
    make = checked_kind(spec).on_workers
    if make is None:
        able = ", ".join(model for model, kind in MODELS.items() if kind.on_workers is not None)
        raise InputError(
            f"{spec.model} cannot be trained with Dask, whose workers share the pairs through XGBoost; "
            f"choose {able}, or train without Dask"
        )
    return make(with_settings(spec), client)


def checked_kind(spec: ModelSpec) -> ModelKind:
    """Return the kind of a spec's model; InputError for what is refused before a library is asked."""
    kind = kind_of(spec.model)
    if not exists_for(spec.loss, spec.model):
        raise InputError(
            f"{spec.loss} exists for {', '.join(models_of(spec.loss))} only; "
            f"for {spec.model} choose one of {', '.join(losses_of(spec.model))}"
        )
    if spec.settings is not None and type(spec.settings) is not kind.settings:
        raise InputError(
            f"{spec.model} takes {kind.settings.__name__}, and its settings are "
            f"{type(spec.settings).__name__}; give the former, or None for the defaults"
        )
    if getattr(spec.settings, "external_memory", False) and not kind.external_memory:
        able = ", ".join(model for model, kind in MODELS.items() if kind.external_memory)
        raise InputError(f"external memory is for {able} alone, not for {spec.model}; leave one of them out")
    return kind


def versions_of(model: str) -> dict[str, str]:
    """Return the versions of this package and of the libraries behind a model, by name."""
    library = MODELS[model].library if model in MODELS else ""
    # Of the modules: a library may be installed under another name, as xgboost-cpu.
    modules = (*([library] if library else []), "numpy", "polars")
    return {"gbdt-pwiser": __version__} | {name: str(import_module(name).__version__) for name in modules}
