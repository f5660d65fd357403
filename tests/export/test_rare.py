"""Graphs of models in which rare values share a code: unknown values get it, and missing ones do not."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.models import save_model
from gbdt_pwiser.serving import Predictor
from tests.export.graphs import OUTPUTS, exported, predicted
from tests.models.helpers import SPEC, every_part, fitted
from tests.specs import varied

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CATEGORIES = {"categorical_1": pl.Series([None, "a", "b"]), "categorical_10": pl.Series([None, 3, 5])}


def coded(part):
    """Codes that clicks depend on, 0 that of rare values among them; some are missing."""
    rng = np.random.default_rng(len(part))
    columns = []
    for name in CATEGORIES:
        code = np.where(part.click & (rng.random(len(part)) < 0.5), 0, rng.integers(-1, 3, len(part)))
        columns.append(pl.Series(name, code, dtype=pl.Int32).replace(-1, None))
    return replace(
        part,
        features=part.features.with_columns(columns),
        categories={**part.categories, **CATEGORIES},
    )


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "xgboost_shared", "shared_bottom"])
def test_rare_and_unknown_values_share_a_code(model, split, table, tmp_path):
    if model == "shared_bottom":
        pytest.importorskip("torch")
        pytest.importorskip("onnxscript")
    shared = every_part(split, coded)
    folder = tmp_path / "model"
    save_model(fitted(varied(SPEC, model=model), shared), folder, shared)
    one = table[:1]
    rows = pl.concat([one] * 6).with_columns(
        categorical_1=pl.Series(["a", "b", "new", None, "newer", "a"]),
        categorical_10=pl.Series([3, 5, 4, 9, None, 3]),
    )
    given = rows.with_columns(pl.col("categorical_10").fill_null(-(2**63)))  # missing as a graph has it
    found = predicted(exported(folder, tmp_path / "m.onnx"), given)
    expected = Predictor.load(folder, threads=1).predict(rows).table.select(OUTPUTS).to_numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert found[2, 0] > found[3, 0]  # an unknown text has the clicks of rare ones, a missing one has not
    np.testing.assert_array_equal(found[0], found[5])
