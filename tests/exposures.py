"""Exposures made on the spot, in memory and in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import StoredFeatures
from gbdt_pwiser.data.values import plain


def exposures(grade: list[int] | np.ndarray, **columns: np.ndarray) -> Exposures:
    """Exposures with one feature, the row number."""
    grade = np.asarray(grade, dtype=np.int8)
    features = pl.DataFrame({"row": np.arange(len(grade), dtype=np.float32)})
    return Exposures(name="toy", features=features, grade=grade, **columns)


def categories_of(values: pl.Series) -> pl.Series:
    """Return the sorted distinct values of a categorical; the place of a value, from 0, is its code."""
    return plain(values).drop_nulls().unique().sort()


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
