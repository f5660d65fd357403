"""Tables: plain text in a pipe, drawn on a terminal, whole at any width."""

import io
import re
import sys

import pytest

from gbdt_pwiser.cli._tables import show
from gbdt_pwiser.report.table import Table, as_text
from tests.command_line import COMPARE, SWEEP

TABLE = Table(
    [
        ["", "", "", "", "conversion ", ""],
        ["model", "loss", "weight", "CTR AUC ", "AUC ", "PCOC "],
        ["xgboost", "bce", "0", ".7123 ± .0004 ", ".6543 ± .0011 ", "1.002 ± .003 "],
        ["xgboost", "pwiser", "0.01", ".7125 ± .0004 ", ".6643 ± .0012 ", ".998 ± .003 "],
        ["", "  gain", "", "+.0002 ± .0002 ", "+.0100 ± .0012*", "-.004 ± .001 "],
    ],
    keys=3,
    headings=2,
)
TOLD = ["simulated, test split", "", TABLE, "", "± is the standard error."]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, width, told=TOLD, **environment):
    """Return what a terminal of a width gets."""
    terminal = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": str(width), "TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", terminal)
    show(told)
    return terminal.getvalue()


def plain(text):
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def cells(text):
    """Return what stands in a table, two blanks or more apart."""
    return {cell for line in text.splitlines() for cell in re.split(r" {2,}", line.strip()) if cell}


def test_in_a_pipe_it_is_text(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    show(TOLD)
    assert pipe.getvalue() == as_text(TOLD) + "\n"
    assert pipe.getvalue().splitlines()[2:5] == [
        "                                              conversion",
        "model    loss    weight         CTR AUC              AUC           PCOC",
        "xgboost  bce          0   .7123 ± .0004    .6543 ± .0011   1.002 ± .003",
    ]


def test_a_dumb_terminal_is_as_a_pipe(monkeypatch):
    assert shown(monkeypatch, 20, TERM="dumb") == as_text(TOLD) + "\n"


@pytest.mark.parametrize("width", [200, 80, 70, 60, 50])
def test_nothing_is_cut_and_no_line_is_longer_than_the_terminal(monkeypatch, width):
    told = plain(shown(monkeypatch, width))
    assert max(map(len, told.splitlines())) <= width
    assert "…" not in told
    numbers = {cell.strip() for row in TABLE.rows[2:] for cell in row if cell.strip()}
    assert numbers <= cells(told)
    assert told.count(".6643 ± .0012") == 1  # a column is shown once


def test_a_wide_table_goes_on_below_with_its_first_columns(monkeypatch):
    assert plain(shown(monkeypatch, 80)).count("pwiser") == 1
    assert plain(shown(monkeypatch, 50)).count("pwiser") == 3


def test_where_no_column_fits_it_is_text(monkeypatch):
    told = shown(monkeypatch, 20)
    assert as_text([TABLE]) in told


def test_a_gain_that_is_no_chance_stands_out(monkeypatch):
    told = shown(monkeypatch, 200)
    assert re.search("\x1b\\[1;36m *\\+\\.0100 ± \\.0012\\*", told)
    assert re.search("\x1b\\[2m *\\+\\.0002 ± \\.0002", told)
    assert "\x1b[36m" not in (without := shown(monkeypatch, 200, NO_COLOR="1"))
    assert "\x1b[1;36m" not in without
    assert plain(without) == plain(told)


def test_square_brackets_are_no_markup(monkeypatch):
    table = Table([["model", "AUC"], ["[bold]", "[0.5]"]], keys=1)
    assert {"[bold]", "[0.5]"} <= cells(plain(shown(monkeypatch, 80, ["[red]", table])))


@pytest.mark.parametrize("arguments", [COMPARE, SWEEP], ids=["compare", "sweep"])
def test_a_comparison_says_the_same_on_a_terminal(run, monkeypatch, arguments):
    """Word for word, but for the lines under headings and the seconds."""
    code, out, _ = run(*arguments, "--bootstrap", "0")
    assert code == 0
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run(*arguments, "--bootstrap", "0")[0] == 0

    def words(text):
        return [w for w in text.split() if not re.fullmatch(r"─+|\d+\.\d\d?", w)]

    assert words(plain(terminal.getvalue())) == words(out)
