"""Which columns a model reads of a table, and what a saved model says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.relative import Relative, group_ids
from gbdt_pwiser.data.stored import FEW, StoredFeatures, nameless
from gbdt_pwiser.data.values import (
    SHARED,
    as_float32,
    encode_categories,
    has_shared_code,
    is_number,
    is_text,
    plain,
    without,
)
from gbdt_pwiser.objectives import InputError

_INTEGERS: Final = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_PLAIN: Final = (pl.Null, pl.Boolean, pl.String, *_INTEGERS, pl.Float32, pl.Float64, pl.Date, pl.Time)
_TIMES: Final = tuple(kind(unit) for kind in (pl.Datetime, pl.Duration) for unit in ("ms", "us", "ns"))
# Types of categories that JSON can hold, by name.
_TYPES: Final = {str(dtype): dtype for dtype in (*(kind() for kind in _PLAIN), *_TIMES)}


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
        Per column that was encoded, the value of each code from 0; null in the first place where code 0 is
        shared by all values that have none of their own. A categorical that is not here is stored as codes.
    relative
        Which of them are relative to a group, and made of other columns; None where none is.
    served_as
        Per column that is the same number in every row that is predicted, that number.
    missing
        Words that count as missing among texts, as an empty text does; None where each text is a value.
    """

    names: tuple[str, ...]
    categorical: tuple[str, ...]
    categories: Mapping[str, pl.Series]
    relative: Relative | None = None
    served_as: Mapping[str, float] = field(default_factory=dict)
    missing: tuple[str, ...] | None = None

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features that a table has to have: those that are not made of others, nor constant."""
        made = {*self.served_as, *(self.relative.names if self.relative else ())}
        return tuple(name for name in self.names if name not in made)

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """Names of all columns that are read of a table: `inputs` and the group of relative features."""
        group = [self.relative.group] if self.relative else []
        return tuple(dict.fromkeys([*self.inputs, *group]))

    @cached_property
    def codes_of_values(self) -> dict[str, dict[Any, int]]:
        """Per column of texts or whole numbers, the code of each category, for a few rows at a time."""
        return {
            name: {value: code for code, value in enumerate(values.to_list()) if value is not None}
            for name, values in self.categories.items()
            if values.dtype == pl.String or values.dtype.is_integer()
        }

    @cached_property
    def missing_words(self) -> dict[str, list[str]]:
        """Per column of texts in which words count as missing, those that were no category in training."""
        if self.missing is None:
            return {}
        return {
            name: [word for word in self.missing if word not in self.codes_of_values[name]]
            for name, values in self.categories.items()
            if values.dtype == pl.String
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
        names = tuple(exposures.features.columns)
        return cls(
            names,
            exposures.categorical,
            categories,
            exposures.relative,
            exposures.served_as,
            exposures.missing,
        )

    def check(self, schema: Mapping[str, pl.DataType], source: str) -> None:
        """Raise InputError where a table lacks a column or holds something else in it."""
        if missing := [name for name in self.inputs if name not in schema]:
            raise InputError(
                f"{source} lacks {len(missing)} of {len(self.inputs)} feature columns: {', '.join(missing)}; "
                "give the columns of training"
            )
        if self.relative is not None and self.relative.group not in schema:
            raise InputError(
                f"{source} lacks the group column {self.relative.group}, within which the model compares "
                f"{', '.join(self.relative.columns)}; give each row its page"
            )
        wrong = [
            f"{name} is {schema[name]} and was {wanted}"
            for name in self.inputs
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
            alike = (wanted == pl.String and is_text(stored)) or (wanted.is_numeric() and stored.is_numeric())
            return "" if fits or alike else str(wanted)
        if name in self.categorical:
            return "" if stored.is_integer() else "whole numbers, its codes,"
        return "" if is_number(stored) else "numbers"

    def encode(self, table: pl.DataFrame, source: str, relative: pl.DataFrame | None = None) -> Encoded:
        """Return a table's rows as exposures without clicks.

        A value that is none of its column's categories gets the code that such values share, where there is
        one. Else it becomes missing: boosters have learnt what to do with missing values, where training has
        some, and not with a code beyond those of training.

        Parameters
        ----------
        table
            (n,) rows with at least the columns `needed`; whole pages where features are relative to them.
        source
            What to call the table in messages.
        relative
            The relative features of the rows, from `relative_of`, where the table has no whole pages.

        Raises
        ------
        InputError
            As `check`; an infinite number, or a stored code outside of int32.
        """
        self.check(table.schema, source)
        columns: dict[str, pl.Series] = {}
        unseen: dict[str, int] = {}
        of_page = self.relative_of(table, source) if relative is None else relative
        made = dict(zip(of_page.columns, of_page.get_columns(), strict=True))
        for name in self.names:
            if name in self.served_as:
                columns[name] = pl.repeat(self.served_as[name], table.height, dtype=pl.Float32, eager=True)
                continue
            if name in made:
                columns[name] = made[name].alias("")
                continue
            values = nameless(table, name)
            if name in self.categories:
                given = self._given(values, name)
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

    def relative_of(self, table: pl.DataFrame, source: str) -> pl.DataFrame:
        """Return the relative features of a table of whole pages; no columns where the model has none."""
        if self.relative is None:
            return pl.DataFrame()
        group = group_ids(nameless(table, self.relative.group), f"{source}: group {self.relative.group}")
        return self.relative.features(table, group, f"{source}: ")

    def recode(self, exposures: Exposures) -> Encoded:
        """Return exposures with the codes of these columns in the place of their own.

        A value that is none of its column's categories becomes missing or gets the shared code, as in
        `encode`; so do the values that share a code in the exposures, as which of them it was is not known.

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
            kinds = [_kind(column, of, known) for of, known in ((exposures, own), (self, self.categories))]
            if kinds[0] == kinds[1] and column in own and self._refusal(column, own[column].dtype):
                kinds = [f"{known[column].dtype} values" for known in (own, self.categories)]
            if kinds[0] != kinds[1]:
                wrong.append(f"{column} is {kinds[0]} and was {kinds[1]}")
        if wrong:
            raise InputError(
                f"{name}: {', '.join(wrong)} in training; convert the values, or describe them as then"
            )
        if not self.categories:
            return Encoded(exposures, {})
        features = exposures.features
        codes = {
            column: _recoded(own[column], self._given(own[column], column), categories)
            for column, categories in self.categories.items()
        }
        unseen = {
            column: of_code.gather(features[column]).null_count() - features[column].null_count()
            for column, of_code in codes.items()
        }
        if isinstance(features, StoredFeatures):
            features = replace(features, codes=codes)
        else:
            features = features.with_columns(
                of_code.gather(features[column]).alias(column) for column, of_code in codes.items()
            )
        said = [words for words in (self.missing, exposures.missing) if words is not None]
        missing = tuple(dict.fromkeys(chain(*said))) if said else None
        recoded = replace(exposures, features=features, categories=self.categories, missing=missing)
        return Encoded(recoded, unseen)

    def _given(self, values: pl.Series, name: str) -> pl.Series:
        """Return the values of an encoded column, null where they counted as missing in training."""
        given, words = plain(values), self.missing_words.get(name)
        return given if words is None or given.dtype != pl.String else without(given, words)

    def _encoded(self, given: pl.Series, name: str) -> pl.Series:
        """Return what `encode_categories` does; of a few rows without going through all categories."""
        categories = self.categories[name]
        if len(given) > FEW or name not in self.codes_of_values or given.dtype.is_float():
            return encode_categories(given, categories)
        codes, other = self.codes_of_values[name], SHARED if has_shared_code(categories) else None
        stored = given.cast(categories.dtype, strict=False).to_list()
        missing = given.is_null().to_list()
        return pl.Series(
            [None if null else codes.get(value, other) for value, null in zip(stored, missing, strict=True)],
            dtype=pl.Int32,
        )

    def record(self) -> list[dict[str, Any]]:
        """Return what JSON can hold, an entry per column; `from_record` reads it."""
        return [{"name": name, **self._recorded(name)} for name in self.names]

    def _recorded(self, name: str) -> dict[str, Any]:
        if name in self.categorical:
            known = self.categories.get(name)
            words = {"missing": list(self.missing or ())} if name in self.missing_words else {}
            return {"kind": "categorical", **({} if known is None else _categories_record(known)), **words}
        # Kinds of their own: a version that does not know them refuses the model.
        if name in self.served_as:
            return {"kind": "position", "served_as": self.served_as[name]}
        if self.relative is not None and name in self.relative.names:
            column = self.relative.columns[self.relative.names.index(name) // 2]
            return {"kind": "relative", "of": column, "within": self.relative.group}
        return {"kind": "numerical"}

    @classmethod
    def from_record(cls, record: Iterable[Mapping[str, Any]]) -> FeatureColumns:
        """Read what `record` returned; LookupError or TypeError where it is none."""
        entries = list(record)
        relative = [entry for entry in entries if entry["kind"] == "relative"]
        groups = dict.fromkeys(entry["within"] for entry in relative)
        of = tuple(dict.fromkeys(entry["of"] for entry in relative))
        return cls(
            tuple(entry["name"] for entry in entries),
            tuple(entry["name"] for entry in entries if entry["kind"] == "categorical"),
            {
                entry["name"]: pl.Series(entry["categories"], dtype=_stored_as(dtype)).cast(dtype)
                for entry in entries
                if "categories" in entry
                for dtype in [_TYPES[entry["type"]]]
            },
            Relative(next(iter(groups)), of) if groups else None,
            {entry["name"]: entry["served_as"] for entry in entries if entry["kind"] == "position"},
            next((tuple(entry["missing"]) for entry in entries if "missing" in entry), None),
        )


def _difference(columns: Sequence[str], wanted: Sequence[str]) -> str:
    """Say how columns differ from those that are wanted."""
    lacks = [name for name in wanted if name not in columns]
    more = [name for name in columns if name not in wanted]
    told = [f"{verb} {', '.join(names)}" for verb, names in (("lacks", lacks), ("adds", more)) if names]
    return " and ".join(told) or "has the feature columns in another order"


def _kind(column: str, of: Exposures | FeatureColumns, categories: Mapping[str, pl.Series]) -> str:
    if column in of.categorical:
        return "categorical" if column in categories else "codes"
    if column in of.served_as:
        return f"served as {of.served_as[column]:g}"
    if of.relative is not None and column in of.relative.names:
        return f"relative within {of.relative.group}"
    return "numerical"


def _recoded(own: pl.Series, given: pl.Series, categories: pl.Series) -> pl.Series:
    """Return, for each code of some exposures, the code of its value among other categories.

    `given` are the own categories, with null for those that count as missing.
    """
    codes = encode_categories(given, categories)
    if has_shared_code(own) and has_shared_code(categories):
        codes = codes.scatter(SHARED, SHARED)
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
