"""Ends a build whose pages would fetch something from elsewhere when they are read."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ELSEWHERE = r"(?:https?:)?//[^\"]*"
FETCHED = re.compile(
    rf'<(?:script|img|iframe|source|video)\b[^>]*\bsrc="{ELSEWHERE}|<link\b[^>]*\bhref="{ELSEWHERE}'
)


def check(app: Sphinx, error: Exception | None) -> None:
    """Raise ExtensionError for the first page that needs another host."""
    if error is None and app.builder.format == "html":
        for page in sorted(Path(app.outdir).rglob("*.html")):
            found = FETCHED.search(page.read_text(encoding="utf-8"))
            if found:
                raise ExtensionError(f"{page.relative_to(app.outdir)} needs another host: {found[0]}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Check at the end."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
