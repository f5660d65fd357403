"""The page of a comparison counts clicks whose conversion is open, where there are any."""

from gbdt_pwiser.evaluation.details import SplitSize
from gbdt_pwiser.report import write_report
from tests.report.made import made


def page(tmp_path, sizes):
    results, details = made()
    details.sizes = sizes
    write_report(tmp_path / "page.html", results, details)
    return (tmp_path / "page.html").read_text()


def test_the_page_counts_them(tmp_path):
    text = page(tmp_path, [SplitSize("train", 30_000, 2234, 250, 1234), SplitSize("test", 100, 10, 3)])
    sizes = text[text.index('aria-label="Split sizes"') :]
    sizes = sizes[: sizes.index("</table>")]
    assert '<th scope="col" class="number">open</th>' in sizes
    assert '<td class="number">1,234</td>' in sizes
    assert "250 (25.00% of decided clicks)" in sizes
    assert "3 (30.00% of clicks)" in sizes
    assert sizes.count("<tr>") == sizes.count("</tr>") == 3
    assert sizes.count("<td") == sizes.count("</td>") == 8


def test_it_is_silent_of_none(tmp_path):
    text = page(tmp_path, [SplitSize("train", 3000, 300, 30), SplitSize("test", 100, 10, 3)])
    assert '<th scope="col" class="number">open</th>' not in text


def test_no_rate_where_all_clicks_are_open(tmp_path):
    text = page(tmp_path, [SplitSize("train", 3000, 300, 0, 300)])
    assert '<td class="number">0</td>' in text
