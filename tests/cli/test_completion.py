"""What the tab key completes, by the shell completion of click."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from gbdt_pwiser.cli import COMMANDS, cli
from gbdt_pwiser.cli._choices import DATASETS, LOSSES, METRICS, MODELS
from gbdt_pwiser.models import NetworkSettings


def completed(*words):
    """Return what could stand in the place of the last word: (kind, text)."""
    *before, last = words
    shell = ShellComplete(cli, {}, "gbdt-pwiser", "_GBDT_PWISER_COMPLETE")
    return [(item.type, item.value) for item in shell.get_completions(before, last)]


def plain(values):
    return [("plain", value) for value in values]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ([""], COMMANDS),
        (["t"], ["tune", "train"]),
        (["compare", "--mo"], ["--model"]),
        (["compare", "--qu"], ["--quiet"]),
        (["compare", "--model", ""], MODELS),
        (["compare", "--model", "xgboost", "--model", "xg"], ["xgboost", "xgboost_shared"]),
        (["train", "--loss", ""], LOSSES),
        (["tune", "--dataset", ""], DATASETS),
        (["check", "s"], ["simulated"]),
        (["tune", "--surrogate", ""], ["hinge", "squared_hinge", "logistic"]),
        (["tune", "--metric", ""], METRICS),
        (["tune", "--metric", "ndcg@1"], ["ndcg@1", "ndcg@10"]),
        (["tune", "--pareto", "ctr_auc,ctcvr_a"], ["ctr_auc,ctcvr_auc"]),
        (["train", "--stop-by", "log"], []),  # no booster stops by it
        (["compare", "--against", "xgboost:pw"], ["xgboost:pwiser"]),
        (["compare", "--network", "drop"], ["dropout="]),
        (["compare", "--set", "booster.ro"], ["booster.rounds="]),
        (["forget", "--model", "xg"], []),
        (["compare", "--rounds", "many", "--model", "ai"], ["aitm"]),  # what is wrong is told later
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_names(words, values):
    assert completed(*words) == plain(values)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["compare", "--params", "be"], "file"),
        (["compare", "--output", "re"], "dir"),
        (["predict", "--input", ""], "file"),
        (["predict", "--model", "m"], "file"),
        (["compare", "--dataset", "./mi"], "file"),
        (["prepare", "--dataset", "s"], "file"),  # simulated data need no preparing
        (["report", "r"], "dir"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_paths_are_left_to_the_shell(words, kind):
    assert completed(*words) == [(kind, words[-1])]


def test_every_setting_of_the_networks():
    assert completed("train", "--network", "") == plain(f"{name}=" for name in NetworkSettings().record())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell):
    done = _run({"_GBDT_PWISER_COMPLETE": f"{shell}_source"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "_GBDT_PWISER_COMPLETE=" in done.stdout


def test_bash_asks_and_gets_names():
    asked = {"COMP_WORDS": "gbdt-pwiser compare --dataset si", "COMP_CWORD": "3"}
    done = _run({"_GBDT_PWISER_COMPLETE": "bash_complete", **asked})
    assert (done.stdout, done.stderr) == ("plain,simulated\n", "")


def _run(environment):
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()"]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
