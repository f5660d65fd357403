"""`gbdt-pwiser check`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

from gbdt_pwiser._files import check_writable, holds, refuse_foreign
from gbdt_pwiser.cli._paths import PathOption


@click.command()
@click.argument("dataset")
@click.option("--data-dir", type=PathOption(file_okay=False), help="Where prepared data sets lie.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a screen.")
@click.option("--page", type=PathOption(dir_okay=False), help="File for a page (.html) of it.")
def check(dataset: str, data_dir: Path | None, as_json: bool, page: Path | None) -> None:
    """Tell of DATASET what can be seen without training: counts, leaks, drift, what its test can show.

    DATASET is us, nl, fr, es, ccp, simulated, or the path of a description (.toml).
    """
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
    click.echo(json.dumps(found.record(), indent=2) if as_json else format_check(found))
    if page:
        write_check_report(page, found, command=shlex.join(["gbdt-pwiser", *sys.argv[1:]]))
        click.echo(page, err=True)
