"""Delimited text with a header, a block of rows at a time, and the line of what is wrong with it."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import polars as pl

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.blocks import BLOCK
from gbdt_pwiser.sources.text.plain import plain_text

SEPARATORS: Final = (",", ";", "\t", "|")
_LONGEST_QUOTE: Final = 4
"""Blocks over which a field in quotes may go; one that never ends would be read into memory whole."""


@dataclass(frozen=True)
class Delimited:
    """A text file: where it is, its separator and columns, and where its rows begin.

    Attributes
    ----------
    shown
        What the file is called in messages.
    text
        Its text as UTF-8 with newlines.
    separator, names
        What is between fields, and the columns of the header.
    header_bytes, header_lines
        What precedes the first row.
    """

    shown: str
    text: Path
    separator: str
    names: tuple[str, ...]
    header_bytes: int
    header_lines: int

    @classmethod
    def open(cls, path: Path, scratch: Path, shown: str = "") -> Delimited:
        """Read the header; InputError where there is none, or it names a column twice."""
        shown = shown or str(path)
        text = plain_text(path, scratch)
        with _telling_damage(shown, text):
            separator = _separator(shown, text)
            with _opened(text) as file:
                counted = _Counted(file)
                _, fields = next(_records(counted, separator), (0, []))
            with text.open("rb") as raw:
                mark = len(codecs.BOM_UTF8) * raw.read(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8)
        names = tuple(name.strip() for name in fields)
        if not names:
            raise InputError(f"source {shown} is empty; give one whose first line names its columns")
        if doubled := [name for name, count in Counter(names).items() if count > 1]:
            raise InputError(
                f"source {shown} names {', '.join(map(repr, doubled))} more than once in its header; "
                "rename or remove all but one of each"
            )
        return cls(shown, text, separator, names, mark + counted.bytes, counted.lines)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows as texts, null where a field is empty.

        InputError for a line of more or fewer fields than the header, or of bytes that are no UTF-8.
        """
        for before, lines in self._blocks():
            yield self._parsed(before, lines)

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield how many lines precede a block of whole rows, and the block."""
        before = self.header_lines
        with self.text.open("rb") as file:
            file.seek(self.header_bytes)
            while start := file.read(BLOCK):
                pieces, size = [start, file.readline()], len(start)
                open_quote = sum(piece.count(b'"') for piece in pieces) % 2
                while open_quote and (piece := file.readline(BLOCK)):
                    pieces.append(piece)
                    size += len(piece)
                    open_quote ^= piece.count(b'"') % 2
                    if size > _LONGEST_QUOTE * BLOCK:
                        raise InputError(
                            f"source {self.shown} cannot be read: a quote that opens after line {before + 1} "
                            "is not closed; correct it"
                        )
                block = b"".join(pieces)
                yield before, block
                before += block.count(b"\n")

    def _parsed(self, before: int, lines: bytes) -> pl.DataFrame:
        places = [str(place) for place in range(len(self.names))]
        with _telling_damage(self.shown, lines, before):
            try:
                frame = pl.read_csv(
                    lines,
                    has_header=False,
                    separator=self.separator,
                    schema=dict.fromkeys(places, pl.String),
                )
            except pl.exceptions.NoDataError:
                frame = pl.DataFrame(schema=dict.fromkeys(places, pl.String))
            except pl.exceptions.PolarsError:
                lines.decode()
                self._check_fields(before, lines)
                raise
            if frame[:, -1].null_count() and not self._whole(lines, frame.height):
                self._check_fields(before, lines)  # polars fills a short line with nulls
        frame.columns = list(self.names)
        return frame

    def _whole(self, lines: bytes, rows: int) -> bool:
        """Return whether no line can be short, which is quick to see where there are no quotes."""
        separators = lines.count(self.separator.encode())
        return b'"' not in lines and separators == rows * (len(self.names) - 1)

    def _check_fields(self, before: int, lines: bytes) -> None:
        wanted = len(self.names)
        with io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8", newline="") as file:
            for line, fields in _records(file, self.separator):
                if len(fields) != wanted:
                    raise InputError(
                        f"source {self.shown}: line {before + line + 1} has {len(fields)} fields where the "
                        f"header has {wanted} (separated by {self.separator!r}); correct that line, or quote "
                        "a field that holds the separator"
                    )


def _opened(text: Path) -> IO[str]:
    """Open a text behind its mark; line ends are left as they are."""
    return text.open(encoding="utf-8-sig", newline="")


class _Counted:
    """The lines of a file, and how many lines and bytes of it were taken."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self.lines, self.bytes = file, 0, 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.lines += line.endswith("\n")
            self.bytes += len(line.encode())
            yield line


def _records(file: _Counted | IO[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield how many lines precede a record that is not blank, and its fields."""
    reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
    before = 0
    for fields in reader:
        if len(fields) > 1 or "".join(fields).strip():
            yield before, fields
        before = reader.line_num


def _separator(shown: str, text: Path) -> str:
    """Return the first separator by which header and first record have equally many fields, of several."""
    tabs = shown.lower().removesuffix(".gz").removesuffix(".zst").endswith(".tsv")
    for separator in ("\t", *SEPARATORS) if tabs else SEPARATORS:
        with _opened(text) as file:
            records = _records(file, separator)
            counts = [len(fields) for _, fields in (next(records, (0, [])), next(records, (0, [])))]
        if counts[0] > 1 and counts[1] in (counts[0], 0):
            return separator
    return "\t" if tabs else ","


@contextmanager
def _telling_damage(shown: str, text: Path | bytes, before: int = 0) -> Iterator[None]:
    """Turn errors of decoding and of quotes into an InputError that names the line."""
    try:
        yield
    except UnicodeDecodeError as error:
        where = _where(text, before)
        raise InputError(f"source {shown} is no UTF-8 ({where}); save it as UTF-8") from error
    except csv.Error as error:
        raise InputError(f"source {shown} is no CSV file ({error}); correct its quotes") from error


def _where(text: Path | bytes, before: int) -> str:
    """Name the first line that is no UTF-8."""
    with io.BytesIO(text) if isinstance(text, bytes) else text.open("rb") as file:
        for number, line in enumerate(file, start=before + 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number} has the byte 0x{line[error.start]:02x}"
    return "its bytes are cut short"
