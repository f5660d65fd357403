"""A description written for a file that nobody has described: what its names and values say."""

from __future__ import annotations

import os
import tempfile
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from gbdt_pwiser.data.leaks import find_leaks
from gbdt_pwiser.data.split import Dataset
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.described import load_description
from gbdt_pwiser.sources.guess.column import Column, columns_of
from gbdt_pwiser.sources.guess.features import FEW_ROWS, Known, Roles, sort_features
from gbdt_pwiser.sources.guess.labels import Labels, find_labels
from gbdt_pwiser.sources.guess.places import Place, find_group, find_time
from gbdt_pwiser.sources.guess.sample import Sample, sampled
from gbdt_pwiser.sources.guess.toml import WIDTH, comment, key_line, list_lines
from gbdt_pwiser.sources.text.parts import expanded
from gbdt_pwiser.sources.text.table import read_source

RARE: Final = 10
"""Training rows that a category needs for a code of its own, as in the sets that are released."""
MOST_NAMES: Final = 40
"""Numerical features that are named in a description."""


@dataclass(frozen=True)
class Guess:
    """What a file is taken to be.

    Attributes
    ----------
    source
        Its path, relative to where the description will be.
    rows, looked_at
        Rows of the source, None where that would have to be counted; and those of the sample.
    estimated
        Whether `rows` is about how many there are, by the length of the lines of the sample.
    keys
        What the description says, as `Description` has it.
    notes
        Per key, what is said beside it.
    categorical, ignored
        Per column its number of values, and why it is no feature.
    numbers
        The columns that are numerical features.
    unsure
        What a reader should look at.
    """

    source: str
    rows: int | None
    looked_at: int
    estimated: bool
    keys: dict[str, Any]
    notes: dict[str, str] = field(repr=False)
    categorical: dict[str, str] = field(repr=False)
    ignored: dict[str, str] = field(repr=False)
    numbers: tuple[str, ...] = field(repr=False)
    unsure: tuple[str, ...] = field(repr=False)

    @property
    def rows_told(self) -> str:
        """How many rows were looked at, of how many, in words."""
        if self.rows == self.looked_at:
            return f"all {self.rows:,} rows"
        of = "more" if self.rows is None else f"{'about ' if self.estimated else ''}{self.rows:,}"
        return f"{self.looked_at:,} of {of} rows"

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        counts = {"rows": self.rows, "estimated": self.estimated, "looked_at": self.looked_at}
        found = {"categorical": self.categorical, "ignored": self.ignored, "numbers": list(self.numbers)}
        return {**counts, "description": self.keys, "notes": self.notes, **found, "unsure": list(self.unsure)}

    def toml(self) -> str:
        """Return the description with its reasons as comments."""
        parts = [
            comment(f"Guessed by gbdt-pwiser describe from {self.rows_told}: read it, and correct it."),
            key_line("source", self.source),
            "",
        ]
        for key in ("grade", "click", "conversion", "group", "time", "time_format"):
            if key in self.keys:
                parts.append(key_line(key, self.keys[key], self.notes.get(key, "")))
        for key, notes, title in (
            ("categorical", self.categorical, "Codes and texts."),
            ("ignore", self.ignored, "No features, each with its reason."),
        ):
            if notes:
                parts += ["", comment(title), list_lines(key, notes)]
            if key == "categorical" and "rare" in self.keys:
                parts.append(key_line("rare", self.keys["rare"], self.notes["rare"]))
        if self.numbers:
            names = ", ".join(self.numbers[:MOST_NAMES])
            names += f" and {len(self.numbers) - MOST_NAMES} more" if len(self.numbers) > MOST_NAMES else ""
            parts += ["", *map(comment, textwrap.wrap(f"Numbers, all other columns: {names}", WIDTH - 2))]
        parts += ["", "[split]", key_line("by", self.keys["split"]["by"])]
        return "\n".join(parts) + "\n"


