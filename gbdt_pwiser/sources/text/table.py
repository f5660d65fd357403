"""A user's file as a table: Parquet, a folder of Parquet parts as Spark writes it, or delimited text."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path
from typing import IO, Final

import polars as pl

from gbdt_pwiser.data.columns import is_text, plain
from gbdt_pwiser.data.stored import UNREADABLE, nameless
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.values import MISSING, has_leading_zeros, typed, without

SUFFIXES: Final = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
SEPARATORS: Final = (",", ";", "\t", "|")
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_PARQUET: Final = b"PAR1"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_LOOK: Final = 1 << 16


def read_source(
    source: Path,
    *,
    missing: Sequence[str] | None = None,
    codes: Sequence[str] = (),
    as_text: Sequence[str] = (),
) -> pl.DataFrame:
    """Read a table; lines in which all is missing are left out.

    Parameters
    ----------
    source
        A file with one of `SUFFIXES`, or a folder of Parquet files; a path as it stands, never a pattern.
    missing
        Texts that are missing values; by default `MISSING` in a CSV file and none in Parquet.
    codes
        Columns of a CSV file in which 007 is not 7.
    as_text
        Columns of a CSV file whose texts are left as they are.

    Raises
    ------
    InputError
        There is no such file, it cannot be read or has no rows, or its header names a column twice.
    """
    try:
        if source.is_dir():
            frame = _read_folder(source)
        elif not source.name.lower().endswith(SUFFIXES):
            raise InputError(
                f"source {source} is neither .parquet nor .csv (nor .tsv, .csv.gz, .tsv.gz); convert it to "
                "one of them"
            )
        elif not source.exists():
            raise InputError(f"source {source} does not exist; give its path relative to the description")
        elif not source.is_file():
            raise InputError(f"source {source} is no regular file; write the data to one")
        elif source.suffix.lower() == ".parquet":
            frame = pl.read_parquet(source, glob=False, hive_partitioning=False)
        else:
            frame = _read_csv(source, MISSING if missing is None else missing, codes, as_text)
    except UNREADABLE as error:
        raise InputError(f"source {source} cannot be read: {first_line(error)}; correct it") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"source {source} cannot be read: {reason}; give a file that can") from error
    if missing and has_types(source):
        frame = pl.DataFrame(
            {
                name: without(plain(nameless(frame, name)), missing)
                if is_text(dtype)
                else nameless(frame, name)
                for name, dtype in frame.schema.items()
            }
        )
    if frame.height == 0:
        raise InputError(f"source {source} has no rows; give one with exposures")
    return frame


def expanded(path: str | Path) -> Path:
    """Return a path with the home in place of ~; InputError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path} is in the home of nobody ({error}); give another path") from error


def has_types(source: Path) -> bool:
    """Return whether the columns of a source have types of their own, as in Parquet."""
    return source.is_dir() or source.suffix.lower() == ".parquet"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().partition("\n")[0]


def _read_folder(folder: Path) -> pl.DataFrame:
    """Read the parts of a folder in the order of their names; those below KEY=VALUE have the column KEY."""
    parts = [
        path
        for path in sorted(folder.rglob("*.parquet"))
        if path.is_file() and not any(name.startswith(("_", ".")) for name in path.relative_to(folder).parts)
    ]
    if not parts:
        raise InputError(f"source {folder} is a folder without .parquet files; give a file, or their folder")
    keyed = any("=" in name for path in parts for name in path.relative_to(folder).parent.parts)
    return pl.read_parquet(parts, glob=False, hive_partitioning=keyed)


