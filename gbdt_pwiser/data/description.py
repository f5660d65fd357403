"""A user's own data: one Parquet or CSV file and a small TOML file that says what its columns are."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.columns import categories_of, encode_categories, is_number, is_text, plain
from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.split import FRACTIONS, Dataset, SplitOptions
from gbdt_pwiser.objectives import InputError

KINDS: dict[str, tuple[type[Any], str]] = {
    "categorical": (list, "a list of strings"),
    "ignore": (list, "a list of strings"),
    "split": (dict, "a table"),
}


@dataclass(frozen=True)
class Description:
    """What a description file says, its keys being these fields.

    Parameters
    ----------
    source
        The data: a `.parquet` or `.csv` file, relative to the description.
    name
        What the data set is called; by default the name of the description file without its suffix.
    grade
        A column, or an SQL expression over columns, with the values 0, 1, 2.
    click, conversion
        Two of these instead of the grade, true or 1 where it happened, e.g. `is_click = 1 and is_like = 1`.
    group, time
        Columns: the search, page or user; and a whole number, date or time that sorts.
    categorical
        Columns that are codes, whatever their type. Columns of strings always are.
    ignore
        Columns that are not features, such as those known only after the exposure.
    split
        `by` and `fractions`, as in `gbdt_pwiser.data.split`.

    Notes
    -----
    Every other column is a numerical feature, but for those the label is made of, which never are, and the
    group and time, which only are if listed as categorical.
    """

    source: str
    name: str
    grade: str | None = None
    click: str | None = None
    conversion: str | None = None
    group: str | None = None
    time: str | None = None
    categorical: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    split: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """The label keys that are given, with their columns or expressions."""
        given = {"grade": self.grade, "click": self.click, "conversion": self.conversion}
        return {key: text for key, text in given.items() if text is not None}


def load_description(path: Path, *, source: Path | None = None) -> Dataset:
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
    """
    try:
        described = _parse(path)
        frame = _read(source or path.parent / described.source)
        return _dataset(described, frame)
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(str(path)) else f"{path}: {message}") from error


def _parse(path: Path) -> Description:
    try:
        with path.open("rb") as file:
            stored = tomllib.load(file)
    except FileNotFoundError:
        raise InputError("there is no such file; give the path of a description") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a TOML file ({error}); correct it") from error
    _check_known(stored, [f.name for f in fields(Description)], "keys")
    for key, value in stored.items():
        kind, wanted = KINDS.get(key, (str, "a string"))
        if not isinstance(value, kind) or (kind is list and not all(isinstance(v, str) for v in value)):
            raise InputError(f"{key} is {value!r}; make it {wanted}")
    if "source" not in stored:
        raise InputError("there is no source; name the Parquet or CSV file, source = 'exposures.parquet'")
    described = Description(**{"name": path.stem, **stored})
    if sorted(described.labels) not in (["grade"], ["click", "conversion"]):
        raise InputError(
            f"the label is given by {' and '.join(described.labels) or 'nothing'}; "
            "give either grade, or click and conversion"
        )
    _check_known(described.split, ["by", "fractions"], "split keys")
    return described


def _read(source: Path) -> pl.DataFrame:
    readers = {
        ".parquet": pl.read_parquet,
        # Types are inferred from all rows, since a column may look numeric at first.
        ".csv": lambda file: pl.read_csv(file, infer_schema_length=None, try_parse_dates=True),
    }
    if source.suffix.lower() not in readers:
        raise InputError(f"source {source} is neither .parquet nor .csv; convert it to one of them")
    if not source.is_file():
        raise InputError(f"source {source} does not exist; give its path relative to the description")
    try:
        frame = readers[source.suffix.lower()](source)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"source {source} cannot be read: {_first_line(error)}; correct it") from error
    if frame.height == 0:
        raise InputError(f"source {source} has no rows; give one with exposures")
    return frame


def _dataset(described: Description, frame: pl.DataFrame) -> Dataset:
    expressions = {key: _expression(key, text, frame) for key, text in described.labels.items()}
    label_columns = {name for expression in expressions.values() for name in expression.meta.root_names()}
    placed = [column for column in (described.group, described.time) if column is not None]
    named = [*sorted(label_columns), *placed, *described.categorical, *described.ignore]
    _check_known(named, frame.columns, "columns")
    for other, columns in {"ignored": set(described.ignore), "part of the label": label_columns}.items():
        if both := [column for column in described.categorical if column in columns]:
            raise InputError(f"{', '.join(both)} cannot be categorical and {other}; remove it from one")

    grade = _grade(described, expressions, frame)
    excluded = {*described.ignore, *label_columns, *placed} - set(described.categorical)
    features, categories = _features(frame.drop(excluded), described.categorical)
    exposures = Exposures(
        name=described.name,
        features=features,
        grade=grade,
        categorical=tuple(categories),
        categories=categories,
        group=None if described.group is None else _group(frame[described.group]),
        time=None if described.time is None else _time(frame[described.time]),
    )
    fractions = described.split.get("fractions", FRACTIONS)
    if not isinstance(fractions, list | tuple) or not all(isinstance(f, int | float) for f in fractions):
        raise InputError(f"split.fractions is {fractions!r}; give three numbers, e.g. {list(FRACTIONS)}")
    return Dataset(exposures, SplitOptions(described.split.get("by", "auto"), tuple(fractions)))


