"""`gbdt-pwiser check`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gbdt_pwiser.cli._choices import DatasetName
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import data_dir_option, json_option
from gbdt_pwiser.cli._telling import quiet_option, result


@command(["check simulated", "check mine.toml --json"])
@click.argument("dataset", metavar="DATASET", type=DatasetName())
@data_dir_option
@json_option
@quiet_option
def check(dataset: str, data_dir: Path | None, as_json: bool) -> None:
    """Tell of DATASET what can be seen without training: counts, leaks, drift, what its test can show.

    DATASET is us, nl, fr, es, ccp, simulated, or the path of a description (.toml).
    """
    from gbdt_pwiser.evaluation.check import check as look_at
    from gbdt_pwiser.report.check import format_check
    from gbdt_pwiser.sources import load

    found = look_at(load(dataset, data_dir=data_dir))
    result(json.dumps(found.record(), indent=2) if as_json else format_check(found))
