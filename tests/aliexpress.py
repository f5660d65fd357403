"""Small files in the layouts of the AliExpress release, whose values show where they stand."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl

ITEM_CODES = (19, 34, 35, 36, 40, 41, 42)  # positions from 1, as in the publisher's description
RAW_NAMES = ("us_user_train.csv", "us_item_train.csv", "us_user_test.csv", "us_item_test.csv")


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


def write_raw(folder: Path, train: tuple[int, int] = (3, 4), test: tuple[int, int] = (2, 3)) -> Path:
    """The four raw files: so many searches of so many items for train and for test."""
    for part, (searches, items) in (("train", train), ("test", test)):
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
