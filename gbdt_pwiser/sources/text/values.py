"""What the texts of a column say: numbers, booleans, dates, times, or none of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import polars as pl

MISSING: Final = ("-", "N/A", "NA", "NULL", "NaN", "None", "nan", "null")
"""Words that mean missing in a CSV file, where nothing else is said."""
MOSTLY: Final = 0.5
"""Share of a column's texts, missing ones apart, from which on they are taken for what most of them are."""

# 1,5 and 1,234.5 and 1 234 and 12 % and $3
_ALMOST_NUMBER: Final = (
    r"^[$€£¥]?\s*[+-]?\s*(\d+([.,]\d+)?|\d{1,3}([,.' \x{a0}\x{202f}]\d{3})+([.,]\d+)?)\s*[%$€£¥]?$"
)
_SHOWN: Final = 3
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


class Kind(NamedTuple):
    """What all texts of a column may be: which Series of stripped texts fit, and what these become."""

    dtype: pl.DataType
    convert: Callable[[pl.Series], pl.Series | None]

    def fits(self, stripped: pl.Series) -> bool:
        """Return whether each of some texts without blanks around, null apart, is of this kind."""
        values = self.convert(stripped)
        return values is not None and values.null_count() == stripped.null_count()


def typed(texts: pl.Series) -> pl.Series:
    """Return the numbers, booleans, dates or times that all texts are; else the texts as they are.

    Dates and times are those of ISO 8601. Those with an offset are in UTC; some with one and some without
    have no common order, so they are none.

    Examples
    --------
    >>> typed(pl.Series(["7", " 8", None])).to_list()
    [7, 8, None]
    >>> typed(pl.Series(["True", "false"])).to_list()
    [True, False]
    >>> typed(pl.Series(["7", "x "])).to_list()
    ['7', 'x ']
    >>> typed(pl.Series(["2024-01-05T00:30+02:00"])).to_list()
    [datetime.datetime(2024, 1, 4, 22, 30, tzinfo=zoneinfo.ZoneInfo(key='UTC'))]
    """
    return converted(texts, next(iter(fitting(texts, KINDS)), None))


def fitting(texts: pl.Series, kinds: Sequence[Kind]) -> list[Kind]:
    """Return those kinds that all of some texts are."""
    stripped = texts.str.strip_chars() if kinds else texts
    return [kind for kind in kinds if kind.fits(stripped)]


def converted(texts: pl.Series, kind: Kind | None) -> pl.Series:
    """Return what texts that fit a kind become, and texts of no kind as they are."""
    values = None if kind is None else kind.convert(texts.str.strip_chars())
    return texts if values is None else values


def has_leading_zeros(texts: pl.Series) -> bool:
    """Return whether some text is more than the number it says, as 007 is."""
    return bool(texts.str.contains(r"^\s*[+-]?0\d").any())


def not_iso(texts: pl.Series) -> int | None:
    """Return the first row, from 0, whose text is no date or time in ISO 8601; None where all are."""
    stripped = texts.str.strip_chars()
    day = stripped.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    rows = (texts.is_not_null() & ~(stripped.str.contains(_ISO) & day.is_not_null())).arg_true()
    return int(rows[0]) if len(rows) else None


def _numbers(texts: pl.Series) -> pl.Series:
    """Return Float64, null where a text is no number or, as 1e400, one that is too large."""
    values = texts.cast(pl.Float64, strict=False)
    beyond = (values.is_infinite() & texts.str.contains(r"\d")).fill_null(False)
    return values.zip_with(~beyond, pl.Series(values=[None], dtype=pl.Float64))


