"""`gbdt-pwiser export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gbdt_pwiser.cli._choices import OneOf
from gbdt_pwiser.cli._headings import OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._paths import PathOption, model_folder_option
from gbdt_pwiser.cli._telling import result


@command(
    [
        "export --model model --format native --output model.txt",
        "export --model model --format native --task conversion --output cvr.ubj",
        "export --model model --format onnx --output model.onnx --uncalibrated",
    ]
)
@model_folder_option
@option(
    "--format",
    required=True,
    help="native: a booster's own file; onnx: a graph from columns to pctr, pcvr, pctcvr.",
    type=OneOf(("native", "onnx")),
    panel=OUTPUT,
)
@option(
    "--output",
    "target",
    required=True,
    type=PathOption(dir_okay=False),
    help="native: .txt (LightGBM), .ubj or .json (XGBoost); onnx: .onnx. Appears when it is complete.",
    panel=OUTPUT,
)
@option(
    "--task",
    help="Of native: click (default) for pCTR, conversion for pCVR.",
    type=OneOf(("click", "conversion")),
    panel=OUTPUT,
)
@option(
    "--uncalibrated",
    is_flag=True,
    help="Leave the calibration of pCTR out.",
    panel=OUTPUT,
)
def export(folder: Path, format: Any, target: Path, task: Any, uncalibrated: bool) -> None:
    """Write a model as one file with which its library, or ONNX Runtime, predicts without this package."""
    from gbdt_pwiser.export import export_model

    export_model(folder, target, format=format, task=task, uncalibrated=uncalibrated)
    result(target)