def _expression(key: str, text: str, frame: pl.DataFrame) -> pl.Expr:
    if text in frame.columns:  # also names that are no SQL identifiers
        return pl.col(text)
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{key} = {text!r} is neither a column nor an SQL expression ({_first_line(error)}); correct it"
        ) from error


def _grade(
    described: Description, expressions: Mapping[str, pl.Expr], frame: pl.DataFrame
) -> NDArray[np.int8]:
    if "grade" in expressions:
        return _label("grade", described.labels["grade"], expressions["grade"], frame, top=2)
    click, conversion = (
        _label(key, described.labels[key], expressions[key], frame, top=1) for key in ("click", "conversion")
    )
    rows = np.flatnonzero(conversion > click)
    if len(rows):
        raise InputError(
            f"{len(rows)} rows convert without a click (the first is row {rows[0] + 1}); "
            "drop them, or put the condition of the click into that of the conversion with AND"
        )
    return click + conversion


def _label(key: str, text: str, expression: pl.Expr, frame: pl.DataFrame, *, top: int) -> NDArray[np.int8]:
    """int8 (n,): values of a label, each a whole number from 0 to top."""
    wanted = ", ".join(str(i) for i in range(top)) + f" or {top}"
    try:
        values = frame.with_columns(expression.alias(key))[key]  # a constant becomes a column
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{key} = {text!r} cannot be evaluated ({_first_line(error)}); compare numbers, as in column = 1"
        ) from error
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise InputError(f"{key} = {text!r} is {values.dtype}; write an expression whose values are {wanted}")
    bad = (~values.cast(pl.Float64).is_in([float(i) for i in range(top + 1)])).fill_null(True).arg_true()
    if len(bad):
        raise InputError(
            f"{key} = {text!r} is not {wanted} in {len(bad)} rows (the first is row {bad[0] + 1}: "
            f"{values[int(bad[0])]}); drop them or write another expression"
        )
    return values.cast(pl.Int8).to_numpy()


def _features(frame: pl.DataFrame, listed: Sequence[str]) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Features in their types, and the categories of the categorical ones."""
    columns, categories, refused = {}, {}, []
    for column, dtype in frame.schema.items():
        if dtype.is_nested():
            refused.append(f"{column} ({dtype})")
        elif column in listed or is_text(dtype):
            categories[column] = categories_of(frame[column])
            columns[column] = encode_categories(frame[column], categories[column])
        elif is_number(dtype):
            columns[column] = frame[column].cast(pl.Float32)
        else:
            refused.append(f"{column} ({dtype})")
    if refused:
        raise InputError(
            f"{', '.join(refused)} cannot be features; list them in ignore, or store numbers in their place"
        )
    if not columns:
        raise InputError("no column is left as a feature; ignore fewer, or add some to the source")
    return pl.DataFrame(columns), categories


def _group(values: pl.Series) -> NDArray[np.int64]:
    ids = plain(values).rank("dense").cast(pl.Int64) - 1
    _check_complete("group", ids, "give each row one")
    return ids.to_numpy()


def _time(values: pl.Series) -> NDArray[np.int64]:
    if not (values.dtype.is_integer() or values.dtype.is_temporal()):
        raise InputError(f"time {values.name} is {values.dtype}; store whole numbers, dates or times")
    _check_complete("time", values, "drop those rows")
    return values.to_physical().cast(pl.Int64).to_numpy()


def _check_complete(what: str, values: pl.Series, remedy: str) -> None:
    missing = values.is_null().arg_true()
    if len(missing):
        raise InputError(
            f"{what} {values.name} is missing in {len(missing)} rows "
            f"(the first is row {missing[0] + 1}); {remedy}"
        )


def _check_known(names: Iterable[str], known: Sequence[str], what: str) -> None:
    unknown = list(dict.fromkeys(name for name in names if name not in known))
    if not unknown:
        return
    near = {match for name in unknown for match in difflib.get_close_matches(name, known, n=1)}
    hint = f"did you mean {', '.join(sorted(near))}?" if near else f"known: {', '.join(known)}"
    raise InputError(f"unknown {what} {', '.join(unknown)}; {hint}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
