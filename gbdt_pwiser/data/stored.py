"""Features that stay in their Parquet files until a model reads them, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.selectors import by_name

from gbdt_pwiser.objectives import InputError

FEW: Final = 64
"""Rows up to which the time goes into handling columns, and not into their values."""
BLOCK = 1 << 18
"""Rows that are read, and handed to a model, at a time."""
UNREADABLE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises where a Parquet file is damaged; a panic is no Exception."""
GATHERED = 8
"""Blocks of rows that are in memory where the order of the rows is not that of the files."""


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """Feature columns of the rows of some Parquet files; choosing rows or columns reads nothing.

    It has of a `polars.DataFrame` what models use: `columns`, `schema`, `height`, `features[rows]` and
    `features[column]`.

    Parameters
    ----------
    files
        The files, one after the other.
    schema
        The feature columns and their types, as they are stored.
    rows
        int64 (n,): places of the rows in the files, counted on from file to file; None for all of them.
    codes
        Per column whose codes are to be read as others, what to read for each code from 0.
    constants
        Per column that is to be the same number in every row, that number, whatever the files hold.
    """

    files: tuple[StoredFile, ...]
    schema: pl.Schema
    rows: NDArray[np.int64] | None = field(default=None, repr=False)
    codes: Mapping[str, pl.Series] = field(default_factory=dict, repr=False)
    constants: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def open(cls, paths: Iterable[Path], schema: Mapping[str, type[pl.DataType]]) -> StoredFeatures:
        """Return the features in some files; OSError or a PolarsError where one is no Parquet file."""
        return cls(tuple(StoredFile.open(path) for path in paths), pl.Schema(schema))

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.schema.names()

    @property
    def height(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.files) if self.rows is None else len(self.rows)

    @overload
    def __getitem__(self, key: str) -> pl.Series: ...
    @overload
    def __getitem__(self, key: NDArray[np.int64]) -> StoredFeatures: ...
    def __getitem__(self, key: str | NDArray[np.int64]) -> pl.Series | StoredFeatures:
        """Read one column, or choose rows by their index (order kept)."""
        if isinstance(key, str):
            if key in self.constants:
                return pl.repeat(self.constants[key], self.height, dtype=pl.Float32, eager=True).alias(key)
            column = pl.concat([nameless(self._read(file, [key]), key) for file in self.files])
            return (column if self.rows is None else column.gather(self.rows)).alias(key)
        return replace(self, rows=key if self.rows is None else self.rows[key])

    def with_constants(self, constants: Mapping[str, float]) -> StoredFeatures:
        """Return the features with the same number in every row of some columns."""
        return replace(self, constants={**self.constants, **constants})

    def frames(self, rows: int = BLOCK) -> Iterator[pl.DataFrame]:
        """Yield frames of so many rows, the last one of fewer, in the order of the rows.

        Rows in the order of the files are read in one pass over them, which skips where none is chosen. In
        any other order each `GATHERED` blocks of rows take a pass over the stretches that hold them.

        Raises
        ------
        InputError
            A file has changed since it was opened, is damaged, or holds an infinite number.
        """
        in_file_order = self.rows is None or (np.diff(self.rows) >= 0).all()
        stretches = self._stretches(self.rows) if in_file_order else self._gathered()
        for frame in _of_size(stretches, rows):
            yield with_constants(frame, self.constants)

    def _gathered(self) -> Iterator[pl.DataFrame]:
        """Read rows in any order, some blocks of them at a time."""
        assert self.rows is not None
        for start in range(0, self.height, GATHERED * BLOCK):
            wanted = self.rows[start : start + GATHERED * BLOCK]
            order = np.argsort(wanted, kind="stable")
            yield pl.concat(self._stretches(wanted[order]))[np.argsort(order)]

    def _stretches(self, rows: NDArray[np.int64] | None) -> Iterator[pl.DataFrame]:
        """Read ascending rows, those of a block of a file at a time."""
        first = 0
        for file in self.files:
            for start in range(0, file.rows, BLOCK):
                stop = min(start + BLOCK, file.rows)
                if rows is None:
                    yield self._read(file, self.columns, start, stop)
                    continue
                low, high = np.searchsorted(rows, [first + start, first + stop])
                if low < high:
                    here = rows[low:high] - first
                    frame = self._read(file, self.columns, int(here[0]), int(here[-1]) + 1)
                    yield frame[here - here[0]]
            first += file.rows

    def _read(
        self, file: StoredFile, columns: Sequence[str], start: int = 0, stop: int | None = None
    ) -> pl.DataFrame:
        frame = file.read(columns, start, stop)
        return frame.with_columns(
            self.codes[name].gather(frame[name]).alias(name) for name in columns if name in self.codes
        )


