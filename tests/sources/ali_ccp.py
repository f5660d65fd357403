"""What the tests of Ali-CCP share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from gbdt_pwiser.sources import prepare_ali_ccp
from tests.aliexpress import write_lines
from tests.sources.helpers import refusal

INDEX_A, INDEX_B = "00000000000000a1", "bacff91692951881"


def prepare(source: Path, data_dir: Path, **options: int) -> Path:
    return prepare_ali_ccp(source, data_dir, progress=False, **options)


refused = partial(refusal, prepare)


def part(folder: Path, name: str) -> dict[str, list[object]]:
    return pl.read_parquet(folder / f"{name}.parquet").to_dict(as_series=False)


def edit(path: Path, number: int, change: Callable[[str], str]) -> None:
    lines = path.read_text().split("\n")
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines))


def features(*entries: str) -> str:
    """The list of `field:id:value` entries with its count."""
    joined = "\x01".join("{}\x02{}\x03{}".format(*entry.split(":")) for entry in entries)
    return f"{len(entries)},{joined}"


def skeleton(sample: int, label: str, index: str, *entries: str) -> str:
    return f"{sample},{label},{index},{features(*entries)}"


def write_raw(folder: Path) -> Path:
    """Two users and five exposures for train, two for test."""
    users = {
        INDEX_A: ("101:7:1.0", "124:90:1.0", "109_14:30:0.69315", "109_14:20:1.09861", "109_14:10:1.09861"),
        INDEX_B: ("129:3:1.0", "101:8:1.0"),
    }
    for name in ("train", "test"):
        lines = [f"{index},{features(*entries)}" for index, entries in users.items()]
        write_lines(folder / f"common_features_{name}.csv", lines)
    train = [
        skeleton(1, "0,0", INDEX_B, "205:500:1.0", "210:3:1.0", "210:2:1.0", "508:4:0.69315"),
        skeleton(2, "1,0", INDEX_A, "210:2:1.0", "205:500:1.0", "301:1:1.0"),
        skeleton(3, "0,1", INDEX_A, "205:499:1.0"),
        skeleton(4, "1,1", INDEX_A, "205:600:1.0"),
        skeleton(5, "0,0", INDEX_A, "205:500:1.0"),
    ]
    test = [
        skeleton(1, "1,0", INDEX_A, "205:600:1.0", "508:99:0.5"),
        skeleton(2, "0,0", INDEX_B, "205:123:1.0"),
    ]
    write_lines(folder / "sample_skeleton_train.csv", train)
    write_lines(folder / "sample_skeleton_test.csv", test)
    return folder
