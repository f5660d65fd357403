"""What the tests of Ali-CCP share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import prepare_ali_ccp

INDEX_A, INDEX_B = "00000000000000a1", "bacff91692951881"


def prepare(source: Path, data_dir: Path, **options: int) -> Path:
    return prepare_ali_ccp(source, data_dir, progress=False, **options)


def refused(source: Path, data_dir: Path, **options: int) -> str:
    """Message of a prepare that must fail and leave nothing behind."""
    with pytest.raises(InputError) as caught:
        prepare(source, data_dir, **options)
    assert not data_dir.exists() or list(data_dir.iterdir()) == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


def part(folder: Path, name: str) -> dict[str, list[object]]:
    return pl.read_parquet(folder / f"{name}.parquet").to_dict(as_series=False)


def edit(path: Path, number: int, change: Callable[[str], str]) -> None:
    lines = path.read_text().split("\n")
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines))
