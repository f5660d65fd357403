"""Files and folders that appear whole or not at all, in the place of our own older ones alone."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from gbdt_pwiser.objectives import InputError

WORKSPACE: Final = "partial-"
"""What the names of our temporary folders hold, behind a dot and the name of the folder to be written."""
_LONGEST: Final = 100
"""Characters of a name that are kept in that of its temporary file, which must not become too long."""


@contextmanager
def replacing_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary path whose file becomes `path` on success and vanishes on failure.

    A reader finds the old file or the new one, never half of one. The folder is made where missing. Where
    `path` is a link its target is replaced. What is no regular file (a device, a pipe) is written into, and
    so is a file whose name cannot be given away: a mount point, or one in a folder that takes no other file.

    Raises
    ------
    InputError
        The path is a folder or cannot be written to, or the disk is full.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the path of a file")
    written_into = _is_special(path)
    place = path if written_into else Path(os.path.realpath(path))
    if not written_into:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _try_writing(place.parent)
        except OSError as error:
            if not place.exists():
                raise _cannot_write(place.parent, error) from error
            written_into = True
    folder = Path(tempfile.gettempdir()) if written_into else place.parent
    temporary = folder / f".{place.name[:_LONGEST]}.{uuid.uuid4().hex[:12]}.tmp"
    with telling_full_disk(path):
        try:
            yield temporary
            if written_into:
                _copy_into(temporary, place)
            else:
                _rename(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def telling_full_disk(path: Path) -> Iterator[None]:
    """Turn the error of a full disk, a quota or a limit on the size of files into an InputError."""
    try:
        yield
    except Exception as error:
        number = _error_number(error)
        if number not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise InputError(
            f"{path} cannot be written ({os.strerror(number)}); make room there, or give another path"
        ) from error


def _error_number(error: Exception) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    told = re.search(r"\(os error (\d+)\)", str(error))  # as libraries written in Rust put it
    if told:
        return int(told[1])
    # Where a header in a Parquet file does not fit, Polars does not say why.
    return errno.ENOSPC if "thrift: transport error" in str(error) else None


def _is_special(path: Path) -> bool:
    """Whether a path names what must be written into: a device, a pipe, an open file of a process."""
    if not path.exists():
        return False
    if not stat.S_ISREG(path.stat().st_mode):
        return True
    name = os.path.abspath(path)
    return name.startswith(("/dev/", "/proc/")) and not name.startswith("/dev/shm/")


def _rename(temporary: Path, place: Path) -> None:
    if place.exists():
        was = place.stat()
        os.chmod(temporary, stat.S_IMODE(was.st_mode))
        with suppress(OSError):
            os.chown(temporary, was.st_uid, was.st_gid)
    try:
        os.replace(temporary, place)
    except OSError:
        if not place.exists():
            raise
        _copy_into(temporary, place)  # a mount point keeps its name


def _copy_into(temporary: Path, place: Path) -> None:
    if not place.is_file():
        with temporary.open("rb") as source, place.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        return
    before, size = place.stat().st_size, temporary.stat().st_size
    with temporary.open("rb") as source, place.open("r+b") as target:
        try:
            if size:
                os.posix_fallocate(target.fileno(), 0, size)
        except OSError:  # no room, but the older content is still there
            target.truncate(before)
            raise
        shutil.copyfileobj(source, target, 1 << 20)
        target.truncate()


def _try_writing(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(4096))


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"{folder} cannot be written to ({error.strerror}); give another folder, or make it writable"
    )


def check_writable(folder: Path) -> None:
    """Raise InputError where a folder cannot be written to, or cannot be made; leaves nothing behind.

    The answer comes from writing there: rights alone say too little of mounts and full disks.
    """
    try:
        with _made(folder):
            _try_writing(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and its parents where missing; those that are empty in the end go again."""
    made: list[Path] = []
    try:
        for part in (*reversed(folder.parents), folder):
            if not part.exists():
                part.mkdir(exist_ok=True)
                made.append(part)
        yield
    finally:
        for part in reversed(made):
            with suppress(OSError):
                part.rmdir()


