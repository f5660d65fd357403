"""What texts say: numbers, dates, times, or themselves."""

from __future__ import annotations

import datetime
import math

import polars as pl
import pytest

from gbdt_pwiser.sources.text.values import mostly_dates, spoilt_numbers, typed


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
    assert mostly_dates(pl.Series([text])) == is_date
    assert mostly_dates(pl.Series([text, "x", None])) == is_date
    assert not mostly_dates(pl.Series([text, "x", "y"]))


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
        assert spoilt_numbers(pl.Series([text])) == ([(0, text)] if is_number else [])
    assert spoilt_numbers(pl.Series([None, "7", text])) == [(2, text)]
    assert spoilt_numbers(pl.Series(["x", text, "y"])) == []
