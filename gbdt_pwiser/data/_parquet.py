"""Parquet files written from frames as they come, and read back a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

ROW_GROUP = 1 << 19
"""Rows of a row group: what a reader has to hold at once."""


def write_frames(
    frames: Iterable[pl.DataFrame], target: Path, columns: Mapping[str, type[pl.DataType]]
) -> None:
    """Write frames of the given columns one after the other; memory holds about one row group.

    An exception of `frames` passes through as it is.
    """
    raised: list[Exception] = []

    # A sink over a lazy source is what polars offers for a file that grows.
    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        try:
            for frame in frames:
                yield frame[list(columns)]
        except Exception as error:
            raised.append(error)
            raise

    try:
        register_io_source(source, schema=dict(columns)).sink_parquet(
            target, compression="zstd", compression_level=1, row_group_size=ROW_GROUP
        )
    except Exception:
        if raised:
            raise raised[0] from raised[0].__cause__
        raise


def read_frames(path: Path, rows: int = ROW_GROUP) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file in their order, `rows` at a time."""
    scan = pl.scan_parquet(path, glob=False)
    total = scan.select(pl.len()).collect().item()
    for start in range(0, total, rows):
        yield scan.slice(start, rows).collect()
