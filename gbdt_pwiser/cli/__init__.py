"""The command line: `gbdt-pwiser prepare | datasets | compare | report | ...`, one module a command."""

from __future__ import annotations

import sys

import click

from gbdt_pwiser import __version__
from gbdt_pwiser.cli._compare import compare
from gbdt_pwiser.cli._data import datasets, prepare
from gbdt_pwiser.cli._predict import predict
from gbdt_pwiser.cli._report import report
from gbdt_pwiser.cli._train import train
from gbdt_pwiser.cli._tune import tune
from gbdt_pwiser.objectives import InputError

# Libraries that take seconds to import are imported by the command that needs them.


@click.group()
@click.version_option(__version__, prog_name="gbdt-pwiser")
def cli() -> None:
    """BCE+PWiseR for LightGBM, XGBoost and networks: prepare data, compare losses, tune the weight, serve."""


for command in (prepare, datasets, compare, report, tune, train, predict):
    cli.add_command(command)


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        cli.main(sys.argv[1:] or ["--help"], standalone_mode=False)
    except InputError as error:
        _fail(str(error))
    except click.ClickException as error:
        _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("gbdt-pwiser: interrupted", err=True)
        sys.exit(130)
    except OSError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    click.echo("gbdt-pwiser: " + " ".join(message.split()), err=True)
    sys.exit(2)
