"""Parquet files written from frames as they come, and read back a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event
from typing import TypeAlias

import polars as pl
from polars.io.plugins import register_io_source

PolarsDataType: TypeAlias = pl.DataType | type[pl.DataType]

ROW_GROUP = 1 << 19
"""Rows of a row group: what a reader has to hold at once."""
POLL = 0.1
"""Seconds after which two threads that wait for each other look whether the other one has ended."""


def write_frames(frames: Iterable[pl.DataFrame], target: Path, columns: Mapping[str, PolarsDataType]) -> None:
    """Write frames of the given columns one after the other; memory holds about one row group.

    An exception of `frames`, and an interrupt, passes through as it is.
    """
    with writing_frames(target, columns) as write:
        for frame in frames:
            write(frame)


@contextmanager
def writing_frames(
    target: Path, columns: Mapping[str, PolarsDataType]
) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Give what writes a frame behind the others; the file is complete when the block ends."""
    handed: Queue[pl.DataFrame | None] = Queue(1)
    ended = Event()

    # A sink over a lazy source is what polars offers for a file that grows. It runs in a thread of its own:
    # then the frames are made, and interrupts arrive, in ordinary code of the caller's.
    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        while True:
            try:
                frame = handed.get(timeout=POLL)
            except Empty:
                if ended.is_set():
                    raise _StoppedError from None
                continue
            if frame is None:
                return
            yield frame[list(columns)]

    def sink() -> None:
        register_io_source(source, schema=dict(columns)).sink_parquet(
            target, compression="zstd", compression_level=1, row_group_size=ROW_GROUP
        )

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(sink)

        def hand(frame: pl.DataFrame | None) -> None:
            while not writing.done():  # before its end it is done only where it failed
                with suppress(Full):
                    return handed.put(frame, timeout=POLL)
            writing.result()

        try:
            try:
                yield hand
                hand(None)
                writing.result()
            finally:
                ended.set()
        finally:  # an interrupt may come twice: polars raises it by itself, and Python again
            ended.set()


class _StoppedError(Exception):
    """What tells the writing thread that no more frames will come."""


def read_frames(path: Path, rows: int = ROW_GROUP) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file in their order, `rows` at a time."""
    scan = pl.scan_parquet(path, glob=False)
    total = scan.select(pl.len()).collect().item()
    for start in range(0, total, rows):
        yield scan.slice(start, rows).collect()