@dataclass
class Look:
    """How many texts of a column are dates, numbers or neither, looked at a block at a time.

    Attributes
    ----------
    rows, given
        How many there are, and how many of them are not missing.
    dates
        Dates or times of day, in whatever order.
    alike
        Numbers, and what is written like one: 1,5 or 1,234.5 or 12 %.
    others
        Texts that are no numbers.
    first
        Row, from 0, and text of the first few of these.
    """

    rows: int = 0
    given: int = 0
    dates: int = 0
    alike: int = 0
    others: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def of(cls, texts: pl.Series) -> Look:
        """Look at all texts of a column."""
        look = cls()
        look.add(texts)
        return look

    def add(self, texts: pl.Series) -> None:
        """Look at the texts that come next."""
        counts = texts.alias("text").drop_nulls().value_counts(name="rows")
        distinct, rows = counts["text"].str.strip_chars(), counts["rows"]
        number = _numbers(distinct).is_not_null()
        self.given += int(rows.sum())
        self.dates += int(rows.filter(distinct.str.contains(_DATE_LIKE)).sum())
        self.alike += int(rows.filter(number | distinct.str.contains(_ALMOST_NUMBER)).sum())
        self.others += int(rows.filter(~number).sum())
        if len(self.first) < _SHOWN and not number.all():
            spoilt = (texts.is_not_null() & _numbers(texts.str.strip_chars()).is_null()).arg_true()
            self.first += [(self.rows + row, texts[row]) for row in spoilt.head(_SHOWN).to_list()]
        self.rows += len(texts)

    @property
    def mostly_dates(self) -> bool:
        """Return whether at least `MOSTLY` of the texts are dates or times of day."""
        return self.given > 0 and self.dates >= MOSTLY * self.given

    @property
    def mostly_numbers(self) -> bool:
        """Return whether at least `MOSTLY` of the texts are written like numbers, and some are none."""
        return self.others > 0 and self.alike >= MOSTLY * self.given

    @property
    def spoilt(self) -> str:
        """The first texts that are no numbers, with their rows from 1, as a message shows them."""
        shown = ", ".join(f"{text!r} in row {row + 1}" for row, text in self.first[:_SHOWN])
        return shown + (", ..." if self.others > _SHOWN else "")


def _whole(dtype: type[pl.DataType]) -> Kind:
    return Kind(dtype(), lambda texts: texts.cast(dtype, strict=False))


def _booleans(texts: pl.Series) -> pl.Series | None:
    lower = texts.str.to_lowercase()
    return lower == "true" if lower.is_in(["true", "false"]).all() else None


def _dates(texts: pl.Series) -> pl.Series | None:
    return texts.str.to_date("%Y-%m-%d", strict=False) if texts.str.contains(rf"^{_DATE}$").all() else None


def _times(texts: pl.Series, *, offset: bool) -> pl.Series | None:
    """Return the times of texts that all have an offset, or all have none."""
    has_offset = texts.str.contains(rf":\d{{2}}.*{_OFFSET}$")
    if not_iso(texts) is not None or (has_offset if not offset else ~has_offset).any():
        return None
    # One form for all: T between, seconds, an offset with a colon.
    whole = (
        texts.str.replace(rf"^({_DATE})$", "${1}T00:00:00")
        .str.replace(" ", "T", literal=True)
        .str.replace(r"(T\d{2}:\d{2})($|[Z+-])", "${1}:00${2}")
        .str.replace(r"([+-]\d{2})(\d{2})$", "${1}:${2}")
        .str.replace(r"(T.*[+-]\d{2})$", "${1}:00")
    )
    form = "%+" if offset else "%Y-%m-%dT%H:%M:%S%.f"
    return whole.str.to_datetime(form, strict=False, time_unit="us")


# Whole numbers beyond 64 bits are kept as such, since a float would make different ids equal.
WHOLE: Final = tuple(map(_whole, (pl.Int64, pl.UInt64, pl.Int128)))
MOMENTS: Final = (
    Kind(pl.Date(), _dates),
    Kind(pl.Datetime("us", "UTC"), partial(_times, offset=True)),
    Kind(pl.Datetime("us"), partial(_times, offset=False)),
)
KINDS: Final = (*WHOLE, Kind(pl.Float64(), _numbers), Kind(pl.Boolean(), _booleans), *MOMENTS)
"""The kinds of columns other than text; of several that fit all texts, the first counts."""
