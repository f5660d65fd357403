"""What can be exported, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

from gbdt_pwiser._files import holds, refuse_foreign, replacing_file
from gbdt_pwiser._version import __version__
from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.models.boosters import BOOSTERS
from gbdt_pwiser.models.manifest import Manifest
from gbdt_pwiser.models.protocol import Task
from gbdt_pwiser.models.saved import load_model, own_files
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown

Format = Literal["native", "onnx"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format)
"""Names of the formats."""
TASKS: Final[tuple[Task, ...]] = get_args(Task)

_MARK: Final = "exported by gbdt-pwiser"
"""Stands in every export, as text; an export may be replaced by another one."""


def export_model(
    folder: Path | str,
    target: Path | str,
    *,
    format: Format,
    task: Task | None = None,
    uncalibrated: bool = False,
) -> None:
    """Write a saved model as one file that needs no gbdt-pwiser to predict.

    Parameters
    ----------
    folder
        The model folder.
    target
        The file, which appears when it is complete and replaces an older export. A native one is called
        .txt (LightGBM), .ubj or .json (XGBoost), and an ONNX graph .onnx.
    format
        "native": one booster in its library's own format, whose `predict` gives the probability of a task
        from the matrix that training had. "onnx": a graph from the columns of a table to pctr, pcvr and
        pctcvr, with categories and calibration; of a network too.
    task
        Of a native file: "click" (where it is None) for pCTR, "conversion" for pCVR.
    uncalibrated
        Whether to leave the calibration of pCTR out.

    Raises
    ------
    InputError
        What `load_model` refuses; something of the model that the format cannot hold, as a network in a
        native file; another suffix; a file in the target's place that is no export.
    """
    folder, target = Path(folder), Path(target)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if task is not None and task not in TASKS:
        raise unknown("task", task, TASKS)
    if format == "onnx" and task is not None:
        raise InputError("an ONNX graph has outputs for both tasks; leave the task out, or export native")
    manifest = Manifest.read(folder)
    name = manifest.spec.model
    if format == "native" and name not in BOOSTERS:
        raise InputError(f"{folder} is a network ({name}), and native files are boosters; export to onnx")
    if format == "onnx" and (relative := manifest.columns.relative) is not None:
        instead = "use predict, or export native" if name in BOOSTERS else "use predict"
        raise InputError(
            f"the model compares {', '.join(relative.columns)} within {relative.group}, and an ONNX graph "
            f"knows one row at a time; {instead}"
        )
    _check_target(target, folder)
    # One thread: what is read is written again, and nothing is predicted.
    model, manifest = load_model(folder, threads=1)
    calibrator = Calibrator()
    if manifest.calibration is not None and not uncalibrated and task != "conversion":
        calibrator = Calibrator.from_dict(manifest.calibration)
    comment = f"{_MARK} {__version__}"

    if format == "onnx":
        from gbdt_pwiser.export.onnx_graph import onnx_bytes

        content = onnx_bytes(model, manifest.columns, calibrator, comment, target)
    else:
        from gbdt_pwiser.export.native import native_bytes

        content = native_bytes(model, task or "click", calibrator, comment, target)
    with replacing_file(target) as temporary:
        temporary.write_bytes(content)


def _check_target(target: Path, folder: Path) -> None:
    """Refuse to write over the model, or any other file that is no export."""
    if not target.is_file():  # a new one, a pipe or a device
        return
    own = (folder / name for name in own_files(folder))
    if any(file.exists() and target.samefile(file) for file in own):
        raise InputError(f"{target} is a file of the model; give another path for the export")
    refuse_foreign(target.parent, {target.name: holds(_MARK.encode())})
