"""What an extra promises, tried where the wheel is installed: python -I smoke.py [EXTRA].

It knows nothing of the repository: each part does what the documentation says of it, on some thousand
simulated exposures, and compares with what it should be.
"""

import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import gbdt_pwiser as gp

COMMAND = Path(sys.executable).with_name("gbdt-pwiser")
BROUGHT_BY = {
    "report": "matplotlib",
    "neural": "torch",
    "export": "onnxruntime",
    "distributed": "distributed",
}
LOG = ["--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3", "--threads", "1"]
COMPARE = ["compare", *LOG, "--rounds", "5", "--seeds", "1", "--weight", "0.1"]


def command(*arguments: str) -> tuple[int, str]:
    """Run the installed command; return its exit code and all that it said."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def trained(model: str, settings: object) -> tuple[gp.Split, Path]:
    """Return a split and the folder of a model with PWiseR trained on it, which predicts probabilities."""
    split = gp.load("simulated", n_exposures=3000, ctr=0.2, cvr=0.3).split(seed=0)
    fitted = gp.make_model(gp.ModelSpec(model=model, loss="pwiser", threads=1, settings=settings))
    fitted.fit(split.train, split.valid)
    gp.save_model(fitted, Path(model), split)
    pctr = gp.Predictor.load(Path(model)).predict(split.test.features).table["pctr"].to_numpy()
    assert np.array_equal(pctr, fitted.predict(split.test).pctr)
    assert 0 < pctr.min() < pctr.max() < 1
    return split, Path(model)


def core() -> None:
    """Find the files of the wheel, use the command, and train both boosters up to predictions."""
    package = files("gbdt_pwiser")
    assert "site-packages" in str(package), package
    for name in ("py.typed", "report/page.html.j2", "objectives/__init__.py", "tuning/__init__.py"):
        assert package.joinpath(name).is_file(), name
    assert gp.__version__ == version("gbdt-pwiser")
    assert command("--version") == (0, f"gbdt-pwiser, version {gp.__version__}\n")
    assert all(word in command("--help")[1] for word in ("compare", "tune", "export"))
    for model in ("lightgbm", "xgboost", "xgboost_shared"):
        trained(model, gp.BoosterSettings(rounds=5))
    assert gp.tune.__module__.startswith("gbdt_pwiser.tuning")
    code, said = command(*COMPARE)
    assert code == 0, said
    assert "pwiser" in said


def missing() -> None:
    """See what needs an extra name it in one line."""
    code, said = command(*COMPARE, "--output", "page")
    assert (code, said.count("\n")) == (2, 1), said
    assert "gbdt-pwiser[report]" in said
    code, said = command("train", *LOG, "--model", "esmm", "--output", "esmm")
    assert (code, said.count("\n")) == (2, 1), said
    assert "gbdt-pwiser[neural]" in said
    code, said = command("export", "--model", "lightgbm", "--format", "onnx", "--output", "model.onnx")
    assert (code, said.count("\n")) == (2, 1), said
    assert "gbdt-pwiser[export]" in said
    from gbdt_pwiser.distributed import require_distributed_extra

    said = ""
    try:
        require_distributed_extra()
    except gp.InputError as error:
        said = str(error)
    assert "gbdt-pwiser[distributed]" in said


def report() -> None:
    """Draw the page of a comparison."""
    code, said = command(*COMPARE, "--output", "page")
    assert code == 0, said
    page = Path("page", "report.html").read_text()
    assert "<svg" in page
    assert "PWiseR" in page


def neural() -> None:
    """Train, save and load a network."""
    trained("esmm", gp.NetworkSettings(embedding=4, bottom=(8,), towers=(8,), epochs=1))


def export() -> None:
    """Predict by ONNX Runtime alone what the package does."""
    import onnxruntime
    import polars as pl

    for model in ("lightgbm", "xgboost"):
        split, folder = trained(model, gp.BoosterSettings(rounds=5))
        gp.export_model(folder, f"{model}.onnx", format="onnx")
        session = onnxruntime.InferenceSession(f"{model}.onnx")
        cast = {"tensor(float)": pl.Float32, "tensor(string)": pl.String, "tensor(int64)": pl.Int64}
        table = split.test.features
        inputs = {
            each.name: table.select(pl.col(each.name).cast(cast[each.type])).to_numpy()
            for each in session.get_inputs()
        }
        expected = gp.Predictor.load(folder).predict(table).table["pctr"].to_numpy()
        (pctr,) = session.run(["pctr"], inputs)
        assert np.abs(pctr - expected).max() < 1e-6


def distributed() -> None:
    """Train on a worker of Dask the booster of one machine."""
    import dask.array as da
    import xgboost as xgb
    from distributed import Client, LocalCluster

    from gbdt_pwiser.distributed import train

    rng = np.random.default_rng(0)
    features = rng.integers(0, 12, (2000, 3)).astype(np.float32)
    click = (rng.random(2000) < 0.05 + 0.02 * features[:, 0]).astype(np.float32)
    conversion = click * (rng.random(2000) < 0.3)
    columns = [da.from_array(each, chunks=500) for each in (features, click, conversion)]
    objective = gp.PWiseRObjective(weight=0.1)
    params = {"max_depth": 3, "nthread": 1}
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        booster = train(client, params, *columns, objective=objective, num_boost_round=3)
    data = gp.make_dmatrix(features, click, conversion)
    start = {"objective": "binary:logistic", "base_score": float(click.mean())}
    alone = xgb.train({**params, **start}, data, 3, obj=objective)
    margins = [each.predict(xgb.DMatrix(features), output_margin=True) for each in (booster, alone)]
    assert np.abs(margins[0] - margins[1]).max() < 1e-4


if __name__ == "__main__":
    extra = sys.argv[1] if len(sys.argv) > 1 else None
    others = [name for name, module in BROUGHT_BY.items() if name != extra and find_spec(module)]
    assert not others, f"the environment has more than it should, of {others}"
    core()
    {"report": report, "neural": neural, "export": export, "distributed": distributed, None: missing}[extra]()
