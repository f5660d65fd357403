"""`gbdt-pwiser prepare` and `gbdt-pwiser datasets`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.objectives.errors import LARGEST, check_whole


@click.command()
@click.option(
    "--dataset",
    required=True,
    help="us, nl, fr, es (AliExpress), ccp (Ali-CCP), or a .toml description of your own data.",
)
@click.option(
    "--source",
    type=PathOption(),
    help="Folder or archive with the files, released or processed; of a description, data to read instead.",
)
@click.option("--data-dir", type=PathOption(file_okay=False), help="Where prepared data sets lie.")
@click.option("--rare", type=int, help="ccp: an id needs so many training rows for a code of its own. [10]")
@click.option(
    "--skip-bad-lines",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Leave out up to N damaged lines; one more stops the run.",
)
def prepare(
    dataset: str, source: Path | None, data_dir: Path | None, rare: int | None, skip_bad_lines: int
) -> None:
    """Turn released AliExpress or Ali-CCP files, or a user's own, into Parquet, whole or not at all."""
    from gbdt_pwiser.data.prepared import Schema
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
            click.echo(f"left out: {number:,} {what}", err=True)
    click.echo(folder)


@click.command()
@click.option("--data-dir", type=PathOption(file_okay=False), help="Where prepared data sets lie.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def datasets(data_dir: Path | None, as_json: bool) -> None:
    """List the data sets that are known, and which are prepared."""
    from gbdt_pwiser.sources import known_datasets

    known = known_datasets(data_dir)
    if as_json:
        click.echo(json.dumps([asdict(dataset) for dataset in known], default=str, indent=2))
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
        click.echo(f"{dataset.name:<10} {state:<13} {rows or dataset.description}")
