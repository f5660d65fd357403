"""--quiet, --verbose, and what goes to standard output: the result alone."""

import json
import subprocess
import sys
import warnings

import pytest

from gbdt_pwiser.cli import COMMANDS, cli
from gbdt_pwiser.data import progress
from tests.command_line import COMPARE, SIMULATED, refused
from tests.folders import names
from tests.sources.guess.guessed import log

TRAINING = {"compare", "train", "tune"}


def flags(name):
    return {flag for param in cli.get_command(None, name).params for flag in param.opts}


def test_which_commands_have_them():
    assert {name for name in COMMANDS if "--verbose" in flags(name)} == TRAINING
    without = {"datasets", "export"}  # which have nothing to tell beside their result
    assert {name for name in COMMANDS if "--quiet" in flags(name)} == set(COMMANDS) - without


@pytest.mark.parametrize("order", [["--quiet", "--verbose"], ["--verbose", "--quiet"]])
@pytest.mark.parametrize("name", sorted(TRAINING))
def test_both_together_are_refused(run, untrained, tmp_path, order, name):
    told = refused(run(name, *SIMULATED, "--output", tmp_path / "new", *order))
    assert told == "--quiet and --verbose are both given; leave one of them out"
    assert names(tmp_path) == []


@pytest.mark.filterwarnings("default")
def test_quiet_leaves_out_notes_warnings_and_paths(run, tmp_path, monkeypatch):
    import gbdt_pwiser.evaluation as evaluation

    compare = evaluation.compare

    def warning(*args, **kwargs):
        warnings.warn("beware", stacklevel=1)
        return compare(*args, **kwargs)

    monkeypatch.setattr(evaluation, "compare", warning)
    losses = ["--loss", "bce", "--loss", "rank_pairwise"]  # which LightGBM lacks: a note
    arguments = [*COMPARE, *losses, "--bootstrap", "0"]
    loud = run(*arguments)
    assert loud[0] == 0
    assert "beware" in loud[2]
    assert "left out for lightgbm" in loud[2]
    quiet = run(*arguments, "--quiet")
    assert (quiet[0], quiet[2]) == (0, "")
    assert _without_times(quiet[1]) == _without_times(loud[1])


def _without_times(table):
    return table.partition("\ncost (")[0]


def test_quiet_keeps_errors(run):
    assert "unknown loss 'bse'" in refused(run(*COMPARE, "--loss", "bse", "--quiet"))


def test_quiet_leaves_out_doubts(run, tmp_path):
    log().with_columns(rank=log()["search_id"] % 5).write_parquet(tmp_path / "log.parquet")
    code, out, err = run("describe", tmp_path / "log.parquet")
    assert code == 0
    assert err.startswith("unsure: ")
    assert run("describe", tmp_path / "log.parquet", "--quiet") == (0, out, "")


@pytest.mark.parametrize(
    ("model", "line"), [("lightgbm", "[LightGBM] [Info]"), ("xgboost", "Finished constructing")]
)
def test_verbose_shows_the_log_of_the_library_on_standard_error(model, line):
    code, out, err = _process(*COMPARE, "--model", model, "--json", "--verbose")
    assert code == 0, err
    assert json.loads(out)
    assert line in err


@pytest.mark.parametrize("model", ["lightgbm", "xgboost"])
def test_otherwise_the_library_is_silent(model):
    code, out, err = _process(*COMPARE, "--model", model, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)


def test_what_a_library_prints_is_no_result():
    """XGBoost prints timings when a booster is thrown away, long after its training."""
    told = _process(*COMPARE, "--model", "xgboost", "--set", "booster.verbosity=3", "--json")
    assert told[0] == 0
    assert json.loads(told[1])
    assert "BoostNewTrees" in told[2]


def test_the_level_is_put_back(run):
    assert run(*COMPARE, "--loss", "bse", "--verbose")[0] == 2
    assert not progress.is_verbose()


def _process(*arguments):
    """Run the command line in a process of its own, whose standard output no test has replaced."""
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
