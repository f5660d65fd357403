"""Settings of every test, hypothesis deterministic and untimed; the command line, and a model it trained."""

import gc
import sys

import pytest
from hypothesis import settings

from gbdt_pwiser.cli import cli, main
from tests.command_line import SIMULATED

settings.register_profile("project", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("project")


def pytest_collection_finish():
    """Leave what imports and collection made, which stays, out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gbdt-pwiser", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def untrained(monkeypatch):
    """Make every training an error: what a test refuses is refused before."""
    from tests.comparison import HARNESS

    monkeypatch.setattr(HARNESS, "fit", None)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with a model, as the command `train` leaves it, and exposures to predict; only to be read."""
    from gbdt_pwiser.sources import load

    folder = tmp_path_factory.mktemp("trained")
    train = ["train", *SIMULATED, "--weight", "0.1", "--output", str(folder / "model")]
    cli.main(train, standalone_mode=False)
    exposures = load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3).exposures
    exposures.features.write_parquet(folder / "new.parquet")
    return folder
