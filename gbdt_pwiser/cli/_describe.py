"""`gbdt-pwiser describe`."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import click

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import DATA, OUTPUT, option
from gbdt_pwiser.cli._help import command
from gbdt_pwiser.cli._options import json_option, text
from gbdt_pwiser.cli._paths import PathOption
from gbdt_pwiser.cli._telling import also_told, quiet_option, result


@command(
    [
        "describe log.parquet --output mine.toml",
        "describe logs --click clicked --conversion bought --group search --time at",
    ]
)
@click.argument("source", type=PathOption(), metavar="FILE-OR-FOLDER")
@option(
    "--output",
    type=PathOption(),
    help="The description to write (.toml), which must not exist yet; else it is printed.",
    panel=OUTPUT,
)
@option(
    "--click",
    "clicked",
    callback=text,
    metavar="COLUMN",
    help="The click, a column of 0 and 1.",
    panel=DATA,
)
@option(
    "--conversion",
    "converted",
    callback=text,
    metavar="COLUMN",
    help="The conversion, a column of 0 and 1.",
    panel=DATA,
)
@option(
    "--group",
    "group",
    callback=text,
    metavar="COLUMN",
    help="The search, page or user.",
    panel=DATA,
)
@option(
    "--time",
    "time",
    callback=text,
    metavar="COLUMN",
    help="When the exposure was.",
    panel=DATA,
)
@json_option
@quiet_option
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
    from gbdt_pwiser._files import replacing_file
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
        result(json.dumps({"output": written, **guess.record()}, indent=2, ensure_ascii=False))
    else:
        result(guess.toml() if output is None else output, end="" if output is None else "\n")
    for doubt in guess.unsure:
        also_told(f"unsure: {doubt}")


def _check_new(output: Path) -> None:
    """Refuse what is no new .toml file."""
    if output.suffix != ".toml":
        raise input_error(f"--output is {output}; name it .toml, by which a description is known")
    if output.exists() or output.is_symlink():
        names = (output.with_stem(f"{output.stem}-{number}") for number in count(2))
        free = next(path for path in names if not path.exists())
        raise input_error(f"{output} exists, and is not overwritten; give another path, as {free}")
