"""`gbdt-pwiser report`."""

from __future__ import annotations

from pathlib import Path

import click

from gbdt_pwiser.cli._headings import OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._telling import note, quiet_option, result

RESULTS, DETAILS, PAGE = "results.parquet", "details.json", "report.html"
"""What `compare --output` leaves in its folder; the page can be made of the other two."""


def check_output(folder: Path) -> bool:
    """Return whether an earlier comparison is in a folder; InputError where none can be written there.

    That is where a file of one of the names is of another kind, and where the folder takes no file.
    """
    from gbdt_pwiser._files import begins_with, check_writable, has_columns, holds, refuse_foreign

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


@command(["report results", "report results --figures figures"])
@click.argument("folder", type=PathOption(file_okay=False))
@option(
    "--figures",
    type=PathOption(file_okay=False),
    help="Folder for every plot as SVG, light or dark as the reader's screen, and its data as CSV.",
    panel=OUTPUT,
)
@quiet_option
def report(folder: Path, figures: Path | None) -> None:
    """Make report.html in FOLDER again, from the results that compare --output wrote there."""
    from gbdt_pwiser._files import check_writable
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
        note(f"{folder / DETAILS} is missing, so the page lacks the plots made of it")
    written = write_figures(figures, results, details) if figures else []
    write_report(folder / PAGE, results, details)
    for path in (folder / PAGE, *written):
        result(path)
