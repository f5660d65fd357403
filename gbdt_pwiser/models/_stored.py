"""What a manifest says, entry by entry: nothing in it is followed before it is known to make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.neural import NETWORKS, NetworkConfig
from gbdt_pwiser.models.protocol import ModelSpec
from gbdt_pwiser.objectives import PWiseRLoss
from gbdt_pwiser.objectives._errors import LARGEST, check_whole

if TYPE_CHECKING:
    from gbdt_pwiser.models.saved import Manifest

TASKS: Final = ("click", "conversion")


def spec_of(stored: Mapping[str, Any]) -> ModelSpec:
    """Return the spec of an entry; ValueError, LookupError or TypeError where it is none."""
    network: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in stored["network"].items()
    }
    spec = ModelSpec(
        **{**stored, "pwiser": PWiseRLoss(**stored["pwiser"]), "network": NetworkConfig(**network)}
    )
    _require(isinstance(spec.model, str), "model", spec.model, "a name")
    _require(isinstance(spec.params, dict), "params", spec.params, "names and values")
    return spec


def columns_of(stored: list[Mapping[str, Any]]) -> FeatureColumns:
    """Return the feature columns of an entry; an error as above where they are none."""
    names = [entry["name"] for entry in stored]
    _require(names and all(isinstance(name, str) for name in names), "columns", names, "names")
    for entry in stored:
        name, kind = entry["name"], entry["kind"]
        _require(names.count(name) == 1, "columns", name, "each once")
        _require(kind in ("categorical", "numerical"), f"kind of {name}", kind, "categorical or numerical")
        _require(
            "categories" not in entry or (kind == "categorical" and isinstance(entry["categories"], list)),
            f"categories of {name}",
            entry.get("categories"),
            "those of a categorical column",
        )
    columns = FeatureColumns.from_record(stored)
    for name, categories in columns.categories.items():
        doubled = categories.filter(categories.is_duplicated() | categories.is_null())
        _require(not len(doubled), f"categories of {name}", doubled.to_list(), "each value once")
    return columns


def check_manifest(manifest: Manifest) -> None:
    """Raise ValueError, LookupError or TypeError for what no saved model has."""
    for name, digest in manifest.files.items():
        _require(isinstance(digest, str), f"digest of {name}", digest, "SHA-256")
    for name in ("dataset", "command", "created"):
        _require(isinstance(getattr(manifest, name), str), name, getattr(manifest, name), "text")
    for name in ("calibration", "split", "validation", "versions"):
        value = getattr(manifest, name)
        is_table = isinstance(value, dict) or (name == "calibration" and value is None)
        _require(is_table, name, value, "names and values")
    for name, value in manifest.validation.items():
        is_nan = isinstance(value, float) and math.isnan(value)
        _require(is_nan or _is_number(value), f"validation of {name}", value, "a number")
    if manifest.spec.model in NETWORKS:
        return
    known = set(manifest.state) <= set(TASKS) and TASKS[0] in manifest.state
    _require(known, "state", list(manifest.state), " and ".join(TASKS))
    for task, state in manifest.state.items():
        _check_state(task, state, manifest)


def _check_state(task: str, state: Mapping[str, Any], manifest: Manifest) -> None:
    is_log_odds = task != TASKS[0] or LOSSES[manifest.spec.loss].is_log_odds
    _require(
        set(state) - {"slope"} == {"file", "rounds", "start", "seconds"},
        f"state of {task}",
        list(state),
        "file, rounds, start, seconds and slope",
    )
    file = state["file"]
    slope: Any = state.get("slope")
    is_plain = isinstance(file, str) and Path(file).name == file
    _require(is_plain and file in manifest.files, f"file of {task}", file, "one of its files")
    check_whole(f"rounds of {task}", state["rounds"], 1, LARGEST)
    for name, is_wanted in (("start", math.isfinite), ("seconds", lambda x: 0 <= x < math.inf)):
        value = state[name]
        _require(_is_number(value) and is_wanted(value), f"{name} of {task}", value, "a finite number")
    _require(
        slope is None if is_log_odds else (_is_number(slope) and 0 < slope < math.inf),
        f"slope of {task}",
        slope,
        "none, as its scores are log-odds" if is_log_odds else "a positive number",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds: Any, what: str, found: Any, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{what}: {str(found)[:80]!r} and not {wanted}")
