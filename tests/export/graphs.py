"""Graphs and what the runtime of this process makes of them."""

import numpy as np
import polars as pl

from gbdt_pwiser.export import export_model
from tests.export.conftest import CATEGORIES

OUTPUTS = ["pctr", "pcvr", "pctcvr"]


def inputs(table):
    """Return a graph's inputs: what is missing is NaN, or a value that is no category."""
    given = {}
    for name in table.columns:
        values = table[name]
        if name not in CATEGORIES:
            given[name] = values.cast(pl.Float32).fill_null(np.nan).to_numpy()
        elif values.dtype == pl.String:
            given[name] = np.array(values.fill_null("").to_list(), dtype=np.object_)
        else:
            given[name] = values.cast(pl.Int64).fill_null(-1).to_numpy()
    return {name: values.reshape(-1, 1) for name, values in given.items()}


def exported(folder, path, **options):
    export_model(folder, path, format="onnx", **options)
    return path


def predicted(path, table):
    """Return what the runtime predicts in this process, a column per output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return np.stack(onnxruntime.InferenceSession(path, options).run(OUTPUTS, inputs(table)), axis=1)