@dataclass(frozen=True)
class _Text:
    """A text file: where it is, and its content where that is not UTF-8 with newlines on the disk."""

    path: Path
    content: bytes | None

    @classmethod
    def of(cls, path: Path) -> _Text:
        """Unpack gzip, decode UTF-16 and old line ends, as the first bytes say; refuse what is no text."""
        with path.open("rb") as file:
            start = file.read(_LOOK)
        content = None
        if start.startswith(_GZIP):
            try:
                content = gzip.decompress(path.read_bytes())
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(f"source {path} cannot be unpacked ({error}); fetch it again") from error
            start = content[:_LOOK]
        if start.startswith(_PARQUET):
            raise InputError(f"source {path} is a Parquet file; name it .parquet")
        if start.startswith(_ZIP):
            raise InputError(f"source {path} is a zip archive or a workbook; unpack it, or save it as CSV")
        if start.startswith(_UTF16):
            raw = path.read_bytes() if content is None else content
            try:
                content = raw.decode("utf-16").encode()
            except UnicodeDecodeError as error:
                raise InputError(f"source {path} is UTF-16 and cut short; save it as UTF-8") from error
            start = content[:_LOOK]
        if b"\x00" in start:
            raise InputError(
                f"source {path} holds NUL bytes, as binary files do, and UTF-16 without its mark; save it "
                "as UTF-8"
            )
        if b"\r" in start and b"\n" not in start:
            content = (path.read_bytes() if content is None else content).replace(b"\r", b"\n")
        return cls(path, content)

    def open(self) -> IO[str]:
        """Open the text from its start; line ends are left as they are."""
        raw = self.path.open("rb") if self.content is None else io.BytesIO(self.content)
        return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")

    def records(self, separator: str) -> Iterator[tuple[int, list[str]]]:
        """Yield how many lines precede a record that is not blank, and its fields."""
        with self.open() as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            before = 0
            for fields in reader:
                if len(fields) > 1 or "".join(fields).strip():
                    yield before, fields
                before = reader.line_num


def _read_csv(
    path: Path, missing: Sequence[str], codes: Sequence[str], as_text: Sequence[str]
) -> pl.DataFrame:
    text = _Text.of(path)
    try:
        separator = _separator(text)
        before, names = next(text.records(separator), (0, []))
        if not names:
            raise InputError(f"source {path} is empty; give one whose first line names its columns")
        names = [name.strip() for name in names]
        if doubled := [name for name, count in Counter(names).items() if count > 1]:
            raise InputError(
                f"source {path} names {', '.join(map(repr, doubled))} more than once in its header; "
                "rename or remove all but one of each"
            )
        try:
            frame = pl.read_csv(
                path if text.content is None else text.content,
                separator=separator,
                skip_lines=before,
                new_columns=names,
                infer_schema=False,
                glob=False,
            )
        except pl.exceptions.PolarsError:
            _check_fields(text, separator, len(names))
            raise
        if frame[:, -1].null_count():  # polars fills a short line with nulls
            _check_fields(text, separator, len(names))
    except UnicodeDecodeError as error:
        raise InputError(f"source {path} is no UTF-8 ({_where(text)}); save it as UTF-8") from error
    except csv.Error as error:
        raise InputError(f"source {path} is no CSV file ({error}); correct its quotes") from error
    columns = {}
    for name in names:
        values = without(nameless(frame, name), missing)
        as_is = name in as_text or (name in codes and has_leading_zeros(values))
        columns[name] = values if as_is else typed(values)
    blank = reduce(and_, (values.is_null() for values in columns.values()))
    return pl.DataFrame(columns).filter(~blank)


def _separator(text: _Text) -> str:
    """Return the first separator by which header and first record have equally many fields, of several."""
    tabs = text.path.name.lower().removesuffix(".gz").endswith(".tsv")
    for separator in ("\t", *SEPARATORS) if tabs else SEPARATORS:
        records = text.records(separator)
        counts = [len(fields) for _, fields in (next(records, (0, [])), next(records, (0, [])))]
        if counts[0] > 1 and counts[1] in (counts[0], 0):
            return separator
    return "\t" if tabs else ","


def _check_fields(text: _Text, separator: str, wanted: int) -> None:
    for before, fields in text.records(separator):
        if len(fields) != wanted:
            raise InputError(
                f"source {text.path}: line {before + 1} has {len(fields)} fields where the header has "
                f"{wanted} (separated by {separator!r}); correct that line, or quote a field that holds the "
                "separator"
            )


def _where(text: _Text) -> str:
    """Name the first line that is no UTF-8."""
    raw = text.path.read_bytes() if text.content is None else text.content
    for number, line in enumerate(raw.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f"line {number} has the byte 0x{line[error.start]:02x}"
    return "its bytes are cut short"