@dataclass(frozen=True)
class StoredFile:
    """A Parquet file that must not change while it is used: its path, number of rows, size and time."""

    path: Path
    rows: int
    state: tuple[int, int]

    @classmethod
    def open(cls, path: Path) -> StoredFile:
        """Count the rows of a file."""
        return cls(path, pl.scan_parquet(path, glob=False).select(pl.len()).collect().item(), _state(path))

    def read(self, columns: Sequence[str], start: int = 0, stop: int | None = None) -> pl.DataFrame:
        """Read the rows from `start` to before `stop`; InputError as `StoredFeatures.frames`."""
        try:
            if _state(self.path) != self.state:
                raise InputError(f"{self.path} has changed since it was loaded; load the set again")
            length = (self.rows if stop is None else stop) - start
            wanted = by_name(*columns)  # never patterns
            frame = pl.scan_parquet(self.path, glob=False).slice(start, length).select(wanted).collect()
        except (*UNREADABLE, OSError) as error:
            raise damaged(self.path.parent, str(error).partition("\n")[0]) from error
        refuse_infinite(frame, str(self.path))
        return frame


def with_constants(frame: pl.DataFrame, constants: Mapping[str, float]) -> pl.DataFrame:
    """Return a frame with the same number, as Float32, in every row of some of its columns."""
    numbers = [pl.lit(number, dtype=pl.Float32).alias(name) for name, number in constants.items()]
    return frame.with_columns(numbers) if numbers else frame


def nameless(table: pl.DataFrame | StoredFeatures | Mapping[str, pl.Series], column: str) -> pl.Series:
    """Return a column without its name, which polars reads as a pattern where it is as `^a.*$`."""
    return table[column].alias("")


def damaged(folder: Path, what: str) -> InputError:
    """Return the error for a prepared set that is not as it was written."""
    return InputError(f"the prepared set in {folder} is damaged ({what}); prepare it again")


def refuse_infinite(frame: pl.DataFrame, name: str) -> None:
    """Raise InputError where a Float32 column holds infinite numbers."""
    numbers = [c for c, dtype in frame.schema.items() if dtype == pl.Float32]
    if infinite := [c for c in numbers if has_infinite(frame[c])]:
        raise InputError(
            f"{name}: infinite values in {', '.join(infinite)}; make them finite or missing (NaN)"
        )


def has_infinite(values: pl.Series) -> bool:
    """Return whether a column of floats holds an infinite number."""
    return bool(np.isinf(values.to_numpy()).any())


def as_matrix(frame: pl.DataFrame) -> NDArray[np.float32]:
    """float32 (n, columns), row-major; codes as whole numbers, missing as NaN."""
    if frame.height <= FEW and frame.width:  # the same, without what polars needs for each column
        columns = [column.to_numpy() for column in frame.get_columns()]
        return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")
    values = frame.cast(pl.Float32).fill_null(float("nan")).to_numpy(order="c")
    return np.asarray(values, dtype=np.float32)


def _of_size(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Cut and join frames to so many rows each, the last one to fewer."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(map(len, held)) >= rows:
            table = pl.concat(held)
            whole = len(table) - len(table) % rows
            yield from table[:whole].iter_slices(rows)
            held = [table[whole:]]
    if any(map(len, held)):
        yield pl.concat(held)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
