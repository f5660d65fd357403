"""An ONNX graph from the columns of a table to pctr, pcvr and pctcvr."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.export.builder import Graph
from gbdt_pwiser.export.inputs import OUTPUTS
from gbdt_pwiser.export.tree_graph import tree_probabilities
from gbdt_pwiser.metrics.probability import CLIP
from gbdt_pwiser.models.boosters.trees import TreeModel
from gbdt_pwiser.models.protocol import Model
from gbdt_pwiser.objectives import InputError

if TYPE_CHECKING:
    from gbdt_pwiser.models.neural import NetworkModel


def require_export_extra(library: str) -> None:
    """Raise InputError where a library of the extra is not installed."""
    try:
        import_module(library)
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
        A trained model.
    columns
        What it reads; the categories are encoded in the graph.
    calibrator
        Of pCTR.
    comment
        Stands in the file.
    target
        The name that the file will have.

    Raises
    ------
    InputError
        ONNX, or of a network what PyTorch writes it with, is not installed, the suffix is not .onnx, or
        something has no place in a graph: the name of a column, the type of its categories, linear leaves,
        zeros that count as missing, weights of more than 2 GiB.
    """
    if target.suffix.lower() != ".onnx":
        raise InputError(f"{target} has another suffix than ONNX's files; call it .onnx")
    require_export_extra("onnx")
    graph = Graph()
    if isinstance(model, TreeModel):
        uncalibrated, pcvr = tree_probabilities(graph, model, columns)
    else:
        require_export_extra("onnxscript")
        from gbdt_pwiser.export.network_graph import network_probabilities

        uncalibrated, pcvr = network_probabilities(graph, cast("NetworkModel", model), columns)
    pctr = _calibrated(graph, calibrator, uncalibrated)
    for name, of_rows in zip(OUTPUTS, (pctr, pcvr, graph.add("Mul", pctr, pcvr)), strict=True):
        graph.output(name, graph.add("Squeeze", of_rows, graph.constant([1])))
    return graph.serialized(comment)


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
    """Return `np.interp(p, x, y)`; how many knots are at most p says between which p is."""
    slopes = np.concatenate([[0.0], np.diff(y) / np.diff(x), [0.0]])
    at = graph.count(p, x.tolist())
    slope, start, value = (
        graph.add("Gather", graph.constant(table), at)
        for table in (slopes, np.append(x[0], x), np.append(y[0], y))
    )
    return graph.add("Add", graph.add("Mul", slope, graph.add("Sub", p, start)), value)
