"""A graph from columns to probabilities: ONNX Runtime alone predicts what this package does."""

import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xgboost

from gbdt_pwiser.data.columns import FeatureColumns
from gbdt_pwiser.data.values import SHARED
from gbdt_pwiser.export import export_model
from gbdt_pwiser.export.builder import Graph
from gbdt_pwiser.export.inputs import MISSING, column_inputs
from gbdt_pwiser.export.trees import Condition, Tree
from gbdt_pwiser.models import save_model
from gbdt_pwiser.models.manifest import Manifest
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.serving import Predictor
from tests.export.foreign import predicted_alone
from tests.export.graphs import OUTPUTS, exported, inputs, predicted
from tests.models.helpers import SPEC, every_part, fitted, renamed

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CASES = [
    *("lightgbm", "lightgbm isotonic", "lightgbm sigmoid", "lambdarank isotonic", "not_missing"),
    *("stumps", "stumps isotonic"),
    *("xgboost", "xgboost isotonic", "xgboost sigmoid", "rank_pairwise isotonic", "xgboost_dart"),
    *("xgboost_shared", "xgboost_shared isotonic"),
]


def test_the_runtime_alone_predicts_the_same(saved, table, tmp_path):
    paths, expected = [], []
    for case in CASES:
        predictor = Predictor.load(saved(*case.split()), threads=1)
        paths.append(exported(predictor.folder, tmp_path / f"{case}.onnx"))
        expected.append(predictor.predict(table).table.select(OUTPUTS).to_numpy().T)
        assert predictor.predict(table).unseen["categorical_1"] > 500
    alone = predicted_alone(paths, tmp_path, **inputs(table))
    for path, ours, theirs in zip(paths, expected, alone, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6, err_msg=path.name)
        assert len(np.unique(ours[0])) > 1 or "stumps" in path.name


def splits(booster):
    """Return the thresholds of a booster's numerical splits, by the place of the feature."""
    if isinstance(booster, xgboost.Booster):
        nodes = booster.trees_to_dataframe().rename(
            columns={"Feature": "split_feature", "Split": "threshold"}
        )
    else:
        nodes = booster.trees_to_dataframe()
        nodes = nodes[nodes["decision_type"] == "<="]
    nodes = nodes.dropna(subset=["split_feature", "threshold"])
    return {
        int(feature.removeprefix("f")): np.unique(of["threshold"].astype(np.float64))
        for feature, of in nodes.groupby("split_feature")
    }


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_numbers_next_to_a_split_go_the_same_way(name, saved, table, tmp_path):
    pytest.importorskip("pandas")
    predictor = Predictor.load(saved(name), threads=1)
    rng, columns = np.random.default_rng(2), []
    found = splits(predictor.saved.model.boosters["click"].booster)
    assert len(found) > 5
    for place, thresholds in found.items():
        nearest = rng.choice(thresholds, table.height).astype(np.float32)
        ahead = np.nextafter(nearest, np.float32([-9, 9])[:, None])
        values = np.choose(rng.integers(0, 3, table.height), [nearest, *ahead])
        columns.append(pl.Series(table.columns[place], values))
    near = table.with_columns(
        column for column in columns if column.name not in predictor.saved.manifest.columns.categorical
    )
    expected = predictor.predict(near).table.select(OUTPUTS).to_numpy()
    path = exported(predictor.folder, tmp_path / "m.onnx")
    np.testing.assert_allclose(predicted(path, near), expected, rtol=0, atol=1e-6)


def test_the_standard_allows_it(saved, tmp_path):
    import onnx

    for case in ("lightgbm isotonic", "xgboost sigmoid"):
        path = exported(saved(*case.split()), tmp_path / "m.onnx")
        onnx.checker.check_model(onnx.load(path), full_check=True)


def test_one_row_and_none(saved, table, tmp_path):
    predictor = Predictor.load(saved("xgboost", "isotonic"), threads=1)
    path = exported(predictor.folder, tmp_path / "m.onnx")
    expected = predictor.predict(table[:1]).table.select(OUTPUTS).to_numpy()
    np.testing.assert_allclose(predicted(path, table[:1]), expected, rtol=0, atol=1e-6)
    assert predicted(path, table[:0]).shape == (0, 3)


def test_the_calibration_can_be_left_out(saved, table, tmp_path):
    predictor = Predictor.load(saved("lightgbm", "isotonic"), threads=1)
    path = exported(predictor.folder, tmp_path / "m.onnx", uncalibrated=True)
    expected = predictor.predict(table[:99]).table["pctr_uncalibrated"]
    np.testing.assert_allclose(predicted(path, table[:99])[:, 0], expected, rtol=0, atol=1e-12)


def test_without_a_booster_of_the_conversion(split, table, tmp_path):
    """All clicks convert, so there is nothing to tell apart."""
    alike = every_part(split, lambda part: replace(part, grade=(2 * part.click).astype(np.int8)))
    save_model(fitted(SPEC, alike), tmp_path / "model", alike)
    found = predicted(exported(tmp_path / "model", tmp_path / "m.onnx"), table[:99])
    assert (found[:, 1] == 1).all()
    np.testing.assert_array_equal(found[:, 0], found[:, 2])
    with pytest.raises(InputError, match=r"no booster for the conversion.*its pCVR is 1"):
        export_model(tmp_path / "model", tmp_path / "c.txt", format="native", task="conversion")


