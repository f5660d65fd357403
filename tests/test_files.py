"""Files and folders of ours appear whole; those of others stay as they are."""

import errno
import os
import stat
import subprocess
import threading
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser import InputError
from gbdt_pwiser._files import (
    begins_with,
    check_writable,
    has_columns,
    refuse_foreign,
    replacing_file,
    replacing_folder,
)
from tests.folders import mounted, names, small_files


def write(path, content=b"new"):
    with replacing_file(path) as temporary:
        temporary.write_bytes(content)


# ------------------------------------------------------------------------------ files


def test_a_file_appears_with_its_folder(tmp_path):
    write(tmp_path / "a" / "b" / "file")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"
    assert names(tmp_path / "a" / "b") == ["file"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a" / "b" / "file").stat().st_mode) == 0o666 & ~umask


def test_the_rights_of_an_older_file_stay(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    write(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path, there):
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["file"]


def test_a_pipe_is_written_into(tmp_path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path, bytes(200_000))
    reader.join()
    assert read == [bytes(200_000)]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_devices_are_written_into():
    before = os.stat("/dev/null")
    write(Path("/dev/null"))
    assert os.path.samestat(before, os.stat("/dev/null"))
    with pytest.raises(
        InputError, match=r"^/dev/full cannot be written \(No space left on device\); make room"
    ):
        write(Path("/dev/full"))


def test_an_open_file_of_the_process_is_written_into(tmp_path):
    with (tmp_path / "redirected").open("wb") as file:
        write(Path(f"/proc/self/fd/{file.fileno()}"))
        assert os.fstat(file.fileno()).st_size == 3  # the very file, not another one of its name


@pytest.mark.parametrize("content", [b"longer than before" * 1000, b"", b"x"])
def test_a_name_that_cannot_be_given_away_is_written_into(tmp_path, monkeypatch, content):
    """As that of a file that a container has mounted."""
    path = tmp_path / "file"
    path.write_text("old content")

    def busy(source, target):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    write(path, content)
    assert path.read_bytes() == content
    assert names(tmp_path) == ["file"]
    with pytest.raises(OSError, match="busy"):
        write(tmp_path / "another")
    assert names(tmp_path) == ["file"]


def test_room_that_was_taken_in_vain_is_given_back(tmp_path, monkeypatch):
    """Some file systems have made a file longer before they find that there is no room for all of it."""
    path = tmp_path / "file"
    path.write_text("old")

    def busy(source, target):
        raise OSError(errno.EBUSY, "Device or resource busy")

    def fallocate(descriptor, start, size):
        os.ftruncate(descriptor, size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    with pytest.raises(InputError, match="No space left on device"):
        write(path, bytes(1000))
    assert path.read_text() == "old"


def test_a_mounted_file_keeps_its_name_and_on_a_full_disk_its_content(tmp_path):
    with mounted(tmp_path / "disk", "-o", "size=64k") as disk:
        (disk / "file").write_text("old")
        (tmp_path / "file").touch()
        bound = subprocess.run(["mount", "--bind", disk / "file", tmp_path / "file"], capture_output=True)
        assert bound.returncode == 0
        try:
            write(tmp_path / "file")
            assert (disk / "file").read_bytes() == b"new"
            with pytest.raises(InputError, match="No space left on device"):
                write(tmp_path / "file", bytes(100_000))
            assert (disk / "file").read_bytes() == b"new"
        finally:
            subprocess.run(["umount", tmp_path / "file"], check=True)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder; give the path of a file"):
        write(tmp_path)


def test_a_full_disk_leaves_the_older_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with small_files(10_000), pytest.raises(InputError, match=r"file cannot be written \(File too large\)"):
        write(path, bytes(20_000))
    with small_files(10_000), pytest.raises(InputError, match=r"file cannot be written \(File too large\)"):  # noqa: SIM117
        with replacing_file(path) as temporary:  # a library that has its own words for it
            pl.DataFrame({"x": range(100_000)}).write_parquet(temporary)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_other_errors_pass_through(tmp_path):
    for error in (OSError(errno.EIO, "broken"), pl.exceptions.ComputeError("nothing to do with a disk")):
        with pytest.raises(type(error)), replacing_file(tmp_path / "file"):
            raise error


def test_long_names(tmp_path):
    path = tmp_path / ("x" * 250)
    write(path)
    assert names(tmp_path) == [path.name]
    with pytest.raises(OSError, match="too long"):
        write(tmp_path / ("x" * 300))


# ------------------------------------------------------------------------------ where it may be written


def test_a_trial_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "a" / "b" / "c")
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            InputError, match=r"cannot be written to \(Not a directory\); give another folder"
        ):
            check_writable(path)
    with pytest.raises(InputError, match="File name too long"):
        check_writable(tmp_path / "a" / ("x" * 300))
    assert names(tmp_path) == ["file"]


def test_a_mount_that_takes_nothing(tmp_path):
    with mounted(tmp_path / "fixed", "-o", "ro") as fixed:
        for folder in (fixed, fixed / "below" / "it"):
            with pytest.raises(InputError, match=r"cannot be written to \(Read-only file system\)"):
                check_writable(folder)
        with pytest.raises(InputError, match="Read-only file system"):
            write(fixed / "file")


def test_what_is_ours_may_be_replaced(tmp_path):
    kinds = {"page": begins_with(b"<html"), "table": has_columns("a", "b")}
    refuse_foreign(tmp_path / "nowhere", kinds)
    (tmp_path / "page").write_text("<html>")
    (tmp_path / "table").touch()  # empty
    refuse_foreign(tmp_path, kinds)
    pl.DataFrame({"b": [1], "c": [2], "a": [3]}).write_parquet(tmp_path / "table")
    refuse_foreign(tmp_path, kinds)
    for foreign in (b"a,b\n1,2\n", b"PAR1 and no more"):
        (tmp_path / "table").write_bytes(foreign)
        with pytest.raises(InputError, match="table exists and was not written by gbdt-pwiser; give another"):
            refuse_foreign(tmp_path, kinds)
    pl.DataFrame({"b": [1]}).write_parquet(tmp_path / "table")
    with pytest.raises(InputError, match="table exists"):
        refuse_foreign(tmp_path, kinds)
    (tmp_path / "table").unlink()
    (tmp_path / "page").write_text("dear diary")
    with pytest.raises(InputError, match="page exists"):
        refuse_foreign(tmp_path, kinds)
    (tmp_path / "page").unlink()
    (tmp_path / "page").symlink_to(tmp_path / "missing")
    with pytest.raises(InputError, match="page exists"):
        refuse_foreign(tmp_path, kinds)


# ------------------------------------------------------------------------------ folders


def fill(folder, content, own=()):
    with replacing_folder(folder, lambda: own) as new:
        (new.parent / "scratch").write_text("of no use afterwards")
        for name, text in content.items():
            (new / name).write_text(text)


def contents(folder):
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_folder_appears_whole(tmp_path):
    folder = tmp_path / "new" / "folder"
    fill(folder, {"a": "1"})
    assert contents(folder) == {"a": "1"}
    assert names(folder.parent) == ["folder"]
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode)


