"""A graph from columns to probabilities: ONNX Runtime alone predicts what this package does."""

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.export import export_model
from gbdt_pwiser.serving import Predictor
from tests.export.conftest import CATEGORIES
from tests.export.foreign import predicted_alone

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

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


CASES = [
    *("lightgbm", "lightgbm isotonic", "lightgbm sigmoid", "lambdarank isotonic", "not_missing", "stumps"),
    *("xgboost", "xgboost isotonic", "xgboost sigmoid", "rank_pairwise isotonic", "xgboost_dart"),
    *("xgboost_shared", "xgboost_shared isotonic"),
]


def test_the_runtime_alone_predicts_the_same(saved, table, tmp_path):
    paths, expected = [], []
    for case in CASES:
        predictor = Predictor.load(saved(*case.split()), threads=1)
        paths.append(tmp_path / f"{case}.onnx")
        export_model(predictor.folder, paths[-1], format="onnx")
        expected.append(predictor.predict(table).table.select(OUTPUTS).to_numpy().T)
    alone = predicted_alone(paths, tmp_path, **inputs(table))
    for path, ours, theirs in zip(paths, expected, alone, strict=True):
        print(path.name, abs(ours - theirs).max(axis=1), len(np.unique(ours[0])))
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6, err_msg=path.name)
