"""A user's own data: from a Parquet or CSV file and its description to a data set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.columns import (
    as_float32,
    categories_of,
    encode_categories,
    is_number,
    is_text,
    loses_digits,
    plain,
)
from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.split import Dataset
from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.sources._labels import MISSING, graded, left_open
from gbdt_pwiser.sources.description import Description, check_known, read_description, split_options
from gbdt_pwiser.sources.text.table import expanded, first_line, has_types, read_source
from gbdt_pwiser.sources.text.values import iso_moments, mostly_dates, not_iso, spoilt_numbers


def load_description(path: Path | str, *, source: Path | str | None = None) -> Dataset:
    """Load the data set that a TOML file describes.

    Codes of categoricals and ids of groups number the sorted distinct values from 0. Rows are counted from
    1 in messages.

    Parameters
    ----------
    path
        The TOML file; `Description` has its keys.
    source
        Data to read instead of the file it names.

    Raises
    ------
    InputError
        A file, key or column is missing, unknown or of the wrong kind, or labels are missing or contradict
        each other.

    Warns
    -----
    UserWarning
        Whole numbers of a feature lose digits as float32.
    """
    path = Path(path)
    try:
        described = read_description(path)
        data = path.parent / expanded(described.source) if source is None else Path(source)
        frame = read_source(
            data,
            missing=described.missing,
            codes=[*described.categorical, *([described.group] if described.group is not None else [])],
            as_text=[described.time] if described.time is not None and described.time_format else [],
        )
        return _dataset(described, frame, typed=has_types(data))
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(str(path)) else f"{path}: {message}") from error


def _dataset(described: Description, frame: pl.DataFrame, *, typed: bool) -> Dataset:
    """Make the data set of a table, whose types are its own (`typed`) or were read off its texts."""
    expressions = {key: _expression(key, text, frame) for key, text in described.labels.items()}
    label_columns = {
        name
        for key, text in described.labels.items()
        for name in ([text] if text in frame.columns else expressions[key].meta.root_names())
    }
    group, time = described.group, described.time
    placed = [column for column in (group, time) if column is not None]
    named = [*sorted(label_columns), *placed, *described.categorical, *described.ignore]
    check_known(named, frame.columns, "columns")
    for other, columns in {"ignored": set(described.ignore), "part of the label": label_columns}.items():
        if both := [column for column in described.categorical if column in columns]:
            raise InputError(f"{', '.join(both)} cannot be categorical and {other}; remove it from one")

    grade = _grade(described, expressions, frame)
    excluded = {*described.ignore, *label_columns, *placed} - set(described.categorical)
    offered = {name: nameless(frame, name) for name in frame.columns if name not in excluded}
    features, categories = _features(offered, described.categorical, typed=typed)
    exposures = Exposures(
        name=described.name,
        features=features,
        grade=grade,
        categorical=tuple(categories),
        categories=categories,
        group=None if group is None else _group(group, nameless(frame, group)),
        time=None if time is None else _time(time, nameless(frame, time), described.time_format),
    )
    return Dataset(exposures, split_options(described.split))


def _expression(key: str, text: str, frame: pl.DataFrame) -> pl.Expr:
    if text in frame.columns:  # also names that are no SQL identifiers, or patterns to `pl.col`
        return pl.lit(nameless(frame, text))
    try:
        expression = pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{key} = {text!r} is neither a column nor an SQL expression ({first_line(error)}); correct it"
        ) from error
    if expression.meta.has_multiple_outputs():
        raise InputError(
            f"{key} = {text!r} names a column that polars reads as a pattern of names; give that column "
            "alone, or rename it"
        )
    return expression


def _grade(
    described: Description, expressions: Mapping[str, pl.Expr], frame: pl.DataFrame
) -> NDArray[np.int8]:
    def label(key: str, top: int = 1, *, missing: bool = False) -> NDArray[np.int8]:
        return _label(key, described.labels[key], expressions[key], frame, top=top, missing=missing)

    if "grade" in expressions:
        grade = label("grade", OPEN)
    else:
        grade = graded(label("click"), label("conversion", missing=True))
    return left_open(grade, label("settled", missing=True)) if "settled" in expressions else grade


def _label(
    key: str, text: str, expression: pl.Expr, frame: pl.DataFrame, *, top: int, missing: bool
) -> NDArray[np.int8]:
    """int8 (n,): values of a label, each a whole number from 0 to top; where they may be missing, MISSING."""
    wanted = ", ".join(str(i) for i in range(top)) + f" or {top}"
    try:
        values = frame.with_columns(expression.alias(key))[key]  # a constant becomes a column
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{key} = {text!r} cannot be evaluated ({first_line(error)}); compare numbers, as in column = 1, "
            "or dates, as in column < date '2026-12-31'"
        ) from error
    if missing and values.dtype == pl.Null:
        values = values.cast(pl.Int8)
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise InputError(f"{key} = {text!r} is {values.dtype}; write an expression whose values are {wanted}")
    if missing and values.dtype.is_float():
        values = values.fill_nan(None)
    bad = (
        (~values.cast(pl.Float64).is_in([float(i) for i in range(top + 1)])).fill_null(not missing).arg_true()
    )
    if len(bad):
        raise InputError(
            f"{key} = {text!r} is not {wanted} in {len(bad)} rows (the first is row {bad[0] + 1}: "
            f"{values[int(bad[0])]}); drop them or write another expression"
        )
    return values.cast(pl.Int8).fill_null(MISSING).to_numpy()


def _features(
    offered: Mapping[str, pl.Series], listed: Sequence[str], *, typed: bool
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Features in their types, and the categories of the categorical ones."""
    columns: dict[str, pl.Series] = {}
    categories: dict[str, pl.Series] = {}
    refused, rounded = [], []
    for name, values in offered.items():
        dtype = values.dtype
        if dtype.is_nested():
            refused.append(f"{name} ({dtype})")
        elif name not in listed and dtype == pl.String and mostly_dates(values):
            refused.append(f"{name} (text of dates or times)")
        elif name in listed or is_text(dtype):
            if name not in listed and not typed:
                _check_numbers(name, values)
            categories[name] = categories_of(values)
            columns[name] = encode_categories(values, categories[name])
        elif is_number(dtype):
            columns[name] = as_float32(values, name)
            if loses_digits(values, columns[name]):
                rounded.append(name)
        else:
            refused.append(f"{name} ({dtype})")
    if refused:
        raise InputError(
            f"{', '.join(refused)} cannot be features; list them in ignore, or store numbers in their place"
        )
    if not columns:
        raise InputError("no column is left as a feature; ignore fewer, or add some to the source")
    if rounded:
        warnings.warn(
            f"whole numbers beyond 2**24 lose digits as features, which are float32: {', '.join(rounded)}; "
            "list ids in categorical or ignore",
            stacklevel=4,
        )
    return pl.DataFrame(columns), categories


