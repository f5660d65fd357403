"""`gbdt-pwiser report`."""

from __future__ import annotations

from pathlib import Path

import click

from gbdt_pwiser._files import begins_with, check_writable, has_columns, holds, refuse_foreign
from gbdt_pwiser.cli._paths import PathOption

RESULTS, DETAILS, PAGE = "results.parquet", "details.json", "report.html"
"""What `compare --output` leaves in its folder; the page can be made of the other two."""


def check_output(folder: Path) -> bool:
    """Return whether an earlier comparison is in a folder; InputError where none can be written there.

    That is where a file of one of the names is of another kind, and where the folder takes no file.
    """
    refuse_foreign(
        folder,
        {
            RESULTS: has_columns("model", "loss", "seed", "split", "metric", "value"),
            DETAILS: begins_with(b'{"format": '),
            PAGE: holds(b"<h2>How this was made</h2>"),
        },
    )
    check_writable(folder)
    return (folder / RESULTS).exists()


@click.command()
@click.argument("folder", type=PathOption(file_okay=False))
@click.option(
    "--figures",
    type=PathOption(file_okay=False),
    help="Folder for every plot as SVG, light or dark as the reader's screen, and its data as CSV.",
)
def report(folder: Path, figures: Path | None) -> None:
    """Make report.html in FOLDER again, from the results that compare --output wrote there."""
    from gbdt_pwiser.evaluation import read_details, read_results
    from gbdt_pwiser.report import write_figures, write_report

    check_output(folder)
    if figures:
        check_writable(figures)
    results = read_results(folder / RESULTS)
    details = None
    if (folder / DETAILS).exists():
        details = read_details(folder / DETAILS)
    else:
        click.echo(
            f"gbdt-pwiser: {folder / DETAILS} is missing, so the page lacks the plots made of it", err=True
        )
    written = write_figures(figures, results, details) if figures else []
    write_report(folder / PAGE, results, details)
    for path in (folder / PAGE, *written):
        click.echo(path)
