"""What a search varies: one declaration per model, and how values of it become a model's spec."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, Final

import optuna

from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.models.ranges import Choice, Float, Int, LogFloat, Range
from gbdt_pwiser.models.registry import kind_of, settings_of
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import near_miss, unknown

LOSS: Final = frozenset(f.name for f in fields(PWiseRLoss) if f.compare)
"""Parameters of the loss; all others are the model's."""

_MARGINS: Final = ("click_margin", "impression_margin")


@dataclass(frozen=True)
class SearchSpace:
    """Parameters by name, and values that are fixed for the whole search.

    Attributes
    ----------
    parameters
        Of the loss by the names of `PWiseRLoss`, of the model by those of its settings; a booster's are also
        in its library's own words.
    fixed
        Likewise, not searched.
    """

    parameters: Mapping[str, Range]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def of_model(self) -> SearchSpace:
        """What is searched of a model whatever its loss."""
        return SearchSpace({name: p for name, p in self.parameters.items() if name not in LOSS}, self.fixed)

    @property
    def reaches_bce(self) -> bool:
        """Whether weight 0 is among what is searched."""
        match self.parameters.get("weight"):
            case LogFloat(zero=True):
                return True
            case Choice(choices=choices):
                return 0 in choices
            case Float(low=low):
                return low == 0
        return False

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """Let the sampler choose a value of each parameter."""
        return {name: parameter.suggest(trial, name) for name, parameter in self.parameters.items()}

    def start(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the spec's own values, moved into the ranges, as the sampler knows them."""
        return {name: p.nearest(_present(spec, name, p)) for name, p in self.parameters.items()}

    def bce(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the same with weight 0."""
        return {**self.start(spec), "weight": self.parameters["weight"].nearest(0)}


def loss_space(*, grouped: bool) -> SearchSpace:
    """Declare what is searched of the loss; pairs inside groups only where there are groups.

    Margins are in units of the scale: pCTR or log-odds.
    """
    space: dict[str, Range] = {
        "weight": LogFloat(1e-4, 1.0, zero=True),
        "click_margin": LogFloat(0.01, 1.0),
        "impression_margin": LogFloat(0.01, 1.0),
        "surrogate": Choice(("hinge", "squared_hinge", "logistic")),
        "scale": Choice(("probability", "logit")),
    }
    if grouped:
        space["pairs"] = Choice(("all", "group"))
    return SearchSpace(space)


def quantile_space(*, grouped: bool) -> SearchSpace:
    """Declare the same with margins as quantiles, which mean the same on any scale and at any click rate."""
    quantiles = Choice(("q50", "q25", "q75", "q90"))
    searched = {
        **loss_space(grouped=grouped).parameters,
        "click_margin": quantiles,
        "impression_margin": quantiles,
        "warm_up": Choice((30, 10, 100)),
    }
    return SearchSpace(searched)


def booster_space(model: str) -> SearchSpace:
    """Declare what is searched of a booster, or of a network."""
    return SearchSpace(kind_of(model).searched)


def search_space(kind: str, model: str, *, grouped: bool) -> SearchSpace:
    """Return the declared space of a kind.

    That is "loss", "quantiles" (the loss, with margins as quantiles), "booster" (the model's own parameters),
    or "both" (loss and booster).
    """
    kinds = {
        "loss": [loss_space(grouped=grouped)],
        "quantiles": [quantile_space(grouped=grouped)],
        "booster": [booster_space(model)],
        "both": [loss_space(grouped=grouped), booster_space(model)],
    }
    if kind not in kinds:
        raise unknown("space", kind, kinds)
    return SearchSpace({name: p for part in kinds[kind] for name, p in part.parameters.items()})


def check_parameter(model: str, name: str, values: Iterable[Any]) -> None:
    """Raise InputError where neither loss nor model has the parameter, or one of the values cannot be its."""
    settings = kind_of(model).settings
    known = [*sorted(LOSS), *sorted(settings.names(model))]
    if name not in known:
        raise InputError(
            f"neither the loss nor {model} has a parameter {name!r}{near_miss(name, known)}; name one of "
            f"{', '.join(sorted(LOSS))}, or one of {model} in its own words"
        )
    # Whether the margins have the warm-up that they need, the whole space tells.
    beside = {"warm_up": 1} if name in _MARGINS else {}
    for value in values:
        settings_of(configured(ModelSpec(model=model), {**beside, name: value})).check(model)


def check_space(space: SearchSpace, model: str, *, warm_up: int = 0) -> None:
    """Raise InputError where a space names what neither loss nor model has, or a value that cannot be.

    The warm-up counts where the space has none.
    """
    for name, parameter in space.parameters.items():
        ends = parameter.choices if isinstance(parameter, Choice) else (parameter.low, parameter.high)
        check_parameter(model, name, ends)
    for name, value in space.fixed.items():
        check_parameter(model, name, [value])
    searched = space.parameters.get("warm_up", Choice((space.fixed.get("warm_up", warm_up),)))
    if (min(searched.choices) if isinstance(searched, Choice) else searched.low) < 1:
        for name in _MARGINS:
            tried = space.parameters.get(name, Choice((space.fixed.get(name, 0),)))
            quantiles = [m for m in getattr(tried, "choices", ()) if isinstance(m, str)]
            if quantiles:
                raise InputError(
                    f"{name} may be {quantiles[0]}, a quantile of what BCE has learnt, without a warm-up; "
                    "give warm_up a value from 1 on"
                )


def read_space(path: Path | str, space: SearchSpace, model: str | None = None) -> SearchSpace:
    """Change a space as a TOML file says.

    Each entry is a parameter by name: a list of choices, a table with `low` and `high` (and `log = true`),
    or a single value, which is then fixed and not searched. Parameters that the file does not name stay.

    Parameters
    ----------
    path
        The file.
    space
        What it changes.
    model
        Whose parameters, beside those of the loss, the file may name; None leaves that to `tune`.

    Raises
    ------
    InputError
        The file is missing or no TOML, an entry breaks a rule above, neither loss nor model has such a
        parameter, or it cannot have the value.
    """
    try:
        entries = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read as a search space ({error}); give a TOML file") from error
    parameters, fixed = dict(space.parameters), dict(space.fixed)
    for name, entry in entries.items():
        known = parameters.pop(name, None)
        fixed.pop(name, None)
        try:
            if isinstance(entry, list):
                parameters[name] = Choice(tuple(entry), known.default if known else None)
            elif isinstance(entry, dict):
                parameters[name] = _range(name, entry, known)
            else:
                fixed[name] = entry
            if model is not None or name in LOSS:
                check_parameter(model or "lightgbm", name, _named(entry))
        except (InputError, TypeError) as error:
            raise InputError(f"{path}: {name}: {error}") from error
    if not parameters:
        raise InputError(f"{path} leaves nothing to search; give at least one parameter a range or choices")
    return SearchSpace(parameters, fixed)


def _named(entry: Any) -> list[Any]:
    """Every value that an entry spells out."""
    if isinstance(entry, dict):
        return [entry["low"], entry["high"]]
    return entry if isinstance(entry, list) else [entry]


def _range(name: str, entry: Mapping[str, Any], known: Range | None) -> Range:
    if unknown := set(entry) - {"low", "high", "log"}:
        raise InputError(f"unknown keys {', '.join(sorted(unknown))}; give low, high and log")
    if not {"low", "high"} <= set(entry):
        raise InputError("a range needs low and high")
    low, high = entry["low"], entry["high"]
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and isfinite(x) for x in (low, high)):
        raise InputError(f"low is {low!r} and high {high!r}; give finite numbers")
    log = entry.get("log", isinstance(known, LogFloat) or (isinstance(known, Int) and known.log))
    if not isinstance(log, bool):
        raise InputError(f"log is {log!r}; give true or false")
    default: Any = known.default if known else None
    if isinstance(low, int) and isinstance(high, int) and (known is None or isinstance(known, Int)):
        return Int(low, high, default, log=log)
    return LogFloat(low, high, default, zero=name == "weight") if log else Float(low, high, default)


def configured(spec: ModelSpec, values: Mapping[str, Any]) -> ModelSpec:
    """Return the spec with these values; weight 0 is "bce", any other "pwiser".

    Examples
    --------
    >>> spec = configured(ModelSpec(model="xgboost"), {"weight": 0.1, "max_depth": 4, "learning_rate": 0.1})
    >>> spec.loss, spec.weight, spec.settings.learning_rate, spec.settings.params
    ('pwiser', 0.1, 0.1, {'max_depth': 4})
    >>> configured(spec, {"weight": 0.0}).loss
    'bce'
    """
    pwiser = replace(spec.pwiser, **{name: value for name, value in values.items() if name in LOSS})
    spec = replace(spec, pwiser=pwiser, loss="pwiser" if pwiser.weight > 0 else "bce")
    rest = {name: value for name, value in values.items() if name not in LOSS}
    return replace(spec, settings=settings_of(spec).changed(rest))


def _present(spec: ModelSpec, name: str, parameter: Range) -> Any:
    if name in LOSS:
        given = getattr(spec.pwiser, name)
        is_quantile = isinstance(given, str) and name in _MARGINS
        # Of numbers a quantile is none.
        return getattr(PWiseRLoss(), name) if is_quantile and not isinstance(parameter, Choice) else given
    value = settings_of(spec).value(name)
    if value is None:
        value = parameter.default
    return parameter.low if value is None and isinstance(parameter, Float | Int) else value
