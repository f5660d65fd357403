"""Where real data may lie, and how a source is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError

DTYPES = [
    *(pl.Int8, pl.UInt64, pl.Int128, pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Categorical, pl.Date),
    *(
        pl.Datetime("ns", "UTC"),
        pl.Duration,
        pl.Time,
        pl.Null,
        pl.Binary,
        pl.Decimal(20, 2),
        pl.List(pl.Int8),
    ),
    *(pl.Struct({"a": pl.Int8}), pl.Array(pl.Int8, 2)),
]
"""Types that columns of Parquet may have."""


def shared_data(*parts: str) -> Path:
    """Path in the folder of real data; the test is skipped where it is absent."""
    root = Path(
        os.environ.get("GBDT_PWISER_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
    )
    path = root.joinpath(*parts).resolve()
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path


def refusal(prepare: Callable[..., Path], source: Path, data_dir: Path, **options: int) -> str:
    """Message of a prepare that must fail and leave nothing behind."""
    with pytest.raises(InputError) as caught:
        prepare(source, data_dir, **options)
    assert not data_dir.exists() or list(data_dir.iterdir()) == []
    assert "\n" not in str(caught.value)
    return str(caught.value)
