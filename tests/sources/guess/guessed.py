"""Made-up logs for the tests of guessing, and what is guessed of them."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from gbdt_pwiser.sources.guess import Guess, describe
from gbdt_pwiser.sources.registry import load

ROWS = 6000


def log(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """A log with a search of six items each; clicks and purchases go with the price."""
    rng = np.random.default_rng(seed)
    price = rng.random(rows)
    click = rng.random(rows) < 0.1 + 0.3 * price
    moment = [datetime(2024, 1, 1) + timedelta(minutes=i) for i in range(rows)]
    return pl.DataFrame(
        {
            "search_id": np.arange(rows) // 6,
            "event_time": moment,
            "price": price,
            "shop_id": rng.integers(0, 30, rows),
            "is_click": click * 1,
            "purchase": (click & (rng.random(rows) < 0.3)) * 1,
        }
    )


def guess(frame: pl.DataFrame, folder: Path, name: str = "log.parquet", **options: str) -> Guess:
    """Write a table, guess its description, and load the description as it is."""
    path = folder / name
    if name.endswith(".parquet"):
        frame.write_parquet(path)
    else:
        text = frame.write_csv(separator="\t" if ".tsv" in name else ",").encode()
        path.write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)
    found = describe(path, folder=folder, **options)
    written = folder / "guess.toml"
    written.write_text(found.toml(), encoding="utf-8")
    load(written)
    return found
