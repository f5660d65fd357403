"""An ONNX graph from the columns of a table to pctr, pcvr and pctcvr.

Each library's arithmetic is kept: float64 of LightGBM, float32 of XGBoost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.data.columns import SHARED, FeatureColumns, has_shared_code
from gbdt_pwiser.export.builder import Graph
from gbdt_pwiser.export.trees import Condition, Tree, of_lightgbm, of_xgboost
from gbdt_pwiser.metrics.probability import CLIP
from gbdt_pwiser.models.boosters.shared_model import SharedXGBoostModel
from gbdt_pwiser.models.boosters.trees import TreeModel
from gbdt_pwiser.models.protocol import Model, Task
from gbdt_pwiser.objectives import InputError

OUTPUTS: Final = ("pctr", "pcvr", "pctcvr")


def require_export_extra() -> None:
    """Raise InputError where ONNX is not installed."""
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"the format onnx needs {error.name}, which is missing; pip install 'gbdt-pwiser[export]'"
        ) from error


def onnx_bytes(
    model: Model, columns: FeatureColumns, calibrator: Calibrator, comment: str, target: Path
) -> bytes:
    """Return the content of an ONNX file with an input per column and three outputs.

    Parameters
    ----------
    model
        Trained boosters.
    columns
        What they read; the categories are encoded in the graph.
    calibrator
        Of pCTR.
    comment
        Stands in the file.
    target
        The name that the file will have.

    Raises
    ------
    InputError
        ONNX is not installed, the suffix is not .onnx, or something has no place in a graph: the name of a
        column, the type of its categories, linear leaves, zeros that count as missing.
    """
    assert isinstance(model, TreeModel)
    if target.suffix.lower() != ".onnx":
        raise InputError(f"{target} has another suffix than ONNX's files; call it .onnx")
    require_export_extra()
    graph = Graph()
    features = graph.add("Concat", *_encoded(graph, model, columns), axis=1)
    pctr = _calibrated(graph, calibrator, _probability(graph, model, "click", features))
    if "conversion" in model.boosters:
        pcvr = _probability(graph, model, "conversion", features)
    else:
        pcvr = graph.add("Add", graph.add("Mul", pctr, graph.constant(0.0)), graph.constant(1.0))
    for name, of_rows in zip(OUTPUTS, (pctr, pcvr, graph.add("Mul", pctr, pcvr)), strict=True):
        graph.output(name, graph.add("Squeeze", of_rows, graph.constant([1])))
    return graph.serialized(comment)


def _encoded(graph: Graph, model: TreeModel, columns: FeatureColumns) -> list[str]:
    """Return the features, float32 (n, 1) each, of inputs with the columns' names."""
    rates = model.rates if isinstance(model, SharedXGBoostModel) else None
    encoded = []
    known = {}
    for place, name in enumerate(columns.names):
        if not name or name in OUTPUTS or graph.is_taken(name):
            raise InputError(f"no input of an ONNX graph can be called {name!r}; export native")
        if name in columns.served_as:
            known[place] = np.array([[columns.served_as[name]]], dtype=np.float32)
            continue
        other = np.nan  # the code of all values without one of their own
        if name in columns.categories:
            categories = columns.categories[name]
            keys: NDArray[Any] = _keys(categories.drop_nulls(), name)
            values = np.arange(len(categories) - len(keys), len(categories), dtype=np.float32)
            if has_shared_code(categories):
                other = float(SHARED)
                keys, values = _with_missing(keys), np.append(values, np.float32(np.nan))
        elif rates is not None and place in rates.codes:
            keys = values = rates.codes[place]
        else:
            encoded.append(graph.input(name, np.dtype(np.float32)))
            continue
        if rates is not None:
            of_code = dict(zip(rates.codes[place].tolist(), rates.rates[place].tolist(), strict=True))
            values = np.array([of_code.get(code, np.nan) for code in values.tolist()], dtype=np.float32)
            other = of_code.get(other, np.nan)
        encoded.append(graph.lookup(graph.input(name, keys.dtype), keys, values, other))
    if known and not encoded:
        raise InputError("the position is the only feature, and a graph needs an input; use predict")
    for place, number in known.items():
        encoded.insert(place, graph.add("Expand", graph.constant(number), graph.add("Shape", encoded[0])))
    return encoded


def _with_missing(keys: NDArray[Any]) -> NDArray[Any]:
    """Return keys and, behind them, the one that is missing where all others have a code: "" or -2**63."""
    missing = "" if keys.dtype == np.object_ else np.iinfo(np.int64).min
    if missing in keys.tolist():
        raise InputError(f"{missing!r} is a category, and missing in a graph; export native, or rename it")
    return np.append(keys, np.array([missing], dtype=keys.dtype))


def _keys(categories: pl.Series, name: str) -> NDArray[Any]:
    """Return categories as an input has them: texts, or whole numbers."""
    if categories.dtype == pl.String:
        return categories.to_numpy().astype(np.object_)
    if categories.dtype.is_temporal() or categories.dtype == pl.Null:
        categories = categories.to_physical().cast(pl.Int64)
    whole = categories.cast(pl.Int64, strict=False)
    if whole.null_count() or (whole.cast(categories.dtype) != categories).any():
        raise InputError(
            f"the categories of {name} are {categories.dtype} that are no int64, and a graph compares text "
            "or int64; export native, or train with them as text"
        )
    return whole.to_numpy()


