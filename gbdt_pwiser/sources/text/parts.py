"""Which files a source is: one, those below a folder, those of a pattern, or of a list of these."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import polars as pl

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.remote import check_scheme, fetch_texts, is_url, parquet_objects
from gbdt_pwiser.sources.text.values import typed

PARQUET: Final = (".parquet",)
TEXT: Final = tuple(f"{kind}{packed}" for packed in ("", ".gz", ".zst") for kind in (".csv", ".tsv"))
SUFFIXES: Final = (*PARQUET, *TEXT)
_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
_OF_PATTERNS: Final = re.compile(r"[*?\[\]]")


@dataclass(frozen=True)
class Part:
    """A file, or the URL of an object, and what KEY=VALUE in its path says of all its rows.

    Of text that was fetched, `url` is where it came from.
    """

    path: Path | str
    keys: Mapping[str, str | None] = field(default_factory=dict)
    url: str = ""

    def __str__(self) -> str:
        return self.url or str(self.path)

    def scan(self) -> pl.LazyFrame:
        """Return what reads a Parquet file, without what its path says."""
        return pl.scan_parquet(self.path, glob=False, hive_partitioning=False)


@dataclass(frozen=True)
class Parts:
    """The files of a source in their order, all of one kind and with the same keys.

    Attributes
    ----------
    shown
        What the source is called in messages.
    parts
        The files.
    has_types
        Whether they are Parquet, whose columns have types of their own, and not text.
    """

    shown: str
    parts: tuple[Part, ...]
    has_types: bool

    @cached_property
    def rows(self) -> int:
        """Rows of Parquet files, as these say."""
        return sum(int(part.scan().select(pl.len()).collect().item()) for part in self.parts)

    @cached_property
    def keys(self) -> dict[str, pl.Series]:
        """Per key the value of each part, all of one type as in a column of text."""
        return {
            key: typed(pl.Series([part.keys[key] for part in self.parts], dtype=pl.String))
            for key in self.parts[0].keys
        }


def urls_of(source: Any) -> list[str]:
    """Return the URLs in a source."""
    listed = source if isinstance(source, list) else [source]
    texts = [each["glob"] if isinstance(each, dict) else each for each in listed]
    return [text for text in texts if is_url(text)]


def expanded(path: str | Path) -> Path:
    """Return a path with the home in place of ~; InputError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{path} is in the home of nobody ({error}); give another path") from error


def find_parts(source: Any, folder: Path | None = None, scratch: Path | None = None) -> Parts:
    """Return the files of a source.

    Parameters
    ----------
    source
        The path of a file with one of `SUFFIXES`, or of a folder of Parquet files, or else of text files;
        a path as it stands, never a pattern. Or a table with the pattern `glob`; or a list of both.
    folder
        What relative paths start from.
    scratch
        Where objects of text are copied to; Parquet objects are read where they are.

    Raises
    ------
    InputError
        There is no such file, one is named twice, or they are of several kinds.
    """
    base = Path() if folder is None else folder
    shown = _shown(source, base)
    if isinstance(source, list):
        if not source:
            raise InputError("source is an empty list; name at least one file")
        found = [part for each in source for part in _parts_of(each, base, scratch)]
    else:
        found = list(_parts_of(source, base, scratch))
    seen: dict[str, Part] = {}
    for part in found:
        real = part.url or str(part.path)
        real = real if is_url(real) else os.path.realpath(real)
        if real in seen:
            raise InputError(f"source has {part} twice; name each file once, or its rows count twice")
        seen[real] = part
        if set(part.keys) != set(found[0].keys):
            told = [", ".join(each.keys) or "none" for each in (part, found[0])]
            raise InputError(
                f"source {shown}: the keys in the path of {part} are {told[0]}, and {told[1]} in that of "
                f"{found[0]}; give all parts the same"
            )
    return Parts(shown, tuple(found), _have_types(shown, found))


def _shown(source: Any, base: Path) -> str:
    if isinstance(source, dict):
        return str(source["glob"])
    if isinstance(source, list):
        return f"list of {len(source)}"
    return source if is_url(source) else str(base / expanded(source))


def _have_types(shown: str, parts: list[Part]) -> bool:
    kinds = {_has_suffix(str(part), PARQUET): part for part in reversed(parts)}
    if len(kinds) > 1:
        raise InputError(
            f"source {shown} has Parquet, such as {kinds[True]}, and text, such as {kinds[False]}; give "
            "files of one kind"
        )
    return next(iter(kinds))


