"""The files of a search: best.toml, trials.parquet, and the page where the report extra is installed."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from gbdt_pwiser._files import begins_with, check_writable, has_columns, holds, refuse_foreign, replacing_file
from gbdt_pwiser.metrics import METRICS, metrics_named
from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.models.registry import kind_of, settings_of
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import near_miss
from gbdt_pwiser.tuning._result import Trial, Tuning
from gbdt_pwiser.tuning._space import LOSS, check_parameter, configured

_BEST: Final = "# The best of a search on validation"
"""How best.toml begins."""


def check_output(folder: Path) -> None:
    """Raise InputError where a search cannot write: over files of another kind, or where none can be."""
    refuse_foreign(
        folder,
        {
            "best.toml": begins_with(_BEST.encode()),
            "trials.parquet": has_columns("study", "number", "state", "weight"),
            "results.parquet": has_columns("model", "loss", "seed", "split", "metric", "value"),
            "tuning.html": holds(b"<h2>How this was made</h2>"),
        },
    )
    check_writable(folder)


def write_params(tuning: Tuning, path: Path | str) -> None:
    """Write best.toml: the chosen loss, and the model's parameters under each loss.

    Raises
    ------
    InputError
        A parameter has a value that TOML cannot hold.
    """
    spec = tuning.spec
    tables: dict[str, Mapping[str, Any]] = {
        "loss": {name: getattr(spec.pwiser, name) for name in sorted(LOSS)} | {"weight": tuning.best.weight},
        "parameters.bce": settings_of(tuning.twin).parameters(),
        "parameters.pwiser": settings_of(spec).parameters(),
    }
    settings = settings_of(spec)
    if settings.of_training:
        tables["training"] = {name: settings.value(name) for name in settings.of_training}
    lines = [
        f"{_BEST}; gbdt-pwiser compare --params takes this file.",
        *(f"# {line}" for line in tuning.verdict.splitlines()),
        f"model = {_toml(spec.model)}",
        f"recommended_weight = {_toml(float(tuning.recommended_weight))}",
    ]
    for table, values in tables.items():
        lines += ["", f"[{table}]", *(f"{_key(name)} = {_toml(value)}" for name, value in values.items())]
    with replacing_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_params(path: Path | str, base: ModelSpec | None = None) -> dict[str, ModelSpec]:
    """Read what `write_params` wrote: a spec for "bce" and one for "pwiser".

    The file decides the model, the loss, the model's parameters and how long it trains; the rest (seed,
    device, threads) comes from the base.

    Raises
    ------
    InputError
        The file is missing or no TOML, lacks a table, or holds a value that makes no sense.
    """
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); give the best.toml that a search wrote"
        ) from error
    try:
        _check_keys(found, _KEYS, "the file")
        model = found["model"]
        family = kind_of(model).settings
        loss = _table(found, "loss", LOSS)
        training = _table({"training": {}, **found}, "training", family.of_training)
        parameters = _table(found, "parameters", ("bce", "pwiser"))
        of_bce, of_pwiser = (_tuples(_table(parameters, name)) for name in ("bce", "pwiser"))
        for values in (of_bce, of_pwiser):
            for name, value in values.items():
                check_parameter(model, name, [value])
        PWiseRLoss(weight=found.get("recommended_weight", 0.0))
        settings = base.settings if base is not None and type(base.settings) is family else family()
        spec = replace(base or ModelSpec(model=model), model=model, settings=settings.changed(training))
        return {
            "bce": configured(spec, {**loss, "weight": 0.0, **of_bce}),
            # Even at weight 0 it is the loss under comparison.
            "pwiser": replace(configured(spec, {**loss, **of_pwiser}), loss="pwiser"),
        }
    except KeyError as error:
        raise InputError(f"{path} lacks {error.args[0]}; give the best.toml that a search wrote") from error
    except (TypeError, AttributeError, InputError) as error:
        raise InputError(f"{path} cannot be used: {error}") from error


_KEYS: Final = ("model", "recommended_weight", "loss", "training", "parameters")


def _table(tables: Mapping[str, Any], name: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    """Return a table of a file; InputError where it is none, or has a key that is not known."""
    table = tables[name]
    if not isinstance(table, dict):
        raise InputError(f"{name} is {table!r}; make it a table")
    if known:
        _check_keys(table, known, name)
    return table


def _check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise InputError(
                f"{where} has a key {key!r}{near_miss(key, known)}; leave it out, or give one of "
                f"{', '.join(sorted(known))}"
            )


def write_trials(trials: Sequence[Trial], path: Path | str) -> None:
    """Write one row per trial: its state, what was searched, every metric on validation, and its error."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.parameters))
    metrics = metrics_named((*METRICS, *(name for trial in trials for name in trial.metrics)))
    rows = [
        {
            "study": trial.study,
            "number": trial.number,
            "state": trial.state,
            "weight": trial.weight,
            **{name: trial.parameters.get(name) for name in names if name != "weight"},
            **{name: trial.metrics.get(name, math.nan) for name in metrics},
            "rounds": trial.rounds,
            "fit_seconds": trial.fit_seconds,
            "error": trial.error,
        }
        for trial in trials
    ]
    with replacing_file(path) as temporary:
        pl.DataFrame(rows, infer_schema_length=None, strict=False).write_parquet(temporary)


def record(tuning: Tuning) -> dict[str, Any]:
    """Return the search as plain values for JSON, which has no NaN: None stands for it."""
    confirmation = tuning.confirmation
    found = {
        "metrics": tuning.metrics,
        "finished": len(tuning.trials),
        "total": tuning.total,
        "best": asdict(tuning.best),
        "baseline": None if tuning.baseline is None else asdict(tuning.baseline),
        "front": [asdict(trial) for trial in tuning.front] if len(tuning.metrics) > 1 else None,
        "seeds": None if confirmation is None else confirmation.seeds,
        "gains": None if confirmation is None else [asdict(gain) for gain in confirmation.gains],
        "helps": tuning.helps,
        "recommended_weight": tuning.recommended_weight,
        "verdict": tuning.verdict,
        "importances": dict(tuning.importances),
        "trials": [asdict(trial) for trial in tuning.trials],
    }
    plain: dict[str, Any] = _without_nan(found)
    return plain


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(float(value))
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
    raise InputError(
        f"a parameter is {value!r}, which best.toml cannot hold; give a number, a word or a list"
    )


def _without_nan(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_nan(item) for item in value]
    return value
