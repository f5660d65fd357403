"""Whole pages, the rows of a group, from tables that are read a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.objectives import InputError

AT_A_TIME: Final = 1 << 21
"""Rows of pages that are in memory where the rows of a page lie apart."""


class PageReturnsError(InputError):
    """A page that had ended comes back further down; the rows have to be sorted by page first."""


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


def whole_pages(frames: Iterable[pl.DataFrame], group: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of frames in frames of their own, in which no page is cut.

    Memory holds a frame, the page that may go on in the next one, and 8 bytes for each page that has ended.

    Parameters
    ----------
    frames
        Rows whose pages lie side by side, page after page, cut anywhere.
    group
        The column that says which page a row is of.

    Raises
    ------
    PageReturnsError
        A page comes back after another one.

    Examples
    --------
    >>> frames = pl.DataFrame({"page": [1, 1, 2, 2, 2, 3]}).iter_slices(2)
    >>> [frame["page"].to_list() for frame in whole_pages(frames, "page")]
    [[1, 1], [2, 2, 2], [3]]
    """
    held: list[pl.DataFrame] = []
    known = _Seen()
    last: np.uint64 | None = None
    for frame in frames:
        if frame.is_empty():
            continue
        keys = page_keys(nameless(frame, group))
        starts = _starts(keys)
        if keys[0] == last:  # its first page goes on
            starts = starts[1:]
        if (returned := known.add(keys[starts])) is not None:
            page = frame[group][int(starts[returned])]
            raise PageReturnsError(
                f"the rows of {group} {page} do not lie side by side; sort the rows by {group}"
            )
        last = keys[-1]
        if not len(starts):
            held.append(frame)
            continue
        ended = [*held, frame[: int(starts[-1])]]
        if any(map(len, ended)):
            yield pl.concat(ended)
        held = [frame[int(starts[-1]) :]]
    if held:
        yield pl.concat(held)


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


class _Seen:
    """A growing set of keys, 8 bytes each: sorted stretches, each longer than all that were added since."""

    def __init__(self) -> None:
        self._stretches: list[NDArray[np.uint64]] = []

    def add(self, keys: NDArray[np.uint64]) -> int | None:
        """Add keys; return the place of the first that was there, or is there twice, or None."""
        again = np.ones(len(keys), dtype=np.bool_)
        again[np.unique(keys, return_index=True)[1]] = False
        for stretch in self._stretches:
            place = np.minimum(np.searchsorted(stretch, keys), len(stretch) - 1)
            again |= stretch[place] == keys
        if again.any():
            return int(again.argmax())
        if len(keys):
            self._stretches.append(np.sort(keys))
        while len(self._stretches) > 1 and len(self._stretches[-1]) >= len(self._stretches[-2]):
            self._stretches.append(np.sort(np.concatenate([self._stretches.pop(), self._stretches.pop()])))
        return None


def _starts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where a page begins, whether or not it was there before."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
