"""Lines of the released Ali-CCP files: a few fields, then a list of features of any length.

A feature list is `field 0x02 id 0x03 value` joined by 0x01. Its parse is that of a CSV file: with each 0x01 a
newline, 0x02 and 0x03 commas, and the fields before the list a comment, it is a CSV file of features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.sources.text.numeric_csv import FLAG, QUANTITY, Rule

INDEX = "index"
NEWLINE, COMMA, COMMENT = 10, 44, 35
_TO_CSV = bytes.maketrans(b"\x01\x02\x03", b"\n,,")
# Which of these bytes may follow which: newline, then 2, 3, and 1 or a newline again.
_MAY_FOLLOW = np.zeros((NEWLINE + 1, NEWLINE + 1), dtype=bool)
_MAY_FOLLOW[[NEWLINE, 1, 2, 3, 3], [2, 2, 3, 1, NEWLINE]] = True
_COUNT = Rule("how many features follow", pl.Int32, 1, 2**31 - 1)
_ID = Rule("a whole number from 0", pl.Int64, 0, 2**32 - 1)


@dataclass(frozen=True)
class Field:
    """What is kept of one field of the feature list.

    ::

        NAME         the id of the largest value, the smaller id of equal ones; null without the field
        NAME_count   how many features of the field there are (where `counted`)
        NAME_sum     the sum of their values, 0 without the field (where `summed`)
    """

    name: str
    counted: bool = False
    summed: bool = False

    @property
    def numerical(self) -> tuple[str, ...]:
        """Names of the columns that are numbers."""
        return (f"{self.name}_count",) * self.counted + (f"{self.name}_sum",) * self.summed


@dataclass(frozen=True)
class FeatureLines:
    """Lines of flags, a feature index, a count and a feature list; a `LineFormat`.

    Parameters
    ----------
    head
        Names of the fields before the list: those of `flags` are 0 or 1, `index` is 16 hex characters and
        read as one UInt64, the last is the count of the list, others are not read.
    flags
        Names among `head`.
    fields
        Those that a list may have.
    """

    head: tuple[str, ...]
    flags: tuple[str, ...]
    fields: tuple[Field, ...]

    def parse(self, lines: bytes) -> pl.DataFrame | None:
        """Return flags, index and the columns of the fields (ids UInt32, numbers Float32)."""
        if not lines.endswith(b"\n"):
            lines += b"\n"
        head = self._parse_head(lines)
        if head is None:
            return None
        count = head["count"].to_numpy()
        features = self._parse_features(lines, count)
        if features is None:
            return None
        row = np.repeat(np.arange(len(count)), count)
        field = features["field"].to_physical().to_numpy()
        ids, values = features["id"].to_numpy(), features["value"].to_numpy()
        columns = [head.drop("count")]
        for code, kept in enumerate(self.fields):
            own = np.flatnonzero(field == code)
            columns.append(_aggregate(kept, len(count), row[own], ids[own], values[own]))
        return pl.concat(columns, how="horizontal")

    def _parse_head(self, lines: bytes) -> pl.DataFrame | None:
        types = dict.fromkeys(self.head, pl.String) | dict.fromkeys(self.flags, pl.Int8) | {"count": pl.Int32}
        try:
            raw = pl.read_csv(
                lines,
                has_header=False,
                schema={**types, "features": pl.String},
                columns=list(range(len(self.head))),
                ignore_errors=True,
                quote_char=None,
            )
        except pl.exceptions.PolarsError:
            return None
        index = pl.col(INDEX)
        head = raw.select(
            *(FLAG.select(flag).alias(flag) for flag in self.flags),
            pl.when(index.str.contains("^[0-9a-fA-F]{16}$"))
            .then(index.str.to_integer(base=16, dtype=pl.UInt64, strict=False))
            .alias(INDEX),
            _COUNT.select("count").alias("count"),
        )
        return None if any(head.null_count().row(0)) else head

    def _parse_features(self, lines: bytes, count: NDArray[np.int32]) -> pl.DataFrame | None:
        text = np.frombuffer(lines, dtype=np.uint8)
        ends, commas = np.flatnonzero(text == NEWLINE), np.flatnonzero(text == COMMA)
        if len(ends) != len(count) or len(commas) != len(ends) * len(self.head):
            return None
        starts = np.concatenate([[0], ends[:-1] + 1])
        head_commas = commas.reshape(-1, len(self.head))
        marks = np.flatnonzero((text <= 3) | (text == NEWLINE))
        kinds = text[marks]
        last = np.flatnonzero(kinds == NEWLINE)
        first = np.concatenate([[0], last[:-1] + 1])
        if (
            (head_commas[:, 0] < starts).any()  # each line has the commas of its head
            or (head_commas[:, -1] > marks[first]).any()
            or not _MAY_FOLLOW[np.concatenate([[NEWLINE], kinds[:-1]]), kinds].all()
            or ((last - first + 1) != 3 * count).any()
        ):
            return None
        csv = np.frombuffer(bytearray(lines.translate(_TO_CSV)), dtype=np.uint8)
        csv[starts] = COMMENT
        csv[head_commas[:, -1]] = NEWLINE
        try:
            features = pl.read_csv(
                csv.tobytes(),
                has_header=False,
                schema={
                    "field": pl.Enum([f.name for f in self.fields]),
                    "id": pl.UInt32,
                    "value": pl.Float64,
                },
                ignore_errors=True,
                quote_char=None,
                comment_prefix=chr(COMMENT),
            )
        except pl.exceptions.PolarsError:
            return None
        limit = QUANTITY.high
        good = features.height == count.sum() and features["value"].is_between(-limit, limit).all()
        return features if good and not any(features.null_count().row(0)) else None

    def fault(self, line: str) -> str | None:
        """Name the first fault of a line."""
        parts = line.split(",")
        if len(parts) != len(self.head) + 1:
            return f"{len(parts)} fields instead of {len(self.head) + 1}"
        for position, (name, text) in enumerate(zip(self.head, parts, strict=False), start=1):
            if not text.isprintable():
                return f"{name} (field {position}) is {text!r}, with bytes that do not belong there"
            if name == INDEX and (len(text) != 16 or set(text.lower()) - set("0123456789abcdef")):
                return f"the feature index (field {position}) is {text!r}, not 16 hex characters"
            rule = FLAG if name in self.flags else _COUNT if name == "count" else None
            if rule and not (text.isascii() and text.isdigit() and rule.admits(text)):
                return f"{name} (field {position}) is {text!r}, not {rule.meaning}"
        features = parts[-1].split("\x01")
        for position, feature in enumerate(features, start=1):
            if fault := self._feature_fault(feature):
                return f"feature {position} is {feature!r}: {fault}"
        announced = int(parts[-2])
        return None if len(features) == announced else f"{len(features)} features instead of {announced}"

    def _feature_fault(self, feature: str) -> str | None:
        name, has_id, rest = feature.partition("\x02")
        number, has_value, value = rest.partition("\x03")
        if not has_id or not has_value:
            return "the byte " + ("0x03 before its value" if has_id else "0x02 before its id") + " is missing"
        if name not in [field.name for field in self.fields]:
            return f"{name!r} is no field of this file"
        if not (number.isascii() and number.isdigit() and _ID.admits(number)):
            return f"the id is not {_ID.meaning}"
        return None if QUANTITY.admits(value) else f"the value is not {QUANTITY.meaning}"


def _aggregate(
    field: Field, n: int, row: NDArray[np.int64], ids: NDArray[np.uint32], values: NDArray[np.float64]
) -> pl.DataFrame:
    """Return the columns of one field for n rows from its features, whose rows ascend."""
    start = np.flatnonzero(np.diff(row, prepend=-1))
    present = row[start]
    strongest, sums, number = ids, values, np.diff(start, append=len(row))
    if len(start) < len(row):
        largest = np.repeat(np.maximum.reduceat(values, start), number)
        strongest = np.minimum.reduceat(np.where(values == largest, ids, np.iinfo(np.uint32).max), start)
        sums = np.add.reduceat(values, start)
    columns: dict[str, pl.Series] = {field.name: pl.Series(_scatter(n, present, strongest))}
    if len(present) < n:
        seen = pl.Series(_scatter(n, present, np.ones(len(present), dtype=bool)))
        columns[field.name] = columns[field.name].set(~seen, None)
    numbers: Mapping[str, NDArray[np.generic]] = {"_count": number, "_sum": sums}
    for name in field.numerical:
        kept = numbers[name.removeprefix(field.name)].astype(np.float32)
        columns[name] = pl.Series(_scatter(n, present, kept))
    return pl.DataFrame(columns)


def _scatter(n: int, rows: NDArray[np.int64], values: NDArray[np.generic]) -> NDArray[np.generic]:
    column = np.zeros(n, dtype=values.dtype)
    column[rows] = values
    return column
