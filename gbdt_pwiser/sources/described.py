"""A user's own data: from files and their description to a data set in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.split import Dataset
from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources._page import check_page_columns, check_page_features, relative_of, served_as
from gbdt_pwiser.sources.description import Description, check_known, read_description, split_options
from gbdt_pwiser.sources.features import Features
from gbdt_pwiser.sources.keys import Groups, Times
from gbdt_pwiser.sources.labels import Grades
from gbdt_pwiser.sources.text.parts import Parts, find_parts
from gbdt_pwiser.sources.text.table import Reading, read_parts, telling_damage


def load_description(path: Path | str, *, source: Path | str | None = None) -> Dataset:
    """Load the data set that a TOML file describes, all of it into memory.

    Codes of categoricals and ids of groups number the sorted distinct values from 0. Rows are counted from
    1 in messages.

    Parameters
    ----------
    path
        The TOML file; `Description` has its keys.
    source
        Data to read instead of the files it names.

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
    with naming_description(path):
        described = read_description(path)
        parts = parts_of(described, path, source)
        return _dataset(described, parts, read_parts(parts, reading_of(described)))


@contextmanager
def naming_description(path: Path) -> Iterator[None]:
    """Put the path of the description in front of what is wrong with it or its data."""
    try:
        yield
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(str(path)) else f"{path}: {message}") from error


def parts_of(
    described: Description, path: Path, source: Path | str | None, scratch: Path | None = None
) -> Parts:
    """Return the files of a description, or those that are given in their place; see `find_parts`."""
    with telling_damage(str(described.source if source is None else source)):
        if source is not None:
            return find_parts(Path(source))
        return find_parts(described.source, path.parent, scratch)


def reading_of(described: Description) -> Reading:
    """Return how the values of a described source are read."""
    codes = [*described.categorical, *([described.group] if described.group is not None else [])]
    as_text = [described.time] if described.time is not None and described.time_format else []
    return Reading(described.missing, codes, as_text)


@dataclass(frozen=True)
class Makers:
    """What makes exposures of the rows of a described table, whole or a block at a time."""

    grades: Grades
    features: Features
    groups: Groups | None
    times: Times | None
    described: Description

    @classmethod
    def of(cls, described: Description, schema: pl.Schema, *, has_types: bool) -> Makers:
        """Assign the columns of a table; InputError where the description does not go with them."""
        grades = Grades.of(described, schema.names())
        group, time = described.group, described.time
        placed = [column for column in (group, time) if column is not None]
        named = [*sorted(grades.columns), *placed, *described.categorical, *described.ignore]
        named += [*described.relative, *([] if described.position is None else [described.position])]
        check_known(named, schema.names(), "columns")
        for other, columns in {"ignored": {*described.ignore}, "part of the label": grades.columns}.items():
            if both := [column for column in described.categorical if column in columns]:
                raise InputError(f"{', '.join(both)} cannot be categorical and {other}; remove it from one")
        check_page_columns(described, grades.columns)
        excluded = {*described.ignore, *grades.columns, *placed} - set(described.categorical)
        if described.position is not None and described.position_at_serving is None:
            excluded.add(described.position)
        offered = {name: dtype for name, dtype in schema.items() if name not in excluded}
        return cls(
            grades=grades,
            features=Features(offered, described.categorical, has_types),
            groups=None if group is None else Groups(group),
            times=None if time is None else Times(time, described.time_format),
            described=described,
        )

    def settle(self, rare: int | None = None) -> None:
        """Decide what the features are, once all blocks were looked at; InputError where one cannot be."""
        self.features.settle(rare)
        check_page_features(self.described, self.features.offered)


def _dataset(described: Description, parts: Parts, frame: pl.DataFrame) -> Dataset:
    """Make the data set of a table, whose types are its own or were read off its texts."""
    makers = Makers.of(described, frame.schema, has_types=parts.has_types)
    grade = makers.grades.read(frame)
    makers.grades.check()
    makers.features.learn(frame)
    makers.settle()
    features = makers.features.read(frame)
    makers.features.warn_of_digits()
    placed: dict[str, Any] = {}
    for what, maker in (("group", makers.groups), ("time", makers.times)):
        if maker is not None:
            values = nameless(frame, maker.name)
            maker.learn(values)
            maker.check()
            placed[what] = maker.read(values)
    relative = relative_of(described)
    if relative is not None:
        features = features.hstack(relative.features(frame, placed["group"]))
    exposures = Exposures(
        name=described.name,
        features=features,
        grade=grade,
        categorical=makers.features.categorical,
        categories=makers.features.categories,
        missing=reading_of(described).words(has_types=parts.has_types),
        **placed,
        relative=relative,
        served_as=served_as(described),
    )
    return Dataset(exposures, split_options(described.split), rare=described.rare)
