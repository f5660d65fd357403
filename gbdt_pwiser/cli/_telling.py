"""How much a command tells on standard error: --quiet, --verbose, and the notes that they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import OUTPUT, option

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LEVEL: Final = "gbdt_pwiser.level"


def level_option(name: str, told: str) -> Callable[[Decorated], Decorated]:
    """Return an option --quiet or --verbose, of which a command line may have one."""

    def keep(ctx: click.Context, _: click.Parameter, given: bool) -> None:
        if given and ctx.meta.setdefault(_LEVEL, name) != name:
            raise input_error("--quiet and --verbose are both given; leave one of them out")

    return option(f"--{name}", is_flag=True, expose_value=False, callback=keep, panel=OUTPUT, help=told)


quiet_option = level_option("quiet", "No progress, warnings and notes on standard error; errors remain.")
verbose_option = level_option("verbose", "boosters: print the library's own log on standard error too.")


def is_quiet() -> bool:
    """Whether the command that runs is to tell nothing but its result."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(_LEVEL) == "quiet"


@contextmanager
def telling(ctx: click.Context) -> Iterator[None]:
    """Have the package tell as much as the command line asks for."""
    if not any(param.name == "quiet" for param in ctx.command.params):
        yield
        return
    from gbdt_pwiser.data.progress import telling as tell

    with tell(ctx.meta.get(_LEVEL, "usual")):
        yield


def note(text: str) -> None:
    """Tell on standard error what is worth knowing and no error."""
    if not is_quiet():
        click.echo(f"gbdt-pwiser: {text}", err=True)


def also_told(line: object) -> None:
    """Tell on standard error, as it is, what belongs beside the result: a path that was written, a doubt."""
    if not is_quiet():
        click.echo(line, err=True)
