"""Which columns a model reads, and how the values of a table become its features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.stored import FEW, has_infinite, nameless
from gbdt_pwiser.objectives import InputError

_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)
_INTEGERS: Final = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_PLAIN: Final = (pl.Null, pl.Boolean, pl.String, *_INTEGERS, pl.Float32, pl.Float64, pl.Date, pl.Time)
_TIMES: Final = tuple(kind(unit) for kind in (pl.Datetime, pl.Duration) for unit in ("ms", "us", "ns"))
_EXACT: Final = 1 << 24  # whole numbers up to here are float32
# Types of categories that JSON can hold, by name.
_TYPES: Final = {str(dtype): dtype for dtype in (*(plain() for plain in _PLAIN), *_TIMES)}


class Encoded(NamedTuple):
    """Features of new exposures, and per column how many values are none of its categories."""

    exposures: Exposures
    unseen: dict[str, int]


@dataclass(frozen=True, eq=False)
class FeatureColumns:
    """The feature columns of a data set, in order.

    Attributes
    ----------
    names
        All of them.
    categorical
        Those that hold codes.
    categories
        Per column that was encoded, the value of each code from 0. A categorical that is not here is stored
        as codes.
    """

    names: tuple[str, ...]
    categorical: tuple[str, ...]
    categories: Mapping[str, pl.Series]

    @cached_property
    def codes_of_values(self) -> dict[str, dict[Any, int]]:
        """Per column of texts or whole numbers, the code of each category, for a few rows at a time."""
        return {
            name: {value: code for code, value in enumerate(values.to_list())}
            for name, values in self.categories.items()
            if values.dtype == pl.String or values.dtype.is_integer()
        }

    @classmethod
    def of(cls, exposures: Exposures) -> FeatureColumns:
        """Return the columns of exposures; InputError where JSON cannot hold their categories."""
        categories = {
            name: values
            for name, values in (exposures.categories or {}).items()
            if name in exposures.categorical
        }
        for name, values in categories.items():
            if str(values.dtype) not in _TYPES:
                raise InputError(
                    f"{exposures.name}: the categories of {name} are {values.dtype}, which a saved model "
                    "cannot hold; store text or whole numbers in their place"
                )
            if values.dtype.is_float() and values.is_infinite().any():
                raise InputError(f"{exposures.name}: {name} has an infinite category; make it missing")
        return cls(tuple(exposures.features.columns), exposures.categorical, categories)

    def check(self, schema: Mapping[str, pl.DataType], source: str) -> None:
        """Raise InputError where a table lacks a column or holds something else in it."""
        if missing := [name for name in self.names if name not in schema]:
            raise InputError(
                f"{source} lacks {len(missing)} of {len(self.names)} feature columns: {', '.join(missing)}; "
                "give the columns of training"
            )
        wrong = [
            f"{name} is {schema[name]} and was {wanted}"
            for name in self.names
            if (wanted := self._refusal(name, schema[name]))
        ]
        if wrong:
            raise InputError(f"{source}: {', '.join(wrong)} in training; convert the values")

    def _refusal(self, name: str, stored: pl.DataType) -> str:
        """Return what a column should be, or nothing where the stored type will do."""
        if stored == pl.Null:
            return ""
        if name in self.categories:
            wanted = self.categories[name].dtype
            fits = stored == wanted or wanted == pl.Null
            alike = (wanted == pl.String and stored in _TEXTS) or (
                wanted.is_numeric() and stored.is_numeric()
            )
            return "" if fits or alike else str(wanted)
        if name in self.categorical:
            return "" if stored.is_integer() else "whole numbers, its codes,"
        return "" if is_number(stored) else "numbers"

    def encode(self, table: pl.DataFrame, source: str) -> Encoded:
        """Return a table's rows as exposures without clicks.

        A value that is none of its column's categories becomes missing: boosters have learnt what to do with
        missing values, where training has some, and not with a code beyond those of training.

        Raises
        ------
        InputError
            As `check`; an infinite number, or a stored code outside of int32.
        """
        self.check(table.schema, source)
        columns: dict[str, pl.Series] = {}
        unseen: dict[str, int] = {}
        for name in self.names:
            values = nameless(table, name)
            if name in self.categories:
                given = plain(values)
                columns[name] = self._encoded(given, name)
                unseen[name] = columns[name].null_count() - given.null_count()
            elif name in self.categorical:
                columns[name] = _stored_codes(values, f"{source}: {name}")
            else:
                columns[name] = as_float32(values, f"{source}: {name}")
        exposures = Exposures(
            name=source,
            features=pl.DataFrame([values.alias(name) for name, values in columns.items()]),
            grade=np.zeros(table.height, dtype=np.int8),
            categorical=self.categorical,
        )
        return Encoded(exposures, unseen)

    def recode(self, exposures: Exposures) -> Encoded:
        """Return exposures with the codes of these columns in the place of their own.

        A value that is none of its column's categories becomes missing, as in `encode`.

        Raises
        ------
        InputError
            Other columns, another order or kind of them, or categories of another type.
        """
        name = exposures.name
        if (columns := tuple(exposures.features.columns)) != self.names:
            raise InputError(f"{name} {_difference(columns, self.names)}; give the columns of training")
        own = exposures.categories or {}
        wrong = []
        for column in self.names:
            kinds = [
                _kind(column, of.categorical, known)
                for of, known in ((exposures, own), (self, self.categories))
            ]
            if kinds[0] == kinds[1] and column in own and self._refusal(column, own[column].dtype):
                kinds = [f"{known[column].dtype} values" for known in (own, self.categories)]
            if kinds[0] != kinds[1]:
                wrong.append(f"{column} is {kinds[0]} and was {kinds[1]}")
        if wrong:
            raise InputError(f"{name}: {', '.join(wrong)} in training; convert the values")
        if not self.categories:
            return Encoded(exposures, {})
        features = exposures.in_memory().features
        assert isinstance(features, pl.DataFrame)
        codes = {
            column: encode_categories(own[column], categories).gather(features[column])
            for column, categories in self.categories.items()
        }
        unseen = {
            column: values.null_count() - features[column].null_count() for column, values in codes.items()
        }
        features = features.with_columns(**codes)
        return Encoded(replace(exposures, features=features, categories=self.categories), unseen)

    def _encoded(self, given: pl.Series, name: str) -> pl.Series:
        """Return what `encode_categories` does; of a few rows without going through all categories."""
        categories = self.categories[name]
        if len(given) > FEW or name not in self.codes_of_values or given.dtype.is_float():
            return encode_categories(given, categories)
        codes = self.codes_of_values[name]
        stored = given.cast(categories.dtype, strict=False).to_list()
        return pl.Series([codes.get(value) for value in stored], dtype=pl.Int32)

    def record(self) -> list[dict[str, Any]]:
        """Return what JSON can hold, an entry per column; `from_record` reads it."""
        return [
            {"name": name, "kind": "categorical" if name in self.categorical else "numerical"}
            | (_categories_record(self.categories[name]) if name in self.categories else {})
            for name in self.names
        ]

    @classmethod
    def from_record(cls, record: Iterable[Mapping[str, Any]]) -> FeatureColumns:
        """Read what `record` returned; LookupError or TypeError where it is none."""
        entries = list(record)
        return cls(
            tuple(entry["name"] for entry in entries),
            tuple(entry["name"] for entry in entries if entry["kind"] == "categorical"),
            {
                entry["name"]: pl.Series(entry["categories"], dtype=_stored_as(dtype)).cast(dtype)
                for entry in entries
                if "categories" in entry
                for dtype in [_TYPES[entry["type"]]]
            },
        )


def _difference(columns: Sequence[str], wanted: Sequence[str]) -> str:
    """Say how columns differ from those that are wanted."""
    lacks = [name for name in wanted if name not in columns]
    more = [name for name in columns if name not in wanted]
    told = [f"{verb} {', '.join(names)}" for verb, names in (("lacks", lacks), ("adds", more)) if names]
    return " and ".join(told) or "has the feature columns in another order"


def _kind(column: str, categorical: Sequence[str], categories: Mapping[str, pl.Series]) -> str:
    if column not in categorical:
        return "numerical"
    return "categorical" if column in categories else "codes"


def as_float32(values: pl.Series, what: str) -> pl.Series:
    """Return a numerical feature; InputError where a finite value is too large for float32."""
    single = values.cast(pl.Float32)
    if not has_infinite(single):
        return single
    beyond = single.is_infinite().fill_null(False)
    if values.dtype.is_float():
        beyond &= ~values.is_infinite().fill_null(True)
    rows = beyond.arg_true()
    if len(rows):
        raise InputError(
            f"{what} has {values[rows[0]]:g}, too large for float32 (3.4e38 at most); divide the column, or "
            "make that value missing"
        )
    return single


def loses_digits(values: pl.Series, single: pl.Series) -> bool:
    """Return whether a column of whole numbers has values that float32 cannot tell from their neighbours."""
    if not (values.dtype.is_integer() or values.dtype.is_float()):
        return False
    kept = single.cast(values.dtype, strict=False)  # null where rounded up beyond the type
    lost = (kept.is_null() | (kept != values)) & (single.abs() >= _EXACT)
    if not lost.any():
        return False
    return values.dtype.is_integer() or bool((values == values.floor()).all())


def is_number(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can be a numerical feature."""
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def is_text(dtype: pl.DataType) -> bool:
    """Return whether a column of this type is categorical without being listed."""
    return dtype in _TEXTS


