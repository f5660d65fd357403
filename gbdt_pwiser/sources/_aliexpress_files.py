"""Find the AliExpress source files of one country in a folder or zip, whichever way they are packed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.archive import files_in, unpack

RAW = ("user_train", "item_train", "user_test", "item_test")
PROCESSED = ("train", "test")
PUBLISHED_COUNTRIES = ("us", "nl", "fr", "es", "ru")


def find_files(country: str, source: Path, scratch: Path, *, progress: bool) -> dict[str, Path]:
    """Return the CSV file of each role: those of `RAW`, or those of `PROCESSED`.

    Parameters
    ----------
    country
        Which the names of raw files begin with, as in `us_user_train.csv`, in any case.
    source
        A folder with CSV files and zips at any depth, or a zip of CSV files and zips.
    scratch
        Folder for what is unpacked.
    progress
        Whether to show progress on a terminal.

    Raises
    ------
    InputError
        No such source, a damaged zip, a file missing or found twice, or both kinds of files.
    """
    wanted = {f"{country}_{role}": role for role in RAW} | {role: role for role in PROCESSED}
    found: dict[str, Path] = {}
    for path in files_in(source, "zip with the AliExpress files"):
        for stem, csv in _csv_files(path, country, set(wanted), scratch, progress):
            if wanted[stem] in found:
                raise InputError(f"{source} holds {stem}.csv more than once; give a folder or zip with one")
            found[wanted[stem]] = csv
    return _complete_set(country, source, found)


def _csv_files(
    path: Path, country: str, wanted: set[str], scratch: Path, progress: bool
) -> Iterator[tuple[str, Path]]:
    """Yield the (stem, path) of the wanted CSV files in a file, unpacking what is zipped."""
    stem, suffix = path.stem.lower(), path.suffix.lower()
    if suffix == ".csv" and stem in wanted:
        yield stem, path
    if suffix != ".zip" or _names_another_country(stem, country):
        return

    def name_of(member: str) -> str | None:
        name = PurePosixPath(member)
        kind, inner = name.suffix.lower(), name.stem.lower()
        if kind == ".csv":
            # The one CSV in us_user_train.zip is the user file, whatever its own name is.
            inner = stem if stem in wanted else inner
            return f"{inner}.csv" if inner in wanted else None
        return f"{inner}.zip" if kind == ".zip" and not _names_another_country(inner, country) else None

    for file in unpack(path, name_of, scratch, progress=progress):
        yield from _csv_files(file, country, wanted, scratch, progress)


def _names_another_country(stem: str, country: str) -> bool:
    return any(word in PUBLISHED_COUNTRIES and word != country for word in re.split(r"[^a-z]+", stem))


def _complete_set(country: str, source: Path, found: dict[str, Path]) -> dict[str, Path]:
    raw = [role for role in RAW if role in found]
    processed = [role for role in PROCESSED if role in found]
    if raw and processed:
        raise InputError(
            f"{source} holds both raw ({found[raw[0]].name}) and processed "
            f"({found[processed[0]].name}) files; give a folder or zip with one kind"
        )
    missing = [f"{role}.csv" for role in PROCESSED if role not in found]
    if not processed:
        missing = [f"{country}_{role}.csv" for role in RAW if role not in found]
    if missing:
        others = ", ".join(path.name for path in found.values()) or "none of the AliExpress files"
        hint = "" if found else ", nor the processed train.csv and test.csv"
        raise InputError(f"{source} lacks {', '.join(missing)}{hint}; found {others}")
    return found
