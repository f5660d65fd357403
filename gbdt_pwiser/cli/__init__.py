"""The command line: `gbdt-pwiser prepare | datasets | compare | report | ...`, one module a command."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

import click

from gbdt_pwiser._version import __version__
from gbdt_pwiser.cli._help import Group
from gbdt_pwiser.cli._telling import is_quiet

NAME: Final = "gbdt-pwiser"

# In the order in which they are used: the module, and what the command is for.
COMMANDS: Final = {
    "describe": ("_describe", "Guess what the columns of a file are, and write it down."),
    "check": ("_check", "Look at a data set before anything is trained."),
    "prepare": ("_data", "Turn files of any size into a prepared set."),
    "datasets": ("_data", "List the data sets that are known."),
    "compare": ("_compare", "Train models with and without PWiseR, print the difference."),
    "report": ("_report", "Make the page of a comparison again."),
    "tune": ("_tune", "Search the pairwise weight, then prove the gain."),
    "train": ("_train", "Train one model, or go on from one, into a folder."),
    "predict": ("_predict", "Predict a file of any size with a trained model."),
    "export": ("_export", "Write a trained model as one file for other libraries."),
}


class _Commands(Group):
    """The commands, whose modules, and the libraries behind them, are imported when they are run."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # a shell asks what could be completed: nothing
                return None
            from gbdt_pwiser.objectives.errors import unknown

            raise unknown("command", cmd_name, COMMANDS)
        command = getattr(import_module(f"gbdt_pwiser.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


_HELP: Final = """BCE+PWiseR for LightGBM, XGBoost and networks: prepare data, compare losses, tune, serve.

Each command has its options and examples: gbdt-pwiser compare --help

The tab key completes commands, options, models, metrics and data sets once the shell has read this; for
zsh and fish it is zsh_source and fish_source:

\b
  eval "$(_GBDT_PWISER_COMPLETE=bash_source gbdt-pwiser)"
"""


@click.group(cls=_Commands, purposes={name: purpose for name, (_, purpose) in COMMANDS.items()}, help=_HELP)
@click.version_option(__version__, prog_name=NAME)
def cli() -> None:
    """Run one of the commands."""


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2.

    An interrupt ends it with 130 and SIGTERM with 143, both without anything half-written.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started the program
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the program
    stopped: list[int] = []
    try:
        with _signals(stopped), _warnings_in_one_line():
            cli.main(sys.argv[1:] or ["--help"], prog_name=NAME, standalone_mode=False)
    except BaseException as error:
        if _is_stop(error, stopped):
            code = stopped[-1] if stopped else signal.SIGINT
            click.echo(f"gbdt-pwiser: {'terminated' if code == signal.SIGTERM else 'interrupted'}", err=True)
            sys.exit(128 + code)
        message = _in_one_line(error)
        if message is None:
            raise
        click.echo(f"gbdt-pwiser: {message}", err=True)
        sys.exit(2)


def _is_stop(error: BaseException | None, stopped: Sequence[int]) -> bool:
    """Whether a signal is behind an error: libraries wrap one, or swallow it and then fail."""
    if stopped:
        return True
    while error is not None:
        if isinstance(error, click.Abort | KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_one_line(error: BaseException) -> str | None:
    """Return what to tell a user of an error; None for one that is a fault of this program."""
    from gbdt_pwiser.objectives import InputError

    match error:
        case InputError():
            told = str(error)
        case click.ClickException():
            told = error.format_message()
        case OSError(filename=str(name), strerror=str(reason)):
            told = f"{name}: {reason}"
        case OSError():
            told = str(error)
        case MemoryError():
            told = f"there is not enough memory ({error}); give fewer exposures, or a smaller model"
        case _:
            return None
    return " ".join(told.split())


@contextmanager
def _signals(stopped: list[int]) -> Iterator[None]:
    """Let SIGTERM unwind the program as an interrupt does, and note which of the two came."""

    def note(number: int, _: FrameType | None) -> NoReturn:
        stopped.append(number)
        sys.unraisablehook = lambda _: (
            None
        )  # what is raised inside a callback of a library has no other way out
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print warnings as the errors are: without file, line and source."""

    def show(message: Warning | str, *_: object) -> None:
        if is_quiet():
            return
        told = "gbdt-pwiser: warning: " + " ".join(str(message).split())
        tqdm = sys.modules.get("tqdm")
        if tqdm is None:
            click.echo(told, err=True)
        else:  # above a progress bar, not into it
            tqdm.tqdm.write(told, file=sys.stderr)

    before = warnings.showwarning
    warnings.showwarning = show  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.showwarning = before
