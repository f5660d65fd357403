"""`gbdt-pwiser report`."""

from __future__ import annotations

from pathlib import Path

import click

RESULTS, DETAILS, PAGE = "results.parquet", "details.json", "report.html"
"""What `compare --output` leaves in its folder; the page can be made of the other two."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def report(folder: Path) -> None:
    """Make report.html in FOLDER again, from the results that compare --output wrote there."""
    from gbdt_pwiser.evaluation import read_details, read_results
    from gbdt_pwiser.report import write_report

    results = read_results(folder / RESULTS)
    details = None
    if (folder / DETAILS).exists():
        details = read_details(folder / DETAILS)
    else:
        click.echo(
            f"gbdt-pwiser: {folder / DETAILS} is missing, so the page lacks the plots made of it", err=True
        )
    write_report(folder / PAGE, results, details)
    click.echo(folder / PAGE)