def _probability(graph: Graph, model: TreeModel, task: Task, features: str) -> str:
    """Return a task's probability, float64 (n, 1), uncalibrated."""
    trained = model.boosters[task]
    if model.library == "lightgbm":
        raw = _float64_sum(graph, of_lightgbm(trained), graph.cast(features, np.float64))
    else:
        is_shared = isinstance(model, SharedXGBoostModel) and task == "conversion"
        trees, base = of_xgboost(trained, 1 if is_shared else 0)
        raw = _float32_sum(graph, trees, base, features)
        if trained.slope is None:
            return _float32_sigmoid(graph, raw)
        raw = graph.cast(raw, np.float64)
    slope, start = map(graph.constant, model.log_odds(trained))
    return graph.add("Sigmoid", graph.add("Add", graph.add("Mul", raw, slope), start))


def _float64_sum(graph: Graph, trees: Sequence[Tree], features: str) -> str:
    """Return the sum of leaves (n, 1); a graph's trees give float32, so they give the places of leaves."""
    ends = np.cumsum([0, *(len(tree.leaves) for tree in trees)])
    numbered = [
        replace(tree, leaves=list(map(float, range(start, end))))
        for tree, (start, end) in zip(trees, pairwise(ends.tolist()), strict=True)
    ]
    at = graph.cast(graph.leaves(numbered, features, np.float64), np.int64)
    leaves = graph.constant(np.concatenate([tree.leaves for tree in trees]))
    return graph.add("ReduceSum", graph.add("Gather", leaves, at), graph.constant([1]))


def _float32_sum(graph: Graph, trees: Sequence[Tree], base: float, features: str) -> str:
    """Return a start plus one leaf after the other (n, 1), as XGBoost adds them: the same to the last bit.

    Its roundings make 1e-5 of a raw score, which the steps of an isotonic calibration may widen.
    """
    leaves = graph.leaves(trees, features, np.float32)
    shape = graph.add("Concat", graph.add("Shape", leaves, end=1), graph.constant([1]), axis=0)
    first = graph.add("Expand", graph.constant(np.array([[base]], dtype=np.float32)), shape)
    sums = graph.add("CumSum", graph.add("Concat", first, leaves, axis=1), graph.constant(1))
    return graph.add("Gather", sums, graph.constant([len(trees)]), axis=1)


def _float32_sigmoid(graph: Graph, raw: str) -> str:
    """Return 1 / (1 + exp(-raw)) with the roundings of XGBoost."""
    one = graph.constant(np.float32(1.0))
    power = graph.add("Exp", graph.cast(graph.add("Neg", raw), np.float64))
    return graph.cast(graph.add("Div", one, graph.add("Add", one, graph.cast(power, np.float32))), np.float64)


def _calibrated(graph: Graph, calibrator: Calibrator, p: str) -> str:
    """Return calibrated probabilities, as `Calibrator` does."""
    match calibrator.method:
        case "isotonic":
            return _interpolated(graph, np.array(calibrator.x), np.array(calibrator.y), p)
        case "sigmoid":
            p = graph.add("Clip", p, graph.constant(CLIP), graph.constant(1.0 - CLIP))
            odds = graph.add("Div", p, graph.add("Sub", graph.constant(1.0), p))
            scaled = graph.add("Mul", graph.add("Log", odds), graph.constant(calibrator.slope))
            return graph.add("Sigmoid", graph.add("Add", scaled, graph.constant(calibrator.intercept)))
        case _:
            return p


def _interpolated(graph: Graph, x: NDArray[np.float64], y: NDArray[np.float64], p: str) -> str:
    """Return `np.interp(p, x, y)`; a tree finds how many knots are at most p, and so between which p is."""
    slopes = np.concatenate([[0.0], np.diff(y) / np.diff(x), [0.0]])
    at = graph.cast(graph.leaves([_search_tree(x)], p, np.float64), np.int64)
    slope, start, value = (
        graph.add("Gather", graph.constant(table), at)
        for table in (slopes, np.append(x[0], x), np.append(y[0], y))
    )
    return graph.add("Add", graph.add("Mul", slope, graph.add("Sub", p, start)), value)


def _search_tree(x: NDArray[np.float64]) -> Tree:
    """Return a tree whose leaf is how many of the ascending numbers are at most a value."""
    conditions: list[Condition] = []

    def between(low: int, high: int) -> int:
        """Return the place of what tells the counts from low to high apart."""
        if low == high:
            return ~low
        place, middle = len(conditions), (low + high) // 2
        conditions.append(Condition(0, "<", float(x[middle]), None, 0, 0, missing=False))
        true, false = between(low, middle), between(middle + 1, high)
        conditions[place] = replace(conditions[place], true=true, false=false)
        return place

    between(0, len(x))
    return Tree(conditions, list(map(float, range(len(x) + 1))))
