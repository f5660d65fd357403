"""Networks as nodes of an ONNX graph: PyTorch writes theirs, and the encoding is put in front."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.export.builder import OPSET, Graph
from gbdt_pwiser.export.inputs import MISSING, Input, column_inputs
from gbdt_pwiser.models.neural import UNSEEN
from gbdt_pwiser.objectives import InputError

if TYPE_CHECKING:
    from gbdt_pwiser.models.neural import NetworkModel

OLDEST: Final = (2, 9)
"""PyTorch whose own exporter is the one that is used here."""
LARGEST: Final = 2**31 - 2**26
"""Bytes of weights; a file of ONNX has less than 2 GiB."""
_EXACT: Final = 1 << 24  # whole numbers up to here are float32
_INSTEAD: Final = "use predict"


def network_probabilities(graph: Graph, model: NetworkModel, columns: FeatureColumns) -> tuple[str, str]:
    """Return pCTR, uncalibrated, and pCVR, float64 (n, 1) each, of inputs with the columns' names.

    InputError for what has no place in a graph, a name, categories, codes or too many weights, and where
    PyTorch is too old.
    """
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST:
        raise InputError(
            f"a graph of {model.spec.model} needs PyTorch {OLDEST[0]}.{OLDEST[1]} or newer, and "
            f"{torch.__version__} is installed; install a newer one, or {_INSTEAD}"
        )
    if 4 * model.size > LARGEST:
        raise InputError(
            f"{model.spec.model} has {model.size:,} weights, and an ONNX file has less than 2 GiB; "
            f"{_INSTEAD}, or train with a smaller embedding"
        )
    inputs = column_inputs(graph, columns, _INSTEAD)
    codes, numbers = _codes(graph, model, inputs), _numbers(graph, model, inputs)
    layout = model.encoder.layout
    encoded = {
        "codes": graph.add("Concat", *codes, axis=1) if codes else _no_columns(graph, numbers[0], np.int64),
        "numbers": graph.add("Concat", *numbers, axis=1)
        if numbers
        else _no_columns(graph, codes[0], np.float32),
    }
    network = traced(model.probabilities, layout.codes, layout.numbers)
    pctr, pcvr = (graph.add("Unsqueeze", p, graph.constant([1])) for p in graph.inline(network, encoded))
    return pctr, pcvr


def traced(probabilities: torch.nn.Module, codes: int, numbers: int) -> Any:
    """Return the ONNX model of a module whose inputs are so many codes and numbers of any rows."""
    some = torch.zeros((2, codes), dtype=torch.int64), torch.zeros((2, numbers))
    rows = torch.export.Dim.DYNAMIC
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of libraries that are not installed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch about itself
            program = torch.onnx.export(
                probabilities,
                some,
                input_names=["codes", "numbers"],
                dynamic_shapes=({0: rows}, {0: rows}),
                opset_version=OPSET,
                custom_translation_table={
                    torch.ops.aten.log_sigmoid.default: _log_sigmoid,
                    torch.ops.aten.einsum.default: _mixture,
                },
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    return program.model_proto


def _log_sigmoid(x: Any) -> Any:
    """Return it; PyTorch writes log(sigmoid(x)), -inf below -745, and ONNX Runtime's Softplus overflows."""
    from onnxscript import opset18 as op

    one = op.CastLike(op.Constant(value_float=1.0), x)
    below = op.Neg(op.Relu(op.Neg(x)))
    return op.Sub(below, op.Log(op.Add(one, op.Exp(op.Neg(op.Abs(x))))))


def _mixture(equation: str, tensors: Sequence[Any], path: Any = None) -> Any:
    """Return sum_k w_nk x_nkv, the one of networks; of no rows ONNX Runtime 1.23 crashes on an Einsum."""
    from onnxscript import opset18 as op

    assert re.fullmatch(r"(.)(.),\1\2(.)->\1\3", equation)
    weights, x = tensors
    axis = op.Constant(value_ints=[1])
    return op.Squeeze(op.MatMul(op.Unsqueeze(weights, axis), x), axis)


def _codes(graph: Graph, model: NetworkModel, inputs: Mapping[str, Input]) -> list[str]:
    """Return the positions of `FeatureEncoder.encode`, int64 (n, 1) each."""
    encoder, encoded = model.encoder, []
    for column, positions in encoder.positions().items():
        value, categories = inputs[column]
        missing = positions.get(None, UNSEEN)
        known = {code: position for code, position in positions.items() if code is not None}
        if column in encoder.edges:
            edges = encoder.edges[column]
            of_bin = graph.constant([known.get(number, UNSEEN) for number in range(len(edges) + 1)])
            found = graph.add("Gather", of_bin, graph.count(graph.cast(value, np.float64), edges))
        elif categories is None:
            found = graph.lookup(
                value, _as_float32(known, column), np.array([*known.values()], dtype=np.int64), default=UNSEEN
            )
        else:
            *of_key, other = (
                missing if code == MISSING else known.get(code, UNSEEN)
                for code in (*categories.codes, categories.other)
            )
            found = graph.lookup(value, categories.keys, np.array(of_key, dtype=np.int64), default=other)
            encoded.append(found)
            continue
        encoded.append(graph.add("Where", graph.add("IsNaN", value), graph.constant(missing), found))
    return encoded


def _as_float32(codes: Mapping[int, int], column: str) -> Any:
    """Return codes as an input has them; InputError where some are one number there."""
    if beyond := [code for code in codes if abs(code) > _EXACT]:
        raise InputError(
            f"{column} has the code {beyond[0]}, and a graph's codes are float32, which is exact up to "
            f"{_EXACT:,}; {_INSTEAD}"
        )
    return np.array([*codes], dtype=np.float32)


def _numbers(graph: Graph, model: NetworkModel, inputs: Mapping[str, Input]) -> list[str]:
    """Return the numbers of `FeatureEncoder.encode`, float32: standardised, then those that say "missing"."""
    encoder = model.encoder
    if not encoder.means:
        return []

    def side_by_side(names: Any) -> str:
        return graph.add("Concat", *(inputs[name].value for name in names), axis=1)

    values = side_by_side(encoder.means)
    mean, scale = (graph.constant([*each.values()]) for each in (encoder.means, encoder.scales))
    centred = graph.add("Sub", graph.cast(values, np.float64), mean)
    standardised = graph.cast(graph.add("Mul", centred, scale), np.float32)
    zero = graph.constant(np.float32(0.0))
    numbers = [graph.add("Where", graph.add("IsNaN", values), zero, standardised)]
    if flagged := [name for name in encoder.means if name in encoder.flagged]:
        numbers.append(graph.cast(graph.add("IsNaN", side_by_side(flagged)), np.float32))
    return numbers


def _no_columns(graph: Graph, like: str, dtype: Any) -> str:
    """Return no columns, (n, 0), for the rows of a value."""
    start, axis = graph.constant([0]), graph.constant([1])
    return graph.cast(graph.add("Slice", like, start, start, axis), dtype)