def describe(
    path: Path | str,
    *,
    folder: Path | str = ".",
    click: str | None = None,
    conversion: str | None = None,
    group: str | None = None,
    time: str | None = None,
) -> Guess:
    r"""Guess what the columns of a file are, by their names and by the values of a sample of its rows.

    What it says is loaded once, of the sample: `load_description` accepts it, and no feature of it gives the
    label away (`find_leaks`).

    Parameters
    ----------
    path
        A `.parquet` file or a folder of them, or text with a header. It may be larger than memory.
    folder
        Where the description will be: its source is relative to it.
    click, conversion, group, time
        Columns that are known to be those.

    Raises
    ------
    InputError
        The file cannot be read or has no header, no column looks like the click or the conversion, several
        could be the click, or what was found cannot be loaded.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "log.csv")
    ...     rows = [f"{i // 4},{i % 3 % 2},{int(i % 6 == 1)},{i % 7}" for i in range(60)]
    ...     _ = path.write_text("\n".join(["session,click,purchase,price", *rows]) + "\n")
    ...     guess = describe(path, folder=folder)
    >>> guess.keys["click"], guess.keys["conversion"], guess.keys["group"], guess.numbers
    ('click', 'purchase', 'session', ('price',))
    """
    source = expanded(path)
    if not source.exists():
        raise InputError(f"{source} does not exist; give the path of a Parquet or CSV file, or of a folder")
    relative = _relative(source, Path(folder))
    with sampled(source) as sample:
        columns = columns_of(_read(source, sample))
        unsure: list[str] = []
        labels = find_labels(columns, click=click, conversion=conversion, whole=sample.whole)
        grouped = find_group(columns, labels.columns, group, unsure)
        taken = [*labels.columns, *([grouped.column] if grouped else [])]
        timed = find_time(columns, taken, time, unsure)
        known = Known(
            labels.columns,
            labels.grade >= 1,
            grouped.column if grouped else None,
            timed.column if timed else None,
            sample.has_types,
        )
        roles = sort_features(columns, known)
        if sample.from_start:
            unsure.append("only the first rows were looked at, as the file is packed or not in UTF-8")
        unsure += labels.unsure
        while True:
            guess = _guess(relative, sample, labels, grouped, timed, roles, unsure)
            if not (leaks := find_leaks(_loaded(guess, sample).exposures)):
                return guess
            for name, what, auc in leaks:
                column = columns[name]
                roles.categorical.pop(column, None)
                if column in roles.numbers:
                    roles.numbers.remove(column)
                roles.ignored[column] = f"gives the label away: AUC {auc:.4f} for the {what}"


def _read(source: Path, sample: Sample) -> pl.DataFrame:
    try:
        return read_source(sample.path)
    except InputError as error:
        raise InputError(str(error).replace(str(sample.path), str(source))) from error


def _guess(
    source: str,
    sample: Sample,
    labels: Labels,
    group: Place | None,
    time: Place | None,
    roles: Roles,
    unsure: list[str],
) -> Guess:
    keys: dict[str, Any] = {"source": source, **labels.keys}
    notes = dict(labels.notes)
    for key, place in (("group", group), ("time", time)):
        if place:
            keys[key], notes[key] = place.column.name, place.note
            if place.time_format:
                keys["time_format"] = place.time_format
    categorical, ignored = (_by_name(which) for which in (roles.categorical, roles.ignored))
    splits_groups = group is not None and group.column.distinct > 2
    by = "time" if time else "group" if splits_groups else "row"
    looked_at = len(labels.grade)
    keys["categorical"] = list(categorical)
    if categorical and looked_at >= FEW_ROWS:
        keys["rare"], notes["rare"] = RARE, "training rows; rarer and unknown values share a code"
    keys |= {"ignore": list(ignored), "split": {"by": by}}
    return Guess(
        source=source,
        rows=looked_at if sample.whole else sample.rows,
        looked_at=looked_at,
        estimated=not sample.whole and not sample.has_types,
        keys=keys,
        notes=notes,
        categorical=categorical,
        ignored=ignored,
        numbers=tuple(column.shown for column in roles.numbers),
        unsure=(*unsure, *roles.unsure),
    )


def _by_name(notes: Mapping[Column, str]) -> dict[str, str]:
    return {column.name: note for column, note in notes.items()}


def _loaded(guess: Guess, sample: Sample) -> Dataset:
    """Load what was guessed, of the sample."""
    with tempfile.TemporaryDirectory(prefix="gbdt-pwiser-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(scratch, "guess.toml")
        path.write_text(guess.toml(), encoding="utf-8")
        try:
            return load_description(path, source=sample.path)
        except InputError as error:
            told = str(error).removeprefix(f"{path}: ").replace(str(sample.path), guess.source)
            raise InputError(f"{guess.source} cannot be described: {told}") from error


def _relative(source: Path, folder: Path) -> str:
    """Return the path of the source from a folder, as `load_description` follows it."""
    place = os.path.abspath(source)
    real = os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place))
    relative = os.path.relpath(real, os.path.realpath(folder))
    try:
        relative.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{source} is no path in UTF-8, as a description has it; rename it") from error
    return f"./{relative}" if relative.startswith("~") else relative
