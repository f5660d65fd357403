"""Exports of a model that knows the page: a constant in the graph, no comparison with other rows."""

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.export import export_model
from gbdt_pwiser.models import load_model, save_model
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.serving import Predictor
from tests.export.foreign import predicted_alone
from tests.models.helpers import SPEC, fitted
from tests.models.test_continued_pages import POSITION, paged
from tests.specs import varied


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "xgboost_shared", "dnn"])
def test_a_graph_serves_the_position_itself(model, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    if model == "dnn":
        pytest.importorskip("onnxscript")
        pytest.importorskip("torch")
    split = paged(relative=None)
    save_model(fitted(varied(SPEC, model=model), split), tmp_path / "model", split)
    graph = tmp_path / "m.onnx"
    export_model(tmp_path / "model", graph, format="onnx")
    table = paged(relative=None, served_as={}).test.features.drop(POSITION)
    given = {name: table[name].cast(pl.Float32).to_numpy().reshape(-1, 1) for name in table.columns}
    (found,) = predicted_alone([graph], tmp_path, **given)
    expected = Predictor.load(tmp_path / "model", threads=1).predict(table).table
    for outputs, name in zip(found, ("pctr", "pcvr", "pctcvr"), strict=True):
        np.testing.assert_allclose(outputs, expected[name].to_numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("model", ["lightgbm", "xgboost"])
def test_relative_features_have_no_place_in_a_graph_and_their_own_in_a_matrix(model, tmp_path):
    split = paged()
    save_model(fitted(varied(SPEC, model=model), split), tmp_path / "model", split)
    told = (
        "the model compares numerical_24 within search, and an ONNX graph knows one row at a time; use "
        "predict, or export native"
    )
    with pytest.raises(InputError, match=told):
        export_model(tmp_path / "model", tmp_path / "m.onnx", format="onnx")
    suffix = {"lightgbm": "txt", "xgboost": "ubj"}[model]
    export_model(tmp_path / "model", tmp_path / f"m.{suffix}", format="native")
    (found,) = predicted_alone([tmp_path / f"m.{suffix}"], tmp_path, matrix=split.test.matrix())
    expected = load_model(tmp_path / "model", threads=1).model.predict(split.test)
    np.testing.assert_allclose(found, expected.pctr, rtol=0, atol=1e-6)
