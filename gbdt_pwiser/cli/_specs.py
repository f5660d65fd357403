"""What the options that several commands share describe: a data set, a model and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._telling import note

if TYPE_CHECKING:
    from gbdt_pwiser.data import Dataset
    from gbdt_pwiser.models import ModelSpec, Settings


def given(context: click.Context, name: str) -> bool:
    """Whether a parameter was given on the command line, and not left at its default."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def tell_left_out(models: tuple[str, ...], losses: tuple[str, ...]) -> None:
    """Say on stderr which models a loss does not exist for."""
    from gbdt_pwiser.models import LOSSES, exists_for, models_of

    for loss in (LOSSES[name] for name in losses if name in LOSSES):
        missing = [model for model in models if not exists_for(loss.name, model)]
        if 0 < len(missing) < len(models):  # for all of them it is an error, which the comparison raises
            note(
                f"{loss.name} exists for {', '.join(models_of(loss.name))} only; "
                f"left out for {', '.join(missing)}"
            )


def base_spec(options: dict[str, Any], model: str, **more: Any) -> ModelSpec:
    """Return the model that the options describe, without its settings, and what is given by name."""
    from gbdt_pwiser.models import ModelSpec
    from gbdt_pwiser.objectives import PWiseRLoss

    return ModelSpec(
        model=model,
        pwiser=PWiseRLoss(**{name: options[name] for name in OF_LOSS}),
        **{name: options[name] for name in ("device", "threads")},
        **more,
    )


OF_LOSS = ("click_margin", "impression_margin", "surrogate", "scale", "pairs", "warm_up")
_OF_BOOSTERS = ("rounds", "early_stopping", "stop_by", "learning_rate", "external_memory")
_OF_SIMULATION = (
    *("exposures", "accidental_clicks", "ctr", "cvr", "position_bias", "user_bias", "click_bait"),
    *("drift", "days", "delay", "open_as"),
)


def chosen_settings(options: dict[str, Any], models: Sequence[str]) -> list[Settings]:
    """Return the settings of the models' families, with what the options change."""
    from gbdt_pwiser.models.registry import kind_of

    given_ones = _given_settings(options, models)
    kinds = dict.fromkeys(kind_of(model).settings for model in models)
    return [kind().changed(given_ones.get(kind.family, {})) for kind in kinds]


def _given_settings(options: dict[str, Any], models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the settings that the options give, by family and name.

    InputError for a family that none of the models is of: they would do nothing.
    """
    from gbdt_pwiser.models.registry import families, kind_of

    wanted = {kind_of(model).settings.family for model in models}
    changes = _changes(options)
    for family, values in changes.items():
        families()[family]().changed(values)  # a wrong value is told first
        if family not in wanted:
            raise input_error(
                f"{', '.join(values)} is set for a {family}, and {', '.join(models)} is none; leave it out, "
                "or add a model that is"
            )
    return changes


def _changes(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings that are given, by family and name."""
    from gbdt_pwiser.models.registry import families
    from gbdt_pwiser.objectives.errors import unknown

    known = families()
    changes = {
        "booster": {
            name: options[name]
            for name in _OF_BOOSTERS
            if options[name] is not None and options[name] is not False
        },
        "network": known["network"].read(options["network"]),
    }
    for given_one in options["settings"]:
        family, dot, setting = given_one.partition(".")
        if not dot or "=" in family:
            raise input_error(f"--set is {given_one!r}; give FAMILY.KEY=VALUE such as network.embedding=16")
        if family not in known:
            raise unknown("family of models", family, known)
        changes.setdefault(family, {}).update(known[family].read([setting]))
    return {family: values for family, values in changes.items() if values}


def tuned_specs(context: click.Context, path: Path, base: ModelSpec) -> dict[str, ModelSpec]:
    """Return the specs of a search by loss, changed by the options that are given.

    The weight is left to the command. InputError for a model that is not the one of the search: the
    parameters are in the words of one library.
    """
    from gbdt_pwiser.models.registry import settings_of
    from gbdt_pwiser.tuning import read_params

    tuned = read_params(path, base)
    searched = tuned["bce"].model
    for name in ("model", "models"):
        asked: Any = context.params.get(name)
        if given(context, name) and asked not in (searched, (searched,)):
            told = asked if isinstance(asked, str) else ", ".join(asked)
            raise input_error(f"{path} is for {searched}, not {told}; leave --model out")
    of_loss = {name: getattr(base.pwiser, name) for name in OF_LOSS if given(context, name)}
    (of_model,) = _given_settings(context.params, [searched]).values() or ({},)
    return {
        loss: replace(
            spec,
            pwiser=replace(spec.pwiser, **of_loss),
            settings=settings_of(spec).changed(of_model),
        )
        for loss, spec in tuned.items()
    }


def load_dataset(options: dict[str, Any]) -> Dataset:
    """Return the data set that the options describe."""
    from gbdt_pwiser.data import SplitOptions
    from gbdt_pwiser.sources import load

    wanted = {"by": options["split_by"], "fractions": options["fractions"]}
    split_options = {name: value for name, value in wanted.items() if value is not None}
    SplitOptions(**split_options)  # refused before anything is read
    dials = {name: options[name] for name in _OF_SIMULATION if options[name] is not None}
    simulated = {"n_exposures" if name == "exposures" else name: value for name, value in dials.items()}
    dataset = load(options["dataset"], data_dir=options["data_dir"], **simulated)
    if split_options:
        dataset = replace(dataset, split_options=replace(dataset.split_options, **split_options))
    return dataset
