"""Rare categories share a code, so that a model learns from them what to do with unknown ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.values import SHARED, with_shared_code


def share_rare(parts: Sequence[Exposures], rare: int) -> list[Exposures]:
    """Return parts of a data set in which values of few rows in the first part have the code `SHARED`.

    Parameters
    ----------
    parts
        Exposures in memory with the same categories: training, and others, which only get its codes.
    rare
        Rows of training that a value needs for a code of its own, at least 1.
    """
    features = [part.in_memory().features for part in parts]
    categories = dict(parts[0].categories or {})
    columns: list[dict[str, pl.Series]] = [{} for _ in parts]
    for name, values in categories.items():
        counts = (
            pl.DataFrame({"code": features[0][name]})
            .drop_nulls()
            .group_by("code")
            .len()
            .filter(pl.col("len") >= rare)
        )
        known = counts["code"].sort()
        categories[name] = with_shared_code(values.gather(known))
        of_code = pl.repeat(SHARED, len(values), dtype=pl.Int32, eager=True)
        of_code = of_code.scatter(known, pl.int_range(1, len(known) + 1, dtype=pl.Int32, eager=True))
        for part, frame in zip(columns, features, strict=True):
            part[name] = of_code.gather(frame[name]).alias(name)
    return [
        replace(part, features=_replaced(frame, new), categories=categories)
        for part, frame, new in zip(parts, features, columns, strict=True)
    ]


def _replaced(frame: object, columns: dict[str, pl.Series]) -> pl.DataFrame:
    assert isinstance(frame, pl.DataFrame)
    return pl.DataFrame([columns.get(name, frame[name]) for name in frame.columns])
