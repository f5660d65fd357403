"""Members of an archive are unpacked one at a time, under the names that they are given."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.text.archive import files_in, unpack

MEMBERS = {"a/one.csv": b"1", "a/._one.csv": b"hidden", "two.csv": b"2", "notes.txt": b"3", "inner.zip": b"4"}


def pack(path: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in MEMBERS.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
            for name, content in MEMBERS.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def upper(member: str) -> str | None:
    assert "/._" not in member
    name = PurePosixPath(member).name
    return None if name.endswith(".txt") else name.upper()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz"])
def test_members_are_unpacked_under_their_new_names(tmp_path: Path, scratch: Path, name: str) -> None:
    seen = []
    for path in unpack(pack(tmp_path / name), upper, scratch, progress=False):
        seen.append((path.name, path.read_bytes()))
        assert len([file for file in scratch.rglob("*") if file.is_file()]) == len(seen)
    assert seen == [("ONE.CSV", b"1"), ("TWO.CSV", b"2"), ("INNER.ZIP", b"4")]
    # An archive inside has been unpacked itself by then.
    assert sorted(file.name for file in scratch.rglob("*") if file.is_file()) == ["ONE.CSV", "TWO.CSV"]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz"])
def test_a_damaged_archive_is_to_be_fetched_again(tmp_path: Path, scratch: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=rf"^{re.escape(name)} cannot be unpacked \(.+\); fetch it again$"):
        list(unpack(path, upper, scratch, progress=False))


def test_files_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b/2", "a", "b/1", "c/d/e"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).touch()
    found = [str(path.relative_to(tmp_path / "source")) for path in files_in(tmp_path / "source", "zip")]
    assert found == ["a", "b/1", "b/2", "c/d/e"]
    assert files_in(tmp_path / "source" / "a", "zip") == [tmp_path / "source" / "a"]
    with pytest.raises(InputError, match=r"gone does not exist; give the folder or the zip of them$"):
        files_in(tmp_path / "gone", "zip of them")
