"""The columns of a source of any size, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.selectors import by_name

from gbdt_pwiser.data.parquet import write_frames
from gbdt_pwiser.data.progress import PASSING, bar
from gbdt_pwiser.data.stored import BLOCK
from gbdt_pwiser.sources.text.parts import Part, Parts
from gbdt_pwiser.sources.text.table import (
    Reading,
    TextTypes,
    check_alike,
    no_rows,
    telling_damage,
    text_frames,
    with_keys,
    without_words,
)


class Block(NamedTuple):
    """Rows of a table, and how many are before them."""

    before: int
    frame: pl.DataFrame


@dataclass(frozen=True)
class Scan:
    """A table in Parquet files that is read in several passes.

    Attributes
    ----------
    parts
        The files.
    missing
        Texts that are missing values, besides an empty one; None where no text is, or none is left.
    schema
        The columns and their types, as blocks have them.
    rows
        How many there are.
    progress
        Whether to show on a terminal how far a pass is.
    """

    parts: Parts
    missing: Sequence[str] | None
    schema: pl.Schema
    rows: int
    progress: bool

    @classmethod
    def of(cls, parts: Parts, reading: Reading, scratch: Path, *, progress: bool) -> Scan:
        """Open a source; text becomes Parquet in the scratch folder, in two passes of which one finds types.

        InputError as `read_parts`.
        """
        if parts.has_types:
            return cls._open(parts, reading.words(has_types=True), progress)
        with telling_damage(parts.shown):
            typed = _typed(parts, reading, scratch, progress)
        return cls._open(Parts(parts.shown, (Part(typed),), has_types=True), None, progress)

    @classmethod
    def _open(cls, parts: Parts, missing: Sequence[str] | None, progress: bool) -> Scan:
        with telling_damage(parts.shown):
            check_alike(parts)
            first = with_keys(parts.parts[0].scan().head(0).collect(), parts, 0)
            schema = without_words(first, missing).schema
            rows = parts.rows
        if not rows:
            raise no_rows(parts)
        return cls(parts, missing, schema, rows, progress)

    def blocks(self, columns: Sequence[str], doing: str) -> Iterator[Block]:
        """Yield some columns of all rows in their order; `doing` is what progress is called."""
        stored = [name for name in self.schema if name not in self.parts.keys]
        read = [name for name in columns if name not in self.parts.keys] or stored[:1]
        before = 0
        with (
            telling_damage(self.parts.shown),
            bar(total=self.rows, desc=doing, unit=" rows", shown=self.progress, **PASSING) as passed,
        ):
            for place, part in enumerate(self.parts.parts):
                scan = part.scan().select(by_name(*read))
                for frame in scan.collect_batches(chunk_size=BLOCK, maintain_order=True):
                    table = with_keys(frame, self.parts, place)[list(columns)]
                    yield Block(before, without_words(table, self.missing))
                    before += table.height
                    passed.update(table.height)


def _typed(parts: Parts, reading: Reading, scratch: Path, progress: bool) -> Path:
    """Write delimited text as Parquet and return where."""
    types, target = TextTypes(reading), scratch / "typed.parquet"

    def texts(doing: str) -> Iterator[pl.DataFrame]:
        with bar(desc=doing, unit=" rows", shown=progress, **PASSING) as passed:
            for frame in text_frames(parts, reading, scratch):
                yield frame
                passed.update(frame.height)

    for frame in texts("types of columns"):
        types.add(frame)
    schema = {name: pl.String() if kind is None else kind.dtype for name, kind in types.kinds.items()}
    write_frames((types.convert(frame) for frame in texts("columns")), target, schema)
    return target
