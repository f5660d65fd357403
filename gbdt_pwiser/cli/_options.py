"""Options that several commands share, and the data set and model settings they describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import unknown

if TYPE_CHECKING:
    from gbdt_pwiser.data import Dataset
    from gbdt_pwiser.models import ModelSpec, Settings


def numbers(_: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Read comma-separated numbers."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise InputError(f"{param.opts[0]} is {value!r}; give numbers such as 0.01,0.03") from None


def margin(_: click.Context, param: click.Parameter, value: str) -> float | str:
    """Read a number or a quantile."""
    try:
        return value if value.startswith("q") else float(value)
    except ValueError:
        raise InputError(f"{param.opts[0]} is {value!r}; give a number such as 0.1, or q50") from None


def rival_weights(
    _: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[float, ...]]:
    """Read LOSS=NUMBERS, each loss once."""
    read: dict[str, tuple[float, ...]] = {}
    for value in values:
        loss, equals, weights = value.partition("=")
        try:
            tried = tuple(float(part) for part in weights.split(","))
        except ValueError:
            tried = ()
        if not (equals and tried):
            raise InputError(f"{param.opts[0]} is {value!r}; give LOSS=NUMBERS such as weighted_bce=0.3,1,3")
        if loss in read:
            raise InputError(f"{param.opts[0]} names {loss} twice; name each loss once")
        read[loss] = tried
    return read


def text(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Read a text; an empty one would count as none given, and comes from a variable that is not set."""
    if value is not None and not value.strip():
        raise InputError(f"{param.opts[0]} is empty; give a value or leave it out")
    return value