def _parts_of(source: str | Path | Mapping[str, str], base: Path, scratch: Path | None) -> Iterator[Part]:
    if urls := urls_of(source):
        yield from _of_url(urls[0], scratch, is_pattern=isinstance(source, Mapping))
        return
    if isinstance(source, Mapping):
        yield from _of_pattern(source["glob"], base)
        return
    path = base / expanded(source)
    if path.is_dir():
        yield from _of_folder(path)
        return
    _check_file(path)
    yield Part(path)


def _check_file(path: Path) -> None:
    if not _has_suffix(path, SUFFIXES):
        raise InputError(
            f"source {path} is neither .parquet nor .csv (nor .tsv, or one of both as .gz or .zst); convert "
            "it to one of them"
        )
    if not path.exists():
        raise InputError(f"source {path} does not exist; give its path relative to the description")
    if not path.is_file():
        raise InputError(f"source {path} is no regular file; write the data to one")


def _of_folder(folder: Path) -> Iterator[Part]:
    """Yield the parts of a folder in the order of their names; Parquet where there is some, else text."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if _has_suffix(path, SUFFIXES) and not _is_hidden(path.relative_to(folder).parts) and path.is_file()
    ]
    parts = [path for path in files if _has_suffix(path, PARQUET)] or files
    if not parts:
        raise InputError(
            f"source {folder} is a folder without .parquet files, and without .csv; give a file, or their "
            "folder"
        )
    for path in parts:
        yield Part(path, keys_in(path.relative_to(folder).parts[:-1]))


def _of_pattern(pattern: str, base: Path) -> Iterator[Part]:
    """Yield the files of a pattern, with the keys in all of it."""
    start = expanded(pattern)
    found = sorted(glob.glob(str(start), root_dir=None if start.is_absolute() else base, recursive=True))
    matched = [Path(name) for name in found if not _is_hidden(Path(name).parts, str(start))]
    if not matched:
        raise InputError(f"source has the pattern {pattern!r}, which no file has; correct it")
    for name in matched:
        path, keys = base / name, keys_in(name.parts[:-1])
        if path.is_dir():
            keys |= keys_in(name.parts[-1:])
            yield from (Part(part.path, {**keys, **part.keys}) for part in _of_folder(path))
        else:
            _check_file(path)
            yield Part(path, keys)


def _of_url(url: str, scratch: Path | None, *, is_pattern: bool) -> Iterator[Part]:
    """Yield the objects of a URL: one, those below a prefix, or those of a pattern."""
    check_scheme(url)
    if scratch is None:
        raise InputError(f"source {url} is no file; prepare the description, or load it by its path")
    if is_pattern or _has_suffix(url, SUFFIXES):
        patterns, above = [url], ""
    elif _OF_PATTERNS.search(url):
        raise InputError(f"source {url} has signs of a pattern; write it as {{ glob = {url!r} }}")
    else:
        above = url.rstrip("/") + "/"
        patterns, is_pattern = [f"{above}**/*{suffix}" for suffix in SUFFIXES], True
    for pattern in patterns:
        found: dict[str, Path | str]
        if _has_suffix(pattern, PARQUET):
            found = {each: each for each in parquet_objects(pattern, is_pattern=is_pattern)}
        else:
            found = {**fetch_texts(pattern, scratch, is_pattern=is_pattern)}
        for each, path in found.items():
            names = each.removeprefix(above).split("/")
            if not _is_hidden(names, url):
                yield Part(path, keys_in(names[:-1]) if is_pattern else {}, each)
        if found and above and _has_suffix(pattern, PARQUET):  # as in a folder, Parquet where there is some
            return
        if found:
            patterns = []
    if patterns:
        raise InputError(f"source {url} has no objects of .parquet, .csv or .tsv; correct it")


def _is_hidden(names: Sequence[str], pattern: str = "") -> bool:
    """Return whether a path has a name as of hidden or unfinished files that no pattern asks for."""
    asked = pattern.split("/")
    return any(name.startswith(("_", ".")) and name not in asked for name in names)


def keys_in(names: Sequence[str]) -> dict[str, str | None]:
    """Return what the folders KEY=VALUE of a path say.

    Examples
    --------
    >>> keys_in(("data", "day=2024-01-05", "shop=a%20b", "shelf=__HIVE_DEFAULT_PARTITION__"))
    {'day': '2024-01-05', 'shop': 'a b', 'shelf': None}
    """
    pairs = [name.partition("=") for name in names if "=" in name]
    return {unquote(key): None if value == _NO_VALUE else unquote(value) for key, _, value in pairs}


def _has_suffix(path: Path | str, suffixes: tuple[str, ...]) -> bool:
    return PurePosixPath(path).name.lower().endswith(suffixes)
