"""What the texts of a column say: numbers, booleans, dates, times, or none of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

MISSING: Final = ("-", "N/A", "NA", "NULL", "NaN", "None", "nan", "null")
"""Words that mean missing in a CSV file, where nothing else is said."""
MOSTLY: Final = 0.5
"""Share of a column's texts, missing ones apart, from which on they are taken for what most of them are."""

# Whole numbers beyond 64 bits are kept as such, since a float would make different ids equal.
_WHOLE: Final = (pl.Int64, pl.UInt64, pl.Int128)
# 1,5 and 1,234.5 and 1 234 and 12 % and $3
_ALMOST_NUMBER: Final = (
    r"^[$€£¥]?\s*[+-]?\s*(\d+([.,]\d+)?|\d{1,3}([,.' \x{a0}\x{202f}]\d{3})+([.,]\d+)?)\s*[%$€£¥]?$"
)
_DATE: Final = r"\d{4}-\d{2}-\d{2}"
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?"
_OFFSET: Final = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
_ISO: Final = rf"^{_DATE}([T ]{_CLOCK}{_OFFSET}?)?$"
_MONTH: Final = (
    r"(?i:jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(t(ember)?)?|oct(ober)?"
    r"|nov(ember)?|dec(ember)?)\.?"
)
_WEEKDAY: Final = r"((?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_DATE_LIKE: Final = "|".join(
    (
        r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}/\d{1,2}/\d{2})([T ,].*)?$",
        rf"^{_WEEKDAY}\d{{1,2}}[- ]{_MONTH}[- ,]+\d{{2,4}}\b",
        rf"^{_WEEKDAY}{_MONTH}\s+\d{{1,2}},?\s.*\d{{4}}$",
        r"^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?$",
    )
)


def without(texts: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Return texts with null for each that, blanks around it apart, is empty or one of the missing words."""
    absent = texts.str.strip_chars().is_in(["", *missing]).fill_null(True)
    return texts.zip_with(~absent, pl.Series(values=[None], dtype=pl.String))


def typed(texts: pl.Series) -> pl.Series:
    """Return the numbers, booleans, dates or times that all texts are; else the texts as they are.

    Examples
    --------
    >>> typed(pl.Series(["7", " 8", None])).to_list()
    [7, 8, None]
    >>> typed(pl.Series(["True", "false"])).to_list()
    [True, False]
    >>> typed(pl.Series(["7", "x "])).to_list()
    ['7', 'x ']
    """
    stripped = texts.str.strip_chars()
    for values in (*(stripped.cast(dtype, strict=False) for dtype in _WHOLE), _numbers(stripped)):
        if values.null_count() == texts.null_count():
            return values
    lower = stripped.str.to_lowercase()
    if lower.is_in(["true", "false"]).all():
        return lower == "true"
    moments = iso_moments(stripped)
    return texts if moments is None else moments


def has_leading_zeros(texts: pl.Series) -> bool:
    """Return whether some text is more than the number it says, as 007 is."""
    return bool(texts.str.contains(r"^\s*[+-]?0\d").any())


def iso_moments(texts: pl.Series) -> pl.Series | None:
    """Return the dates or times that all texts are in ISO 8601, those with an offset in UTC; else None.

    Some with an offset and some without have no common order, so they are none.

    Examples
    --------
    >>> iso_moments(pl.Series(["2024-01-05T00:30+02:00"])).to_list()
    [datetime.datetime(2024, 1, 4, 22, 30, tzinfo=zoneinfo.ZoneInfo(key='UTC'))]
    >>> iso_moments(pl.Series(["05/01/2024"])) is None
    True
    """
    texts = texts.str.strip_chars()
    if not_iso(texts) is not None:
        return None
    if texts.str.contains(rf"^{_DATE}$").all():
        moments = texts.str.to_date("%Y-%m-%d", strict=False)
    else:
        offset = texts.str.contains(rf":\d{{2}}.*{_OFFSET}$")
        # One form for all: T between, seconds, an offset with a colon.
        whole = (
            texts.str.replace(rf"^({_DATE})$", "${1}T00:00:00")
            .str.replace(" ", "T", literal=True)
            .str.replace(r"(T\d{2}:\d{2})($|[Z+-])", "${1}:00${2}")
            .str.replace(r"([+-]\d{2})(\d{2})$", "${1}:${2}")
            .str.replace(r"(T.*[+-]\d{2})$", "${1}:00")
        )
        if offset.all():
            moments = whole.str.to_datetime("%+", strict=False, time_unit="us")
        elif not offset.any():
            moments = whole.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
        else:
            return None
    return moments


def not_iso(texts: pl.Series) -> int | None:
    """Return the first row, from 0, whose text is no date or time in ISO 8601; None where all are."""
    stripped = texts.str.strip_chars()
    day = stripped.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    rows = (texts.is_not_null() & ~(stripped.str.contains(_ISO) & day.is_not_null())).arg_true()
    return int(rows[0]) if len(rows) else None


def spoilt_numbers(texts: pl.Series) -> list[tuple[int, str]]:
    """Return rows, from 0, and texts that keep a column of numbers from being one; none where it is no such.

    At least `MOSTLY` of the texts must be numbers, or be written like one: 1,5 or 1,234.5 or 12 %.
    """
    stripped = texts.str.strip_chars()
    numbers = _numbers(stripped).is_not_null()
    alike = numbers | stripped.str.contains(_ALMOST_NUMBER).fill_null(False)
    if not _most(alike, texts):
        return []
    rows = (~numbers & texts.is_not_null()).arg_true()
    return [(row, texts[row]) for row in rows.to_list()]


def _numbers(texts: pl.Series) -> pl.Series:
    """Return Float64, null where a text is no number or, as 1e400, one that is too large."""
    values = texts.cast(pl.Float64, strict=False)
    beyond = (values.is_infinite() & texts.str.contains(r"\d")).fill_null(False)
    return values.zip_with(~beyond, pl.Series(values=[None], dtype=pl.Float64))


def mostly_dates(texts: pl.Series) -> bool:
    """Return whether at least `MOSTLY` of the texts are dates or times of day, in whatever order."""
    return _most(texts.str.strip_chars().str.contains(_DATE_LIKE).fill_null(False), texts)


def _most(which: pl.Series, texts: pl.Series) -> bool:
    given = len(texts) - texts.null_count()
    return given > 0 and int(which.sum()) >= MOSTLY * given