@pytest.mark.parametrize(
    ("categories", "values", "given"),
    [
        (pl.Series([False, True]), [True, None, False], [1, -1, 0]),
        (
            pl.Series([date(2024, 1, 1), date(2024, 1, 2)]),
            [date(2024, 1, 2), date(2030, 1, 1), None],
            [19724, 0, -1],
        ),
        (pl.Series([], dtype=pl.Null), [None, None, None], [0, 1, 2]),
        (pl.Series([], dtype=pl.String), ["a", "", None], ["a", "", "b"]),
        (pl.Series([-5.0, 2.0**53]), [-5.0, 2.0**53, 7.5], [-5, 2**53, 7]),
        (pl.Series([None, "a", "b"]), ["b", "z", None], ["b", "z", ""]),
        (pl.Series([None, 3, 5]), [5, 4, None], [5, 4, -(2**63)]),
    ],
    ids=["bool", "date", "null", "no text", "float", "shared code", "shared code of numbers"],
)
def test_types_of_categories(categories, values, given, split, saved, table, tmp_path):
    import onnxruntime

    folder = with_categories(saved, tmp_path, categories)
    predictor = Predictor.load(folder, threads=1)
    rows = table[:3].with_columns(categorical_1=pl.Series(values, dtype=categories.dtype))
    expected = predictor.predict(rows).table["pctr"].to_numpy()
    session = onnxruntime.InferenceSession(exported(folder, tmp_path / "m.onnx"))
    texts = categories.dtype == pl.String
    column = np.array(given, dtype=np.object_ if texts else np.int64).reshape(-1, 1)
    (found,) = session.run(["pctr"], inputs(table[:3]) | {"categorical_1": column})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_words_that_were_missing_are_missing_in_a_graph():
    known = {"shop": pl.Series([None, "a", "b"])}
    columns = FeatureColumns(("shop",), ("shop",), known, missing=("NA", "b"))
    found = column_inputs(Graph(), columns, "export native")["shop"].categories
    assert dict(zip(found.keys, found.codes, strict=True)) == {"a": 1, "b": 2, "": MISSING, "NA": MISSING}
    assert found.other == SHARED


def with_categories(saved, tmp_path, categories):
    """Return the folder of a model whose first column has other categories."""
    folder = tmp_path / "model"
    shutil.copytree(saved("lightgbm"), folder)
    manifest = Manifest.read(folder)
    columns = manifest.columns
    kept = columns.categories | {"categorical_1": categories}
    replace(manifest, columns=replace(columns, categories=kept)).write(folder)
    return folder


def test_a_category_that_means_missing_in_a_graph(saved, tmp_path):
    folder = with_categories(saved, tmp_path, pl.Series([None, "", "b"]))
    with pytest.raises(
        InputError, match="'' is a category of categorical_1, and missing in a graph; export native"
    ):
        exported(folder, tmp_path / "m.onnx")


@pytest.mark.parametrize("categories", [pl.Series([1.5, 2.0]), pl.Series([2**64 - 1], dtype=pl.UInt64)])
def test_categories_that_no_graph_holds(categories, saved, tmp_path):
    folder = with_categories(saved, tmp_path, categories)
    with pytest.raises(InputError, match=r"categories of categorical_1 are .* no int64.*; export native"):
        exported(folder, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("linear", "m.onnx", r"linear \(linear_tree\) have no place in ONNX; export native"),
        ("lightgbm", "m.txt", "m.txt has another suffix than ONNX's files; call it .onnx"),
    ],
)
def test_what_cannot_be(name, file, message, saved, tmp_path):
    with pytest.raises(InputError, match=message):
        exported(saved(name), tmp_path / file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "pctr", "gbdt_pwiser/constant_0"])
def test_names_that_no_graph_has(name, saved, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(saved("lightgbm"), folder)
    manifest = Manifest.read(folder)
    names = (*manifest.columns.names[:-1], name)
    replace(manifest, columns=replace(manifest.columns, names=names)).write(folder)
    with pytest.raises(InputError, match=r"no input of an ONNX graph can be called '.*'; export native"):
        exported(folder, tmp_path / "m.onnx")


def test_odd_names_and_an_older_export(split, tmp_path):
    split = renamed(every_part(split, lambda part: replace(part, categories=None)))
    split = every_part(split, lambda part: replace(part, features=part.features.drop("")))
    save_model(fitted(SPEC, split), tmp_path / "model", split)
    for _ in range(2):
        path = exported(tmp_path / "model", tmp_path / "m.onnx")
    features = split.test.features.select(pl.all().cast(pl.Float32).fill_null(np.nan))
    expected = Predictor.load(tmp_path / "model", threads=1).predict(split.test.features).table
    found = predicted(path, features)
    np.testing.assert_allclose(found, expected.select(OUTPUTS).to_numpy(), rtol=0, atol=1e-6)


def test_more_comparisons_than_a_runtime_takes():
    odd = Condition(0, "<=", 0.0, range(1, 3000, 2), ~0, ~1, missing=False)
    Graph().leaves([Tree([odd], [1.0, 2.0])], "x", np.float64)
    again = [replace(odd, true=1), odd]
    with pytest.raises(InputError, match=r"in 6,000 comparisons .* may have 4,000 of them; export native"):
        Graph().leaves([Tree(again, [1.0, 2.0])], "x", np.float64)


def test_the_code_of_the_page_runs(split, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "guides" / "export.md").read_text(encoding="utf-8")
    graph, native = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    plain = every_part(split, lambda part: replace(part, categories=None))
    save_model(fitted(SPEC, plain), "model", plain)
    plain.test.features.write_parquet("new.parquet")
    exported("model", "model.onnx")
    export_model("model", "click.txt", format="native")
    expected = Predictor.load("model", threads=1).predict(plain.test.features).table["pctr"]
    for code in (graph, native):
        names = {"X": plain.test.matrix()}
        exec(compile(code, "docs/guides/export.md", "exec"), names)
        np.testing.assert_allclose(names["pctr"], expected, rtol=0, atol=1e-6)
