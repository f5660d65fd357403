"""What texts say: numbers, dates, times, or themselves."""

from __future__ import annotations

import datetime
import math

import polars as pl
import pytest

from gbdt_pwiser.sources.text.values import Look, typed


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "2"], [1, 2]),
        (["+1", " -2 "], [1, -2]),
        (["1", "2.0"], [1.0, 2.0]),
        (["1", "-inf"], [1.0, -math.inf]),
        (["1", "1e400"], ["1", "1e400"]),
        (["1e3", ".5"], [1000.0, 0.5]),
        ([None, None], [None, None]),
        ([str(2**63), "1"], [2**63, 1]),
        ([str(2**64 + 1), str(2**64)], [2**64 + 1, 2**64]),
        (["TRUE", "False"], [True, False]),
        (["true", "1"], ["true", "1"]),
        ([" a", "1"], [" a", "1"]),
        (["2024-01-05", None], [datetime.date(2024, 1, 5), None]),
        (["2024-01-05", "2024-01-05 10:00"], [datetime.datetime(2024, 1, 5, h) for h in (0, 10)]),
        (["2024-01-05T10:00:01.5"], [datetime.datetime(2024, 1, 5, 10, 0, 1, 500_000)]),
        (["2024-01-05", "05/01/2024"], ["2024-01-05", "05/01/2024"]),
        (["05/01/2024", "06/01/2024"], ["05/01/2024", "06/01/2024"]),
        (["2024-02-30"], ["2024-02-30"]),
        (["2024-01-05 10:00Z", "2024-01-05 10:00"], ["2024-01-05 10:00Z", "2024-01-05 10:00"]),
    ],
)
def test_types(texts: list[str | None], values: list[object]) -> None:
    found = typed(pl.Series(texts, dtype=pl.String)).to_list()
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-05T12:30:00+02:00", "2024-01-05 12:30+0200", "2024-01-05T10:30Z"),
        *("2024-01-05 12:30:00+02", "2024-01-05T10:30:00.000Z", "2024-01-05T05:30:00-05:00"),
        "2024-01-04T22:00:00-1230",
    ],
)  # fmt: skip
def test_an_offset_is_taken_off(text: str) -> None:
    [found] = typed(pl.Series([text])).to_list()
    assert found == datetime.datetime(2024, 1, 5, 10, 30, tzinfo=datetime.UTC)


def look(*blocks: list[str | None]) -> Look:
    """Return what is seen of texts, block by block."""
    seen = Look()
    for block in blocks:
        seen.add(pl.Series(block, dtype=pl.String))
    return seen


@pytest.mark.parametrize(
    ("text", "is_date"),
    [
        *((date, True) for date in ("2024-01-05", "2024/1/5", "05.01.2024", "5-1-2024", "1/5/24", "12:30")),
        *((date, True) for date in ("2024-01-05T10:00:00Z", "05/01/2024 10:00", "12:30:00.5", " 1/5/2024 ")),
        *((date, True) for date in ("5 Jan 2024", "05-JAN-24", "Jan 5, 2024", "5 Sept. 2024")),
        *((date, True) for date in ("Fri, 05 Jan 2024 10:00:00 GMT", "Fri Jan  5 10:00:00 2024")),
        *((text, False) for text in ("1.2.3", "10.0.0.1", "12-34", "555-1234", "mar 5", "5 marbles 2024")),
        *((text, False) for text in ("1/5", "2024", "a 2024-01-05", "2024-01-05x", "12:3", "May", "")),
    ],
)  # fmt: skip
def test_what_is_like_a_date(text: str, is_date: bool) -> None:
    assert look([text]).mostly_dates == is_date
    assert look([text, "x", None]).mostly_dates == look([text], ["x"], [None]).mostly_dates == is_date
    assert not look([text, "x", "y"]).mostly_dates


@pytest.mark.parametrize(
    ("text", "is_number"),
    [
        *((text, True) for text in ("1,5", "1,234.5", "1.234,5", "1 234", "1'234'567", "12 %", "3.5 €")),
        *((text, True) for text in ("-1,5", "$3", "1\u00a0234", "1,234,567", "1e400")),
        *((text, False) for text in ("1_000", "0x1F", "a12", "1-2", "1,2,3", "1.2.3", "12 34", "%", "-")),
    ],
)  # fmt: skip
def test_what_is_written_like_a_number(text: str, is_number: bool) -> None:
    """Alone it makes a column of numbers that it spoils; else the other value has to be a number."""
    if text != "1e400":
        assert look([text]).mostly_numbers == is_number
        assert look([text]).spoilt == f"{text!r} in row 1"
    for seen in (look([None, "7", text]), look([None], ["7", text]), look([None, "7"], [], [text])):
        assert seen.mostly_numbers
        assert seen.spoilt == f"{text!r} in row 3"
    assert not look(["x", text, "y"]).mostly_numbers
    assert not look([None, "7"]).mostly_numbers


def test_the_first_texts_that_are_no_numbers_are_shown() -> None:
    seen = look(["1", "a"], ["b", "2"], ["3", "4", "5", "c", "d"])
    assert seen == Look(9, 9, 0, 5, 4, [(1, "a"), (2, "b"), (7, "c"), (8, "d")][: len(seen.first)])
    assert seen.spoilt == "'a' in row 2, 'b' in row 3, 'c' in row 8, ..."