def refuse_foreign(folder: Path, kinds: Mapping[str, Callable[[Path], bool]]) -> None:
    """Raise InputError where a file that is to be written to a folder would replace one that is not ours.

    Parameters
    ----------
    folder
        It may be missing.
    kinds
        By the name of a file, what tells whether one is of our kind. An empty file is nobody's.
    """
    for name, is_ours in kinds.items():
        path = folder / name
        taken = path.exists() or path.is_symlink()
        if taken and not (path.is_file() and (path.stat().st_size == 0 or is_ours(path))):
            raise _foreign(path)


def begins_with(start: bytes) -> Callable[[Path], bool]:
    """Return what tells whether a file begins so."""

    def tell(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(start)) == start

    return tell


def holds(text: bytes) -> Callable[[Path], bool]:
    """Return what tells whether a file holds a text."""
    return lambda path: text in path.read_bytes()


def has_columns(*names: str) -> Callable[[Path], bool]:
    """Return what tells whether a file is Parquet with columns of these names."""

    def tell(path: Path) -> bool:
        import polars as pl

        try:
            with path.open("rb") as file:
                return set(names) <= set(pl.read_parquet_schema(file))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return False

    return tell


def _foreign(path: Path) -> InputError:
    return InputError(
        f"{path} exists and was not written by gbdt-pwiser; give another path, or move it away first"
    )


@contextmanager
def replacing_folder(
    folder: Path, own: Callable[[], Collection[str]] = frozenset, *, alone: bool = False
) -> Iterator[Path]:
    """Give an empty folder whose files are in `folder` at the end: all of them, or on failure none.

    A missing folder appears whole, by a rename. Into one that exists, which may be a mount point, the files
    are renamed together, and it keeps what is not ours. The parent of the folder that is given is for scratch
    files; it goes in any case, and what a killed run left of it goes with the next.

    Parameters
    ----------
    folder
        Where to.
    own
        Tells which entries of an existing folder are of an earlier run, and go.
    alone
        Whether to refuse a second run that writes the same folder; else the last one wins.

    Raises
    ------
    InputError
        The disk is full, the folder holds a file of one of the names that is not ours, or another process
        is writing it.
    """
    parent = folder if folder.exists() else folder.parent
    prefix = f".{Path(os.path.abspath(folder)).name[:_LONGEST]}.{WORKSPACE}"
    with telling_full_disk(folder), _made(parent), ExitStack() as stack:
        with _locked(parent):
            for other in _named(prefix, parent, folder.parent):  # a first run writes beside the folder
                if not _remove_abandoned(other) and alone:
                    raise InputError(f"another process is writing {folder}; wait until it has finished")
            workspace = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            stack.callback(shutil.rmtree, workspace, ignore_errors=True)
            stack.enter_context(_locked(workspace))
        new = workspace / "new"
        new.mkdir()
        yield new
        with _locked(parent):
            if folder.exists():
                _exchange(new, folder, own(), aside=workspace / "old")
            else:
                new.rename(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, once it is free; where the file system has no locks, nothing."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _named(prefix: str, *places: Path) -> list[Path]:
    """Return the entries of some folders whose names begin so; none of a folder that cannot be listed."""
    found: dict[Path, None] = {}
    for place in places:
        with suppress(OSError):
            found |= dict.fromkeys(entry for entry in place.iterdir() if entry.name.startswith(prefix))
    return list(found)


def _remove_abandoned(workspace: Path) -> bool:
    """Remove a workspace whose process is gone, and with it its lock; False where it is another's still."""
    try:
        lock = os.open(workspace, os.O_RDONLY)
    except OSError:  # of another user
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        shutil.rmtree(workspace, ignore_errors=True)
        return True
    finally:
        os.close(lock)


def _exchange(new: Path, folder: Path, own: Collection[str], *, aside: Path) -> None:
    """Move own entries of a folder aside and the new ones in; back where that fails."""
    entering = sorted(entry.name for entry in new.iterdir())
    if foreign := [name for name in entering if name not in own and (folder / name).exists()]:
        raise _foreign(folder / foreign[0])
    aside.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for start, end, names in ((folder, aside, sorted(own)), (new, folder, entering)):
            for name in names:
                if (start / name).exists():
                    (start / name).rename(end / name)
                    moved.append((start / name, end / name))
    except BaseException:
        for start, end in reversed(moved):
            end.rename(start)
        raise
