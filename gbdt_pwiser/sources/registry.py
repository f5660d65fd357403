"""Data sets by name or path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.prepared import Schema, load_prepared
from gbdt_pwiser.data.progress import note
from gbdt_pwiser.data.split import Dataset
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import did_you_mean, unknown
from gbdt_pwiser.sources.ali_ccp import ALI_CCP
from gbdt_pwiser.sources.aliexpress import ALIEXPRESS
from gbdt_pwiser.sources.described import load_description, naming_description, parts_of
from gbdt_pwiser.sources.description import read_description
from gbdt_pwiser.sources.prepared_description import (
    described_folder,
    is_large,
    load_prepared_description,
    made_of,
    prepare_description,
)
from gbdt_pwiser.sources.simulate import SIMULATED
from gbdt_pwiser.sources.source import Made, Released, Source
from gbdt_pwiser.sources.text.parts import SUFFIXES, expanded, urls_of

SOURCES: tuple[Source, ...] = (
    *ALIEXPRESS,
    ALI_CCP,
    SIMULATED,
)
"""The data sets that have a name, in the order in which they are listed."""
NAMES = tuple(source.name for source in SOURCES)
MADE = {source.name: source for source in SOURCES if isinstance(source, Made)}
RELEASED = {source.name: source for source in SOURCES if isinstance(source, Released)}


@dataclass(frozen=True)
class KnownDataset:
    """A data set that has a name, whether or not it can be loaded yet.

    Path and counts are None for a set that needs no files, the counts also for one that is not prepared.
    """

    name: str
    description: str
    prepared: bool
    path: Path | None
    rows: int | None = None
    clicks: int | None = None
    conversions: int | None = None
    open: int | None = None


def resolve_data_dir(data_dir: Path | str | None = None) -> Path:
    """Return where prepared sets live: the argument, else $GBDT_PWISER_DATA, else the user's data folder."""
    chosen = data_dir or os.environ.get("GBDT_PWISER_DATA") or platformdirs.user_data_dir("gbdt-pwiser")
    return expanded(chosen)


def load(name_or_path: str | Path, *, data_dir: Path | str | None = None, **options: float | str) -> Dataset:
    """Load a data set by name or path.

    Parameters
    ----------
    name_or_path
        `us`, `nl`, `fr`, `es` (AliExpress), `ccp` (Ali-CCP), once prepared. `simulated`: made on the
        spot. A path to a `.toml` description, or to a `.parquet` or `.csv` file (also `.tsv`, `.csv.gz`, or a
        folder `.parquet`) with a description of the same stem beside it. Where its data are large they are
        prepared, and a set that is prepared of the same files is read in their place, see
        `docs/guides/data.md`.
    data_dir
        Where prepared sets live; see `resolve_data_dir`.
    options
        For `simulated` only: those of `gbdt_pwiser.sources.simulate`.

    Raises
    ------
    InputError
        Unknown name, an option that is not for this data set, a set that is not prepared or is damaged, or a
        file that breaks a rule.

    Examples
    --------
    >>> len(load("simulated", n_exposures=1000).exposures)
    1000
    """
    name = str(name_or_path)
    _check_options(name, options)
    if name in MADE:
        return MADE[name].make(**options)
    if name in RELEASED:
        return Dataset(_load_released(RELEASED[name], resolve_data_dir(data_dir)), released=True)
    path = expanded(name_or_path)
    if path.suffix.lower() == ".toml":
        return _load_described(path, resolve_data_dir(data_dir))
    if path.name.lower().endswith(SUFFIXES):
        return _load_described(_description_of(path), resolve_data_dir(data_dir), source=path)
    near = did_you_mean([name], NAMES)
    raise InputError(
        f"unknown data set {name!r}{f', {near}' if near else ''}; choose one of {', '.join(NAMES)}, or give "
        "the path of a .toml description"
    )


