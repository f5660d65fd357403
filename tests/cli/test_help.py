"""The pages of help: headings, choices, examples, and how they look on a terminal and in a pipe."""

import os
import pty
import re
import shlex
import subprocess
import sys

import click
import pytest

from gbdt_pwiser.calibration import Method
from gbdt_pwiser.cli import COMMANDS, _choices, cli
from gbdt_pwiser.cli._headings import HEADINGS
from gbdt_pwiser.export import FORMATS
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.models import LOSSES, MODELS
from gbdt_pwiser.models.boosters import BOOSTERS
from gbdt_pwiser.models.spec import DEVICES
from gbdt_pwiser.objectives import SURROGATES, PWiseRLoss
from gbdt_pwiser.sources.registry import NAMES, RELEASED
from gbdt_pwiser.tuning._storage import PRUNERS, SAMPLERS
from tests.command_line import refused

GROUP = click.Context(cli, info_name="gbdt-pwiser")
PAGES = {name: cli.get_command(GROUP, name) for name in COMMANDS}


def options(name):
    """Return the options of a command by their name on the command line."""
    return {p.opts[0]: p for p in PAGES[name].params if isinstance(p, click.Option)}


# ------------------------------------------------------------------------------ choices and defaults


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (_choices.MODELS, MODELS),
        (_choices.BOOSTERS, BOOSTERS),
        (_choices.LOSSES, LOSSES),
        (_choices.DATASETS, NAMES),
        (_choices.RELEASED, RELEASED),
        (_choices.METRICS, [n for n, metric in METRICS.items() if metric.higher_is_better is not None]),
        (_choices.RANKING, [n for n, metric in METRICS.items() if metric.ranks_by_pctr]),
        (_choices.CALIBRATIONS, Method.__args__),
        (options("tune")["--sampler"].type.choices, SAMPLERS),
        (options("tune")["--pruner"].type.choices, PRUNERS),
        (options("tune")["--surrogate"].type.choices, SURROGATES),
        (options("export")["--format"].type.choices, FORMATS),
        (options("train")["--device"].type.choices, DEVICES),
    ],
)
def test_names_are_those_that_the_package_knows(written, known):
    assert list(written) == list(known)


@pytest.mark.parametrize("name", ["compare", "train", "tune"])
def test_defaults_of_the_loss_are_its_own(name):
    needed = ["--dataset", "us", *(["--output", "x"] if name == "train" else [])]
    params = PAGES[name].make_context(name, needed).params
    loss = PWiseRLoss()
    for field in ("click_margin", "impression_margin", "surrogate", "scale", "pairs", "warm_up"):
        assert params[field] == getattr(loss, field)
    if name == "tune":
        assert params["weight"] == loss.weight


# ------------------------------------------------------------------------------ headings


