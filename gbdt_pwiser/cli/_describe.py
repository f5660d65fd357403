"""`gbdt-pwiser describe`."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import click

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.cli._options import text
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.objectives import InputError


@click.command()
@click.argument("source", type=PathOption(), metavar="FILE-OR-FOLDER")
@click.option(
    "--output",
    type=PathOption(),
    help="The description to write (.toml), which must not exist yet; else it is printed.",
)
@click.option("--click", "clicked", callback=text, metavar="COLUMN", help="The click, a column of 0 and 1.")
@click.option(
    "--conversion", "converted", callback=text, metavar="COLUMN", help="The conversion, a column of 0 and 1."
)
@click.option("--group", "group", callback=text, metavar="COLUMN", help="The search, page or user.")
@click.option("--time", "time", callback=text, metavar="COLUMN", help="When the exposure was.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def describe(
    source: Path,
    output: Path | None,
    clicked: str | None,
    converted: str | None,
    group: str | None,
    time: str | None,
    as_json: bool,
) -> None:
    """Guess what the columns of a Parquet or CSV file are, and write its description.

    A sample of the rows is looked at, and what is unsure told on standard error. Read the description before
    it is used: names and values tell much, and not all.
    """
    from gbdt_pwiser.sources.guess import describe as guess_of

    if output is not None:
        _check_new(output)
    folder = Path() if output is None else output.parent
    guess = guess_of(source, folder=folder, click=clicked, conversion=converted, group=group, time=time)
    if output is not None:
        with replacing_file(output) as place:
            place.write_text(guess.toml(), encoding="utf-8")
    if as_json:
        written = None if output is None else str(output)
        click.echo(json.dumps({"output": written, **guess.record()}, indent=2, ensure_ascii=False))
    else:
        click.echo(guess.toml() if output is None else output, nl=output is not None)
    for doubt in guess.unsure:
        click.echo(f"unsure: {doubt}", err=True)


def _check_new(output: Path) -> None:
    """Refuse what is no new .toml file."""
    if output.suffix != ".toml":
        raise InputError(f"--output is {output}; name it .toml, by which a description is known")
    if output.exists() or output.is_symlink():
        names = (output.with_stem(f"{output.stem}-{number}") for number in count(2))
        free = next(path for path in names if not path.exists())
        raise InputError(f"{output} exists, and is not overwritten; give another path, as {free}")
