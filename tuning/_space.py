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
from gbdt_pwiser.models.parameters import check_params, known_params
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import near_miss, unknown

LOSS: Final = frozenset(f.name for f in fields(PWiseRLoss))
"""Parameters of the loss; all others are the model's."""


@dataclass(frozen=True)
class Float:
    """Numbers from low to high, uniform; `default` where the spec itself does not say."""

    low: float
    high: float
    default: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"a range is from {self.low} to {self.high}; let low be below high")

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> float:
        """Let the sampler choose."""
        return float(trial.suggest_float(name, self.low, self.high))

    def nearest(self, value: Any) -> float:
        """Return the value in the range that is nearest to the given one, as the sampler knows it."""
        return float(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class LogFloat(Float):
    """Numbers from low to high, log-uniform. With `zero`, low itself stands for 0, which no log scale has."""

    zero: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low > 0:
            raise InputError(f"a log range starts at {self.low}; give a positive low")

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> float:
        """Let the sampler choose."""
        value = float(trial.suggest_float(name, self.low, self.high, log=True))
        return 0.0 if self.zero and value <= self.low else value


@dataclass(frozen=True)
class Int:
    """Whole numbers from low to high, uniform or log-uniform."""

    low: int
    high: int
    default: int | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low < 1):
            raise InputError(
                f"a range is from {self.low} to {self.high}; let low be below high, above 0 for log"
            )

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> int:
        """Let the sampler choose."""
        return int(trial.suggest_int(name, self.low, self.high, log=self.log))

    def nearest(self, value: Any) -> int:
        """Return the value in the range that is nearest to the given one."""
        return int(min(max(round(value), self.low), self.high))


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    choices: tuple[Any, ...]
    default: Any = None

    def __post_init__(self) -> None:
        if len(set(self.choices)) < max(1, len(self.choices)):
            raise InputError(f"choices are {list(self.choices)}; give at least one, each once")

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Any:
        """Let the sampler choose."""
        return trial.suggest_categorical(name, self.choices)

    def nearest(self, value: Any) -> Any:
        """Return the value itself where it is a choice, else the first choice."""
        return value if value in self.choices else self.choices[0]


Parameter = Float | LogFloat | Int | Choice


@dataclass(frozen=True)
class SearchSpace:
    """Parameters by name, and values that are fixed for the whole search.

    Attributes
    ----------
    parameters
        Of the loss by the names of `PWiseRLoss`; of a booster in the library's own words, of a network by
        the names of `NetworkConfig`.
    fixed
        Likewise, not searched.
    """

    parameters: Mapping[str, Parameter]
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
    space: dict[str, Parameter] = {
        "weight": LogFloat(1e-4, 1.0, zero=True),
        "click_margin": LogFloat(0.01, 1.0),
        "impression_margin": LogFloat(0.01, 1.0),
        "surrogate": Choice(("hinge", "squared_hinge", "logistic")),
        "scale": Choice(("probability", "logit")),
    }
    if grouped:
        space["pairs"] = Choice(("all", "group"))
    return SearchSpace(space)


# None of these decides the bins, so the features are binned once for all trials.
_BOOSTERS: Final[Mapping[str, Mapping[str, Parameter]]] = {
    "lightgbm": {
        "learning_rate": LogFloat(0.01, 0.2),
        "num_leaves": Int(7, 255, 31, log=True),
        "min_data_in_leaf": Int(10, 1000, 100, log=True),
        "feature_fraction_bynode": Float(0.3, 1.0, 0.8),
        "bagging_fraction": Float(0.5, 1.0, 0.8),
        "lambda_l2": LogFloat(1e-3, 100.0, 1.0),
    },
    "xgboost": {
        "learning_rate": LogFloat(0.01, 0.2),
        "max_depth": Int(3, 10, 6),
        "min_child_weight": LogFloat(0.1, 100.0, 1.0),
        "subsample": Float(0.5, 1.0, 0.8),
        "colsample_bytree": Float(0.3, 1.0, 0.8),
        "lambda": LogFloat(1e-3, 100.0, 1.0),
    },
}
_NETWORK: Final[Mapping[str, Parameter]] = {
    "learning_rate": LogFloat(1e-4, 1e-2),
    "dropout": Float(0.0, 0.5),
    "weight_decay": LogFloat(1e-7, 1e-3),
}


