"""Which column of a sample says what belongs together, and which one says when."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._ali_ccp_files import IDS_PADDLEREC
from gbdt_pwiser.sources.description import check_known
from gbdt_pwiser.sources.guess.column import Column, told
from gbdt_pwiser.sources.text.values import MOMENTS, Look, converted, fitting

GROUPS: Final = (
    ("search", "srch"),
    ("query", "qid", "q"),
    ("request", "req", "pageview", "pv", "page", "list", "feed"),
    ("session",),
    ("user", "uid", "member", "customer", "visitor", "device", "cookie"),
)
"""What a group may be of, the smaller one first."""
ID: Final = {"id", "no", "key", "hash", "uuid", "guid", "index", "idx"}
MOST_ROWS: Final = 500
"""Rows of a group on average beyond which it is a kind and no group, as a type of page is."""
WHEN: Final = {"time", "timestamp", "ts", "datetime", "date", "day", "dt", "ms", "when"}
EVENT: Final = {"event", "log", "request", "impression", "exposure", "show", "shown", "server", "search"}
OTHER_EVENT: Final = {
    *("click", "clicked", "conversion", "purchase", "buy", "pay", "order", "install", "upload", "publish"),
    *("published", "register", "registered", "signup", "birth", "created", "create", "update", "updated"),
    *("join", "joined", "release", "expire", "play", "stay", "watch", "listing", "listed"),
}
UNITS: Final = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_YEARS: Final = (1990, 2100)
_DATES: Final = (
    *("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%m.%d.%Y", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y"),
)
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


@dataclass(frozen=True)
class Place:
    """A column that is the group or the time, and what to say beside it."""

    column: Column
    note: str
    time_format: str | None = None


def find_group(
    columns: Mapping[str, Column], taken: Collection[Column], asked: str | None, unsure: list[str]
) -> Place | None:
    """Find the group; None where no column is one."""
    if asked is not None:
        check_known([asked], list(columns), "columns for --group:")
        found = [columns[asked]]
    else:
        found = _groups(columns, taken)
    if not found:
        return None
    first, *others = found
    if others:
        unsure.append(f"the group is {first.shown}; --group COLUMN would make it another, as {told(others)}")
    return Place(first, f"{first.distinct:,} values, {first.rows_a_value:.1f} rows each")


def _groups(columns: Mapping[str, Column], taken: Collection[Column]) -> list[Column]:
    """Return the columns that may be the group, the likeliest first."""
    of_ali_ccp = set(IDS_PADDLEREC) <= set(columns)
    kinds = (*GROUPS, ("101",)) if of_ali_ccp else GROUPS  # its users
    found = []
    for kind in kinds:
        for column in columns.values():
            named = set(column.words) - ID
            if (
                named
                and named <= set(kind)
                and column not in taken
                and (column.is_whole or column.is_text)
                and not column.missing
                and column.distinct > 1
                and 1.05 <= column.rows_a_value <= MOST_ROWS
            ):
                found.append(column)
    return found


def find_time(
    columns: Mapping[str, Column],
    taken: Collection[Column],
    asked: str | None,
    unsure: list[str],
) -> Place | None:
    """Find the time of the exposure; None where no column is one."""
    if asked is not None:
        check_known([asked], list(columns), "columns for --time:")
        place = _time(columns[asked]) or _any_whole(columns[asked])
        if place is None:
            raise InputError(
                f"--time is {asked} ({columns[asked].values.dtype}), whose values have no order that can be "
                "told; name a column of whole numbers, dates or times without a missing one"
            )
        return place
    places = []
    for column in columns.values():
        if column in taken or column.missing or OTHER_EVENT & {*column.words}:
            continue
        if column.values.dtype.is_temporal() or WHEN & {*column.words} or _is_date_text(column):
            place = _time(column)
            if place and column.distinct > 2:
                places.append(place)
            elif _is_date_text(column):
                unsure.append(
                    f"{column.shown} has dates of which day and month cannot be told apart; to split by it, "
                    "give time and time_format"
                )
    if not places:
        return None
    places.sort(key=lambda place: (not EVENT & {*place.column.words}, -place.column.distinct))
    return places[0]


def is_date(column: Column) -> bool:
    """Return whether a column has moments, or dates as whole numbers."""
    if column.values.dtype.is_temporal() or _is_date_text(column):
        return True
    named = (WHEN | {"timestamp", "at"}) & {*column.words}
    return bool(named) and column.is_number and _of_whole_numbers(column) is not None


def _time(column: Column) -> Place | None:
    values = column.values
    if column.missing:
        return None
    if values.dtype in (pl.Date, pl.Datetime):
        return Place(column, _span(values))
    if column.is_text:
        return _of_texts(column)
    return _of_whole_numbers(column) if values.dtype.is_integer() else None


def _of_texts(column: Column) -> Place | None:
    texts = column.values
    if iso := fitting(texts, MOMENTS):
        return Place(column, _span(converted(texts, iso[0])))
    stripped = texts.str.strip_chars()
    forms: dict[str, str] = {}
    for date in _DATES:
        for clock in _CLOCKS:
            if _reads(stripped, date + clock):
                forms.setdefault(date, date + clock)
    if len(forms) != 1:
        return None
    (time_format,) = forms.values()
    moments = stripped.str.to_datetime(time_format, strict=False, time_unit="us")
    return Place(column, _span(moments), time_format)


def _reads(texts: pl.Series, time_format: str) -> bool:
    """Return whether a format reads all texts; the first of them alone settles most."""
    for some in (texts[:50], texts):
        try:
            read = some.str.to_datetime(time_format, strict=False, time_unit="us")
        except pl.exceptions.PolarsError:
            return False
        if read.null_count():
            return False
    return True


def _of_whole_numbers(column: Column) -> Place | None:
    """Read seconds, milliseconds... since 1970, or dates such as 20240131 and 2024013123."""
    if not column.is_whole or not column.distinct:
        return None
    numbers = column.values.drop_nulls().cast(pl.Int64, strict=False)
    low, high = numbers.min(), numbers.max()
    if numbers.null_count() or not isinstance(low, int) or not isinstance(high, int):
        return None
    for digits in (8, 10):
        if len(str(low)) == len(str(high)) == digits and low > 0:
            dates = numbers.cast(pl.String).str.slice(0, 8).str.to_date("%Y%m%d", strict=False)
            inside = dates.dt.year().is_between(*_YEARS)
            if not dates.null_count() and inside.all():
                return Place(column, _span(dates))
    for unit, in_a_second in UNITS.items():
        ends = [_moment(end / in_a_second) for end in (low, high)]
        if all(end and _YEARS[0] < end.year < _YEARS[1] for end in ends):
            first, last = (f"{end:%Y-%m-%d}" for end in ends if end)
            return Place(column, f"{unit} since 1970: from {first} to {last}")
    return None


def _any_whole(column: Column) -> Place | None:
    if not column.values.dtype.is_integer() or column.missing:
        return None
    return Place(column, _span(column.values))


def _span(values: pl.Series) -> str:
    low, high = values.min(), values.max()
    return f"from {low!s} to {high!s}"


def _moment(seconds: float) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _is_date_text(column: Column) -> bool:
    return column.is_text and Look.of(column.values).mostly_dates
