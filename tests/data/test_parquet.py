"""Parquet written from frames as they come: contents, row groups, exceptions, memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import parquet as _parquet
from gbdt_pwiser.data.parquet import read_frames, write_frames

COLUMNS = {"id": pl.Int64, "x": pl.Float32}


def frames(*sizes: int) -> Iterator[pl.DataFrame]:
    start = 0
    for size in sizes:
        ids = np.arange(start, start + size)
        # The order of columns is that of the file, and others are left out.
        yield pl.DataFrame({"x": ids.astype(np.float32), "unused": ids, "id": ids})
        start += size


def test_frames_come_back_in_order_and_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parquet, "ROW_GROUP", 1000)
    path = tmp_path / "rows.parquet"
    write_frames(frames(10, 3000, 1, 700), path, COLUMNS)
    written = pl.read_parquet(path)
    assert written.schema == pl.Schema(COLUMNS)
    assert written["id"].to_list() == list(range(3711))
    batches = list(read_frames(path, 1500))
    assert [batch.height for batch in batches] == [1500, 1500, 711]
    assert pl.concat(batches).equals(written)


def test_no_frame_makes_an_empty_file(tmp_path: Path) -> None:
    write_frames(frames(), tmp_path / "none.parquet", COLUMNS)
    assert pl.read_parquet(tmp_path / "none.parquet").schema == pl.Schema(COLUMNS)
    assert list(read_frames(tmp_path / "none.parquet")) == []


def test_an_exception_of_the_source_passes_through(tmp_path: Path) -> None:
    class OwnError(Exception):
        pass

    def failing() -> Iterator[pl.DataFrame]:
        yield from frames(10)
        raise OwnError("as it is")

    with pytest.raises(OwnError, match=r"^as it is$"):
        write_frames(failing(), tmp_path / "rows.parquet", COLUMNS)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
import polars as pl
from gbdt_pwiser.data import parquet as _parquet
_parquet.ROW_GROUP = 50_000
repeated = (pl.repeat(i, 50_000, dtype=pl.Int64, eager=True) for i in range(int(sys.argv[1])))
frames = (pl.DataFrame({"x": x}) for x in repeated)
columns = {"x": pl.Int64} | {f"x{i}": pl.Int64 for i in range(30)}
wide = (f.with_columns([(pl.col("x") * i).alias(f"x{i}") for i in range(30)]) for f in frames)
_parquet.write_frames(wide, Path(sys.argv[2]), columns)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    peak = [
        int(subprocess.check_output([sys.executable, "-c", code, str(n), tmp_path / "rows.parquet"]))
        for n in (8, 68)
    ]
    # Sixty frames more are 740 MB of columns.
    assert peak[1] - peak[0] < 200_000
