"""Time of one row and of a batch: `Predictor.predict` beside the bare boosters and ONNX Runtime.

    python -m benchmarks.serving [--exposures 50000] [--rounds 200] [--columns 40] [--threads 1]

Each way is timed in turn, so that they share what else the machine does; medians, and ratios to the boosters.
A row is predicted for both tasks: pctr, pcvr and pctcvr.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from gbdt_pwiser.data import Dataset, Exposures
from gbdt_pwiser.export import export_model
from gbdt_pwiser.models import BoosterSettings, ModelSpec, make_model, save_model
from gbdt_pwiser.serving import Predictor
from gbdt_pwiser.sources import simulate

CATEGORIES = 1000


def with_texts(exposures: Exposures, columns: int) -> Exposures:
    """Return the exposures with some of their columns, and texts behind the codes of the categorical ones."""
    kept = exposures.features.columns[-columns:]
    categorical = tuple(name for name in exposures.categorical if name in kept)
    texts = {name: pl.Series([f"{name} {code}" for code in range(CATEGORIES)]) for name in categorical}
    codes = [pl.col(name) % CATEGORIES for name in categorical]
    features = exposures.features.select(kept).with_columns(codes)
    return replace(exposures, features=features, categorical=categorical, categories=texts)


def session_of(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options)


def inputs_of(session: Any, table: pl.DataFrame) -> dict[str, Any]:
    fill = {"tensor(float)": np.nan, "tensor(string)": ""}
    return {
        i.name: table.select(pl.col(i.name).fill_null(fill[i.type])).to_numpy() for i in session.get_inputs()
    }


def medians(ways: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, float]:
    """Return the median milliseconds of each way."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(1000 * (time.perf_counter() - started))
    return {name: median(times) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exposures", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--columns", type=int, default=40, help="the last ones of the simulated set")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    exposures = simulate(arguments.exposures, ctr=0.1, cvr=0.2).exposures
    split = Dataset(with_texts(exposures, arguments.columns)).split(0)
    settings = BoosterSettings(rounds=arguments.rounds, early_stopping=arguments.rounds)
    print(f"{'model':10} {'rows':>6} {'way':12} {'ms':>9} {'of boosters':>12}")
    for name in ("lightgbm", "xgboost"):
        model = make_model(ModelSpec(model=name, threads=arguments.threads, settings=settings))
        model.fit(split.train, split.valid)
        with TemporaryDirectory() as top:
            save_model(model, Path(top, "model"), split)
            export_model(Path(top, "model"), Path(top, "m.onnx"), format="onnx")
            predictor = Predictor.load(Path(top, "model"), threads=arguments.threads)
            session = session_of(Path(top, "m.onnx"), arguments.threads)
        table = split.test.features.with_columns(
            pl.col(column).replace_strict(range(CATEGORIES), texts, return_dtype=pl.String)
            for column, texts in (split.test.categories or {}).items()
        )
        for rows, repetitions in ((1, 200), (len(split.test), 5)):
            some = table[:rows]
            matrix = split.test.matrix()[:rows]
            given = inputs_of(session, some)
            boosters = predictor.saved.model
            ways: dict[str, Callable[[], Any]] = {
                "boosters": lambda m=matrix, b=boosters: [
                    b._probability(each, m) for each in b.boosters.values()
                ],
                "Predictor": lambda t=some, p=predictor: p.predict(t),
                "onnxruntime": lambda g=given, s=session: s.run(None, g),
            }
            found = medians(ways, repetitions)
            for way, taken in found.items():
                print(f"{name:10} {rows:6,} {way:12} {taken:9.3f} {taken / found['boosters']:11.1f}x")


if __name__ == "__main__":
    main()
