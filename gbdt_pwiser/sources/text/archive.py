"""The files of a release, wherever they lie: in a folder at any depth, or in archives."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from gbdt_pwiser.data.progress import PASSING, bar
from gbdt_pwiser.objectives import InputError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def files_in(source: Path, otherwise: str) -> list[Path]:
    """Return the files below a folder in the order of their paths, or the one file that the source is.

    InputError where it does not exist; `otherwise` says what to give if not a folder.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist; give the folder or the {otherwise}")
    return sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]


def unpack(
    archive: Path, name_of: Callable[[str], str | None], scratch: Path, *, progress: bool
) -> Iterator[Path]:
    """Unpack the members of a .zip, .tar, .tar.gz or .tgz one after the other, and yield where each lies.

    An archive among them is removed when the next member is asked for.

    Parameters
    ----------
    archive
        The file.
    name_of
        From the path of a member to the name to unpack it under; None to leave it out. Hidden members, as
        macOS adds to a zip, are left out without asking.
    scratch
        Folder below which each member gets a folder of its own.
    progress
        Whether to show progress on a terminal.

    Raises
    ------
    InputError
        The archive is damaged or encrypted.
    """

    def wanted(member: str) -> str | None:
        return None if PurePosixPath(member).name.startswith(".") else name_of(member)

    try:
        for name, size, packed in _members(archive, wanted):
            target = scratch / f"{len(list(scratch.iterdir()))}" / name
            target.parent.mkdir()
            with packed:
                _copy(packed, size, target, progress)
            yield target
            if name.lower().endswith(ARCHIVES):
                target.unlink()
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise InputError(f"{archive.name} cannot be unpacked ({reason}); fetch it again") from error


def _members(archive: Path, wanted: Callable[[str], str | None]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield name to be, size and content of the wanted members."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if (name := wanted(info.filename)) is not None:
                    yield name, info.file_size, zipped.open(info)
        return
    with tarfile.open(archive) as tar:
        for entry in tar:
            name = wanted(entry.name) if entry.isfile() else None
            if name is not None and (content := tar.extractfile(entry)) is not None:
                yield name, entry.size, content


def _copy(packed: IO[bytes], size: int, target: Path, progress: bool) -> None:
    with (
        target.open("wb") as unpacked,
        bar(total=size, desc=f"unpack {target.name}", unit="B", shown=progress, **PASSING) as passed,
    ):
        while piece := packed.read(1 << 20):
            unpacked.write(piece)
            passed.update(len(piece))
