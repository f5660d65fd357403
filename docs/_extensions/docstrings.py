"""How docstrings become pages: single backticks link to what they name, or are code where it has no page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.nodes import make_refnode

import gbdt_pwiser

FOREIGN = {"Dataset", "base_score"}  # words of LightGBM and XGBoost too, which running text means
TEXT = ".. code-block:: text"
PAGE = re.compile(r"`?\bdocs/([\w/]+)\.md`?")


def prepare(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Turn a docstring into reStructuredText as far as it is not."""
    if what == "data":
        lines[:] = _written_of(name)
    # Names of pages are links; one that is not there is a warning.
    lines[:] = [PAGE.sub(r":doc:`/\1`", line) for line in _formulas_as_they_are(lines)]


def _written_of(name: str) -> list[str]:
    """Return what stands below a constant where it is made; its value has only the words of its class."""
    room, _, constant = name.rpartition(".")
    for module in sorted(known for known in sys.modules if known.startswith(room)):
        written = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", constant))
        if written:
            return list(written)
    return []


def _formulas_as_they_are(lines: list[str]) -> Iterator[str]:
    """Yield the lines, with a directive before indented paragraphs, which are formulas and commands."""
    last = "::"  # the last line with words
    for number, line in enumerate(lines):
        follows = number > 0 and not lines[number - 1].strip()
        if line.startswith("    ") and follows and not last.startswith(" ") and not last.endswith("::"):
            yield from (TEXT, "")
        yield TEXT if line == "::" else line
        last = line if line.strip() else last


def skip_foreign(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a class has of another library, whose own site describes it."""
    function = getattr(obj, "fget", obj)
    foreign = not (getattr(function, "__module__", None) or "gbdt_pwiser").startswith("gbdt_pwiser")
    return True if foreign else None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Find what a name in a docstring stands for in other rooms than its own; without a page it is code."""
    if node.get("refdomain") != "py":
        return None
    return _link(app, node["refdoc"], node["reftarget"], content) or content


def link_code(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link the names in the code of running text: `gbdt_pwiser.NAME`, `make_dataset`, `PWiseRLoss(...)`.

    A word such as `compare` is left alone: as a rule the command is meant.
    """
    for code in list(doctree.findall(nodes.literal)):
        called = re.fullmatch(r"((?=\S*[A-Z._])[\w.]+)(\(.*\))?", code.astext())
        linked = {nodes.reference, nodes.title} & {type(parent) for parent in _parents(code)}
        if called and called[1] not in FOREIGN and not linked:
            code.replace_self(_link(app, page, called[1], code.deepcopy()) or code)


def _parents(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _link(app: Sphinx, page: str, target: str, content: nodes.TextElement) -> nodes.reference | None:
    """Return a link to the one public object of a name; None where there is none, or several."""
    prefix, _, name = target.removeprefix("gbdt_pwiser.").rpartition(".")
    room = re.escape(prefix) or gbdt_pwiser._ROOM_OF.get(name, r"\w+")
    objects = app.env.domains.python_domain.objects
    found = [full for full in objects if re.fullmatch(rf"gbdt_pwiser\.{room}\.{re.escape(name)}", full)]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, page, entry.docname, entry.node_id, content, found[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", prepare, priority=400)  # before napoleon, at 500
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("missing-reference", resolve)
    app.connect("doctree-resolved", link_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
