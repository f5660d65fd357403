"""A user's own data of any size: from files and their description to a prepared set, a block at a time."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.pages import fill_by_page, on_disk
from gbdt_pwiser.data.parquet import writing_frames
from gbdt_pwiser.data.prepared import (
    Counts,
    Schema,
    check_target,
    load_prepared,
    replacing_set,
    write_categories,
)
from gbdt_pwiser.data.split import Dataset, Rows, cut
from gbdt_pwiser.data.stored import BLOCK, as_matrix, nameless, refuse_infinite
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._page import relative_of, served_as
from gbdt_pwiser.sources.described import Makers, naming_description, parts_of, reading_of
from gbdt_pwiser.sources.description import Description, read_description, split_options
from gbdt_pwiser.sources.text.parts import Parts, urls_of
from gbdt_pwiser.sources.text.scan import Scan
from gbdt_pwiser.sources.text.table import telling_damage

FOLDER: Final = "described"
"""The folder of prepared sets, in that of all, which holds those of descriptions."""
LARGE_ROWS: Final = 8 * BLOCK
"""Rows of Parquet beyond which a source is prepared without being asked for."""
LARGE_TEXT: Final = 1 << 29
"""Bytes of text beyond which a source is; packed text counts four times."""
_SEED: Final = 0  # of the shuffle of groups or rows by which they are split
_PACKED: Final = 4
_LONGEST: Final = 80


def described_folder(path: Path, data_dir: Path, source: Path | str | None = None) -> Path:
    """Return where the set of a description is prepared: two of one name in different folders do not meet."""
    of = os.path.realpath(path) + ("" if source is None else f"\0{os.path.realpath(source)}")
    stem = re.sub(r"[^\w-]", "_", path.stem)[:_LONGEST]
    return data_dir / FOLDER / f"{stem}-{hashlib.sha256(of.encode()).hexdigest()[:12]}"


def is_large(parts: Parts) -> bool:
    """Return whether a source is prepared without being asked for."""
    if parts.has_types:
        with telling_damage(parts.shown):
            return parts.rows > LARGE_ROWS
    sizes = [
        os.path.getsize(part.path) * (1 if str(part).lower().endswith(("csv", "tsv")) else _PACKED)
        for part in parts.parts
    ]
    return sum(sizes) > LARGE_TEXT


def made_of(path: Path, parts: Parts | None) -> dict[str, Any]:
    """Return what tells whether a prepared set is still that of its description and files.

    Of objects, which have no times, the description alone: `parts` is None.
    """
    files: list[Any] = []
    for part in () if parts is None else parts.parts:
        found = os.stat(part.path)
        files.append([os.path.realpath(part.path), found.st_size, found.st_mtime_ns])
    return {"description": hashlib.sha256(path.read_bytes()).hexdigest(), "files": files}


@contextmanager
def _unchanged(path: Path, parts: Parts | None) -> Iterator[dict[str, Any]]:
    """Give `made_of`; InputError where it is another once several passes have read the files."""
    made = made_of(path, parts)

    def refuse_change(cause: Exception | None = None) -> None:
        with suppress(OSError):
            if made_of(path, parts) == made:
                return
        raise InputError(
            "the description or a file of its source changed while it was read; prepare it again once all "
            "are complete"
        ) from cause

    try:
        yield made
    except Exception as error:  # which passes over different rows may have caused
        refuse_change(error)
        raise
    refuse_change()


def load_prepared_description(folder: Path, described: Description) -> Dataset:
    """Load a set that `prepare_description` made."""
    exposures = replace(
        load_prepared(folder), relative=relative_of(described), served_as=served_as(described)
    )
    return Dataset(exposures, split_options(described.split))


def prepare_description(
    path: Path | str, data_dir: Path, *, source: Path | str | None = None, progress: bool = True
) -> Path:
    """Turn the files of a description into a prepared set and return its folder, which appears whole.

    The test part is cut off once, as the description splits, and categories are those of its training rows;
    see `docs/guides/data.md`. Memory holds the label, the group and the time of each row, each distinct
    group and category once, and some blocks of rows.

    Parameters
    ----------
    path
        The TOML file; `Description` has its keys.
    data_dir
        Where prepared sets live.
    source
        Data to read instead of the files it names.
    progress
        Whether to show progress on standard error, if that is a terminal.

    Raises
    ------
    InputError
        As `load_description`; a label that is of more than its own row; or the description or a local file
        changed while it was read.
    """
    path = Path(path)
    with naming_description(path):
        described = read_description(path)
        options = split_options(described.split)
        folder = described_folder(path, data_dir, source)
        check_target(folder)
        with replacing_set(folder) as (scratch, prepared):
            parts = parts_of(described, path, source, scratch)
            local = None if source is None and urls_of(described.source) else parts
            with _unchanged(path, local) as made:
                scan = Scan.of(parts, reading_of(described), scratch, progress=progress)
                makers = Makers.of(described, scan.schema, has_types=parts.has_types)
                grade, group, time = _labels(scan, makers)
                part = cut(Rows(described.name, scan.rows, group, time), options, _SEED).astype(np.int8)
                for block in scan.blocks(makers.features.categorical, "categories"):
                    training = part[block.before : block.before + block.frame.height] == 0
                    makers.features.learn(block.frame, pl.Series(training))
                makers.settle(described.rare)
                labels = {"group": group, "time": time, "grade": grade}
                relative = _relative_features(scan, makers, group, scratch)
                schema = _write(scan, makers, described.name, labels, relative, part == 2, prepared, made)
                write_categories(makers.features.categories, prepared)
                schema.write(prepared)
    return folder


def _labels(
    scan: Scan, makers: Makers
) -> tuple[NDArray[np.int8], NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return the grades, groups and times of all rows."""
    placed = [maker for maker in (makers.groups, makers.times) if maker is not None]
    names = [maker.name for maker in placed]
    grades: list[NDArray[np.int8]] = []
    for block in scan.blocks(list(dict.fromkeys([*sorted(makers.grades.columns), *names])), "labels"):
        if not grades:
            for label in makers.grades.labels:
                label.check_of_row(block.frame)
        grades.append(makers.grades.read(block.frame, block.before))
        for maker in placed:
            maker.learn(nameless(block.frame, maker.name), block.before)
    makers.grades.check()
    for maker in placed:
        maker.check()
    read: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
    for block in scan.blocks(list(read), "groups and times") if placed else ():
        for maker in placed:
            read[maker.name].append(maker.read(nameless(block.frame, maker.name)))
    group, time = (
        None if maker is None else np.concatenate(read[maker.name]) for maker in (makers.groups, makers.times)
    )
    return np.concatenate(grades), group, time


