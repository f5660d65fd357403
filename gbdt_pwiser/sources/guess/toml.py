"""Values and comments as TOML has them."""

from __future__ import annotations

import json
from collections.abc import Mapping

WIDTH = 110


def quoted(text: str) -> str:
    r"""Return a text as a TOML string, of which `tomllib` reads the same.

    Examples
    --------
    >>> print(quoted('a "b"'), quoted("a'\n"))
    'a "b"' "a'\n"
    """
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def comment(text: str) -> str:
    """Return a text as a comment, control characters as Python writes them."""
    return "# " + "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def key_line(key: str, value: str | int, note: str = "") -> str:
    """Return `key = value`, a text in quotes, the note behind it where there is room, else above."""
    line = f"{key} = {quoted(value) if isinstance(value, str) else value}"
    if not note:
        return line
    together = f"{line}  {comment(note)}"
    return together if len(together) <= WIDTH else f"{comment(note)}\n{line}"


def list_lines(key: str, notes: Mapping[str, str]) -> str:
    """Return a list of texts, each on a line with its note."""
    items = [f"    {quoted(value)},  {comment(note)}" for value, note in notes.items()]
    return "\n".join([f"{key} = [", *items, "]"])
