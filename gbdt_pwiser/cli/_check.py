"""`gbdt-pwiser check`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

from gbdt_pwiser.cli._choices import DatasetName
from gbdt_pwiser.cli._headings import OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import data_dir_option, json_option
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._telling import also_told, quiet_option, result


@command(["check simulated", "check mine.toml --json", "check mine.toml --page check.html"])
@click.argument("dataset", metavar="DATASET", type=DatasetName())
@data_dir_option
@option("--page", type=PathOption(dir_okay=False), help="File for a page (.html) of it.", panel=OUTPUT)
@json_option
@quiet_option
def check(dataset: str, data_dir: Path | None, page: Path | None, as_json: bool) -> None:
    """Tell of DATASET what can be seen without training: counts, leaks, drift, what its test can show.

    DATASET is us, nl, fr, es, ccp, simulated, or the path of a description (.toml).
    """
    from gbdt_pwiser._files import check_writable, holds, refuse_foreign
    from gbdt_pwiser.evaluation.check import check as look_at
    from gbdt_pwiser.report import require_report_extra
    from gbdt_pwiser.report.check import format_check
    from gbdt_pwiser.report.check_page import write_check_report
    from gbdt_pwiser.sources import load

    if page:
        require_report_extra()
        check_writable(page.parent)
        refuse_foreign(page.parent, {page.name: holds(b"<h2>How this was made</h2>")})
    found = look_at(load(dataset, data_dir=data_dir))
    if page:  # before anything is printed: who reads it may have gone
        write_check_report(page, found, command=shlex.join(["gbdt-pwiser", *sys.argv[1:]]))
    result(json.dumps(found.record(), indent=2) if as_json else format_check(found))
    if page:
        also_told(page)