def test_an_option_stands_under_the_same_heading_in_every_command():
    under = {}
    for name in COMMANDS:
        for flag, option in options(name).items():
            assert option.panel in HEADINGS, (name, flag)
            under.setdefault(flag, set()).add(option.panel)
    several = {flag for flag, headings in under.items() if len(headings) > 1}
    assert several == {"--model", "--loss"}  # which compare compares


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_in_a_pipe(run, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    page, _, examples = out.partition("\nExamples:\n")
    assert max(map(len, page.splitlines())) <= 80
    headings = re.findall("^([A-Z].*):$", page, re.M)
    assert headings == [heading for heading in HEADINGS if heading in headings]
    assert headings[-1] == "Output"
    for flag, option in [*options(name).items(), ("--help", None)]:
        (line,) = re.findall(rf"^  {flag}(?: .*)?$", page, re.M)
        if option is not None and isinstance(option.type, click.Choice) and "[" in line:
            assert f"[{'|'.join(option.type.choices)}]" in line
    assert examples.splitlines() == [f"  gbdt-pwiser {line}" for line in PAGES[name].examples]


def test_a_wide_terminal_is_not_filled(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    page = run("compare", "--help")[1].partition("\nExamples:\n")[0]
    assert 80 < max(map(len, page.splitlines())) <= 110


def test_no_page_in_a_pipe_needs_a_library():
    code = (
        "import sys; from gbdt_pwiser.cli import COMMANDS, cli\n"
        "for name in COMMANDS: cli.main([name, '--help'], standalone_mode=False)\n"
        "print({'numpy', 'scipy', 'polars', 'tqdm', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("\nset()\n"), done.stderr


# ------------------------------------------------------------------------------ examples


@pytest.mark.parametrize(("name", "line"), [(n, line) for n in COMMANDS for line in PAGES[n].examples])
def test_an_example_is_understood(name, line):
    words = shlex.split(line)
    if ">" in words:
        words = words[: words.index(">")]
    assert words[0] == name
    context = PAGES[name].make_context(name, words[1:], parent=GROUP)
    flags = {word for word in words if word.startswith("--")}
    given = [p for p in options(name).values() if context.get_parameter_source(p.name).name == "COMMANDLINE"]
    assert flags - {"--quiet"} == {option.opts[0] for option in given} - {"--quiet"}  # which is no value
    for param in PAGES[name].params:  # the names in it are known
        if type(param.type) is _choices.OneOf and param.name in context.params:
            value = context.params[param.name]
            values = value if isinstance(value, tuple) else (value,)
            assert set(values) <= {*param.type.choices, None}


def test_every_command_has_an_example():
    assert all(PAGES[name].examples for name in COMMANDS)


# ------------------------------------------------------------------------------ terminals


def on_a_terminal(*arguments, **environment):
    """Return what the command line prints on a terminal of 90 columns."""
    main, side = pty.openpty()
    command = [sys.executable, "-c", "from gbdt_pwiser.cli import main; main()", *arguments]
    kept = {n: v for n, v in os.environ.items() if n not in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS")}
    environment = {**kept, "TERM": "xterm-256color", "COLUMNS": "90", **environment}
    with subprocess.Popen(command, stdout=side, stderr=side, stdin=side, env=environment) as process:
        os.close(side)
        told = b""
        while True:
            try:
                piece = os.read(main, 1 << 16)
            except OSError:  # how Linux says that the other side is closed
                break
            if not piece:
                break
            told += piece
    os.close(main)
    return process.returncode, told.decode().replace("\r\n", "\n")


def test_a_page_on_a_terminal_has_colours_and_all_options():
    code, told = on_a_terminal("compare", "--help")
    plain = re.sub("\x1b\\[[0-9;]*m", "", told)
    assert code == 0
    assert plain != told
    assert re.search("\x1b\\[[0-9;]*3[0-7]m", told)
    assert all(f"{heading}:" in plain for heading in {o.panel for o in options("compare").values()})
    assert all(re.search(rf"^ *{flag} ", plain, re.M) for flag in [*options("compare"), "--help"])
    assert "<hinge|squared_hinge|logistic>" in plain
    assert all(f"gbdt-pwiser {line}\n" in plain for line in PAGES["compare"].examples)


def test_the_list_of_commands_on_a_terminal():
    plain = re.sub("\x1b\\[[0-9;]*m", "", on_a_terminal()[1])
    listed = [line.split(maxsplit=1) for line in plain.partition("Commands:\n")[2].splitlines()]
    assert [[name, purpose.rstrip()] for name, purpose in listed] == [
        [n, p] for n, (_, p) in COMMANDS.items()
    ]
    assert "_GBDT_PWISER_COMPLETE=bash_source" in plain


def test_a_terminal_without_colours():
    assert not re.search("\x1b\\[[0-9;]*[34][0-9]m", on_a_terminal("check", "--help", NO_COLOR="1")[1])


def test_a_dumb_terminal_gets_what_a_pipe_gets(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    assert on_a_terminal("check", "--help", TERM="dumb") == run("check", "--help")[:2]


def test_an_error_on_a_terminal_is_one_plain_line():
    code, told = on_a_terminal("compare", "--dataset", "simulated", "--surrogate", "hing")
    assert code == 2
    assert told == (
        "gbdt-pwiser: unknown surrogate 'hing' (did you mean hinge?); choose one of hinge, squared_hinge, "
        "logistic\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["compare"],
            "Missing option '--dataset'. Choose one of us, nl, fr, es, ccp, simulated, or give the path of a "
            "description (.toml)",
        ),
        (
            ["export", "--model", "m", "--output", "o"],
            "Missing option '--format'. Choose one of native, onnx",
        ),
    ],
)
def test_what_is_missing_is_told_with_what_there_is(run, arguments, message):
    assert refused(run(*arguments)) == message