def is_booster(model: str) -> bool:
    """Whether a model trains in boosting rounds and takes parameters in its library's own words."""
    return model in _BOOSTERS


def booster_space(model: str) -> SearchSpace:
    """Declare what is searched of a booster, or of a network."""
    return SearchSpace(_BOOSTERS.get(model, _NETWORK))


def search_space(kind: str, model: str, *, grouped: bool) -> SearchSpace:
    """Return the declared space of a kind: "loss", "booster" (the model's own parameters), or "both"."""
    kinds = {"loss": (True, False), "booster": (False, True), "both": (True, True)}
    if kind not in kinds:
        raise unknown("space", kind, kinds)
    of_loss, of_model = kinds[kind]
    return SearchSpace(
        {
            **(loss_space(grouped=grouped).parameters if of_loss else {}),
            **(booster_space(model).parameters if of_model else {}),
        }
    )


def check_parameter(model: str, name: str, values: Iterable[Any]) -> None:
    """Raise InputError where neither loss nor model has the parameter, or one of the values cannot be its."""
    known = [*sorted(LOSS), *sorted(known_params(model))]
    if name not in known:
        raise InputError(
            f"neither the loss nor {model} has a parameter {name!r}{near_miss(name, known)}; name one of "
            f"{', '.join(sorted(LOSS))}, or one of {model} in its own words"
        )
    for value in values:
        check_params(model, configured(ModelSpec(model=model), {name: value}).params)


def check_space(space: SearchSpace, model: str) -> None:
    """Raise InputError where a space names what neither loss nor model has, or a value that cannot be."""
    for name, parameter in space.parameters.items():
        ends = parameter.choices if isinstance(parameter, Choice) else (parameter.low, parameter.high)
        check_parameter(model, name, ends)
    for name, value in space.fixed.items():
        check_parameter(model, name, [value])


def read_space(path: Path, space: SearchSpace, model: str | None = None) -> SearchSpace:
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
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
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


def _range(name: str, entry: Mapping[str, Any], known: Parameter | None) -> Parameter:
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
    >>> spec.loss, spec.weight, spec.learning_rate, spec.params
    ('pwiser', 0.1, 0.1, {'max_depth': 4})
    >>> configured(spec, {"weight": 0.0}).loss
    'bce'
    """
    pwiser = replace(spec.pwiser, **{name: value for name, value in values.items() if name in LOSS})
    spec = replace(spec, pwiser=pwiser, loss="pwiser" if pwiser.weight > 0 else "bce")
    rest = {name: value for name, value in values.items() if name not in LOSS}
    if not is_booster(spec.model):
        unknown = set(rest) - {f.name for f in fields(spec.network)}
        if unknown:
            raise InputError(f"{spec.model} has no parameter {', '.join(sorted(unknown))}")
        return replace(spec, network=replace(spec.network, **rest)) if rest else spec
    learning_rate = rest.pop("learning_rate", spec.learning_rate)
    return replace(spec, learning_rate=learning_rate, params={**spec.params, **rest})


def _present(spec: ModelSpec, name: str, parameter: Parameter | None) -> Any:
    if name in LOSS:
        return getattr(spec.pwiser, name)
    if not is_booster(spec.model):
        return getattr(spec.network, name)
    if name == "learning_rate":
        return spec.learning_rate
    default = None if parameter is None else parameter.default
    value = spec.params.get(name, default)
    return parameter.low if value is None and isinstance(parameter, Float | Int) else value