def _relative_features(
    scan: Scan, makers: Makers, group: NDArray[np.int64] | None, scratch: Path
) -> NDArray[np.float32] | None:
    """Return the features relative to the page, in a scratch file: float32 (n, k); None where there are none.

    Pages may lie apart: those of some rows at a time are gathered from a file of the columns that are needed.
    """
    relative = relative_of(makers.described)
    if relative is None:
        return None
    assert group is not None
    given = on_disk(scratch, np.float64, (scan.rows, len(relative.columns)))
    for block in scan.blocks(list(relative.columns), "features relative to the page"):
        numbers = [nameless(block.frame, name).cast(pl.Float64).to_numpy() for name in relative.columns]
        given[block.before : block.before + block.frame.height] = np.stack(numbers, axis=1)
    made = on_disk(scratch, np.float32, (scan.rows, len(relative.names)))

    def of_pages(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        table = pl.DataFrame(given[rows], schema=list(relative.columns))
        return as_matrix(relative.features(table, group[rows]))

    fill_by_page(made, group.view(np.uint64), of_pages)
    return made


def _write(
    scan: Scan,
    makers: Makers,
    name: str,
    labels: Mapping[str, NDArray[Any] | None],
    relative: NDArray[np.float32] | None,
    in_test: NDArray[np.bool_],
    prepared: Path,
    made: Mapping[str, Any],
) -> Schema:
    """Write both parts in one pass and return what they hold."""
    features = makers.features
    made_of_page = relative_of(makers.described)
    added = () if made_of_page is None else made_of_page.names
    order = (*features.offered, *added)
    stored = {what: _free(what, order) for what, values in labels.items() if values is not None}
    encoded = features.categorical
    schema = Schema(
        name=name,
        categorical=encoded,
        numerical=tuple(column for column in order if column not in encoded),
        train=Counts(0, 0, 0),
        test=Counts(0, 0, 0),
        group=stored.get("group"),
        grade=stored["grade"],
        time=stored.get("time"),
        order=order,
        shared_groups=True,
        encoded=encoded,
        made_of=made,
        missing=reading_of(makers.described).words(has_types=makers.features.has_types),
    )
    counts = {"train": schema.train, "test": schema.test}
    with (
        writing_frames(prepared / "train.parquet", schema.columns) as write_train,
        writing_frames(prepared / "test.parquet", schema.columns) as write_test,
    ):
        for block in scan.blocks(list(features.offered), "train and test"):
            frame = features.read(block.frame)
            refuse_infinite(frame, name)
            rows = slice(block.before, block.before + frame.height)
            kept = [
                pl.Series(stored[what], values[rows]) for what, values in labels.items() if values is not None
            ]
            if relative is not None:
                frame = frame.hstack(
                    [
                        pl.Series(column, values, nan_to_null=True)
                        for column, values in zip(added, relative[rows].T, strict=True)
                    ]
                )
            frame = pl.DataFrame([*kept, *frame.get_columns()])
            test = pl.Series(in_test[rows])
            for part, write, chosen in (("train", write_train, ~test), ("test", write_test, test)):
                chosen_rows = frame.filter(chosen)
                if chosen_rows.height:
                    counts[part] = counts[part].more(nameless(chosen_rows, schema.grade).to_numpy())
                    write(chosen_rows)
    features.warn_of_digits()
    return replace(schema, train=counts["train"], test=counts["test"])


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name for a column that no feature has."""
    while name in taken:
        name += "_"
    return name
