"""What a command tells, and where: its result on standard output, all else on standard error.

While a command runs, what libraries print goes to standard error too: a pipe and --json hold the result
alone. --quiet leaves only errors on standard error, --verbose adds the boosters' own log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from typing import Any, Final, TextIO, TypeVar

import click

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import OUTPUT, option

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LEVEL: Final = "gbdt_pwiser.level"
_RESULTS: Final = "gbdt_pwiser.results"


def _level_option(name: str, told: str) -> Callable[[Decorated], Decorated]:
    """Return an option --quiet or --verbose, of which a command line may have one."""

    def keep(ctx: click.Context, _: click.Parameter, given: bool) -> None:
        if given and ctx.meta.setdefault(_LEVEL, name) != name:
            raise input_error("--quiet and --verbose are both given; leave one of them out")

    return option(f"--{name}", is_flag=True, expose_value=False, callback=keep, panel=OUTPUT, help=told)


quiet_option = _level_option("quiet", "No progress, warnings and notes on standard error; errors remain.")
verbose_option = _level_option("verbose", "boosters: print the library's own log on standard error too.")


def _meta(key: str, otherwise: Any) -> Any:
    context = click.get_current_context(silent=True)
    return otherwise if context is None else context.meta.get(key, otherwise)


def is_quiet() -> bool:
    """Whether the command that runs is to tell nothing but its result."""
    return bool(_meta(_LEVEL, "usual") == "quiet")


def results() -> TextIO:
    """Return standard output, which results go to."""
    stream: TextIO = _meta(_RESULTS, sys.stdout)
    return stream


def is_terminal() -> bool:
    """Whether standard output is a terminal that can show more than text."""
    return results().isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def telling(ctx: click.Context) -> Iterator[None]:
    """Run a command, telling as much as its options ask for."""
    from gbdt_pwiser.data.progress import telling as tell

    ctx.meta[_RESULTS] = sys.stdout
    try:
        with tell(ctx.meta.get(_LEVEL, "usual")), redirect_stdout(_AboveProgress()):
            yield
    finally:
        del ctx.meta[_RESULTS]


class _AboveProgress(TextIOBase):
    """Standard error, where lines stand above the progress and not in it; silent where quiet is wanted."""

    def write(self, text: str) -> int:
        from tqdm import tqdm

        if text and not is_quiet():
            tqdm.write(text, file=sys.stderr, end="")
        return len(text)


def result(text: object, *, end: str = "\n") -> None:
    """Print a result on standard output."""
    click.echo(f"{text}{end}", file=results(), nl=False)


def note(text: str) -> None:
    """Tell on standard error what is worth knowing and no error."""
    also_told(f"gbdt-pwiser: {text}")


def also_told(line: object) -> None:
    """Tell on standard error, as it is, what belongs beside the result: a path that was written, a doubt."""
    if not is_quiet():
        click.echo(line, err=True)
