"""The columns of a table as inputs of an ONNX graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.values import SHARED, has_shared_code
from gbdt_pwiser.export.builder import Graph
from gbdt_pwiser.objectives import InputError

OUTPUTS: Final = ("pctr", "pcvr", "pctcvr")


MISSING: Final = -1
"""What stands for missing among codes."""


class Categories(NamedTuple):
    """What an input may hold, keys (k,) in its own type, and their codes; and the code of all else."""

    keys: NDArray[Any]
    codes: list[int]
    other: int


class Input(NamedTuple):
    """A column's value in the graph, (n, 1), and its categories, None where it holds numbers or codes."""

    value: str
    categories: Categories | None


def column_inputs(graph: Graph, columns: FeatureColumns, instead: str) -> dict[str, Input]:
    """Add an input for each column, by its name and in order: float32 where it has no categories.

    A column that is one number in serving is that number, and no input.

    InputError, which says what to do instead, for a name or categories that have no place in a graph.
    """
    inputs = {}
    for name in columns.inputs:
        if not name or name in OUTPUTS or graph.is_taken(name):
            raise InputError(f"no input of an ONNX graph can be called {name!r}; {instead}")
        known = columns.categories.get(name)
        words = columns.missing_words.get(name, ())
        categories = None if known is None else _categories(known, words, name, instead)
        dtype = np.dtype(np.float32) if categories is None else categories.keys.dtype
        inputs[name] = Input(graph.input(name, dtype), categories)
    if columns.served_as and not inputs:
        raise InputError("the position is the only feature, and a graph needs an input; use predict")
    for name, number in columns.served_as.items():
        constant = graph.constant(np.array([[number]], dtype=np.float32))
        like = next(iter(inputs.values())).value
        inputs[name] = Input(graph.add("Expand", constant, graph.add("Shape", like)), None)
    return {name: inputs[name] for name in columns.names}


def _categories(known: pl.Series, words: Iterable[str], name: str, instead: str) -> Categories:
    keys = _keys(known.drop_nulls(), name, instead)
    codes = [*range(len(known) - len(keys), len(known))]
    if not has_shared_code(known):
        return Categories(keys, codes, MISSING)
    missing = "" if keys.dtype == np.object_ else np.iinfo(np.int64).min
    if missing in keys.tolist():
        raise InputError(
            f"{missing!r} is a category of {name}, and missing in a graph; {instead}, or rename it"
        )
    absent = list(dict.fromkeys([missing, *words]))
    keys = np.append(keys, np.array(absent, dtype=keys.dtype))
    return Categories(keys, [*codes, *[MISSING] * len(absent)], SHARED)


def _keys(categories: pl.Series, name: str, instead: str) -> NDArray[Any]:
    """Return categories as an input has them: texts, or whole numbers."""
    if categories.dtype == pl.String:
        return categories.to_numpy().astype(np.object_)
    if categories.dtype.is_temporal() or categories.dtype == pl.Null:
        categories = categories.to_physical().cast(pl.Int64)
    whole = categories.cast(pl.Int64, strict=False)
    if whole.null_count() or (whole.cast(categories.dtype) != categories).any():
        raise InputError(
            f"the categories of {name} are {categories.dtype} that are no int64, and a graph compares text "
            f"or int64; {instead}, or train with them as text"
        )
    return whole.to_numpy()
