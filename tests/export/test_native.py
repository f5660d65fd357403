"""One booster in its library's own format: its library alone predicts what this package does."""

import lightgbm
import numpy as np
import pytest
import xgboost

from gbdt_pwiser.export import export_model
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.serving import Predictor
from tests.export.foreign import predicted_alone

COLUMN = {"click": "pctr", "conversion": "pcvr"}


def matrix(predictor, table):
    """Return what boosters get of a table."""
    return predictor.saved.manifest.columns.encode(table, "the table").exposures.matrix()


@pytest.mark.parametrize(
    ("suffixes", "cases", "atol"),
    [
        (
            [".txt"],
            ["lightgbm", "lambdarank", "not_missing", "linear", "stumps", "lightgbm sigmoid"],
            1e-12,
        ),
        ([".ubj", ".json"], ["xgboost", "rank_pairwise", "xgboost_dart", "rank_pairwise sigmoid"], 1e-6),
    ],
    ids=["lightgbm", "xgboost"],
)
def test_the_library_alone_predicts_the_same(suffixes, cases, atol, saved, table, tmp_path):
    paths, expected = [], []
    for case in cases:
        predictor = Predictor.load(saved(*case.split()), threads=1)
        predicted = predictor.predict(table).table
        for task, column in COLUMN.items():
            for suffix in suffixes:
                paths.append(tmp_path / f"{case}-{task}{suffix}")
                expected.append(predicted[column].to_numpy())
                export_model(predictor.folder, paths[-1], format="native", task=task)
    alone = predicted_alone(paths, tmp_path, matrix=matrix(predictor, table))
    for path, ours, theirs in zip(paths, expected, alone, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=atol, err_msg=path.name)
        assert len(np.unique(ours)) > 1 or "stumps" in path.name


def exported(folder, path, **options):
    export_model(folder, path, format="native", **options)
    return path


def test_shares_of_features_add_up_to_the_log_odds(saved, table, tmp_path):
    """What SHAP calls additivity: start, slope and trees are all in the file."""
    predictor = Predictor.load(saved("lambdarank"), threads=1)
    features, pctr = matrix(predictor, table[:200]), predictor.predict(table[:200]).table["pctr"].to_numpy()
    booster = lightgbm.Booster(model_file=exported(predictor.folder, tmp_path / "m.txt"))
    shares = booster.predict(features, pred_contrib=True, num_threads=1)
    np.testing.assert_allclose(shares.sum(axis=1), np.log(pctr / (1 - pctr)), atol=1e-9)

    predictor = Predictor.load(saved("rank_pairwise"), threads=1)
    pctr = predictor.predict(table[:200]).table["pctr"].to_numpy()
    booster = xgboost.Booster({"nthread": 1}, model_file=exported(predictor.folder, tmp_path / "m.ubj"))
    data = xgboost.DMatrix(features, feature_types=booster.feature_types, enable_categorical=True)
    shares = booster.predict(data, pred_contribs=True)
    np.testing.assert_allclose(shares.sum(axis=1), np.log(pctr / (1 - pctr)), atol=1e-5)
    np.testing.assert_allclose(booster.predict(data), pctr, atol=1e-6)


@pytest.mark.parametrize(("name", "suffix"), [("lightgbm", ".txt"), ("xgboost", ".ubj")])
def test_shap_adds_up_to_the_log_odds(name, suffix, saved, table, tmp_path):
    shap = pytest.importorskip("shap")
    predictor = Predictor.load(saved(name), threads=1)
    pctr = predictor.predict(table[:200]).table["pctr"].to_numpy()
    path = exported(predictor.folder, tmp_path / f"m{suffix}")
    library = {".txt": lightgbm.Booster, ".ubj": xgboost.Booster}[suffix]
    told = shap.TreeExplainer(library(model_file=path))(matrix(predictor, table[:200]))
    log_odds = told.values.sum(axis=1) + told.base_values
    np.testing.assert_allclose(log_odds, np.log(pctr / (1 - pctr)), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "suffix"), [("lightgbm", ".txt"), ("lambdarank", ".txt"), ("xgboost", ".json")]
)
def test_treelite_reads_it(name, suffix, saved, table, tmp_path):
    treelite = pytest.importorskip("treelite")
    predictor = Predictor.load(saved(name), threads=1)
    path = exported(predictor.folder, tmp_path / f"m{suffix}")
    load = {
        ".txt": treelite.frontend.load_lightgbm_model,
        ".json": treelite.frontend.load_xgboost_model,
    }[suffix]
    predicted = treelite.gtil.predict(load(path), matrix(predictor, table[:500]), nthread=1)
    expected = predictor.predict(table[:500]).table["pctr"].to_numpy()
    np.testing.assert_allclose(predicted.ravel(), expected, atol=1e-6)


def test_the_calibration_can_be_left_out(saved, table, tmp_path):
    predictor = Predictor.load(saved("lightgbm", "isotonic"), threads=1)
    booster = lightgbm.Booster(model_file=exported(predictor.folder, tmp_path / "m.txt", uncalibrated=True))
    expected = predictor.predict(table[:100]).table["pctr_uncalibrated"]
    np.testing.assert_allclose(booster.predict(matrix(predictor, table[:100])), expected, rtol=0, atol=1e-12)
    exported(predictor.folder, tmp_path / "c.txt", task="conversion")  # which has no calibration


@pytest.mark.parametrize(
    ("case", "name", "options", "message"),
    [
        ("lightgbm", "m.ubj", {}, "m.ubj has another suffix than lightgbm's files; call it .txt"),
        ("xgboost", "m.onnx", {}, "call it .ubj or .json"),
        ("lightgbm isotonic", "m.txt", {}, "isotonic calibration of pCTR; export to onnx, or leave"),
        ("xgboost_shared", "m.ubj", {}, "click rates in the place of categories.*export to onnx"),
        ("lightgbm", "m.txt", {"task": "clicks"}, r"unknown task 'clicks' \(did you mean click\?\)"),
    ],
)
def test_what_cannot_be(case, name, options, message, saved, tmp_path):
    with pytest.raises(InputError, match=message):
        exported(saved(*case.split()), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []
