"""The pages of the documentation, and the code in them."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages() -> list[str]:
    """Return the README and every written page by their paths; tutorials are run when the site is built."""
    found = [path for path in DOCS.rglob("*.md") if not {"_build", "tutorials"} & set(path.parts)]
    return ["README.md", *sorted(str(path.relative_to(ROOT)) for path in found)]


def text_of(page: str) -> str:
    """Return a page as it is written."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language in a page.

    >>> len(blocks("README.md", "python"))
    2
    """
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def pages_with(language: str) -> list[str]:
    """Return the pages that have a block of the language."""
    return [page for page in pages() if blocks(page, language)]


def commands(page: str, program: str) -> list[list[str]]:
    """Return the words of each line of a page's code that begins with a program, comments left out."""
    text = text_of(page).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.lstrip().startswith(program)]
    settings = re.search(r'NET="(.*?)"', text_of("docs/explanation/networks.md"), re.DOTALL)
    assert settings
    return [shlex.split(line.replace("$NET", settings[1]), comments=True) for line in lines]


def extension(name: str) -> ModuleType:
    """Import what the site's builder is extended by, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
