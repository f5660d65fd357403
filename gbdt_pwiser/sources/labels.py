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
from gbdt_pwiser.sources.description import Description
from gbdt_pwiser.sources.text.table import first_line

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
                "in column = 1"
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
        The grade; or the click and the conversion.
    """

    labels: Sequence[Label]
    _faults: dict[str, Faults] = field(default_factory=dict)
    _contrary: Faults = field(default_factory=Faults)

    @classmethod
    def of(cls, described: Description, columns: Sequence[str]) -> Grades:
        """Read the labels of a description."""
        return cls([Label.of(key, text, columns) for key, text in described.labels.items()])

    @property
    def columns(self) -> set[str]:
        """Columns that the labels are made of."""
        return {name for label in self.labels for name in label.columns}

    def read(self, frame: pl.DataFrame, before: int = 0) -> NDArray[np.int8]:
        """int8 (n,): grades of a block of rows, 0 where there is a fault; `check` tells of these."""
        if self.labels[0].key == "grade":
            return self._label(self.labels[0], frame, before, top=2)
        click, conversion = (self._label(label, frame, before, top=1) for label in self.labels)
        contrary = pl.Series(conversion > click)
        self._contrary.add(contrary, contrary, before)
        return click + conversion

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

    def _label(self, label: Label, frame: pl.DataFrame, before: int, *, top: int) -> NDArray[np.int8]:
        """int8 (n,): values of a label, each a whole number from 0 to top."""
        values = label.values(frame)
        if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
            raise InputError(
                f"{label.key} = {label.text!r} is {values.dtype}; write an expression whose values are "
                f"{_wanted(label)}"
            )
        bad = (~values.cast(pl.Float64).is_in([float(i) for i in range(top + 1)])).fill_null(True)
        self._faults.setdefault(label.key, Faults()).add(bad, values, before)
        return values.cast(pl.Int8, strict=False).zip_with(~bad, pl.Series([0], dtype=pl.Int8)).to_numpy()


def _wanted(label: Label) -> str:
    return "0, 1 or 2" if label.key == "grade" else "0 or 1"
