"""Large numeric CSV files, read lazily by column rules, with the line of the first fault."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
        return lines.readline().rstrip("\r\n").split(",")


def scan(path: Path, rules: dict[str, Rule], *, header: Sequence[str] | None = None) -> pl.LazyFrame:
    """Read the columns of `rules` lazily, in file order; what is missing or breaks a rule is null.

    Parameters
    ----------
    path
        A comma-separated file without quotes.
    rules
        By column name; in the order of the file's columns where there is no header.
    header
        The names in the file's first line; None where the first line is data.
    """

    def read_as(column: str) -> type[pl.DataType]:
        if column not in rules:
            return pl.String
        return pl.Int64 if rules[column].dtype == pl.Int64 else pl.Float64

    raw = pl.scan_csv(
        path,
        has_header=header is not None,
        schema={column: read_as(column) for column in header or rules},
        ignore_errors=True,  # a null instead; `first_fault` then finds the line
        quote_char=None,
    )
    return raw.select(rule.select(column).alias(column) for column, rule in rules.items())


def first_fault(path: Path, rules: dict[str, Rule], *, header: Sequence[str] | None = None) -> str | None:
    """Say where the first line is that breaks a rule, and how; None if there is none.

    A plain scan, slow on a large file: only for one that is known to be damaged.
    """
    columns = list(header or rules)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if number == 1 and header is not None:
                continue
            if fault := _fault(line.rstrip("\r\n").split(","), columns, rules):
                return f"{path.name}, line {number}: {fault}"
    return None


def _fault(fields: Sequence[str], columns: Sequence[str], rules: dict[str, Rule]) -> str | None:
    if len(fields) != len(columns):
        return f"{len(fields)} fields instead of {len(columns)}"
    for position, (column, text) in enumerate(zip(columns, fields, strict=True), start=1):
        if column in rules and not rules[column].admits(text):
            return f"{column} (field {position}) is {text!r}, not {rules[column].meaning}"
    return None
