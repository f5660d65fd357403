"""A prepared set: train.parquet, test.parquet and schema.json in one folder, written whole or not at all.

The Parquet files have row groups of `parquet.ROW_GROUP` rows, so that they can be read a part at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gbdt_pwiser._files import check_writable, refuse_foreign, replacing_folder
from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.parquet import write_frames
from gbdt_pwiser.data.stored import BLOCK, UNREADABLE, StoredFeatures, damaged
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import CONVERSION, OPEN

FORMAT = 1
SCHEMA = "schema.json"
FILES = ("train.parquet", "test.parquet", SCHEMA)
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
        Name of the group column: the search or user.
    bad_lines
        Damaged lines of the sources that were left out.
    """

    name: str
    categorical: tuple[str, ...]
    numerical: tuple[str, ...]
    train: Counts
    test: Counts
    group: str = "search_id"
    bad_lines: int = 0

    @property
    def columns(self) -> dict[str, type[pl.DataType]]:
        """Columns of the Parquet files in their order: the group, the grade, the features."""
        return stored_columns(self.group, self.categorical, self.numerical)

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
                **{key: stored[key] for key in ("group", "bad_lines") if key in stored},
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
    rows = clicks = conversions = undecided = 0

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal rows, clicks, conversions, undecided
        for frame in frames:
            grade = frame["grade"].to_numpy()
            rows += len(grade)
            clicks += int(np.count_nonzero(grade))
            conversions += int(np.count_nonzero(grade == CONVERSION))
            undecided += int(np.count_nonzero(grade == OPEN))
            yield frame

    write_frames(counted(), target, columns)
    if not rows:
        raise InputError(f"{source.name} has no rows; fetch it again")
    return Counts(rows, clicks, conversions, open=undecided)


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
        columns = [*schema.categorical, *schema.numerical]
        features = StoredFeatures.open(paths, {column: schema.columns[column] for column in columns})
    except (*UNREADABLE, OSError) as error:
        raise damaged(folder, str(error).partition("\n")[0]) from error
    train, test = (part[schema.group].to_numpy() for part in labels)
    return Exposures(
        name=schema.name,
        features=pl.concat(features.frames()) if features.height <= in_memory else features,
        grade=pl.concat(part["grade"] for part in labels).to_numpy(),
        categorical=schema.categorical,
        group=np.concatenate([train, test - test.min() + train.max() + 1]),
        in_test=np.repeat([False, True], [len(train), len(test)]),
    )


def _labels(path: Path, schema: Schema) -> pl.DataFrame:
    """Read the group and the grade of each row of one part, after a look at its columns."""
    stored = pl.scan_parquet(path, glob=False).collect_schema()
    wrong = [column for column, dtype in schema.columns.items() if stored.get(column) != dtype]
    if wrong:
        raise damaged(path.parent, f"{path.name} has no column {wrong[0]} of {schema.columns[wrong[0]]}")
    return pl.read_parquet(path, columns=[schema.group, "grade"], glob=False)


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
    refuse_foreign(folder, dict.fromkeys(FILES, lambda path: path.name in own))


def _own_files(folder: Path) -> tuple[str, ...]:
    """Return the names of a set's files where its schema, damaged or not, begins as ours does."""
    try:
        with (folder / SCHEMA).open("rb") as file:
            return FILES if file.read(len(_BEGIN)) == _BEGIN else ()
    except OSError:
        return ()