def plain(values: pl.Series) -> pl.Series:
    """Return values with texts as strings, and null as the one way to be missing."""
    if values.dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    return values.fill_nan(None) if values.dtype.is_float() else values


def categories_of(values: pl.Series) -> pl.Series:
    """Return the sorted distinct values of a categorical; the place of a value, from 0, is its code."""
    return plain(values).drop_nulls().unique().sort()


def encode_categories(values: pl.Series, categories: pl.Series) -> pl.Series:
    """Return Int32 codes, the places of values among the categories; null where missing or none of them."""
    given = plain(values)
    stored = given.cast(categories.dtype, strict=False)
    codes = stored.replace_strict(
        categories,
        pl.Series(range(len(categories)), dtype=pl.Int32),
        default=None,
        return_dtype=pl.Int32,
    )
    if given.dtype.is_float() and categories.dtype.is_integer():  # 3.0 is a 3, 3.5 is none
        codes = pl.select(pl.when(stored.cast(given.dtype) == given).then(codes)).to_series()
    return codes


def _stored_codes(values: pl.Series, what: str) -> pl.Series:
    try:
        return values.cast(pl.Int32)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{what} has values beyond int32; give the codes of training") from error


def _categories_record(values: pl.Series) -> dict[str, Any]:
    # Times as the whole numbers behind them.
    listed = values.to_physical() if values.dtype.is_temporal() else values
    return {"type": str(values.dtype), "categories": listed.to_list()}


def _stored_as(dtype: pl.DataType) -> pl.DataType:
    return pl.Int64() if dtype.is_temporal() else dtype
