"""A prepared set: train.parquet, test.parquet and schema.json in one folder, written whole or not at all.

Where values got their codes from a description, categories.parquet says which: one row of lists.
The Parquet files have row groups of `parquet.ROW_GROUP` rows, so that they can be read a part at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser._files import check_writable, refuse_foreign, replacing_folder
from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.parquet import write_frames
from gbdt_pwiser.data.stored import BLOCK, UNREADABLE, StoredFeatures, damaged, nameless
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import CLICK, CONVERSION, OPEN

FORMAT = 1
SCHEMA = "schema.json"
FILES = ("train.parquet", "test.parquet", SCHEMA)
CATEGORIES = "categories.parquet"
_PLAIN = ("group", "bad_lines", "grade", "time", "shared_groups", "made_of")
_BEGIN = b'{\n  "format": '


@dataclass(frozen=True)
class Counts:
    """How much one part holds, and how many rows of its source convert without a click and were left out.

    Of the clicks, `open` are those whose conversion is open.
    """

    rows: int
    clicks: int
    conversions: int
    dropped: int = 0
    open: int = 0

    def more(self, grade: NDArray[np.int8]) -> Counts:
        """Return the counts with some more grades."""
        of_grade = [int(np.count_nonzero(grade == value)) for value in (CLICK, CONVERSION, OPEN)]
        return replace(
            self,
            rows=self.rows + len(grade),
            clicks=self.clicks + sum(of_grade),
            conversions=self.conversions + of_grade[1],
            open=self.open + of_grade[2],
        )


@dataclass(frozen=True)
class Schema:
    """What a prepared set holds; stored as schema.json.

    Its Parquet files have the columns of `columns`; only features may be null.

    Parameters
    ----------
    name
        What the set is called.
    categorical, numerical
        The features.
    train, test
        What the two parts hold.
    group
        Name of the group column: the search or user; None where there is none.
    bad_lines
        Damaged lines of the sources that were left out.
    grade, time
        Names of the columns of grades and of times; None where there are no times.
    order
        The features in their order; empty where the categorical ones come first.
    shared_groups
        Whether equal ids of groups are one group in both parts.
    encoded
        Features whose categories are in categories.parquet.
    made_of
        What a set of a description was made of, to tell whether it is still the same.
    missing
        Words that counted as missing among the texts that were encoded; see `Exposures`.
    """

    name: str
    categorical: tuple[str, ...]
    numerical: tuple[str, ...]
    train: Counts
    test: Counts
    group: str | None = "search_id"
    bad_lines: int = 0
    grade: str = "grade"
    time: str | None = None
    order: tuple[str, ...] = ()
    shared_groups: bool = False
    encoded: tuple[str, ...] = ()
    made_of: Mapping[str, Any] | None = None
    missing: tuple[str, ...] | None = None

    @property
    def labels(self) -> dict[str, type[pl.DataType]]:
        """Columns that are no features: the group, the time, the grade."""
        kept = {self.group: pl.Int64, self.time: pl.Int64, self.grade: pl.Int8}
        return {name: dtype for name, dtype in kept.items() if name is not None}

    @property
    def features(self) -> dict[str, type[pl.DataType]]:
        """The features in their order: codes Int32, numbers Float32."""
        types = dict.fromkeys(self.categorical, pl.Int32) | dict.fromkeys(self.numerical, pl.Float32)
        return {name: types[name] for name in self.order or types}

    @property
    def columns(self) -> dict[str, type[pl.DataType]]:
        """Columns of the Parquet files in their order: the labels, the features."""
        return self.labels | self.features

    def write(self, folder: Path) -> None:
        """Write schema.json into the folder."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2)
        (folder / SCHEMA).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Schema:
        """Read schema.json from the folder; an InputError says what is wrong with it."""
        try:
            stored = json.loads((folder / SCHEMA).read_text(encoding="utf-8"))
            if (found := stored.pop("format")) != FORMAT:
                raise InputError(
                    f"{folder} has format {found}, this version reads {FORMAT}; prepare it again"
                )
            return cls(
                name=stored["name"],
                categorical=tuple(stored["categorical"]),
                numerical=tuple(stored["numerical"]),
                train=Counts(**stored["train"]),
                test=Counts(**stored["test"]),
                **{key: stored[key] for key in _PLAIN if key in stored},
                order=tuple(stored.get("order", ())),
                encoded=tuple(stored.get("encoded", ())),
                missing=None if stored.get("missing") is None else tuple(stored["missing"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise damaged(folder, f"schema.json: {error!r}") from error


def stored_columns(
    group: str, categorical: Iterable[str], numerical: Iterable[str]
) -> dict[str, type[pl.DataType]]:
    """Return the columns of the Parquet files: group Int64, grade Int8, codes Int32, numbers Float32."""
    return (
        {group: pl.Int64, "grade": pl.Int8}
        | dict.fromkeys(categorical, pl.Int32)
        | dict.fromkeys(numerical, pl.Float32)
    )


def write_part(
    frames: Iterable[pl.DataFrame], target: Path, columns: Mapping[str, type[pl.DataType]], source: Path
) -> Counts:
    """Write one part as its frames come and count it; memory holds about one row group.

    InputError, naming the source file, where there are no rows.
    """
    counts = Counts(0, 0, 0)

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal counts
        for frame in frames:
            counts = counts.more(frame["grade"].to_numpy())
            yield frame

    write_frames(counted(), target, columns)
    if not counts.rows:
        raise InputError(f"{source.name} has no rows; fetch it again")
    return counts


def write_categories(categories: Mapping[str, pl.Series], folder: Path) -> None:
    """Write the value of each code from 0, per column, into the folder."""
    pl.DataFrame([pl.Series(name, [values]) for name, values in categories.items()]).write_parquet(
        folder / CATEGORIES
    )


def _categories(folder: Path, names: Iterable[str]) -> dict[str, pl.Series] | None:
    """Read what `write_categories` wrote; None where there are no names."""
    wanted = list(names)
    if not wanted:
        return None
    stored = pl.read_parquet(folder / CATEGORIES, glob=False)
    if missing := [name for name in wanted if name not in stored.columns]:
        raise damaged(folder, f"{CATEGORIES} has no column {missing[0]}")
    return {name: nameless(stored, name).explode(empty_as_null=False) for name in wanted}


def load_prepared(folder: Path | str, *, in_memory: int = BLOCK) -> Exposures:
    """Load a prepared set, train rows first.

    Publishers number the groups of train and test separately, so equal ids are not one group: the ids of the
    test rows are shifted beyond those of train.

    Parameters
    ----------
    folder
        Where the set is.
    in_memory
        The features of a set of more rows than this stay in its files, which must not change while the
        exposures are used.

    Raises
    ------
    InputError
        The set is damaged or of another format; the message says to prepare it again.
    """
    folder = Path(folder)
    schema = Schema.read(folder)
    paths = [folder / f"{part}.parquet" for part in ("train", "test")]
    try:
        labels = [_labels(path, schema) for path in paths]
        for part, counts in zip(labels, (schema.train, schema.test), strict=True):
            if part.height != counts.rows:
                raise damaged(folder, f"{part.height} rows where schema.json says {counts.rows}")
        features = StoredFeatures.open(paths, schema.features)
        categories = _categories(folder, schema.encoded)
    except (*UNREADABLE, OSError) as error:
        raise damaged(folder, str(error).partition("\n")[0]) from error
    return Exposures(
        name=schema.name,
        features=pl.concat(features.frames()) if features.height <= in_memory else features,
        grade=pl.concat(part[schema.grade] for part in labels).to_numpy(),
        categorical=schema.categorical,
        group=None if schema.group is None else _groups([part[schema.group] for part in labels], schema),
        time=None if schema.time is None else pl.concat(part[schema.time] for part in labels).to_numpy(),
        in_test=np.repeat([False, True], list(map(len, labels))),
        categories=categories,
        missing=schema.missing,
    )


def _groups(of_parts: Sequence[pl.Series], schema: Schema) -> NDArray[np.int64]:
    train, test = (part.to_numpy() for part in of_parts)
    if not schema.shared_groups:
        test = test - test.min() + train.max() + 1
    return np.concatenate([train, test])


def _labels(path: Path, schema: Schema) -> pl.DataFrame:
    """Read what is no feature of each row of one part, after a look at its columns."""
    stored = pl.scan_parquet(path, glob=False).collect_schema()
    wrong = [column for column, dtype in schema.columns.items() if stored.get(column) != dtype]
    if wrong:
        raise damaged(path.parent, f"{path.name} has no column {wrong[0]} of {schema.columns[wrong[0]]}")
    return pl.read_parquet(path, columns=list(schema.labels), glob=False)


@contextmanager
def replacing_set(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder for scratch files and one for the prepared set, which takes the place of `folder`.

    An older set stays whole until the new one is complete; see `replacing_folder`.

    Raises
    ------
    InputError
        Another process prepares the set, the folder holds a file of one of its names that is none of a
        prepared set, or the disk is full.
    """
    with replacing_folder(folder, lambda: _own_files(folder), alone=True) as prepared:
        scratch = prepared.parent / "unpacked"
        scratch.mkdir()
        yield scratch, prepared


def check_target(folder: Path) -> None:
    """Raise InputError, before anything is read, where no set can be written or something foreign is."""
    check_writable(folder)
    own = _own_files(folder)
    refuse_foreign(folder, dict.fromkeys((*FILES, CATEGORIES), lambda path: path.name in own))


def _own_files(folder: Path) -> tuple[str, ...]:
    """Return the names of a set's files where its schema, damaged or not, begins as ours does."""
    try:
        content = (folder / SCHEMA).read_bytes()
    except OSError:
        return ()
    if not content.startswith(_BEGIN):
        return ()
    has_categories = b'"encoded": [' in content and b'"encoded": []' not in content
    return (*FILES, CATEGORIES) if has_categories else FILES