def given(context: click.Context, name: str) -> bool:
    """Whether a parameter was given on the command line, and not left at its default."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


params_option = click.option(
    "--params",
    type=PathOption(),
    help="best.toml of a search: decides model, loss and parameters. Options that are given win over it; "
    "another --model is refused.",
)

choose_by_option = click.option(
    "--choose-by",
    default="ctr_auc",
    show_default=True,
    help="Validation metric by which a weight is chosen, as in gauc or ndcg@5.",
)

rival_weight_option = click.option(
    "--rival-weight",
    "rival_weights",
    multiple=True,
    callback=rival_weights,
    metavar="LOSS=WEIGHTS",
    help="Weights to try of another loss, as in weighted_bce=0.3,1,3; else its own. May be repeated.",
)


def tell_left_out(models: tuple[str, ...], losses: tuple[str, ...]) -> None:
    """Say on stderr which models a loss does not exist for."""
    from gbdt_pwiser.models import LOSSES, exists_for, models_of

    for loss in (LOSSES[name] for name in losses if name in LOSSES):
        missing = [model for model in models if not exists_for(loss.name, model)]
        if 0 < len(missing) < len(models):  # for all of them it is an error, which the comparison raises
            click.echo(
                f"gbdt-pwiser: {loss.name} exists for {', '.join(models_of(loss.name))} only; "
                f"left out for {', '.join(missing)}",
                err=True,
            )


def dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a data set, its split, the loss and the training."""
    defaults = PWiseRLoss()
    for option in reversed(
        (
            click.option(
                "--dataset",
                required=True,
                help="us, nl, fr, es, ccp, simulated, or the path of a description (.toml).",
            ),
            click.option(
                "--data-dir", type=PathOption(file_okay=False), help="Where prepared data sets lie."
            ),
            click.option("--split", "split_by", help="auto, time, group or row; else as the data set says."),
            click.option(
                "--fractions", callback=numbers, help="Train, validation and test shares, e.g. 0.6,0.2,0.2."
            ),
            click.option("--exposures", type=int, help="simulated: number of exposures."),
            click.option("--accidental-clicks", type=float, help="simulated: share of accidental clicks."),
            click.option("--ctr", type=float, help="simulated: clicks per exposure."),
            click.option("--cvr", type=float, help="simulated: conversions per click."),
            click.option(
                "--position-bias",
                type=float,
                help="simulated: from 0 to 1, how much accidental clicks crowd the top of the page.",
            ),
            click.option(
                "--user-bias",
                type=float,
                help="simulated: from 0 to 1, how much accidental clicks are those of few searches.",
            ),
            click.option(
                "--click-bait",
                type=float,
                help="simulated: share of the intended clicks on items that never convert.",
            ),
            click.option(
                "--drift",
                type=float,
                help="simulated: from 0 to 1, how far relevance turns into another from first day to last.",
            ),
            click.option("--days", type=int, help="simulated: days of a log that drifts or has a delay."),
            click.option("--delay", type=float, help="simulated: mean days from a click to its conversion."),
            click.option(
                "--open-as",
                help="simulated: open or none, how clicks count that may still convert when the log ends. "
                "[open]",
            ),
            click.option(
                "--click-margin",
                callback=margin,
                default=str(defaults.click_margin),
                show_default=True,
                help="A number, or with --warm-up a quantile: q50 leaves half of the pairs active.",
            ),
            click.option(
                "--impression-margin",
                callback=margin,
                default=str(defaults.impression_margin),
                show_default=True,
                help="Likewise.",
            ),
            click.option(
                "--surrogate",
                default=defaults.surrogate,
                show_default=True,
                help="hinge, squared_hinge or logistic.",
            ),
            click.option("--scale", default=defaults.scale, show_default=True, help="probability or logit."),
            click.option("--pairs", default=defaults.pairs, show_default=True, help="all or group."),
            click.option(
                "--warm-up",
                type=int,
                default=defaults.warm_up,
                show_default=True,
                help="boosters: rounds of BCE before the pairs count.",
            ),
            click.option("--rounds", type=int, show_default="500", help="boosters: most boosting rounds."),
            click.option(
                "--early-stopping",
                type=int,
                show_default="50",
                help="boosters: rounds without a better --stop-by on validation.",
            ),
            click.option(
                "--stop-by",
                show_default="ctr_auc",
                help="boosters: metric on validation that stops the click's training, as in ndcg@5.",
            ),
            click.option("--learning-rate", type=float, show_default="0.05", help="boosters: of each round."),
            click.option(
                "--external-memory",
                is_flag=True,
                help="xgboost: keep the bins in temporary files and read them in every round.",
            ),
            click.option(
                "--network",
                multiple=True,
                metavar="KEY=VALUE",
                help="A setting of the networks, e.g. embedding=16 or bottom=64,32; may be repeated.",
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="FAMILY.KEY=VALUE",
                help="A setting of a family of models: network.embedding=16, or booster.num_leaves=63 in "
                "the library's own words; may be repeated.",
            ),
            click.option(
                "--device", default="cpu", show_default=True, help="cpu or cuda; for networks also auto."
            ),
            click.option(
                "--threads",
                type=int,
                default=0,
                show_default=True,
                help="CPU threads; 0: the library's choice.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
        )
    ):
        command = option(command)
    return command


def base_spec(options: dict[str, Any], model: str, **more: Any) -> ModelSpec:
    """Return the model that the options describe, without its settings, and what is given by name."""
    from gbdt_pwiser.models import ModelSpec

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
            raise InputError(
                f"{', '.join(values)} is set for a {family}, and {', '.join(models)} is none; leave it out, "
                "or add a model that is"
            )
    return changes


def _changes(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings that are given, by family and name."""
    from gbdt_pwiser.models.registry import families

    known = families()
    changes = {
        "booster": {
            name: options[name]
            for name in _OF_BOOSTERS
            if options[name] is not None and options[name] is not False
        },
        "network": known["network"].read(options["network"]),
    }
    for option in options["settings"]:
        family, dot, setting = option.partition(".")
        if not dot or "=" in family:
            raise InputError(f"--set is {option!r}; give FAMILY.KEY=VALUE such as network.embedding=16")
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
            raise InputError(f"{path} is for {searched}, not {told}; leave --model out")
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
