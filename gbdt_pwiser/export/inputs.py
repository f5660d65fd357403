"""The columns of a table as inputs of an ONNX graph."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.export.builder import Graph
from gbdt_pwiser.objectives import InputError

OUTPUTS: Final = ("pctr", "pcvr", "pctcvr")


class Input(NamedTuple):
    """A column's value in the graph, (n, 1), and its categories, None where it holds numbers or codes."""

    value: str
    categories: NDArray[Any] | None


def column_inputs(graph: Graph, columns: FeatureColumns, instead: str) -> dict[str, Input]:
    """Add an input for each column, by its name and in order: float32 where it has no categories.

    InputError, which says what to do instead, for a name or categories that have no place in a graph.
    """
    inputs = {}
    for name in columns.names:
        if not name or name in OUTPUTS or graph.is_taken(name):
            raise InputError(f"no input of an ONNX graph can be called {name!r}; {instead}")
        categories = columns.categories.get(name)
        keys = None if categories is None else _keys(categories, name, instead)
        dtype = np.dtype(np.float32) if keys is None else keys.dtype
        inputs[name] = Input(graph.input(name, dtype), keys)
    return inputs


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
