"""`gbdt-pwiser prepare` and `gbdt-pwiser datasets`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from gbdt_pwiser.cli._choices import RELEASED, DatasetName
from gbdt_pwiser.cli._headings import DATA, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import data_dir_option, json_option
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._telling import also_told, quiet_option, result


@command(
    [
        "prepare --dataset us --source downloads/us",
        "prepare --dataset ccp --source downloads --rare 10",
        "prepare --dataset mine.toml",
    ]
)
@option(
    "--dataset",
    required=True,
    help="us, nl, fr, es (AliExpress), ccp (Ali-CCP), or a .toml description of your own data.",
    type=DatasetName(RELEASED),
    panel=DATA,
)
@option(
    "--source",
    type=PathOption(),
    help="Folder or archive with the files, released or processed; of a description, data to read instead.",
    panel=DATA,
)
@data_dir_option
@option(
    "--rare",
    type=int,
    help="ccp: an id needs so many training rows for a code of its own. [10]",
    panel=DATA,
)
@option(
    "--skip-bad-lines",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Leave out up to N damaged lines; one more stops the run.",
    panel=DATA,
)
@quiet_option
def prepare(
    dataset: str, source: Path | None, data_dir: Path | None, rare: int | None, skip_bad_lines: int
) -> None:
    """Turn released AliExpress or Ali-CCP files, or a user's own, into Parquet, whole or not at all."""
    from gbdt_pwiser.data.prepared import Schema
    from gbdt_pwiser.objectives.errors import LARGEST, check_whole
    from gbdt_pwiser.sources import prepare as prepare_set

    if rare is not None:
        check_whole("rare", rare, 1, LARGEST)
    check_whole("skip_bad_lines", skip_bad_lines, 0, LARGEST)
    folder = prepare_set(dataset, source, data_dir, rare=rare, skip_bad_lines=skip_bad_lines)
    schema = Schema.read(folder)
    for number, what in (
        (schema.train.dropped + schema.test.dropped, "exposures that convert without a click"),
        (schema.bad_lines, "damaged lines"),
    ):
        if number:
            also_told(f"left out: {number:,} {what}")
    result(folder)


@command(["datasets", "datasets --json"])
@data_dir_option
@json_option
def datasets(data_dir: Path | None, as_json: bool) -> None:
    """List the data sets that are known, and which are prepared."""
    from gbdt_pwiser.sources import known_datasets

    known = known_datasets(data_dir)
    if as_json:
        result(json.dumps([asdict(dataset) for dataset in known], default=str, indent=2))
        return
    for dataset in known:
        rows = (
            ""
            if dataset.rows is None
            else f"{dataset.rows:,} exposures, {dataset.clicks:,} clicks, {dataset.conversions:,} conversions"
        )
        if dataset.open:
            rows += f", {dataset.open:,} open"
        state = "ready" if dataset.prepared else "not prepared"
        result(f"{dataset.name:<10} {state:<13} {rows or dataset.description}")
