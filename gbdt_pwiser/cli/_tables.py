"""Tables on a terminal by rich; anywhere else the plain text that they always were."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gbdt_pwiser.cli._telling import is_terminal, result, results

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from gbdt_pwiser.report.table import Table, Told


def show(told: Told) -> None:
    """Print lines and tables on standard output.

    A table that is wider than the terminal goes on below, with its first columns again: nothing is cut.
    """
    from gbdt_pwiser.report.table import as_text

    if not is_terminal():
        result(as_text(told))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=results(), highlight=False)
    for part in told:
        if isinstance(part, str):
            console.print(Text(part))
            continue
        for drawn in _fitting(part, console):
            console.print(drawn, soft_wrap=isinstance(drawn, str), markup=False)


def _fitting(table: Table, console: Console) -> list[RenderableType]:
    """Return the table in pieces that fit; as plain text where not even one column does."""
    from gbdt_pwiser.report.table import as_text

    keys, columns = list(range(table.keys)), len(table.rows[0])
    pieces: list[list[int]] = []
    for column in range(table.keys, columns):
        if not _fits(table, [*keys, column], console):
            return [as_text([table])]
        if pieces and _fits(table, [*keys, *pieces[-1], column], console):
            pieces[-1].append(column)
        else:
            pieces.append([column])
    return [_drawn(table, [*keys, *piece]) for piece in pieces]


def _fits(table: Table, columns: list[int], console: Console) -> bool:
    unbounded = console.options.update(max_width=sys.maxsize)
    return console.measure(_drawn(table, columns), options=unbounded).maximum <= console.width


def _drawn(table: Table, columns: list[int]) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    headings, rows = table.rows[: table.headings], table.rows[table.headings :]
    headings = [row for row in headings if any(row[column].strip() for column in columns)]
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        told = "\n".join(row[column].rstrip() for row in headings)
        left = column < 2  # as in plain text
        drawn.add_column(Text(told), justify="left" if left else "right", vertical="bottom", no_wrap=True)
    for row in rows:
        # A star says that a gain is no chance; what it is of stands above it.
        is_gain = any("gain" in cell for cell in row[: table.keys])
        drawn.add_row(
            *(Text(row[column], style=_style(row[column], is_gain)) for column in columns),
        )
    return drawn


def _style(cell: str, is_gain: bool) -> str:
    if not is_gain:
        return ""
    return "bold cyan" if cell.endswith("*") else "dim"