def _check_numbers(name: str, texts: pl.Series) -> None:
    """Refuse texts that are mostly numbers: as they are they would be a categorical of as many values."""
    if spoilt := spoilt_numbers(texts):
        shown = ", ".join(f"{text!r} in row {row + 1}" for row, text in spoilt[:3])
        raise InputError(
            f"column {name} is numbers but for {len(spoilt)} of {len(texts)} rows ({shown}"
            f"{', ...' if len(spoilt) > 3 else ''}); correct these, add them to missing, or list the column "
            "in categorical or ignore"
        )


def _group(name: str, values: pl.Series) -> NDArray[np.int64]:
    try:
        ids = plain(values).rank("dense").cast(pl.Int64) - 1
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"group {name} is {values.dtype}, which has no order; store text or whole numbers"
        ) from error
    _check_complete(f"group {name}", ids, "give each row one")
    return ids.to_numpy()


def _time(name: str, values: pl.Series, time_format: str | None) -> NDArray[np.int64]:
    what = f"time {name}"
    if time_format is not None and not (is_text(values.dtype) or values.dtype.is_integer()):
        raise InputError(
            f"{what} is {values.dtype}, no text that a time_format could read; remove time_format"
        )
    if time_format is not None or is_text(values.dtype):
        texts = plain(values).cast(pl.String)
        _check_complete(what, texts, "drop those rows")
        values = _iso_time(what, texts) if time_format is None else _formatted_time(what, texts, time_format)
    if not (values.dtype.is_integer() or values.dtype.is_temporal()):
        raise InputError(f"{what} is {values.dtype}; store whole numbers, dates or times")
    _check_complete(what, values, "drop those rows")
    whole = values.to_physical().cast(pl.Int64, strict=False)
    if whole.null_count():
        row = whole.is_null().arg_true()[0]
        raise InputError(f"{what} is {values[row]} in row {row + 1}, beyond int64; store it in a larger unit")
    return whole.to_numpy()


def _iso_time(what: str, texts: pl.Series) -> pl.Series:
    if (moments := iso_moments(texts)) is not None:
        return moments
    if (row := not_iso(texts)) is not None:
        raise InputError(
            f"{what} is {texts[row]!r} in row {row + 1}, which is not ISO 8601 (2024-12-31 or "
            "2024-12-31T23:59:00); say how to read it by time_format, as in '%d/%m/%Y %H:%M'"
        )
    raise InputError(f"{what} has an offset from UTC in some rows only; store it in all")


def _formatted_time(what: str, texts: pl.Series, time_format: str) -> pl.Series:
    try:
        moments = texts.str.strip_chars().str.to_datetime(time_format, strict=False, time_unit="us")
    except pl.exceptions.PolarsError as error:
        raise InputError(f"time_format is {time_format!r}: {first_line(error)}; correct it") from error
    rows = moments.is_null().arg_true()
    if len(rows):
        raise InputError(
            f"{what} is {texts[rows[0]]!r} in row {rows[0] + 1}, not as time_format {time_format!r} says; "
            "correct one of the two"
        )
    if (moments.dt.year() == 1).any():  # what a format without a year is read as
        raise InputError(f"time_format is {time_format!r} and gives no year; store the year, and add %Y")
    return moments


def _check_complete(what: str, values: pl.Series, remedy: str) -> None:
    missing = values.is_null().arg_true()
    if len(missing):
        raise InputError(
            f"{what} is missing in {len(missing)} rows (the first is row {missing[0] + 1}); {remedy}"
        )
