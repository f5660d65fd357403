"""The small side of a join: rows by a unique key, held as compact columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.blocks import BadLines


class Lookup:
    """Rows of one file, found by their key for the rows of another.

    Parameters
    ----------
    frames
        The rows, at least one, without nulls in the key.
    key
        Column of whole numbers; each occurs once.
    what, plural
        What messages call a key and several keys.
    path
        The file, for messages.
    show
        How messages print a key.

    Attributes
    ----------
    rows
        The other columns, ordered by key.

    Raises
    ------
    InputError
        No row, or a key that occurs more than once.
    """

    def __init__(
        self,
        frames: Iterable[pl.DataFrame],
        key: str,
        *,
        what: str,
        plural: str,
        path: Path,
        show: Callable[[int], str] = str,
    ) -> None:
        self._what, self._path, self._show = what, path, show
        held = list(frames)
        if not held:
            raise InputError(f"{path.name} has no rows; fetch it again")
        table = pl.concat(held).sort(key)
        self._keys = table[key].to_numpy()
        self.rows = table.drop(key)
        repeated = np.unique(self._keys[1:][self._keys[1:] == self._keys[:-1]])
        if len(repeated):
            raise InputError(
                f"{path.name}: {len(repeated)} {plural} occur more than once "
                f"(the first is {show(int(repeated[0]))}); the file has one row for each"
            )
        self._orphans = 0
        self._first_orphan: int | None = None

    def find(self, keys: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return int64 (n,) places in `rows` and bool (n,), which keys are there; others are counted."""
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[place] == keys
        if not found.all():
            self._orphans += int((~found).sum())
            if self._first_orphan is None:
                self._first_orphan = int(keys[~found][0])
        return place, found

    def settle(self, path: Path, bad: BadLines) -> None:
        """Count the rows of `path` whose key was not found as bad lines, which an InputError may stop."""
        if self._first_orphan is not None:
            bad.add(
                self._orphans,
                f"{path.name}: {self._orphans} rows have a {self._what} that {self._path.name} lacks "
                f"(the first is {self._show(self._first_orphan)}); give the two files of one set and part",
            )
