"""What a model folder says of itself; no entry is followed before it is known to make sense."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.models.boosters import BOOSTERS
from gbdt_pwiser.models.checks import is_number, require
from gbdt_pwiser.models.registry import MODELS, kind_of, with_settings
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRLoss
from gbdt_pwiser.objectives.errors import LARGEST, check_whole

FORMAT: Final = 2
READABLE: Final = (1, FORMAT)
"""Format 1 had the settings of both families of models beside each other."""
MANIFEST: Final = "manifest.json"


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
        What `Model.save` returned; of boosters per task (click, conversion) its file, the rounds that count
        and where raw scores start.
    files
        SHA-256 of each file beside the manifest.
    dataset
        Name of the training data.
    split
        Exposures, clicks, conversions and clicks of open conversion (`open`) of train, validation and test.
    validation
        Metrics on validation, before calibration.
    calibration
        What `evaluation.Calibrator.from_dict` reads; None for a model whose pCTR is not calibrated.
    continued
        What it went on from; None for a model that was trained from scratch. That is `from`, the SHA-256 of
        the earlier manifest, and its `created`; `rounds`, of the click booster, that were added; and `refit`,
        the decay of the earlier leaf values, or None.
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
    continued: Mapping[str, Any] | None = None
    command: str = ""
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write manifest.json into the folder."""
        stored = {f.name: getattr(self, f.name) for f in fields(self)}
        stored["spec"] = _described(self.spec)
        stored["columns"] = self.columns.record()
        stored["validation"] = {
            name: value if math.isfinite(value) else None for name, value in self.validation.items()
        }
        if self.continued is None:  # as the versions write and read it that cannot continue
            del stored["continued"]
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
            version = (
                stored.get("versions", {}).get("gbdt-pwiser", "unknown") if found not in READABLE else None
            )
        except DAMAGED as error:
            raise damaged(path, error) from error
        if version is not None:
            raise InputError(
                f"{folder} has format {found}, this version reads {' and '.join(map(str, READABLE))}; train "
                f"it again, or install the version that wrote it, {version}"
            )
        try:
            stored["spec"] = _spec_of(stored["spec"], found)
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


def _described(spec: ModelSpec) -> dict[str, Any]:
    """Return the entry of a spec."""
    settings = with_settings(spec).settings
    assert settings is not None
    return {**replace(spec, settings=None).record(), "settings": settings.record()}


def _spec_of(stored: Mapping[str, Any], found: int) -> ModelSpec:
    """Return the spec of an entry; ValueError, LookupError or TypeError where it is none."""
    stored = dict(stored)
    require(isinstance(stored["model"], str), "model", stored["model"], "a name")
    kind = kind_of(stored["model"])
    if found == 1:
        _compose(stored)
    settings = kind.settings.from_record(stored.pop("settings"))
    return ModelSpec(**{**stored, "pwiser": PWiseRLoss(**stored["pwiser"])}, settings=settings)


_OF_BOOSTERS: Final = ("rounds", "early_stopping", "learning_rate", "external_memory", "params")


def _compose(stored: dict[str, Any]) -> None:
    """Turn the spec of format 1, which had the settings of both families, into that of today."""
    of_network = stored.pop("network")
    of_booster = {name: stored.pop(name) for name in _OF_BOOSTERS}
    stored["settings"] = of_booster if stored["model"] in BOOSTERS else of_network


_KINDS: Final = ("categorical", "numerical", "relative", "position")


def _columns_of(stored: list[Mapping[str, Any]]) -> FeatureColumns:
    """Return the feature columns of an entry; an error as above where they are none."""
    names = [entry["name"] for entry in stored]
    require(names and all(isinstance(name, str) for name in names), "columns", names, "names")
    plain = [entry["name"] for entry in stored if entry["kind"] == "numerical"]
    for entry in stored:
        name, kind = entry["name"], entry["kind"]
        require(names.count(name) == 1, "columns", name, "each once")
        require(kind in _KINDS, f"kind of {name}", kind, "categorical or numerical, relative or position")
        if kind == "position":
            require(is_number(entry["served_as"]), f"served_as of {name}", entry["served_as"], "a number")
        if kind == "relative":
            require(isinstance(entry["within"], str), f"within of {name}", entry["within"], "a column")
            require(entry["of"] in plain, f"of of {name}", entry["of"], "a numerical column")
        require(
            "categories" not in entry or (kind == "categorical" and isinstance(entry["categories"], list)),
            f"categories of {name}",
            entry.get("categories"),
            "those of a categorical column",
        )
        words = entry.get("missing", [])
        are_words = isinstance(words, list) and all(isinstance(word, str) for word in words)
        require(are_words, f"missing of {name}", words, "a list of texts")
    columns = FeatureColumns.from_record(stored)
    made = [entry["name"] for entry in stored if entry["kind"] == "relative"]
    wanted = columns.relative.names if columns.relative else ()
    require(sorted(made) == sorted(wanted), "relative features", made, f"{', '.join(wanted)}")
    within = {entry["within"] for entry in stored if entry["kind"] == "relative"}
    require(len(within) < 2, "within", sorted(within), "one group column")
    for name, categories in columns.categories.items():
        # Null in front says that values without a code of their own share this one.
        behind = pl.int_range(len(categories), eager=True) > 0
        wrong = categories.filter(categories.is_duplicated() | (categories.is_null() & behind))
        require(not len(wrong), f"categories of {name}", wrong.to_list(), "each value once, null in front")
    return columns


def _check_manifest(manifest: Manifest) -> None:
    """Raise ValueError, LookupError or TypeError for what no saved model has."""
    for name, digest in manifest.files.items():
        require(isinstance(digest, str), f"digest of {name}", digest, "SHA-256")
    for name in ("dataset", "command", "created"):
        require(isinstance(getattr(manifest, name), str), name, getattr(manifest, name), "text")
    for name in ("calibration", "continued", "split", "validation", "versions"):
        value = getattr(manifest, name)
        is_table = isinstance(value, dict) or (name in ("calibration", "continued") and value is None)
        require(is_table, name, value, "names and values")
    for name, value in manifest.validation.items():
        is_nan = isinstance(value, float) and math.isnan(value)
        require(is_nan or is_number(value), f"validation of {name}", value, "a number")
    if manifest.continued is not None:
        _check_continued(manifest.continued)
    kind = MODELS[manifest.spec.model]
    if kind.check_state is not None:
        kind.check_state(manifest.spec, manifest.state, manifest.files)


def _check_continued(continued: Mapping[str, Any]) -> None:
    """Raise ValueError or TypeError for what no continued model has."""
    wanted = ("from", "created", "rounds", "refit")
    require(set(continued) == set(wanted), "continued", list(continued), ", ".join(wanted))
    for name in ("from", "created"):
        require(isinstance(continued[name], str), f"{name} of continued", continued[name], "text")
    check_whole("rounds of continued", continued["rounds"], 0, LARGEST)
    decay = continued["refit"]
    is_decay = decay is None or (is_number(decay) and 0 <= decay <= 1)
    require(is_decay, "refit of continued", decay, "none or a number from 0 to 1")
