"""AliExpress files are found whichever way they are packed, and those that are missing are named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.aliexpress import RAW_NAMES, zipped
from tests.sources.aliexpress import prepare, refused


def nested_zip(raw: Path, tmp_path: Path) -> Path:
    inner = [zipped(tmp_path / f"{name[:-4]}.zip", raw / name) for name in RAW_NAMES]
    return zipped(tmp_path / "aliexpress_US_datasets.zip", *inner)


def deep_folder(raw: Path, tmp_path: Path) -> Path:
    target = tmp_path / "deep" / "US" / "files"
    target.mkdir(parents=True)
    for name in RAW_NAMES:
        shutil.copy(raw / name, target / name.upper())
    return tmp_path / "deep"


def folder_of_zips(raw: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "zips"
    folder.mkdir()
    for name in RAW_NAMES:
        (tmp_path / "data.csv").write_bytes((raw / name).read_bytes())
        zipped(folder / f"{name[:-4]}.zip", tmp_path / "data.csv")
    (folder / "aliexpress_NL_datasets.zip").write_text("of another country, never opened")
    return folder


@pytest.mark.parametrize(
    "pack",
    [
        nested_zip,
        deep_folder,
        folder_of_zips,
        lambda raw, tmp_path: zipped(tmp_path / "flat.zip", *(raw / name for name in RAW_NAMES)),
    ],
    ids=["nested zip", "deep folder", "folder of zips", "flat zip"],
)
def test_every_packing_gives_the_same(
    pack: Callable[[Path, Path], Path], raw: Path, tmp_path: Path, out: Path
) -> None:
    expected = pl.read_parquet(prepare(raw, out) / "train.parquet")
    source = pack(raw, tmp_path)
    shutil.rmtree(raw)
    folder = prepare(source, tmp_path / "other")
    assert pl.read_parquet(folder / "train.parquet").equals(expected)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["us"]


def test_missing_raw_files_are_named(raw: Path, out: Path) -> None:
    (raw / "us_item_test.csv").unlink()
    (raw / "us_user_test.csv").unlink()
    message = refused(raw, out)
    assert "lacks us_user_test.csv, us_item_test.csv; found us_item_train.csv, us_user_train.csv" in message


def test_a_missing_processed_file_is_named(processed: Path, out: Path) -> None:
    (processed / "test.csv").unlink()
    assert "lacks test.csv; found train.csv" in refused(processed, out)


def test_files_of_another_country_are_not_taken(raw: Path, out: Path) -> None:
    for name in RAW_NAMES:
        (raw / name).rename(raw / f"nl{name[2:]}")
    message = refused(raw, out)
    assert (
        "lacks us_user_train.csv, us_item_train.csv, us_user_test.csv, us_item_test.csv, nor the" in message
    )


def test_two_kinds_or_two_copies_are_refused(raw: Path, processed: Path, tmp_path: Path, out: Path) -> None:
    assert "holds both raw (us_user_train.csv) and processed (train.csv) files" in refused(tmp_path, out)
    shutil.copytree(raw, raw / "copy")
    assert "holds us_item_test.csv more than once" in refused(raw, out)


def test_bad_sources_are_refused(tmp_path: Path, out: Path) -> None:
    assert "gone does not exist" in refused(tmp_path / "gone", out)
    (tmp_path / "torn.zip").write_bytes(b"PK and no more")
    assert "torn.zip cannot be unpacked" in refused(tmp_path / "torn.zip", out)
