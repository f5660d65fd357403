"""Figures of a page that the package has written, for a page of this site."""

from __future__ import annotations

import re
from pathlib import Path

from IPython.display import HTML

_STYLE = """<style>
.of-report figure { margin: 1rem 0; } .of-report svg { display: block; width: 100%; height: auto; }
.of-report svg text { font-family: inherit !important; }
.of-report :is(figcaption, li) { font-size: .9rem; text-align: left; }
.of-report figcaption { color: var(--pst-color-text-muted); }
</style>"""


def figure(page: str, label: str) -> HTML:
    """Return the figure whose plot a screen reader calls `label`; ValueError where the page has none."""
    figures = re.findall(r"<figure>.*?</figure>", Path(page).read_text(encoding="utf-8"), re.DOTALL)
    found = [text for text in figures if f'aria-label="{label}"' in text]
    if len(found) != 1:
        labels = re.findall(r'aria-label="(Plot [^"]*)"', "".join(figures))
        raise ValueError(f"{page} has no figure {label!r}; it has {', '.join(labels)}")
    return HTML(f'{_STYLE}<div class="of-report">{found[0]}</div>')
