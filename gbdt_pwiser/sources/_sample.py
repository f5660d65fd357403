"""A sample of a source: rows from all over it, in a file small enough to be read whole."""

from __future__ import annotations

import csv
import gzip
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from gbdt_pwiser.data.stored import UNREADABLE
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._header import UTF16, check_header, decoded, records, separator_of
from gbdt_pwiser.sources.text.table import SUFFIXES, first_line

ROWS: Final = 100_000
"""Rows of a sample at most."""
VALUES: Final = 8_000_000
"""Values of a sample at most: a table of very many columns gives fewer rows."""
BYTES: Final = 1 << 24
"""Of a text file that is larger, stretches of so many bytes together are the sample."""
STRETCHES: Final = 8
"""Places, evenly spread over the source, from which consecutive rows are taken."""
_LOOK: Final = 1 << 16
_LONGEST: Final = 10
"""Lines of a field in quotes that is cut by the end of a stretch, at most."""
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True)
class Sample:
    """Where the sample of a source is.

    Attributes
    ----------
    path
        What to read: the source itself where that is small.
    rows
        How many rows the source has; None where that would have to be counted.
    whole
        Whether the sample is all there is.
    from_start
        Whether it is the first rows alone, as of a packed file.
    """

    path: Path
    rows: int | None
    whole: bool
    from_start: bool = False


@contextmanager
def sampled(source: Path) -> Iterator[Sample]:
    """Give a sample of a source, which goes at the end.

    InputError where a text file has no header, or the source cannot be read; what `read_source` refuses
    otherwise is left to it.
    """
    with tempfile.TemporaryDirectory(prefix="gbdt-pwiser-") as scratch:
        try:
            parts = _parts(source)
            if parts:
                yield _of_parquet(source, parts, Path(scratch))
            elif source.is_file() and source.name.lower().endswith(SUFFIXES):
                yield _of_text(source, Path(scratch))
            else:
                yield Sample(source, None, whole=True)
        except UNREADABLE as error:
            raise InputError(f"{source} cannot be read: {first_line(error)}; correct it") from error


def _parts(source: Path) -> list[Path]:
    """Return the Parquet files that a source is; none where it is text, or nothing."""
    if source.is_dir():
        return [
            path
            for path in sorted(source.rglob("*.parquet"))
            if path.is_file()
            and not any(name.startswith(("_", ".")) for name in path.relative_to(source).parts)
        ]
    return [source] if source.suffix.lower() == ".parquet" and source.is_file() else []


def _of_parquet(source: Path, parts: list[Path], scratch: Path) -> Sample:
    keyed = any("=" in name for path in parts for name in path.relative_to(source).parent.parts)
    scan = pl.scan_parquet(parts, glob=False, hive_partitioning=keyed)
    rows = scan.select(pl.len()).collect().item()
    wanted = min(ROWS, max(1000, VALUES // max(1, len(scan.collect_schema()))))
    if rows <= wanted:
        return Sample(source, rows, whole=True)
    length = wanted // STRETCHES
    starts = [place * (rows - length) // (STRETCHES - 1) for place in range(STRETCHES)]
    path = scratch / "sample.parquet"
    pl.concat([scan.slice(start, length).collect() for start in starts]).write_parquet(path)
    return Sample(path, rows, whole=False)


def _of_text(source: Path, scratch: Path) -> Sample:
    with source.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    try:
        with gzip.open(source) if packed else source.open("rb") as file:
            start = file.read(BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile):  # which the reader of the source tells
        return Sample(source, None, whole=True)
    check_header(source, decoded(start[:_LOOK]))
    if len(start) <= BYTES:
        return Sample(source, None, whole=True)
    path = scratch / re.sub(r"(?i)\.gz$", "", source.name)
    if packed or start.startswith(UTF16) or b"\n" not in start[:_LOOK]:
        text = decoded(start).replace("\r\n", "\n").replace("\r", "\n")
        path.write_bytes(_first_records(text.rpartition("\n")[0].encode() + b"\n"))
        return Sample(path, None, whole=False, from_start=True)
    first, *others = _stretches(source)
    kept = [_first_records(first)]
    kept += [_whole_records(each, kept[0], skips=2) for each in others]
    path.write_bytes(b"".join(kept))
    text = decoded(kept[0])
    records_a_byte = sum(1 for _ in records(text, separator_of(text))) / len(kept[0])
    rows = round(source.stat().st_size * records_a_byte)
    return Sample(path, round(rows, 2 - len(str(rows))), whole=False)


def _stretches(source: Path) -> Iterator[bytes]:
    """Yield whole lines from places all over a text file, from its start first."""
    size, length = source.stat().st_size, BYTES // STRETCHES
    with source.open("rb") as file:
        for place in range(STRETCHES):
            file.seek(place * (size - length) // (STRETCHES - 1))
            if place:
                file.readline(length)  # what is left of a line
            yield file.read(length).rpartition(b"\n")[0] + b"\n"


def _first_records(lines: bytes) -> bytes:
    # Where no end fits, the fault is inside, and the reader of the sample tells where.
    return _whole_records(lines, lines) or lines


def _whole_records(lines: bytes, start: bytes, *, skips: int = 0) -> bytes:
    """Leave out lines at the ends, of a field in quotes that goes on beyond; nothing stays if none fit."""
    for _ in range(skips + 1):
        cut = lines
        for _ in range(_LONGEST):
            if _fits(cut, start):
                return cut
            cut = cut[:-1].rpartition(b"\n")[0] + b"\n"
        lines = lines.partition(b"\n")[2]
    return b""


def _fits(lines: bytes, start: bytes) -> bool:
    """Return whether all records have as many fields as the first one of the file."""
    text, head = decoded(lines), decoded(start[:_LOOK])
    separator = separator_of(head)
    wanted = len(next(records(head, separator), []))
    with suppress(csv.Error):
        return all(len(fields) == wanted for fields in records(text, separator, strict=True))
    return False
