"""Links that the site's builder does not see: of files outside `docs`, and the names of pages in the code."""

import re

import pytest

from tests.docs.pages import DOCS, ROOT, pages, text_of

NAMING = [
    path
    for folder in ("benchmarks", "gbdt_pwiser", "objectives", "tuning", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "docs/" in path.read_text(encoding="utf-8")
]


def anchors(page):
    """Return the anchors of a page's headings, as the builder and GitHub make them."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*pages(), "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text_of(page)):
        if not target.startswith(("http:", "https:")):
            found = (ROOT / page).parent / target if target else ROOT / page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found.read_text(encoding="utf-8")), (target, anchor)


@pytest.mark.parametrize("path", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_that_the_code_names_exist(path):
    for named in re.findall(r"docs/([\w/]+\.(?:md|svg|toml))", path.read_text(encoding="utf-8")):
        assert (DOCS / named).exists(), named
