"""`gbdt-pwiser predict`."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from gbdt_pwiser.cli._headings import DATA, OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import device_option, json_option, threads_option
from gbdt_pwiser.cli._paths import PathOption, model_folder_option
from gbdt_pwiser.cli._telling import also_told, note, quiet_option, result


@command(
    [
        "predict --model model --input new.parquet --output predicted.parquet",
        "predict --model model --input new.parquet --output p.parquet --keep id --quiet",
    ]
)
@model_folder_option
@option(
    "--input",
    "source",
    required=True,
    type=PathOption(),
    help="Parquet file of exposures with the columns of training; more are ignored.",
    panel=DATA,
)
@option(
    "--output",
    "target",
    required=True,
    type=PathOption(dir_okay=False),
    help="Parquet file for pctr, pcvr and pctcvr; appears when it is complete.",
    panel=OUTPUT,
)
@option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="Copied from the input; may be repeated.",
    panel=DATA,
)
@option(
    "--batch-size",
    type=int,
    default=65536,
    show_default=True,
    help="Exposures at a time.",
    panel=DATA,
)
@device_option
@threads_option
@json_option
@quiet_option
def predict(
    folder: Path,
    source: Path,
    target: Path,
    keep: tuple[str, ...],
    batch_size: int,
    device: str,
    threads: int,
    as_json: bool,
) -> None:
    """Predict a Parquet file of any size with a model that `train` wrote."""
    from gbdt_pwiser.serving import Predictor

    predictor = Predictor.load(folder, device=device, threads=threads)
    started = time.perf_counter()
    predicted = predictor.predict_file(source, target, batch_size=batch_size, keep=keep)
    seconds = time.perf_counter() - started
    if predicted.unseen:
        unseen = ", ".join(f"{name} {count:,}" for name, count in predicted.unseen.items())
        note(f"values that training did not have count as missing: {unseen}")
    told = {"output": str(target), **asdict(predicted), "seconds": seconds}
    # Where the predictions themselves went to standard output, nothing else may.
    tell = also_told if _is_standard_output(target) else result
    tell(json.dumps(told, indent=2) if as_json else target)


def _is_standard_output(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False
