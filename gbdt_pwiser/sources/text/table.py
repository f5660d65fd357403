"""A user's data as a table: the parts of a source one after the other, Parquet or delimited text."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from gbdt_pwiser.data.stored import UNREADABLE, nameless
from gbdt_pwiser.data.values import is_text, plain, without
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.delimited import Delimited
from gbdt_pwiser.sources.text.parts import Parts, find_parts
from gbdt_pwiser.sources.text.values import (
    KINDS,
    MISSING,
    Kind,
    converted,
    fitting,
    has_leading_zeros,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """How the values of a source are read.

    Attributes
    ----------
    missing
        Texts that are missing values; None for `MISSING` in text and for none in Parquet.
    codes
        Columns of a text file in which 007 is not 7.
    as_text
        Columns of a text file whose texts are left as they are.
    """

    missing: Sequence[str] | None = None
    codes: Sequence[str] = ()
    as_text: Sequence[str] = ()

    def words(self, *, has_types: bool) -> tuple[str, ...] | None:
        """Return the texts that are missing values, besides an empty one; None where no text is."""
        if has_types:
            return tuple(self.missing) if self.missing else None
        return MISSING if self.missing is None else tuple(self.missing)


def read_source(source: Path, **reading: Any) -> pl.DataFrame:
    """Read a file or folder whole; see `find_parts`, `Reading` and `read_parts`."""
    return read_parts(find_parts(source), Reading(**reading))


def read_parts(parts: Parts, reading: Reading) -> pl.DataFrame:
    """Read a table whole; lines of text in which all is missing are left out.

    InputError where a part cannot be read, has other columns or types than the first, or there are no rows.
    """
    with telling_damage(parts.shown):
        if parts.has_types:
            check_alike(parts)
            frames = [pl.read_parquet(part.path, glob=False, hive_partitioning=False) for part in parts.parts]
            frame = pl.concat(frames_with_keys(parts, frames))
            frame = without_words(frame, reading.words(has_types=True))
        else:
            with tempfile.TemporaryDirectory(prefix="gbdt-pwiser-text-") as scratch:
                texts = pl.concat(text_frames(parts, reading, Path(scratch)))
            types = TextTypes(reading)
            types.add(texts)
            frame = types.convert(texts)
    if frame.height == 0:
        raise no_rows(parts)
    return frame


def no_rows(parts: Parts) -> InputError:
    """Return the error for a source without rows."""
    return InputError(f"source {parts.shown} has no rows; give one with exposures")


@contextmanager
def telling_damage(shown: str) -> Iterator[None]:
    """Turn the many errors of a file that cannot be read into an InputError."""
    try:
        yield
    except UNREADABLE as error:
        raise InputError(f"source {shown} cannot be read: {first_line(error)}; correct it") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"source {shown} cannot be read: {reason}; give a file that can") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().partition("\n")[0]


def check_alike(parts: Parts) -> None:
    """Raise InputError, naming part, column and types, where Parquet parts are not all alike."""
    if len(parts.parts) == 1:
        return
    first, *others = parts.parts
    wanted = first.scan().collect_schema()
    for part in others:
        found = part.scan().collect_schema()
        check_names(list(found), list(wanted), f"{part}", f"{first}")
        for name, dtype in wanted.items():
            if found[name] != dtype:
                raise InputError(
                    f"source {part} has the column {name} as {found[name]}, and {first} as {dtype}; write "
                    "all parts alike"
                )


def check_names(found: Sequence[str], wanted: Sequence[str], part: str, first: str) -> None:
    """Raise InputError where a part has other columns than the first one."""
    for having, lacking, names in (
        (part, first, set(found) - {*wanted}),
        (first, part, {*wanted} - {*found}),
    ):
        if names:
            raise InputError(
                f"source {having} has the column {min(names)}, which {lacking} lacks; write all parts alike"
            )


def frames_with_keys(parts: Parts, frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return a frame per part with the columns of the first, and what the part's path says as columns."""
    return [with_keys(frame[frames[0].columns], parts, place) for place, frame in enumerate(frames)]


def with_keys(frame: pl.DataFrame, parts: Parts, place: int) -> pl.DataFrame:
    """Return rows of a part with what its path says of them."""
    return frame.with_columns(
        pl.lit(values[place], dtype=values.dtype).alias(key) for key, values in parts.keys.items()
    )


def without_words(frame: pl.DataFrame, missing: Sequence[str] | None) -> pl.DataFrame:
    """Return a table of Parquet with null for each text that is one of the missing words."""
    if missing is None:
        return frame
    return pl.DataFrame(
        {
            name: without(plain(nameless(frame, name)), missing) if is_text(dtype) else nameless(frame, name)
            for name, dtype in frame.schema.items()
        }
    )


def each_column(names: Sequence[str], function: Callable[[str], T]) -> dict[str, T]:
    """Return what a function gives for each column, on as many cores as polars uses."""
    workers = pl.thread_pool_size()
    if workers == 1:
        return {name: function(name) for name in names}
    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(names, pool.map(function, names), strict=True))


def text_frames(parts: Parts, reading: Reading, scratch: Path) -> Iterator[pl.DataFrame]:
    """Yield the rows of delimited text as texts, null where missing, without those in which all is."""
    words = reading.words(has_types=False)
    assert words is not None
    first: Delimited | None = None
    for part in parts.parts:
        text = Delimited.open(Path(part.path), scratch, part.url)
        if first is None:
            first = text
            yield pl.DataFrame(schema=dict.fromkeys([*text.names, *part.keys], pl.String))
        check_names(text.names, first.names, text.shown, first.shown)
        for frame in text.frames():
            columns = each_column(first.names, lambda name: without(nameless(frame, name), words))  # noqa: B023
            blank = reduce(and_, (values.is_null() for values in columns.values()))
            rows = pl.DataFrame(columns).filter(~blank)
            yield rows.with_columns(
                pl.lit(value, dtype=pl.String).alias(key) for key, value in part.keys.items()
            )
        if text.text != part.path:
            text.text.unlink()


@dataclass
class TextTypes:
    """What the columns of delimited text are, decided by all of their texts, a block at a time."""

    reading: Reading
    possible: dict[str, list[Kind]] = field(default_factory=dict)
    leading_zeros: set[str] = field(default_factory=set)

    def add(self, frame: pl.DataFrame) -> None:
        """Leave out the kinds that some texts are not."""

        def still_possible(name: str) -> list[Kind]:
            kinds = self.possible.get(name, [] if name in self.reading.as_text else list(KINDS))
            return fitting(nameless(frame, name), kinds)

        self.possible = each_column(frame.columns, still_possible)
        for name in self.reading.codes:
            if name in frame.columns and has_leading_zeros(nameless(frame, name)):
                self.leading_zeros.add(name)

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kind of each column; None for text."""
        return {
            name: None if name in self.leading_zeros or not kinds else kinds[0]
            for name, kinds in self.possible.items()
        }

    def convert(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return texts as what their columns are."""
        kinds = self.kinds
        return pl.DataFrame(
            each_column(frame.columns, lambda name: converted(nameless(frame, name), kinds[name]))
        )
