"""A sample of a source: rows from all over it, in a file small enough to be read whole."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.guess.header import UTF16, check_header, decoded, records, separator_of
from gbdt_pwiser.sources.text.parts import Parts, find_parts
from gbdt_pwiser.sources.text.plain import first_bytes, is_packed
from gbdt_pwiser.sources.text.table import check_alike, telling_damage, with_keys

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
    has_types
        Whether columns have types of their own, as in Parquet.
    """

    path: Path
    rows: int | None
    whole: bool
    from_start: bool = False
    has_types: bool = False


@contextmanager
def sampled(source: Path) -> Iterator[Sample]:
    """Give a sample of a source, which goes at the end.

    InputError where a text file has no header, or the source cannot be read; what `read_source` refuses
    otherwise is left to it.
    """
    with tempfile.TemporaryDirectory(prefix="gbdt-pwiser-") as scratch, telling_damage(str(source)):
        parts = find_parts(source)
        if parts.has_types:
            yield _of_parquet(source, parts, Path(scratch))
        elif source.is_dir():
            yield _of_texts(source, parts, Path(scratch))
        else:
            yield _of_text(source, Path(scratch))


def _of_parquet(source: Path, parts: Parts, scratch: Path) -> Sample:
    check_alike(parts)
    rows, width = parts.rows, len(parts.parts[0].scan().collect_schema())
    wanted = min(ROWS, max(1000, VALUES // max(1, width)))
    if rows <= wanted:
        return Sample(source, rows, whole=True, has_types=True)
    length = wanted // STRETCHES
    starts = [place * (rows - length) // (STRETCHES - 1) for place in range(STRETCHES)]
    drawn, before = [], 0
    for place, part in enumerate(parts.parts):
        here = int(part.scan().select(pl.len()).collect().item())
        for start in starts:
            low, high = max(start - before, 0), min(start + length - before, here)
            if low < high:
                drawn.append(with_keys(part.scan().slice(low, high - low).collect(), parts, place))
        before += here
    path = scratch / "sample.parquet"
    pl.concat(drawn).write_parquet(path)
    return Sample(path, rows, whole=False, has_types=True)


def _of_texts(source: Path, parts: Parts, scratch: Path) -> Sample:
    """Take the first lines of some files of a folder, at the same places below one of their own."""
    paths = [Path(part.path) for part in parts.parts]
    check_header(paths[0], decoded(first_bytes(paths[0], _LOOK)))
    if sum(path.stat().st_size for path in paths) <= BYTES and not any(map(is_packed, paths)):
        return Sample(source, None, whole=True)
    chosen = sorted({place * (len(paths) - 1) // (STRETCHES - 1) for place in range(STRETCHES)})
    whole = len(chosen) == len(paths)
    for path in (paths[place] for place in chosen):
        start = first_bytes(path, BYTES // STRETCHES + 1)
        goes_on = len(start) > BYTES // STRETCHES
        whole = whole and not goes_on
        copy = scratch / path.relative_to(source).with_name(_unpacked_name(path))
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(_first_lines(start) if goes_on else start)
    return Sample(scratch, None, whole=whole, from_start=not whole)


def _of_text(source: Path, scratch: Path) -> Sample:
    try:
        start = first_bytes(source, BYTES + 1)
    except InputError:  # which the reader of the source tells
        return Sample(source, None, whole=True)
    check_header(source, decoded(start[:_LOOK]))
    if len(start) <= BYTES:
        return Sample(source, None, whole=True)
    path = scratch / _unpacked_name(source)
    if is_packed(source) or start.startswith(UTF16) or b"\n" not in start[:_LOOK]:
        path.write_bytes(_first_lines(start))
        return Sample(path, None, whole=False, from_start=True)
    first, *others = _stretches(source)
    kept = [_first_records(first)]
    kept += [_whole_records(each, kept[0], skips=2) for each in others]
    path.write_bytes(b"".join(kept))
    text = decoded(kept[0])
    records_a_byte = sum(1 for _ in records(text, separator_of(text))) / len(kept[0])
    rows = round(source.stat().st_size * records_a_byte)
    return Sample(path, round(rows, 2 - len(str(rows))), whole=False)


def _unpacked_name(path: Path) -> str:
    return re.sub(r"(?i)\.(gz|zst)$", "", path.name)


def _first_lines(start: bytes) -> bytes:
    """Return the whole records at the start of a file, as UTF-8 with newlines."""
    text = decoded(start).replace("\r\n", "\n").replace("\r", "\n")
    return _first_records(text.rpartition("\n")[0].encode() + b"\n")


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
