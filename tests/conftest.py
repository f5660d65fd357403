"""Settings of every test, hypothesis deterministic and untimed; and the command line as a fixture."""

import sys

import pytest
from hypothesis import settings

from gbdt_pwiser.cli import main

settings.register_profile("project", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("project")


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
