"""Ali-CCP files are found whichever way they are packed, and those that are missing are named."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.aliexpress import zipped
from tests.sources.ali_ccp import part, prepare, refused, write_raw

RAW_NAMES = (
    "common_features_train.csv",
    "sample_skeleton_train.csv",
    "common_features_test.csv",
    "sample_skeleton_test.csv",
)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw")


def tars(raw: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "released"
    folder.mkdir()
    for name in ("train", "test"):
        with tarfile.open(folder / f"sample_{name}.tar.gz", "w:gz") as tar:
            for file in raw.glob(f"*_{name}.csv"):
                tar.add(file, f"./{file.name}")
    return folder


@pytest.mark.parametrize(
    "pack",
    [
        tars,
        lambda raw, tmp_path: zipped(tmp_path / "all.zip", *(raw / name for name in RAW_NAMES)),
        lambda raw, tmp_path: zipped(tmp_path / "all.zip", *tars(raw, tmp_path).iterdir()),
    ],
    ids=["tar.gz", "zip", "zip of tar.gz"],
)
def test_every_packing_gives_the_same(
    raw: Path, tmp_path: Path, out: Path, pack: Callable[[Path, Path], Path]
) -> None:
    expected = part(prepare(raw, out), "train")
    source = pack(raw, tmp_path)
    shutil.rmtree(raw)
    assert part(prepare(source, tmp_path / "other"), "train") == expected
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["ccp"]


def test_bad_sources_are_refused(raw: Path, tmp_path: Path, out: Path) -> None:
    assert "gone does not exist" in refused(tmp_path / "gone", out)
    (tmp_path / "torn.tar.gz").write_bytes(b"\x1f\x8b and no more")
    assert "torn.tar.gz cannot be unpacked" in refused(tmp_path / "torn.tar.gz", out)
    shutil.copy(raw / RAW_NAMES[0], raw / "common_features_train.reduced.csv")
    assert "both the common_train file" in refused(raw, out)
    (raw / "common_features_train.reduced.csv").unlink()
    (raw / RAW_NAMES[2]).unlink()
    message = refused(raw, out)
    assert "lacks common_features_test.csv; found common_features_train.csv, sample_skeleton" in message
