"""Small AliExpress-like files and exposures made on the spot, and where the real data may lie."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import StoredFeatures

ITEM_CODES = (19, 34, 35, 36, 40, 41, 42)  # positions from 1, as in the publisher's description
RAW_NAMES = ("us_user_train.csv", "us_item_train.csv", "us_user_test.csv", "us_item_test.csv")


def shared_data(*parts: str) -> Path:
    """Path in the folder of real data; the test is skipped where it is absent."""
    root = Path(
        os.environ.get("GBDT_PWISER_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
    )
    path = root.joinpath(*parts).resolve()
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path


def exposures(grade: list[int] | np.ndarray, **columns: np.ndarray) -> Exposures:
    """Exposures with one feature, the row number."""
    grade = np.asarray(grade, dtype=np.int8)
    features = pl.DataFrame({"row": np.arange(len(grade), dtype=np.float32)})
    return Exposures(name="toy", features=features, grade=grade, **columns)


def store(exposures: Exposures, folder: Path) -> Exposures:
    """The same exposures with their features in two Parquet files."""
    features = exposures.features
    assert isinstance(features, pl.DataFrame)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "train.parquet", folder / "test.parquet"]
    cut = len(exposures) // 3
    for path, frame in zip(paths, (features[:cut], features[cut:]), strict=True):
        frame.write_parquet(path, row_group_size=97)
    return replace(exposures, features=StoredFeatures.open(paths, features.schema))


def user_lines(searches: int) -> list[str]:
    """Lines of a user file: the id, then field p of search s is s (codes) or p/100 (numbers)."""
    lines = []
    for search in range(1, searches + 1):
        fields = [str(search)]
        for p in range(2, 34):
            fields.append(str(search) if p <= 8 or p >= 32 else f"{p / 100}")
        lines.append(",".join(fields))
    return lines


def item_lines(searches: int, items: int) -> list[str]:
    """Lines of an item file: field p of item i is i (codes) or p/100 (numbers), the grade is i % 3."""
    lines = []
    for search in range(1, searches + 1):
        for item in range(items):
            fields = [str(search)]
            for p in range(2, 49):
                fields.append(str(item) if p in ITEM_CODES else f"{p / 100}")
            lines.append(",".join([*fields, str(item % 3)]))
    return lines


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_raw(folder: Path) -> Path:
    """The four raw files: 3 searches of 4 items for train, 2 of 3 for test."""
    for part, searches, items in (("train", 3, 4), ("test", 2, 3)):
        write_lines(folder / f"us_user_{part}.csv", user_lines(searches))
        write_lines(folder / f"us_item_{part}.csv", item_lines(searches, items))
    return folder


def write_processed(folder: Path, rows: int = 6) -> Path:
    """Both processed files: code i of row r is r, number i is i/100; r % 3 of (none, click, conversion)."""
    columns: dict[str, object] = {"search_id": list(range(1, rows + 1))}
    columns |= {f"categorical_{i}": list(range(rows)) for i in range(1, 17)}
    columns |= {f"numerical_{i}": [i / 100] * rows for i in range(1, 64)}
    columns["click"] = [int(r % 3 > 0) for r in range(rows)]
    columns["conversion"] = [int(r % 3 == 2) for r in range(rows)]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train.csv", "test.csv"):
        pl.DataFrame(columns).write_csv(folder / name)
    return folder


def zipped(target: Path, *members: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.write(member, f"inner/{member.name}")
    return target


def edit_line(path: Path, number: int, edit: object) -> None:
    """Replace line `number` (from 1) by what edit(its fields) returns."""
    lines = path.read_text().splitlines()
    lines[number - 1] = ",".join(edit(lines[number - 1].split(",")))  # type: ignore[operator]
    write_lines(path, lines)
