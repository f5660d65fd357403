"""Features from the other columns of a described table, a block of rows at a time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.data.values import (
    Digits,
    as_float32,
    encode_categories,
    is_number,
    is_text,
    plain,
    with_shared_code,
)
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.values import Look
from gbdt_pwiser.sources.text.vocabulary import Counted


@dataclass
class Features:
    """What becomes of the columns that are offered as features.

    All blocks are looked at by `learn`, then `settle` says what the features are, and `read` makes them.

    Attributes
    ----------
    offered
        Their types, in the order of the columns.
    listed
        Those that are categorical whatever their type.
    has_types
        Whether text was meant as such, and is not a number that is spoilt.
    """

    offered: Mapping[str, pl.DataType]
    listed: Sequence[str]
    has_types: bool
    categories: dict[str, pl.Series] = field(default_factory=dict)
    _counts: dict[str, Counted] = field(default_factory=dict)
    _looks: dict[str, Look] = field(default_factory=dict)
    _digits: dict[str, Digits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in self.offered.items():
            if dtype.is_nested():
                continue
            if name in self.listed or is_text(dtype):
                self._counts[name] = Counted()
            if name not in self.listed and is_text(dtype):
                self._looks[name] = Look()

    @property
    def categorical(self) -> tuple[str, ...]:
        """Columns that hold codes."""
        return tuple(self._counts)

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Types of the features."""
        return {name: pl.Int32 if name in self._counts else pl.Float32 for name in self.offered}

    def learn(self, frame: pl.DataFrame, counting: pl.Series | None = None) -> None:
        """Look at the categorical columns of a block; categories are those of the rows that are counting."""
        for name, counts in self._counts.items():
            values = plain(nameless(frame, name))
            if name in self._looks:
                self._looks[name].add(values)
            counts.add(values if counting is None else values.filter(counting))

    def settle(self, rare: int | None = None) -> None:
        """Decide what the categories are; with `rare`, those of fewer rows share a code.

        InputError where a column cannot be a feature, or none is left.
        """
        refused = []
        for name, dtype in self.offered.items():
            look = self._looks.get(name)
            if look is not None and dtype == pl.String and look.mostly_dates:
                refused.append(f"{name} (text of dates or times)")
            elif look is not None and not self.has_types and look.mostly_numbers:
                raise InputError(
                    f"column {name} is numbers but for {look.others} of {look.rows} rows ({look.spoilt}); "
                    "correct these, add them to missing, or list the column in categorical or ignore"
                )
            elif name not in self._counts and not is_number(dtype):
                refused.append(f"{name} ({dtype})")
        if refused:
            raise InputError(
                f"{', '.join(refused)} cannot be features; list them in ignore, or store numbers in their "
                "place"
            )
        if not self.offered:
            raise InputError("no column is left as a feature; ignore fewer, or add some to the source")
        for name, counts in self._counts.items():
            counted = counts.settle()
            if rare is None:
                self.categories[name] = counted["value"].alias("")
            else:
                known = counted.filter(pl.col("rows") >= rare)["value"].alias("")
                self.categories[name] = with_shared_code(known)

    def read(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the features of a block in their types."""
        columns: dict[str, pl.Series] = {}
        for name in self.offered:
            values = nameless(frame, name)
            if name in self.categories:
                columns[name] = encode_categories(values, self.categories[name])
            else:
                columns[name] = as_float32(values, name)
                self._digits.setdefault(name, Digits()).add(values, columns[name])
        return pl.DataFrame(columns)

    def warn_of_digits(self) -> None:
        """Warn of whole numbers that float32 cannot hold, in the blocks that were read."""
        if rounded := [name for name, digits in self._digits.items() if digits.are_lost]:
            warnings.warn(
                f"whole numbers beyond 2**24 lose digits as features, which are float32: "
                f"{', '.join(rounded)}; list ids in categorical or ignore",
                stacklevel=5,
            )
