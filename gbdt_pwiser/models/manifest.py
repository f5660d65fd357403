"""What a model folder says of itself; no entry is followed before it is known to make sense."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.network_config import NetworkConfig
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import LARGEST, check_whole

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
TASKS: Final = ("click", "conversion")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a model folder says of itself; stored as manifest.json.

    Attributes
    ----------
    spec
        All that decided the model, apart from its data: model, loss, seed, parameters.
    columns
        The features in order, and the categories of those that were encoded.
    state
        Of boosters: per task (click, conversion) its file, the rounds that count and where raw scores start.
    files
        SHA-256 of each file beside the manifest.
    dataset
        Name of the training data.
    split
        Exposures, clicks and conversions of train, validation and test.
    validation
        Metrics on validation, before calibration.
    calibration
        What `evaluation.Calibrator.from_dict` reads; None for a model whose pCTR is not calibrated.
    command
        The command line that trained it; empty where it was none.
    created
        UTC, ISO 8601.
    versions
        Of this package and of the libraries behind the model.
    """

    spec: ModelSpec
    columns: FeatureColumns
    state: Mapping[str, Any]
    files: Mapping[str, str]
    dataset: str
    split: Mapping[str, Mapping[str, int]]
    validation: Mapping[str, float] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    command: str = ""
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write manifest.json into the folder."""
        stored = {f.name: getattr(self, f.name) for f in fields(self)}
        stored["spec"] = asdict(replace(self.spec, params=dict(self.spec.params)))
        stored["columns"] = self.columns.record()
        stored["validation"] = {
            name: value if math.isfinite(value) else None for name, value in self.validation.items()
        }
        text = json.dumps({"format": FORMAT, **stored}, indent=2, allow_nan=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read manifest.json from the folder; an InputError says what is wrong with it."""
        path = folder / MANIFEST
        if not path.is_file():
            raise InputError(f"{folder} is no model folder (it has no {MANIFEST}); give one that train wrote")
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            found = stored.pop("format")
            version = stored.get("versions", {}).get("gbdt-pwiser", "unknown") if found != FORMAT else None
        except DAMAGED as error:
            raise damaged(path, error) from error
        if version is not None:
            raise InputError(
                f"{folder} has format {found}, this version reads {FORMAT}; train it again, or install "
                f"the version that wrote it, {version}"
            )
        try:
            stored["spec"] = _spec_of(stored["spec"])
            stored["columns"] = _columns_of(stored["columns"])
            stored |= {name: dict(stored[name]) for name in ("state", "files", "split")}
            stored["validation"] = {
                name: math.nan if value is None else value
                for name, value in stored.get("validation", {}).items()
            }
            manifest = cls(**stored)
            _check_manifest(manifest)
        except DAMAGED as error:
            raise damaged(path, error) from error
        return manifest


# What wrong entries come to, wherever they are looked into.
DAMAGED: Final = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError),
    pl.exceptions.PolarsError,
)


def damaged(path: Path, error: Exception) -> InputError:
    """Return the error for a manifest that does not make sense."""
    reason = str(error) if isinstance(error, ValueError) else repr(error)
    return InputError(f"{path} is damaged ({reason}); copy the folder again or train again")


def _spec_of(stored: Mapping[str, Any]) -> ModelSpec:
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


def _columns_of(stored: list[Mapping[str, Any]]) -> FeatureColumns:
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


def _check_manifest(manifest: Manifest) -> None:
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
