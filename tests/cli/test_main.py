"""What holds for every command: help, bad arguments, errors and warnings in one line, signals."""

import importlib
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import click
import pytest

from gbdt_pwiser import __version__, cli
from gbdt_pwiser.cli import COMMANDS
from tests.aliexpress import item_lines, write_lines
from tests.command_line import COMPARE, SIMULATED, refused
from tests.comparison import HARNESS
from tests.folders import names

# ------------------------------------------------------------------------------ help


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help(run, arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    listed = [line.split(maxsplit=1) for line in out.partition("Commands:\n")[2].splitlines()]
    assert listed == [[name, purpose] for name, (_, purpose) in COMMANDS.items()]


def test_every_command_is_in_the_list():
    modules = {path.stem for path in Path(cli.__file__).parent.glob("_*.py")}
    written = {
        name
        for module in modules - {"__init__"}
        for name, found in vars(importlib.import_module(f"gbdt_pwiser.cli.{module}")).items()
        if isinstance(found, click.Command)
    }
    assert written == set(COMMANDS)


def test_version(run):
    assert run("--version") == (0, f"gbdt-pwiser, version {__version__}\n", "")


def test_help_needs_no_library():
    heavy = {"polars", "lightgbm", "xgboost", "sklearn", "torch"}
    for arguments, unneeded in (
        (["--help"], heavy | {"numpy", "scipy"}),
        (["train", "--help"], heavy),
        (["predict", "--help"], heavy),
    ):
        code = (
            "import sys; from gbdt_pwiser.cli import cli\n"
            f"cli.main({arguments!r}, standalone_mode=False)\n"
            f"print({unneeded!r} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.endswith("set()\n"), done.stderr


# ------------------------------------------------------------------------------ errors and warnings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["forget"], "unknown command 'forget'; choose one of describe, check, prepare"),
        (["compar"], "unknown command 'compar' (did you mean compare?); choose one of"),
        (["--verbose"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(run, arguments, message):
    assert message in refused(run(*arguments))


def test_a_process_of_its_own_prints_no_traceback():
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()"]
    done = subprocess.run([*command, *COMPARE, "--exposures", "20"], capture_output=True, text=True)
    message = refused((done.returncode, done.stdout, done.stderr))
    assert "split of 'simulated' is empty" in message


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_source(run, monkeypatch):
    def known(_):
        warnings.warn("two\nlines", stacklevel=1)
        return []

    monkeypatch.setattr("gbdt_pwiser.sources.known_datasets", known)
    before = warnings.showwarning
    assert run("datasets") == (0, "", "gbdt-pwiser: warning: two lines\n")
    assert warnings.showwarning is before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/data"), "/data: Permission denied"),
        (OSError("a reason\nof two lines"), "a reason of two lines"),
        (
            MemoryError("of 8 GiB"),
            "there is not enough memory (of 8 GiB); give fewer exposures, or a smaller model",
        ),
    ],
)
def test_errors_of_the_system_are_one_line(run, monkeypatch, error, line):
    def known(_):
        raise error

    monkeypatch.setattr("gbdt_pwiser.sources.known_datasets", known)
    assert run("datasets") == (2, "", f"gbdt-pwiser: {line}\n")


def test_a_reader_that_has_enough():
    command = f"{sys.executable} -c 'from gbdt_pwiser.cli import main; main()' datasets | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert (done.returncode in (0, 1), done.stderr) == (True, "")  # 0: it was done before


# ------------------------------------------------------------------------------ signals


def test_an_interruption_is_one_line_too(run, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gbdt_pwiser.sources.load", interrupted)
    assert run(*COMPARE) == (130, "", "\ngbdt-pwiser: interrupted\n")  # a new line after ^C


@pytest.mark.parametrize(
    ("number", "code", "word"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")]
)
def test_a_stopped_command_leaves_nothing(released, tmp_path, number, code, word):
    """While lines are read and written, in other threads too."""
    for part in ("train", "test"):
        lines = item_lines(60, 6)
        write_lines(released / f"us_item_{part}.csv", lines * 120)
    started = "import sys, gbdt_pwiser.cli; print('ready', flush=True); gbdt_pwiser.cli.main()"
    command = [sys.executable, "-c", started, "prepare", "--dataset", "us"]
    process = subprocess.Popen(
        [*command, "--source", released, "--data-dir", tmp_path / "sets"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    waited = time.monotonic() + 30
    while not any((tmp_path / "sets").glob(".us.*/new/*")) and time.monotonic() < waited:
        time.sleep(0.002)
    process.send_signal(getattr(signal, number))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (code, f"gbdt-pwiser: {word}")
    assert out == "ready\n"
    assert names(tmp_path) == ["raw"]


def test_handlers_are_put_back(run):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run("datasets")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("wrap", [True, False])
def test_sigterm_in_the_middle_of_training(run, monkeypatch, tmp_path, wrap):
    def fit(*args):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except SystemExit as error:
            if wrap:  # as a library does that loads another one
                raise ImportError("could not be loaded") from error
            raise

    monkeypatch.setattr(HARNESS, "fit", fit)
    assert run("train", *SIMULATED, "--output", tmp_path / "model") == (143, "", "gbdt-pwiser: terminated\n")
    assert names(tmp_path) == []


@pytest.mark.parametrize("command", ["--help", "datasets"])
def test_a_closed_standard_output_is_no_error(command):
    program = f"import sys; from gbdt_pwiser.cli import main; sys.argv = ['gbdt-pwiser', '{command}']; main()"
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
