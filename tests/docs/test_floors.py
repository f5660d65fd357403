"""Flowcharts of pages are drawn as rows, or refused."""

import pytest

from tests.docs.pages import blocks, extension

pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def floors():
    return extension("floors")


def test_the_floors_of_the_house_have_the_importers_above(floors):
    (chart,) = blocks("docs/development/architecture.md", "mermaid")
    rows = [[label.partition(":")[0] for label in row] for row in floors.rows_of(chart)]
    assert rows[0] == ["cli"]
    assert rows[-1] == ["objectives"]
    place = {name: number for number, row in enumerate(rows) for name in row}
    assert place["evaluation"] < place["models"] < place["metrics"] == place["sources"] < place["data"]


@pytest.mark.parametrize(
    ("chart", "told"),
    [
        ("flowchart LR\n  a --> b", "flowchart TD"),
        ("flowchart TD\n  a --> b & c\n  b --> d", "does not begin with all boxes"),
        ("flowchart TD\n  a -->|yes| b", "is no box"),
    ],
)
def test_what_is_not_rows_is_refused(floors, chart, told):
    with pytest.raises(ValueError, match=told):
        floors.rows_of(chart)
