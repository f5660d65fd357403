"""Grades from the label columns of a description, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.sources.description import Description
from gbdt_pwiser.sources.text.table import first_line

MISSING: Final = -1
"""What stands for a null among labels."""
_MAY_MISS: Final = ("conversion", "settled")
_SAMPLE: Final = 3


@dataclass
class Faults:
    """Rows that break a rule: how many of them, and the first, from 1, with its value."""

    rows: int = 0
    first: int = 0
    value: Any = None

    def add(self, bad: pl.Series, values: pl.Series, before: int) -> None:
        """Count the rows of a block in which `bad` is true; so many rows were before it."""
        if places := bad.arg_true().to_list():
            if not self.rows:
                self.first, self.value = before + places[0] + 1, values[places[0]]
            self.rows += len(places)


@dataclass(frozen=True)
class Label:
    """A key of a description, and what it is: a column, or an SQL expression over columns."""

    key: str
    text: str
    expression: pl.Expr | None

    @classmethod
    def of(cls, key: str, text: str, columns: Sequence[str]) -> Label:
        """Read a label; InputError where it is neither."""
        if text in columns:  # also names that are no SQL identifiers, or patterns to `pl.col`
            return cls(key, text, None)
        try:
            expression = pl.sql_expr(text)
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"{key} = {text!r} is neither a column nor an SQL expression ({first_line(error)}); correct "
                "it"
            ) from error
        if expression.meta.has_multiple_outputs():
            raise InputError(
                f"{key} = {text!r} names a column that polars reads as a pattern of names; give that column "
                "alone, or rename it"
            )
        return cls(key, text, expression)

    @property
    def columns(self) -> list[str]:
        """Columns that it is made of."""
        return [self.text] if self.expression is None else self.expression.meta.root_names()

    def values(self, frame: pl.DataFrame) -> pl.Series:
        """Return a value per row; InputError where the expression cannot be evaluated."""
        if self.expression is None:
            return nameless(frame, self.text)
        try:
            return frame.with_columns(self.expression.alias(self.key))[
                self.key
            ]  # a constant becomes a column
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"{self.key} = {self.text!r} cannot be evaluated ({first_line(error)}); compare numbers, as "
                "in column = 1, or dates, as in column < date '2026-12-31'"
            ) from error

    def check_of_row(self, frame: pl.DataFrame) -> None:
        """Raise InputError where a value is of more than its own row, such as a mean, of some rows to try."""
        sample = frame.head(_SAMPLE)
        ahead = [] if self.expression is None or sample.height < 2 else [self.expression]
        while ahead:
            node = ahead.pop()
            ahead += node.meta.pop()
            if not node.meta.is_literal() and (
                ".over(" in str(node) or sample.select(node.alias("")).height != sample.height
            ):
                raise InputError(
                    f"{self.key} = {self.text!r} is of more than its own row, and a source that is prepared "
                    "is read a block of rows at a time; store its result as a column"
                )


@dataclass
class Grades:
    """Makes grades, and counts the rows that have none.

    Attributes
    ----------
    labels
        The grade, or the click and the conversion; and whether a click is settled, if that is said.
    """

    labels: Sequence[Label]
    _faults: dict[str, Faults] = field(default_factory=dict)
    _contrary: Faults = field(default_factory=Faults)
    _unknown: Faults = field(default_factory=Faults)

    @classmethod
    def of(cls, described: Description, columns: Sequence[str]) -> Grades:
        """Read the labels of a description."""
        return cls([Label.of(key, text, columns) for key, text in described.labels.items()])

    @property
    def columns(self) -> set[str]:
        """Columns that the labels are made of."""
        return {name for label in self.labels for name in label.columns}

    def read(self, frame: pl.DataFrame, before: int = 0) -> NDArray[np.int8]:
        """int8 (n,): grades of a block of rows, in which `check` tells of the faults."""
        read = {label.key: self._label(label, frame, before) for label in self.labels}
        if "grade" in read:
            grade = read["grade"]
        else:
            click, conversion = read["click"], read["conversion"]
            contrary = pl.Series((conversion == 1) & (click == 0))
            self._contrary.add(contrary, contrary, before)
            grade = graded(click, conversion)
        if "settled" not in read:
            return grade
        unknown = pl.Series((grade > 0) & (read["settled"] == MISSING))
        self._unknown.add(unknown, unknown, before)
        return left_open(grade, read["settled"])

    def check(self) -> None:
        """Raise InputError where a label of the rows so far was none, or a conversion had no click."""
        for label in self.labels:
            if (faults := self._faults[label.key]).rows:
                raise InputError(
                    f"{label.key} = {label.text!r} is not {_wanted(label)} in {faults.rows} rows (the first "
                    f"is row {faults.first}: {faults.value}); drop them or write another expression"
                )
        if self._contrary.rows:
            raise InputError(
                f"{self._contrary.rows} rows convert without a click (the first is row "
                f"{self._contrary.first}); drop them, or put the condition of the click into that of the "
                "conversion with AND"
            )
        if self._unknown.rows:
            raise InputError(
                f"settled is missing for {self._unknown.rows} clicks (the first is in row "
                f"{self._unknown.first}); drop them, or say what a missing value means, as in COALESCE(..., "
                "false)"
            )

    def _label(self, label: Label, frame: pl.DataFrame, before: int) -> NDArray[np.int8]:
        """int8 (n,): values of a label, each a whole number from 0 on; MISSING where it may be missing."""
        may_miss = label.key in _MAY_MISS
        values = label.values(frame)
        if may_miss and values.dtype == pl.Null:
            values = values.cast(pl.Int8)
        if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
            raise InputError(
                f"{label.key} = {label.text!r} is {values.dtype}; write an expression whose values are "
                f"{_wanted(label)}"
            )
        if may_miss and values.dtype.is_float():
            values = values.fill_nan(None)
        known = values.cast(pl.Float64).is_in([float(i) for i in range(_top(label) + 1)])
        bad = (~known).fill_null(not may_miss)
        self._faults.setdefault(label.key, Faults()).add(bad, values, before)
        whole = values.cast(pl.Int8, strict=False).zip_with(~bad, pl.Series([0], dtype=pl.Int8))
        return whole.fill_null(MISSING).to_numpy()


def graded(click: NDArray[np.int8], conversion: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return click + conversion, int8 (n,), and 3 for a click whose conversion is missing.

    Parameters
    ----------
    click
        (n,): 0 or 1.
    conversion
        (n,): 0, 1 or MISSING. Without a click nothing can come, so MISSING is 0 there.

    Examples
    --------
    >>> graded(*np.array([[0, 1, 1, 1], [-1, 0, 1, -1]], dtype=np.int8)).tolist()
    [0, 1, 2, 3]
    """
    is_open = (click == 1) & (conversion == MISSING)
    return np.where(is_open, OPEN, click + np.maximum(conversion, 0)).astype(np.int8)


def left_open(grade: NDArray[np.int8], settled: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the grades, int8 (n,), with 3 for each click that is not settled, converted or not.

    Conversions that came before their click is settled are the early ones. Among clicks that are not settled
    they would be the only ones whose outcome is known, and make pCVR too high.

    Parameters
    ----------
    grade
        (n,): 0 to 3.
    settled
        (n,): 0, 1, or MISSING in rows without a click, where it says nothing.

    Examples
    --------
    >>> left_open(*np.array([[0, 1, 2, 2], [-1, 1, 1, 0]], dtype=np.int8)).tolist()
    [0, 1, 2, 3]
    """
    return np.where((grade > 0) & (settled == 0), OPEN, grade).astype(np.int8)


def _top(label: Label) -> int:
    return OPEN if label.key == "grade" else 1


def _wanted(label: Label) -> str:
    return ", ".join(str(i) for i in range(_top(label))) + f" or {_top(label)}"