def prepare(
    name: str | Path,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
    *,
    rare: int | None = None,
    skip_bad_lines: int = 0,
    progress: bool = True,
) -> Path:
    """Prepare a data set and return its folder; files are streamed, the folder appears whole.

    Parameters
    ----------
    name
        `us`, `nl`, `fr`, `es`, `ccp`, or the path of a `.toml` description.
    source
        Folder or archive with the files, as released or as processed; of a description what to read in the
        place of the files it names.
    data_dir
        Where prepared sets live; see `resolve_data_dir`.
    rare
        For released Ali-CCP files only; see `prepare_ali_ccp`.
    skip_bad_lines
        How many damaged lines may be left out; for released sets only.
    progress
        Whether to show progress on standard error, if that is a terminal.

    Raises
    ------
    InputError
        Unknown name, files missing, or a fault in one.
    """
    target, name = resolve_data_dir(data_dir), str(name)
    if name.lower().endswith(".toml"):
        return _prepare_described(expanded(name), target, source, rare, skip_bad_lines, progress)
    if name not in RELEASED:
        raise unknown("data set", name, RELEASED)
    if source is None:
        raise InputError(f"there is no source for {name}; give the folder or archive of its files")
    released = RELEASED[name]
    if rare is not None and not released.learns_codes:
        takers = ", ".join(other.name for other in RELEASED.values() if other.learns_codes)
        raise InputError(f"rare cannot be set for {name}, whose codes are published; it is for {takers}")
    of_codes = {"rare": rare} if released.learns_codes else {}
    return released.prepare(
        Path(source), target, skip_bad_lines=skip_bad_lines, progress=progress, **of_codes
    )


def _prepare_described(
    path: Path,
    data_dir: Path,
    source: Path | str | None,
    rare: int | None,
    skip_bad_lines: int,
    progress: bool,
) -> Path:
    if rare is not None:
        raise InputError(f"rare cannot be set for {path} here; write rare = {rare} into it")
    if skip_bad_lines:
        raise InputError(f"skip_bad_lines cannot be set for {path}; correct its lines")
    return prepare_description(path, data_dir, source=source, progress=progress)


def known_datasets(data_dir: Path | str | None = None) -> list[KnownDataset]:
    """Describe every data set that has a name; a damaged one counts as not prepared."""
    return [
        _known_released(source, resolve_data_dir(data_dir))
        if isinstance(source, Released)
        else KnownDataset(source.name, source.description, prepared=True, path=None)
        for source in SOURCES
    ]


def _check_options(name: str, given: Iterable[str]) -> None:
    """Refuse options of `load` that a data set does not take, and say which ones do."""
    taken = MADE[name].options if name in MADE else ()
    if refused := [option for option in given if option not in taken]:
        takers = [source.name for source in MADE.values() if set(refused) & set(source.options)]
        where = f"only for {', '.join(takers)}" if takers else "nor for any other data set; leave it out"
        raise InputError(f"{', '.join(refused)} cannot be set for {name}, {where}")


def _known_released(source: Released, data_dir: Path) -> KnownDataset:
    name, description, path = source.name, source.description, data_dir / source.name
    try:
        schema = Schema.read(path)
    except InputError:
        return KnownDataset(name, description, prepared=False, path=path)
    parts = (schema.train, schema.test)
    return KnownDataset(
        name,
        description,
        prepared=True,
        path=path,
        rows=sum(part.rows for part in parts),
        clicks=sum(part.clicks for part in parts),
        conversions=sum(part.conversions for part in parts),
        open=sum(part.open for part in parts),
    )


def _load_released(source: Released, data_dir: Path) -> Exposures:
    folder = data_dir / source.name
    if not folder.exists():
        raise InputError(
            f"{source.name} is not prepared (looked in {folder}); download {source.download}, then run "
            f"`gbdt-pwiser prepare --dataset {source.name} --source PATH`, or use --dataset "
            f"{' or '.join(MADE)}, which needs nothing"
        )
    return load_prepared(folder)


def _load_described(path: Path, data_dir: Path, source: Path | None = None) -> Dataset:
    """Load a description from its prepared set if that is fresh, else from its files if they are small."""
    with naming_description(path):
        described = read_description(path)
        parts = None if source is None and urls_of(described.source) else parts_of(described, path, source)
        folder = described_folder(path, data_dir, source)
        prepared = folder.exists()
        if prepared and Schema.read(folder).made_of == made_of(path, parts):
            return load_prepared_description(folder, described)
        if parts is not None and not is_large(parts):
            return load_description(path, source=source)
    first = "is of objects" if parts is None else "is large"
    why = "changed since it was prepared" if prepared else first
    note(f"gbdt-pwiser: {path} {why}; it is prepared in {folder}")
    prepare_description(path, data_dir, source=source)
    return load_prepared_description(folder, described)


def _description_of(path: Path) -> Path:
    # x.csv.gz goes with x.toml
    packed = path.suffix.lower() in (".gz", ".zst")
    toml = (path.with_suffix("") if packed else path).with_suffix(".toml")
    if not toml.is_file():
        raise InputError(f"{path} has no description; write {toml}, which says what its columns are")
    return toml
