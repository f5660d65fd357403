"""What the reference of a command shows beside its options: examples, and the headings of its help."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import click
from sphinx.application import Sphinx


def with_code(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Show lines that a help keeps as they are, behind its mark for that, as code."""
    lines[:] = [
        line
        for kept, block in groupby(lines, lambda line: line.startswith("| "))
        for line in (_code([line[2:].strip() for line in block]) if kept else block)
    ]


def with_examples(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Add the examples of a command, where it has any, below its usage."""
    examples = getattr(context.command, "examples", ())
    if examples:
        program = context.find_root().info_name
        lines.extend([".. rubric:: Examples", "", *_code([f"{program} {example}" for example in examples])])


def under_headings(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Sort the options of a command under the headings of its help, where it has them."""
    headings = getattr(context.command, "under_headings", None)
    if headings is None or isinstance(context.command, click.Group):
        return
    shown = [
        option for option in context.command.params if isinstance(option, click.Option) and not option.hidden
    ]
    starts = [number for number, line in enumerate(lines) if line.startswith(".. option::")]
    ends = [*starts[1:], len(lines)]
    block_of = {option.name: lines[start:end] for option, start, end in zip(shown, starts, ends, strict=True)}
    lines.clear()
    for heading, options in headings(context).items():
        blocks = [block_of[option.name] for option in options if option.name in block_of]
        if blocks:
            lines.extend([f"**{heading}**", "", *(line for block in blocks for line in block)])


def _code(lines: list[str]) -> Iterator[str]:
    yield from (".. code-block:: shell", "")
    yield from (f"    {line}" for line in lines)
    yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above; sphinx-click, which emits these events, comes before."""
    app.connect("sphinx-click-process-description", with_code)
    app.connect("sphinx-click-process-usage", with_examples)
    app.connect("sphinx-click-process-options", under_headings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
