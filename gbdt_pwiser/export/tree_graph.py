"""Boosters as nodes of an ONNX graph.

Each library's arithmetic is kept: float64 of LightGBM, float32 of XGBoost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.export.builder import Graph
from gbdt_pwiser.export.inputs import MISSING, column_inputs
from gbdt_pwiser.export.trees import Tree, of_lightgbm, of_xgboost
from gbdt_pwiser.models.boosters.shared_model import SharedXGBoostModel
from gbdt_pwiser.models.boosters.trees import TreeModel
from gbdt_pwiser.models.protocol import Task


def tree_probabilities(graph: Graph, model: TreeModel, columns: FeatureColumns) -> tuple[str, str]:
    """Return pCTR, uncalibrated, and pCVR, float64 (n, 1) each, of inputs with the columns' names.

    InputError for what has no place in a graph: a name, categories, linear leaves, zeros that are missing.
    """
    features = graph.add("Concat", *_encoded(graph, model, columns), axis=1)
    pctr = _probability(graph, model, "click", features)
    if "conversion" in model.boosters:
        return pctr, _probability(graph, model, "conversion", features)
    return pctr, graph.add("Add", graph.add("Mul", pctr, graph.constant(0.0)), graph.constant(1.0))


def _encoded(graph: Graph, model: TreeModel, columns: FeatureColumns) -> list[str]:
    """Return the features, float32 (n, 1) each."""
    rates = model.rates if isinstance(model, SharedXGBoostModel) else None
    encoded = []
    for place, (value, categories) in enumerate(column_inputs(graph, columns, "export native").values()):
        other = np.nan
        if categories is not None:
            keys: NDArray[Any] = categories.keys
            codes = np.array([*categories.codes, categories.other], dtype=np.float32)
            *_, other = values = np.where(codes == MISSING, np.float32(np.nan), codes)
            values = values[:-1]
        elif rates is not None and place in rates.codes:
            keys = values = rates.codes[place]
        else:
            encoded.append(value)
            continue
        if rates is not None:
            of_code = dict(zip(rates.codes[place].tolist(), rates.rates[place].tolist(), strict=True))
            values = np.array([of_code.get(code, np.nan) for code in values.tolist()], dtype=np.float32)
            other = of_code.get(other, np.nan)
        encoded.append(graph.lookup(value, keys, values, default=float(other)))
    return encoded


def _probability(graph: Graph, model: TreeModel, task: Task, features: str) -> str:
    """Return a task's probability, float64 (n, 1)."""
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
