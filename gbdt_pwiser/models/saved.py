"""A trained model as a folder: the libraries' own files, and a manifest that says all the rest.

The folder appears whole or not at all, holds no pickle, and is refused where a file is not the one saved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from gbdt_pwiser._files import check_writable, refuse_foreign, replacing_folder
from gbdt_pwiser.data import Split
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.models.manifest import MANIFEST, Manifest
from gbdt_pwiser.models.protocol import Model
from gbdt_pwiser.models.registry import MODELS, make_model, versions_of
from gbdt_pwiser.objectives import InputError

FILES: Final = tuple(dict.fromkeys((MANIFEST, *(file for kind in MODELS.values() for file in kind.files))))
"""All names that the files of a model may have."""
_BEGIN: Final = '{\n  "format": '


class SavedModel(NamedTuple):
    """A model that predicts as it did when it was saved, and its manifest."""

    model: Model
    manifest: Manifest


def check_folder(folder: Path) -> None:
    """Raise InputError where no model can be written: a folder of something else, or one that takes no file.

    An older model may be there, also beside files that are not its own, and so may an empty folder.
    """
    own = own_files(folder)
    if folder.exists() and not (folder.is_dir() and (own or _is_empty(folder))):
        raise InputError(f"{folder} exists and is no model folder; give another path or remove it")
    check_writable(folder)
    refuse_foreign(folder, dict.fromkeys(FILES, lambda path: path.name in own))


def own_files(folder: Path) -> tuple[str, ...]:
    """Return the names of a model's files, the manifest among them; none where it is none of ours.

    Where the manifest is damaged but begins as ours do, those that any model may have.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    try:
        stored = json.loads(text)
        names = tuple(map(str, stored["files"]))
        is_ours = {"format", "spec"} <= set(stored)
    except (ValueError, LookupError, TypeError, RecursionError):
        return FILES if text.startswith(_BEGIN) else ()
    if not is_ours:
        return ()
    return (MANIFEST, *(name for name in names if Path(name).name == name and (folder / name).is_file()))


def save_model(
    model: Model,
    folder: Path | str,
    split: Split,
    *,
    validation: Mapping[str, float] | None = None,
    calibration: Mapping[str, Any] | None = None,
    continued: Mapping[str, Any] | None = None,
    command: str = "",
) -> Manifest:
    """Write a trained model into a folder, in the place of an older model.

    Parameters
    ----------
    model
        What `make_model` made and `fit` trained.
    folder
        Appears, or takes the place of an older model's files, when everything is written. Other files in it
        stay.
    split
        The data it was trained on; its columns and sizes are kept, its rows are not.
    validation
        Metrics on validation, to be kept with the model.
    calibration
        `Calibrator.to_dict()` of a calibration of pCTR.
    continued
        What `continue_model` says of the model that it went on from.
    command
        How it was trained.

    Returns
    -------
    Manifest
        As stored.

    Raises
    ------
    InputError
        The model is not trained, something else is in the folder's place, the disk is full, or categories or
        parameters cannot be stored.
    """
    folder = Path(folder)
    check_folder(folder)
    columns = FeatureColumns.of(split.train)
    with replacing_folder(folder, lambda: own_files(folder)) as new:
        state = model.save(new)
        manifest = Manifest(
            spec=model.spec,
            columns=columns,
            state=state,
            files={path.name: _sha256(path) for path in sorted(new.iterdir())},
            dataset=split.train.name,
            split={
                name: {
                    "exposures": len(part),
                    "clicks": int(part.click.sum()),
                    "conversions": int(part.conversion.sum()),
                    "open": int(part.open.sum()),
                }
                for name, part in (("train", split.train), ("valid", split.valid), ("test", split.test))
            },
            validation=validation or {},
            calibration=calibration,
            continued=continued,
            command=command,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=versions_of(model.spec.model),
        )
        try:
            manifest.write(new)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"the model cannot be described in JSON ({error}); give plain numbers, texts and lists as "
                "its parameters"
            ) from error
    return manifest


def load_model(folder: Path | str, *, device: str = "cpu", threads: int = 0) -> SavedModel:
    """Read a model that `save_model` wrote; nothing in its files is executed.

    Parameters
    ----------
    folder
        The model folder.
    device
        To predict on: "cpu" or "cuda", for networks also "auto". LightGBM predicts on the CPU in any case.
    threads
        CPU threads; 0 for the library's own choice.

    Raises
    ------
    InputError
        No model folder, another format, a file that is missing, damaged or not the one that was saved, an
        unknown device, or a library that is not installed.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    for name, digest in manifest.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise InputError(f"{path} is missing; copy the folder again or train again")
        if _sha256(path) != digest:
            raise InputError(
                f"{path} is not the file that was saved (its SHA-256 differs from the manifest's); copy the "
                "folder again or train again"
            )
    spec = replace(manifest.spec, device=device, threads=threads)
    # Settings of training, which an older version may have let pass, decide nothing any more.
    model = make_model(replace(spec, settings=None))
    model.spec = spec
    model.restore(folder, manifest.columns.names, manifest.state)
    return SavedModel(model, manifest)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_empty(folder: Path) -> bool:
    """Whether nothing is in a folder but what file systems and tools put there unasked."""
    return all(entry.name.startswith(".") or entry.name == "lost+found" for entry in folder.iterdir())
