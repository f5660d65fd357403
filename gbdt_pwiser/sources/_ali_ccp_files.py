"""Find the Ali-CCP source files in a folder or archive: released ones, or one of two processed layouts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.archive import ARCHIVES, files_in, unpack
from gbdt_pwiser.sources.text.numeric_csv import read_header

RAW = "raw"
IDS = ("101", "121", "122", "124", "125", "126", "127", "128", "129", "205", "206", "207")
IDS_PADDLEREC = (*IDS, "216", "508", "509", "702", "853", "301")
IDS_TORCH_RECHUB = (*IDS, "210", *IDS_PADDLEREC[len(IDS) :], "109_14", "110_14", "127_14", "150_14")
NUMBERS_TORCH_RECHUB = tuple(
    f"D{field}" for field in ("109_14", "110_14", "127_14", "150_14", "508", "509", "702", "853")
)
LABELS = ("click", "purchase")


@dataclass(frozen=True)
class Layout:
    """A processed layout: `click,purchase`, ids that are codes already, numbers; maybe without a header."""

    name: str
    ids: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    bare: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a file without a header."""
        return (*LABELS, *self.ids, *self.numbers)


# The wider first: its header has all columns of the other.
LAYOUTS = (
    Layout("torch_rechub", IDS_TORCH_RECHUB, NUMBERS_TORCH_RECHUB),
    Layout("paddlerec", IDS_PADDLEREC, bare=True),
)
_PARTS = {"train": "train", "test": "test", "val": "val", "valid": "val"}
_RAW_ROLES = ("common_train", "skeleton_train", "common_test", "skeleton_test")
_SUFFIXES = (".csv", ".train", ".test", ".val")


@dataclass(frozen=True)
class Sources:
    """The files of one data set: `layout` is None for the released ones, roles as in `find_ali_ccp`."""

    layout: Layout | None
    files: dict[str, Path]


def find_ali_ccp(source: Path, scratch: Path, *, progress: bool) -> Sources:
    """Return the file of each role and the layout they have.

    Released files: common and skeleton, train and test. Processed ones: train, test, and maybe val. What a
    file is, its name says by the words in it (`sample_skeleton_train.csv`, `ctr_cvr.train`); which processed
    layout it has, its columns.

    Parameters
    ----------
    source
        A folder with files and archives (.zip, .tar, .tar.gz) at any depth, or one such file.
    scratch
        Folder for what is unpacked.
    progress
        Whether to show progress on a terminal.

    Raises
    ------
    InputError
        No such source, a damaged archive, a file missing or found twice, or files of several layouts.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in files_in(source, "archive with the Ali-CCP files"):
        for file in _unpacked(path, scratch, progress):
            layout, role = _place(file)
            if role is None:
                continue
            if role in (files := found.setdefault(layout, {})):
                raise InputError(
                    f"{source} holds {files[role].name} and {file.name}, both the {role} file; "
                    "give a folder with one"
                )
            files[role] = file
    if len(found) > 1:
        kinds = "; ".join(f"{layout}: {next(iter(files.values())).name}" for layout, files in found.items())
        raise InputError(f"{source} holds files of several layouts ({kinds}); give a folder with one")
    layout, files = next(iter(found.items()), (RAW, {}))
    wanted = _RAW_ROLES if layout == RAW else ("train", "test")
    if missing := [role for role in wanted if role not in files]:
        others = ", ".join(path.name for path in files.values()) or "none of the Ali-CCP files"
        names = ", ".join(_name(layout, role) for role in missing)
        raise InputError(f"{source} lacks {names}; found {others}")
    return Sources(next((known for known in LAYOUTS if known.name == layout), None), files)


def _name(layout: str, role: str) -> str:
    if layout != RAW:
        return f"the {role} file ({layout} layout)"
    kind, part = role.split("_")
    return f"{'sample_skeleton' if kind == 'skeleton' else 'common_features'}_{part}.csv"


def _place(file: Path) -> tuple[str, str | None]:
    """Return the layout and role of a file; no role where it is none of Ali-CCP."""
    words = set(re.split(r"[^a-z]+", file.name.lower()))
    parts = {part for word, part in _PARTS.items() if word in words}
    if len(parts) != 1:
        return RAW, None
    part = parts.pop()
    for kind in ("skeleton", "common"):
        if kind in words:
            return RAW, f"{kind}_{part}"
    header = read_header(file)
    for layout in LAYOUTS:
        without_header = len(header) == len(layout.columns) and header[0] in ("0", "1")
        if (layout.bare and without_header) or not set(layout.columns) - set(header):
            return layout.name, part
    return RAW, None


def _unpacked(path: Path, scratch: Path, progress: bool) -> Iterator[Path]:
    """Yield the file, or those of the archive that it is."""
    name = path.name.lower()
    if name.endswith(_SUFFIXES):
        yield path
    elif name.endswith(ARCHIVES):
        for file in unpack(path, _name_of_use, scratch, progress=progress):
            yield from _unpacked(file, scratch, progress)


def _name_of_use(member: str) -> str | None:
    name = PurePosixPath(member).name
    return name if name.lower().endswith((*_SUFFIXES, *ARCHIVES)) else None
