"""Where clicks convert, in print and on the page."""

import re

import pytest

from gbdt_pwiser.evaluation.diagnosis import ClickTenths
from gbdt_pwiser.report import write_report
from gbdt_pwiser.report.clicks import format_clicks
from tests.report.made import made

RISING = ClickTenths("m", "bce", (0.1,) * 10, (200,) * 10, (4, 6, 10, 10, 10, 10, 10, 15, 25, 35))


def test_the_print_is_short_and_a_hint():
    heading, rates, ratio, *hint = format_clicks(RISING).splitlines()
    assert heading == (
        "conversions per click on validation, by tenth of the clicks, lowest pCTR of m bce first"
    )
    assert re.findall(r"[\d.]+%", rates) == [
        *("2.0%", "3.0%", "5.0%", "5.0%", "5.0%", "5.0%", "5.0%", "7.5%", "12.5%", "17.5%"),
    ]
    assert rates.endswith("  of 2,000 clicks, 135 of which convert")
    assert ratio.startswith("The fifth of highest pCTR converts 5.76 times as often as the lowest (95 % ")
    assert len(hint) == 2
    assert hint[0].startswith("A hint, no estimate of accidental clicks")


def test_with_few_conversions_it_tells_nothing():
    few = ClickTenths("m", "bce", (0.1,) * 10, (200,) * 10, (9,) * 10)
    told = format_clicks(few)
    assert told == "where this data lies: 90 clicks of validation convert, too few to tell; it takes 100"


def test_without_a_ratio_there_is_no_hint():
    told = format_clicks(ClickTenths("m", "bce", (0.1,), (2000,), (120,)))
    assert told.splitlines()[1:] == ["  6.0%  of 2,000 clicks, 120 of which convert"]


@pytest.mark.parametrize("conversions", [9, 10])
def test_the_page_draws_it_where_conversions_are_enough(tmp_path, conversions):
    results, details = made(models=("lightgbm",))
    details.clicks = [ClickTenths("lightgbm", "bce", (0.1,) * 10, (200,) * 10, (conversions,) * 10)]
    write_report(tmp_path / "report.html", results, details)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    drawn = conversions >= 10
    assert ("<h2>Where this data lies (a hint)</h2>" in text) == drawn
    assert ("lightgbm: The fifth of highest pCTR converts 1.00 times as often" in text) == drawn
    assert ("A hint, no estimate of accidental clicks" in text) == drawn
