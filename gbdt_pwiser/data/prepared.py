"""A prepared set: train.parquet, test.parquet and schema.json in one folder, written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.objectives import InputError

FORMAT = 1


@dataclass(frozen=True)
class Counts:
    """How much one part holds."""

    rows: int
    clicks: int
    conversions: int


@dataclass(frozen=True)
class Schema:
    """What a prepared set holds; stored as schema.json.

    Its Parquet files have the columns `search_id` (Int64), `grade` (Int8), the categoricals (Int32) and the
    numericals (Float32).
    """

    name: str
    categorical: tuple[str, ...]
    numerical: tuple[str, ...]
    train: Counts
    test: Counts

    def write(self, folder: Path) -> None:
        """Write schema.json into the folder."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2)
        (folder / "schema.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Schema:
        """Read schema.json from the folder; an InputError says what is wrong with it."""
        try:
            stored = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
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
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise _damaged(folder, f"schema.json: {error!r}") from error


def load_prepared(folder: Path) -> Exposures:
    """Load a prepared set, train rows first.

    The publisher numbers the searches of train and test separately, so equal ids are not one search: the
    ids of the test rows are shifted beyond those of train.

    Raises
    ------
    InputError
        The set is damaged or of another format; the message says to prepare it again.
    """
    schema = Schema.read(folder)
    features = [*schema.categorical, *schema.numerical]
    try:
        parts = [
            pl.read_parquet(folder / f"{part}.parquet", columns=["search_id", "grade", *features])
            for part in ("train", "test")
        ]
        for part, counts in zip(parts, (schema.train, schema.test), strict=True):
            if part.height != counts.rows:
                raise _damaged(folder, f"{part.height} rows where schema.json says {counts.rows}")
        train, test = (part["search_id"].to_numpy() for part in parts)
        rows = pl.concat(parts, rechunk=False)
        return Exposures(
            name=schema.name,
            features=rows.select(features),
            grade=rows["grade"].to_numpy(),
            categorical=schema.categorical,
            group=np.concatenate([train, test - test.min() + train.max() + 1]),
            in_test=np.repeat([False, True], [len(train), len(test)]),
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(folder, str(error).partition("\n")[0]) from error


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a workspace whose `prepared` folder takes the place of `folder` at the end, if all went well.

    The workspace is a hidden sibling, `.NAME.partial-XXXX`, removed in any case; one that a killed run left
    behind is removed by the next. An older `folder` stays whole until the new one is complete.

    Raises
    ------
    InputError
        Another process prepares a set in the same parent folder.
    """
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another prepare is running in {parent}; wait until it has finished") from None
        for stale in parent.glob(f".{folder.name}.partial-*"):
            shutil.rmtree(stale)
        workspace = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=parent))
        try:
            (workspace / "prepared").mkdir()
            yield workspace
            _exchange(workspace / "prepared", folder, aside=workspace / "replaced")
        finally:
            shutil.rmtree(workspace)
    finally:
        os.close(lock)


def _exchange(new: Path, folder: Path, *, aside: Path) -> None:
    """Rename `new` to `folder`, moving an older `folder` aside first and back if that fails."""
    if not folder.exists():
        new.rename(folder)
        return
    folder.rename(aside)
    try:
        new.rename(folder)
    except BaseException:
        aside.rename(folder)
        raise


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(f"the prepared set in {folder} is damaged ({what}); prepare it again")
