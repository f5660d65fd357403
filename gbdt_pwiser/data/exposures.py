"""Exposures: the one shape in which data reaches a model, whatever file it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.relative import Relative
from gbdt_pwiser.data.stored import BLOCK, StoredFeatures, as_matrix, refuse_infinite, with_constants
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.objectives.labels import task_labels


@dataclass(frozen=True, eq=False)
class Exposures:
    """Rows of features with a grade each, checked on construction.

    Parameters
    ----------
    name
        What the data set is called in tables and reports.
    features
        One column per feature: Float32 numericals (null or NaN is missing) and Int32 codes for
        categoricals (null is missing). In memory, or left in Parquet files and read when a model needs them.
    grade
        int8 (n,): 0 impression only, 1 click without conversion, 2 conversion, 3 click whose conversion is
        open: it may still come.
    categorical
        Names of the feature columns that hold codes.
    group
        int64 (n,): the search, page or user of each exposure; None where there is none.
    time
        int64 (n,): any unit that sorts; None where there is none.
    in_test
        bool (n,): True where the publisher put the row into the test file; None where the split is ours.
    noise_free_click
        bool (n,): the click without its accidental part and without those on bait, known for simulated data
        only. Evaluation may read it, training never does.
    categories
        Per categorical column that was encoded, the value of each code from 0, null in the first place where
        code 0 is shared by rare and unknown values; None where all codes are the stored values.
    relative
        Which feature columns are relative to the group, so that a saved model can make them again; None where
        none is. They are among the features.
    served_as
        Per feature column that is unknown before serving, as a position on the page is, the number that it is
        for serving. Training reads its true values; `as_served` puts the number in their place.
    missing
        Words that counted as missing, as an empty text did, when texts got their codes, so that a saved model
        can take them so; None where each text is a value.

    Raises
    ------
    InputError
        A length, a type, a grade or a feature column breaks a rule above. Zero rows are allowed here;
        a split refuses them. The numbers of stored features are checked when they are read.
    """

    name: str
    features: pl.DataFrame | StoredFeatures = field(repr=False)
    grade: NDArray[np.int8] = field(repr=False)
    categorical: tuple[str, ...] = ()
    group: NDArray[np.int64] | None = field(default=None, repr=False)
    time: NDArray[np.int64] | None = field(default=None, repr=False)
    in_test: NDArray[np.bool_] | None = field(default=None, repr=False)
    noise_free_click: NDArray[np.bool_] | None = field(default=None, repr=False)
    categories: Mapping[str, pl.Series] | None = field(default=None, repr=False)
    relative: Relative | None = None
    served_as: Mapping[str, float] = field(default_factory=dict)
    missing: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        n = self.features.height
        columns = {
            "grade": (self.grade, np.int8),
            "group": (self.group, np.int64),
            "time": (self.time, np.int64),
            "in_test": (self.in_test, np.bool_),
            "noise_free_click": (self.noise_free_click, np.bool_),
        }
        for what, (values, dtype) in columns.items():
            if values is None:
                continue
            if values.shape != (n,) or values.dtype != dtype:
                raise InputError(
                    f"{self.name}: {what} has shape {values.shape} and type {values.dtype}; "
                    f"give one {np.dtype(dtype)} per exposure, shape ({n},)"
                )
        if n and not (self.grade.min() >= 0 and self.grade.max() <= OPEN):
            bad = self.grade[(self.grade < 0) | (self.grade > OPEN)]
            raise InputError(
                f"{self.name}: {len(bad)} grades are outside 0, 1, 2, 3 (the first is {bad[0]}); "
                "a grade is click + conversion, or 3 where the conversion of a click is open"
            )
        if unknown := [c for c in self.categorical if c not in self.features.columns]:
            raise InputError(f"{self.name}: categorical names no feature column: {', '.join(unknown)}")
        numerical = set(self.features.columns) - set(self.categorical)
        made = () if self.relative is None else (*self.relative.columns, *self.relative.names)
        for what, columns_of_it in (("relative", made), ("served_as", self.served_as)):
            if unknown := [c for c in columns_of_it if c not in numerical]:
                raise InputError(f"{self.name}: {what} names no numerical feature: {', '.join(unknown)}")
        for column, stored in self.features.schema.items():
            wanted = pl.Int32 if column in self.categorical else pl.Float32
            if stored != wanted:
                raise InputError(f"{self.name}: feature {column} is {stored}; make it {wanted}")
        if isinstance(self.features, pl.DataFrame):
            refuse_infinite(self.features, self.name)

    def __len__(self) -> int:
        return self.features.height

    @property
    def click(self) -> NDArray[np.bool_]:
        """Clicks, bool (n,): grade >= 1."""
        return self.grade >= 1

    @property
    def conversion(self) -> NDArray[np.bool_]:
        """Conversions, bool (n,): grade == 2."""
        converted: NDArray[np.bool_] = self.grade == 2
        return converted

    @property
    def open(self) -> NDArray[np.bool_]:
        """Clicks whose conversion is open, bool (n,): grade == 3."""
        undecided: NDArray[np.bool_] = self.grade == OPEN
        return undecided

    @property
    def decided_click(self) -> NDArray[np.bool_]:
        """Clicks of which it is known whether they convert, bool (n,): grade 1 or 2."""
        return self.click & ~self.open

    @property
    def known_conversion(self) -> NDArray[np.float32]:
        """Conversions as `grade_from` takes them, float32 (n,): 0 or 1, and NaN where they are open."""
        return task_labels(self.grade, tasks=1)[:, 1]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Exposures:
        """Return the given rows, by index (order kept) or by mask."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64, copy=False)

        def pick(values: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
            return None if values is None else values[index]

        return Exposures(
            name=self.name,
            features=self.features[index],
            grade=self.grade[index],
            categorical=self.categorical,
            group=pick(self.group),  # type: ignore[arg-type]
            time=pick(self.time),  # type: ignore[arg-type]
            in_test=pick(self.in_test),  # type: ignore[arg-type]
            noise_free_click=pick(self.noise_free_click),  # type: ignore[arg-type]
            categories=self.categories,
            relative=self.relative,
            served_as=self.served_as,
            missing=self.missing,
        )

    def as_served(self) -> Exposures:
        """Return the exposures as serving sees them: with the numbers of `served_as` in every row."""
        if not self.served_as:
            return self
        if isinstance(self.features, StoredFeatures):
            return replace(self, features=self.features.with_constants(self.served_as))
        return replace(self, features=with_constants(self.features, self.served_as))

    def in_memory(self) -> Exposures:
        """Return the exposures with their features in memory."""
        if isinstance(self.features, pl.DataFrame):
            return self
        return replace(self, features=pl.concat([pl.DataFrame(schema=self.features.schema), *self.frames()]))

    def frames(self, rows: int = BLOCK) -> Iterator[pl.DataFrame]:
        """Return the features in the order of the rows, so many rows at a time."""
        if isinstance(self.features, StoredFeatures):
            return self.features.frames(rows)
        return self.features.iter_slices(rows)

    def blocks(self, rows: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Yield `matrix` in blocks of so many rows, the last one of fewer; only one is in memory."""
        yield from map(as_matrix, self.frames(rows))

    def matrix(self) -> NDArray[np.float32]:
        """float32 (n, features), row-major; codes as whole numbers, missing as NaN."""
        matrix = np.empty((len(self), len(self.features.columns)), dtype=np.float32)
        start = 0
        for block in self.blocks():
            matrix[start : start + len(block)] = block
            start += len(block)
        return matrix
