"""Whole pages, the rows of a group, from tables that are read a part at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
AT_A_TIME: Final = 1 << 21
"""Rows of pages that are in memory where the rows of a page lie apart."""


def page_keys(values: pl.Series) -> NDArray[np.uint64]:
    """Return uint64 (n,): equal where the pages are, and but for one in 2^64 pairs only there.

    Keys of parts of a column are those of the column, so it need never be in memory as a whole.
    """
    return values.hash().to_numpy()


def are_adjacent(keys: NDArray[np.uint64]) -> bool:
    """Return whether the rows of every page lie side by side."""
    return len(_starts(keys)) == len(np.unique(keys))


def in_page_order(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return int64 (n,): rows page by page, pages as they first appear, the rows of each in their order."""
    _, first, page = np.unique(keys, return_index=True, return_inverse=True)
    return np.argsort(first[page], kind="stable")


def between_pages(keys: NDArray[np.uint64], rows: int) -> Iterator[tuple[int, int]]:
    """Yield from where to before where to read, so many rows at most and all of whole pages.

    A page of more rows comes alone, as a whole.

    Examples
    --------
    >>> list(between_pages(np.array([7, 7, 5, 5, 5, 5, 9, 8], dtype=np.uint64), 3))
    [(0, 2), (2, 6), (6, 8)]
    """
    ends = np.append(_starts(keys)[1:], len(keys))
    start = 0
    while start < len(keys):
        fitting = int(np.searchsorted(ends, start + rows, side="right")) - 1
        next_end = int(np.searchsorted(ends, start, side="right"))
        stop = int(ends[max(fitting, next_end)])
        yield start, stop
        start = stop


def on_disk(folder: Path, dtype: type[Scalar], shape: tuple[int, int]) -> NDArray[Scalar]:
    """Return an array of zeros in a nameless file of a folder, which goes with the array.

    Its room is taken at once, by an OSError where there is none: a disk that fills up later would end the
    process.
    """
    with TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype, shape=shape)


def fill_by_page(
    out: NDArray[np.float32],
    keys: NDArray[np.uint64],
    of_pages: Callable[[NDArray[np.int64]], NDArray[np.float32]],
) -> None:
    """Fill (n, k) values, row by row, from those of some whole pages at a time.

    Parameters
    ----------
    out
        float32 (n, k): gets the values.
    keys
        uint64 (n,): the page of each row, in any order.
    of_pages
        Returns float32 (rows, k) for the ascending places of all rows of some pages, some `AT_A_TIME` rows.
    """
    order = in_page_order(keys)
    for start, stop in between_pages(keys[order], AT_A_TIME):
        rows = np.sort(order[start:stop])
        out[rows] = of_pages(rows)


def _starts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where a page begins, whether or not it was there before."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
