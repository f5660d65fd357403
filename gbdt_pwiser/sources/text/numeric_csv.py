"""Numeric CSV files by the rules of their columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Rule:
    """What the values of a column must be, and the type they are stored in."""

    meaning: str
    dtype: type[pl.DataType]
    low: float
    high: float
    whole: bool = True

    def admits(self, text: str) -> bool:
        """Tell whether a field of a CSV line obeys the rule."""
        if not NUMBER.fullmatch(text):
            return False
        value = float(text)
        return self.low <= value <= self.high and (value.is_integer() or not self.whole)

    def select(self, column: str) -> pl.Expr:
        """Return the column in its type, null where a value breaks the rule."""
        value = pl.col(column)
        if self.dtype == pl.Int64:  # read as such, since a float would round a long id
            return value
        good = value.is_between(self.low, self.high)
        if self.whole:  # files print whole numbers as 2 or as 2.0
            good &= value == value.floor()
        return pl.when(good).then(value).cast(self.dtype, strict=False)


_FLOAT32_MAX = float(np.finfo(np.float32).max)
ID = Rule("a whole number", pl.Int64, -(2**63), 2**63 - 1)
CODE = Rule("a whole number", pl.Int32, -(2**31), 2**31 - 1)
QUANTITY = Rule("a finite number", pl.Float32, -_FLOAT32_MAX, _FLOAT32_MAX, whole=False)
GRADE = Rule("0, 1 or 2", pl.Int8, 0, 2)
FLAG = Rule("0 or 1", pl.Int8, 0, 1)


def read_header(path: Path) -> list[str]:
    """Return the column names of the first line."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return lines.readline(1 << 20).rstrip("\r\n").split(",")


@dataclass(frozen=True)
class Csv:
    """Comma-separated lines without quotes; a `LineFormat`.

    Parameters
    ----------
    rules
        By column, those that are read.
    columns
        All columns of the file in its order; by default those of `rules`.
    """

    rules: Mapping[str, Rule]
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", self.columns or tuple(self.rules))

    def parse(self, lines: bytes) -> pl.DataFrame | None:
        """Return the columns of the rules in their types; None where a line breaks one."""
        try:
            raw = pl.read_csv(
                lines,
                has_header=False,
                schema={column: self._read_as(column) for column in self.columns},
                ignore_errors=True,  # a null instead
                quote_char=None,
            )
        except pl.exceptions.PolarsError:
            return None
        rows = raw.select(rule.select(column).alias(column) for column, rule in self.rules.items())
        whole = rows.height == lines.count(b"\n") + (not lines.endswith(b"\n"))
        return rows if whole and not any(rows.null_count().row(0)) else None

    def fault(self, line: str) -> str | None:
        """Name the first field that breaks a rule, or the wrong number of fields."""
        fields = line.split(",")
        if len(fields) != len(self.columns):
            return f"{len(fields)} fields instead of {len(self.columns)}"
        for position, (column, text) in enumerate(zip(self.columns, fields, strict=True), start=1):
            if column in self.rules and not self.rules[column].admits(text):
                return f"{column} (field {position}) is {text!r}, not {self.rules[column].meaning}"
        return None

    def _read_as(self, column: str) -> type[pl.DataType]:
        if column not in self.rules:
            return pl.String
        return pl.Int64 if self.rules[column].dtype == pl.Int64 else pl.Float64
