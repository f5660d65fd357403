"""`gbdt-pwiser prepare` and `gbdt-pwiser datasets`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.option("--dataset", required=True, help="us, nl, fr or es.")
@click.option(
    "--source", required=True, type=click.Path(path_type=Path), help="Folder or zip with the released files."
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where prepared data sets lie.")
def prepare(dataset: str, source: Path, data_dir: Path | None) -> None:
    """Turn released AliExpress files into Parquet, whole or not at all."""
    from gbdt_pwiser.data import prepare_aliexpress, resolve_data_dir

    click.echo(prepare_aliexpress(dataset, source, resolve_data_dir(data_dir)))


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where prepared data sets lie.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def datasets(data_dir: Path | None, as_json: bool) -> None:
    """List the data sets that are known, and which are prepared."""
    from gbdt_pwiser.data import known_datasets

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
        state = "ready" if dataset.prepared else "not prepared"
        click.echo(f"{dataset.name:<10} {state:<13} {rows or dataset.description}")
