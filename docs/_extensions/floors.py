"""Draws the flowcharts of pages, written for Mermaid, as rows of boxes: no script, and none from elsewhere.

Of Mermaid's language it knows `flowchart TD` and lines such as `a["name: purpose"] & b --> c`, in which every
box of a row points to every box of the next.
"""

from __future__ import annotations

import re
from html import escape
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BOX = re.compile(r'(\w+)(?:\["([^"]+)"\])?')


def rows_of(chart: str) -> list[list[str]]:
    r"""Return the labels of the boxes, row by row.

    >>> rows_of('flowchart TD\n  a["A: first"] --> b & c["C"]\n  b & c --> d')
    [['A: first'], ['b', 'C'], ['d']]
    """
    first, *lines = chart.strip().splitlines()
    if first.split() != ["flowchart", "TD"]:
        raise ValueError(f"a flowchart begins with {first!r}; begin it with flowchart TD")
    labels: dict[str, str] = {}
    rows: list[list[str]] = []
    for line in filter(str.strip, lines):
        chain = [[_box(text, labels) for text in step.split(" & ")] for step in line.split("-->")]
        if rows and sorted(rows[-1]) != sorted(chain[0]):
            raise ValueError(f"{line.strip()!r} does not begin with all boxes of the row before it")
        rows.extend(chain[1:] if rows else chain)
    return [[labels[name] for name in row] for row in rows]


def _box(text: str, labels: dict[str, str]) -> str:
    found = BOX.fullmatch(text.strip())
    if not found:
        raise ValueError(f'{text.strip()!r} is no box; write name or name["label"]')
    name, label = found.groups()
    labels[name] = label or labels.get(name, name)
    return name


class Flowchart(SphinxDirective):
    """The block ```mermaid of a page."""

    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Return the rows as HTML, with an arrow between two."""
        try:
            rows = rows_of("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from None
        drawn = []
        for row in rows:
            parts = [label.partition(": ") for label in row]
            boxes = "".join(f"<li><b>{escape(name)}</b> {escape(what)}</li>" for name, _, what in parts)
            drawn.append(f"<ul>{boxes}</ul>")
        return [nodes.raw("", f'<div class="floors">{"".join(drawn)}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the block to its directive."""
    app.add_directive("mermaid", Flowchart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
