"""A network's graph from columns to probabilities: ONNX Runtime alone predicts what this package does."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.models import save_model
from gbdt_pwiser.models.manifest import Manifest
from gbdt_pwiser.models.neural import NETWORKS
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.serving import Predictor
from tests.command_line import refused
from tests.export.foreign import predicted_alone
from tests.export.graphs import OUTPUTS, exported, inputs, predicted
from tests.models.helpers import SPEC, every_part, fitted, make_split
from tests.specs import varied

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from gbdt_pwiser.export import network_graph  # noqa: E402

TOLERANCE = 1e-6


def tolerances(model):
    """Per output; pCVR of `aitm` is a ratio of two float32 scores, which widens their last digits."""
    return [TOLERANCE, 1e-5 if model == "aitm" else TOLERANCE, TOLERANCE]


@pytest.mark.parametrize("model", NETWORKS)
def test_the_runtime_alone_predicts_the_same(model, saved, table, tmp_path, monkeypatch):
    # Calibration comes after what takes PyTorch its seconds.
    monkeypatch.setattr(network_graph, "traced", once(network_graph.traced))
    paths, predictors = [], []
    for calibration in ("none", "sigmoid", "isotonic"):
        predictors.append(Predictor.load(saved(model, calibration), threads=1))
        paths.append(exported(predictors[-1].folder, tmp_path / f"{calibration}.onnx"))
    alone = predicted_alone(paths, tmp_path, **inputs(table))
    for path, predictor, theirs in zip(paths, predictors, alone, strict=True):
        predicted = predictor.predict(table)
        assert predicted.unseen["categorical_1"] > 500
        ours = predicted.table.select(OUTPUTS).to_numpy().T
        assert theirs.dtype == np.float64
        assert min(map(len, map(np.unique, ours))) > 10
        apart = np.abs(theirs - ours)
        if predictor.calibrator.method != "isotonic":
            assert (apart.max(axis=1) < tolerances(model)).all(), path
            continue
        # Its steps widen the last digits of few rows, and those that they can come from are as near as ever.
        assert np.quantile(apart[0], 0.99) < TOLERANCE
        raw = predicted.table["pctr_uncalibrated"].to_numpy()
        least, most = (predictor.calibrator(np.clip(raw + off, 0.0, 1.0)) for off in (-TOLERANCE, TOLERANCE))
        assert (least - TOLERANCE <= theirs[0]).all()
        assert (theirs[0] <= most + TOLERANCE).all()
        np.testing.assert_allclose(theirs[2], theirs[0] * theirs[1], rtol=0, atol=1e-12)


def once(traced):
    """Return the function with its first result whatever the module: one network in several folders."""
    results = []

    def first(*arguments):
        results.extend([traced(*arguments)] if not results else [])
        return results[0]

    return first


def check(folder, path, rows, given=None):
    """Export a model and compare the outputs for rows of a table."""
    predictor = Predictor.load(folder, threads=1)
    expected = predictor.predict(rows).table.select(OUTPUTS).to_numpy()
    found = predicted(exported(folder, path), rows if given is None else given)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    return found


def test_the_standard_allows_it_one_row_and_none(saved, table, tmp_path):
    import onnx

    path = tmp_path / "m.onnx"
    assert check(saved("mmoe", "sigmoid"), path, table[:1]).shape == (1, 3)
    assert predicted(path, table[:0]).shape == (0, 3)
    model = onnx.load(path)
    # Of no rows it ends the process of a user whose ONNX Runtime is 1.23 or older.
    assert "Einsum" not in {node.op_type for node in model.graph.node}
    onnx.checker.check_model(model, full_check=True)
    assert [each.name for each in model.graph.input] == table.columns
    assert [each.name for each in model.graph.output] == OUTPUTS
    assert {each.domain: each.version for each in model.opset_import} == {"": 18, "ai.onnx.ml": 3}


def test_numbers_next_to_an_edge_are_in_the_same_bin(saved, table, tmp_path):
    """As are those in the outer bins, whose scores go far."""
    edges = Predictor.load(saved("dnn")).saved.model.encoder.edges
    assert len(edges) > 5
    rng = np.random.default_rng(2)
    columns = []
    for name, of_column in edges.items():
        nearest = rng.choice(of_column, table.height).astype(np.float32)
        ahead = np.nextafter(nearest, np.float32([-9, 9])[:, None])
        columns.append(pl.Series(name, np.choose(rng.integers(0, 3, table.height), [nearest, *ahead])))
    check(saved("dnn"), tmp_path / "m.onnx", table.with_columns(columns))


@pytest.mark.parametrize("kept", ["categorical", "numerical"])
def test_columns_of_one_kind_and_nothing_missing_in_training(kept, table, tmp_path):
    plain = every_part(
        make_split(),
        lambda part: replace(
            part,
            features=part.features.select(pl.selectors.starts_with(kept)),
            categorical=part.categorical if kept == "categorical" else (),
        ),
    )
    save_model(fitted(varied(SPEC, model="shared_bottom"), plain), tmp_path / "model", plain)
    rows = table.select(plain.test.features.columns)
    if kept == "categorical":
        drawn = make_split(3).test.features.select(plain.test.features.columns)
        rows = pl.concat([drawn, drawn.with_columns(pl.all() + 700), drawn.select(pl.all().shift(99))])
    given = {name: rows[name].cast(pl.Float32).fill_null(np.nan) for name in rows.columns}
    expected = Predictor.load(tmp_path / "model", threads=1).predict(rows).table.select(OUTPUTS).to_numpy()
    path = exported(tmp_path / "model", tmp_path / "m.onnx")
    found = run_on(path, {name: values.to_numpy().reshape(-1, 1) for name, values in given.items()})
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def run_on(path, given):
    import onnxruntime

    return np.stack(onnxruntime.InferenceSession(path).run(OUTPUTS, given), axis=1)


def test_without_a_network_of_the_conversion(split, table, tmp_path):
    alike = every_part(split, lambda part: replace(part, grade=(2 * part.click).astype(np.int8)))
    save_model(fitted(varied(SPEC, model="dnn"), alike), tmp_path / "model", alike)
    found = check(tmp_path / "model", tmp_path / "m.onnx", table[:99])
    assert (found[:, 1] == 1).all()


def test_far_scores_stay_apart():
    """The logarithm of a sigmoid, which `aitm` has, beyond the smallest float64."""
    import onnxruntime

    class LogSigmoid(torch.nn.Module):
        def forward(self, codes, numbers):
            return torch.nn.functional.logsigmoid(numbers.double()).sum(1) + codes.sum(1)

    model = network_graph.traced(LogSigmoid(), 1, 1)
    x = np.float32([-1e4, -800, -5, 0, 5, 30]).reshape(-1, 1)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {"codes": np.zeros((6, 1), dtype=np.int64), "numbers": x})
    np.testing.assert_allclose(found, -np.logaddexp(0, -x[:, 0].astype(float)), rtol=1e-12, atol=1e-15)


def test_the_command_says_no_more_than_its_file(run, saved, table, tmp_path):
    target = tmp_path / "m.onnx"
    command = ["export", "--model", saved("aitm", "isotonic"), "--format", "onnx", "--output", target]
    assert run(*command, "--uncalibrated") == (0, f"{target}\n", "")
    expected = Predictor.load(saved("aitm"), threads=1).predict(table[:99]).table["pctr"]
    np.testing.assert_allclose(predicted(target, table[:99])[:, 0], expected, rtol=0, atol=TOLERANCE)
    target.write_bytes(b"mine")
    assert "was not written by gbdt-pwiser" in refused(run(*command))
    assert target.read_bytes() == b"mine"
    assert "leave the task out" in refused(run(*command, "--task", "click"))


def changed(saved, folder, **columns):
    """Return the folder of a network whose columns have other names or categories."""
    shutil.copytree(saved("esmm"), folder)
    manifest = Manifest.read(folder)
    replace(manifest, columns=replace(manifest.columns, **columns)).write(folder)
    return folder


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("suffix", "m.bin has another suffix than ONNX's files; call it .onnx"),
        ("categories", r"categories of categorical_1 are Float64 that are no int64.*; use predict, or train"),
        ("size", r"esmm has .* weights, and an ONNX file has less than 2 GiB; use predict, or train"),
        ("torch", r"a graph of esmm needs PyTorch 2.9 or newer, and 2.4.1\+cpu is installed; install"),
        ("onnxscript", r"needs onnxscript, which is missing; pip install 'gbdt-pwiser\[export\]'"),
    ],
)
def test_what_cannot_be(case, message, saved, tmp_path, monkeypatch):
    folder, target = saved("esmm"), tmp_path / f"m.{'bin' if case == 'suffix' else 'onnx'}"
    match case:
        case "categories":
            known = Manifest.read(folder).columns.categories
            given = known | {"categorical_1": pl.Series([1.5, 2.0])}
            folder = changed(saved, tmp_path / "model", categories=given)
        case "size":
            monkeypatch.setattr(network_graph, "LARGEST", 100)
        case "torch":
            monkeypatch.setattr(torch, "__version__", "2.4.1+cpu")
        case "onnxscript":
            monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=message):
        exported(folder, target)
    assert not target.exists()


@pytest.mark.parametrize("code", [2**24 + 1, -(2**30)])
def test_codes_that_no_float32_tells_apart(code, tmp_path):
    def with_code(part):
        codes = pl.col("categorical_1").replace({0: code, 1: code, 2: code})
        return replace(part, features=part.features.with_columns(codes))

    split = every_part(make_split(), with_code)
    save_model(fitted(varied(SPEC, model="esmm"), split), tmp_path / "model", split)
    with pytest.raises(
        InputError, match=rf"categorical_1 has the code {code}, .* up to 16,777,216; use predict"
    ):
        exported(tmp_path / "model", tmp_path / "m.onnx")


def test_names_that_no_graph_has(tmp_path):
    def renamed(part):
        return replace(part, features=part.features.rename({"numerical_1": "pctr"}))

    split = every_part(make_split(), renamed)
    save_model(fitted(varied(SPEC, model="esmm"), split), tmp_path / "model", split)
    with pytest.raises(InputError, match=r"no input of an ONNX graph can be called 'pctr'; use predict"):
        exported(tmp_path / "model", tmp_path / "m.onnx")