def test_own_files_go_and_others_stay(tmp_path):
    folder = tmp_path / "folder"
    fill(folder, {"a": "1", "b": "1"})
    (folder / "notes").write_text("mine")
    fill(folder, {"a": "2", "c": "2"}, own=["a", "b", "gone"])
    assert contents(folder) == {"a": "2", "c": "2", "notes": "mine"}
    with pytest.raises(InputError, match="notes exists and was not written by gbdt-pwiser"):
        fill(folder, {"a": "3", "notes": "3"}, own=["a", "c"])
    assert contents(folder) == {"a": "2", "c": "2", "notes": "mine"}
    assert names(tmp_path) == ["folder"]


def test_a_mounted_folder_and_the_current_one_are_written_into(tmp_path, monkeypatch):
    with mounted(tmp_path / "volume") as volume:
        fill(volume, {"a": "1"})
        fill(volume, {"a": "2"}, own=["a"])
        assert contents(volume) == {"a": "2"}
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    fill(Path(), {"a": "1"})
    assert contents(tmp_path / "here") == {"a": "1"}


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", ["while written", "while exchanged"])
def test_a_failure_leaves_the_older_files(tmp_path, monkeypatch, error, at):
    folder = tmp_path / "folder"
    fill(folder, {"a": "1", "b": "1"})
    rename = Path.rename

    def failing(self, target):
        if self.name == "b" and self.parent.name == "new":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(type(error)), replacing_folder(folder, lambda: ["a", "b"]) as new:  # noqa: PT012
        for name in "ab":
            (new / name).write_text("2")
        if at == "while written":
            raise error
    assert contents(folder) == {"a": "1", "b": "1"}


def test_what_a_killed_run_left_goes_and_what_a_running_one_has_stays(tmp_path):
    folder = tmp_path / "folder"
    for place in (tmp_path, folder):
        place.mkdir(exist_ok=True)
        (place / ".folder.partial-killed").mkdir()
        (place / ".folder.partial-killed" / "half").touch()
    with replacing_folder(folder) as running:
        with replacing_folder(folder) as second:
            (second / "a").write_text("second")
        assert running.exists()
        with (
            pytest.raises(InputError, match="another process is writing"),
            replacing_folder(folder, alone=True),
        ):
            raise AssertionError("it began")
    assert contents(folder) == {"a": "second"}
    assert names(tmp_path) == ["folder"]


def test_what_cannot_be_looked_into_is_no_hindrance(tmp_path, monkeypatch):
    """A parent that may not be listed, and a workspace of another user's."""
    folder = tmp_path / "folder"
    fill(folder, {"a": "1"})
    (folder / ".folder.partial-theirs").mkdir()
    (tmp_path / ".folder.partial-unseen").mkdir()
    listed, opened = Path.iterdir, os.open

    def iterdir(self):
        if self == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return listed(self)

    def open_(path, *arguments, **options):
        if Path(path).name.endswith("theirs"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", iterdir)
        patch.setattr(os, "open", open_)
        fill(folder, {"a": "2"}, own=["a"])
    assert (folder / "a").read_text() == "2"
    assert names(folder) == [".folder.partial-theirs", "a"]


def test_a_full_disk_leaves_the_older_folder(tmp_path):
    folder = tmp_path / "folder"
    fill(folder, {"a": "1"})
    with small_files(10_000), pytest.raises(InputError, match=r"folder cannot be written \(File too large\)"):
        fill(folder, {"a": "2" * 20_000}, own=["a"])
    assert contents(folder) == {"a": "1"}


def test_a_parquet_header_that_does_not_fit(tmp_path):
    """Polars does not say why, in these words."""
    path = tmp_path / "x.parquet"
    with (
        pytest.raises(
            InputError, match=r"x\.parquet cannot be written \(No space left on device\); make room"
        ),
        replacing_file(path),
    ):
        raise pl.exceptions.ComputeError("File out of specification: Invalid thrift: transport error")
    assert list(tmp_path.iterdir()) == []
