"""What the page for those who come from elsewhere says is called so here, is called so here."""

import ast
import importlib
import inspect
import re

import click
import pytest

import gbdt_pwiser
from gbdt_pwiser.cli import cli
from gbdt_pwiser.models import LOSSES, MODELS, NetworkSettings
from tests.docs.pages import text_of

ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in text_of("docs/guides/coming_from.md").splitlines()
    if line.startswith("| ")
]
HERE = sorted({code for row in ROWS for code in re.findall(r"`([^`]+)`", row[-1])})
COMMANDS = {name: cli.get_command(click.Context(cli), name) for name in cli.list_commands(click.Context(cli))}
OPTIONS = {
    option for command in COMMANDS.values() for parameter in command.params for option in parameter.opts
}
ROOMS = ["objectives", "sklearn", "models"]


def public(name):
    for module in [gbdt_pwiser, *(importlib.import_module(f"gbdt_pwiser.{room}") for room in ROOMS)]:
        if name in module.__all__:
            return getattr(module, name)
    return None


def calls(code):
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]


def test_every_table_is_read():
    assert len(ROWS) > 50
    assert all(len(row) == 2 for row in ROWS)


@pytest.mark.parametrize("code", [code for code in HERE if "--" in code])
def test_options_exist(code):
    words = code.split()
    for number, word in enumerate(words):
        if word.startswith("--"):
            assert word in OPTIONS
            value = words[number + 1] if number + 1 < len(words) else ""
            if word == "--model" and value.islower():
                assert value in MODELS
            if word == "--loss":
                assert value in LOSSES
            if word == "--network":
                for key, told in NetworkSettings.read([value]).items():
                    assert NetworkSettings().value(key) == told  # MTReclib's default is the default here
    if words[0] == "gbdt-pwiser":
        assert words[1] in COMMANDS


@pytest.mark.parametrize("code", [code for code in HERE if calls(code)])
def test_functions_take_these_arguments(code):
    for call in calls(code):
        if call.func.id == "fit":
            taken = inspect.signature(public("LGBMPWiseRClassifier").fit).parameters
        else:
            taken = inspect.signature(public(call.func.id)).parameters
        for keyword in call.keywords:
            assert keyword.arg in taken or call.func.id in ("PWiseRObjective",), code


def test_the_objective_takes_the_groups():
    assert gbdt_pwiser.PWiseRObjective(pairs="group").loss.pairs == "group"


NAMES = re.compile(r"(?:(?:feval|custom_metric)=)?([A-Z]\w+|make_\w+|xgboost_params|auc_\w+)")


@pytest.mark.parametrize("code", [code for code in HERE if NAMES.fullmatch(code)])
def test_names_exist(code):
    assert public(NAMES.fullmatch(code)[1]) is not None
