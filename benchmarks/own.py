"""Speed and peak memory of a user's own data of any size: prepared, trained on and predicted.

    python -m benchmarks.own [--rows 1000000] [--columns 40] [--rounds 50] [--json FILE]

Writes so many generated rows as Parquet parts with a description: numbers, texts with a long tail of values,
a group and a time. `prepare`, training of each booster with PWiseR, and prediction of all rows each run in a
process of their own. Rows a second are by the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.large import memory

PART = 1_000_000
TEXTS = 8
"""Columns of text; their numbers of values go from some tens to a million."""
DESCRIPTION = """source = "exposures"
click = "clicked"
conversion = "clicked = 1 and bought = 1"
group = "user"
time = "shown_at"
ignore = ["bought"]
rare = 10
"""


def generate(folder: Path, rows: int, columns: int) -> None:
    """Write exposures by time; what is clicked depends on some of the numbers and texts."""
    (folder / "exposures").mkdir(parents=True)
    rng = np.random.default_rng(0)
    values = [int(10 ** (1.5 + 4.5 * k / (TEXTS - 1))) for k in range(TEXTS)]
    for first in range(0, rows, PART):
        n = min(PART, rows - first)
        numbers = {f"number_{k}": rng.normal(size=n).astype(np.float32) for k in range(columns - TEXTS)}
        ranks = {f"text_{k}": rng.zipf(1.3, n) % top for k, top in enumerate(values)}
        score = numbers["number_0"] + 0.5 * numbers["number_1"] - 0.3 * np.log1p(ranks["text_0"])
        click = rng.random(n) < 1 / (1 + np.exp(3.0 - score))
        table = {
            "shown_at": pl.Series(1_700_000_000_000 + 1000 * (first + np.arange(n))).cast(pl.Datetime("ms")),
            "user": rng.integers(0, max(rows // 20, 1), n),
            "clicked": click.astype(np.int8),
            "bought": (rng.random(n) < 0.1).astype(np.int8),
            **numbers,
            **{
                name: pl.Series(rank).cast(pl.String).str.replace("^", "item ")
                for name, rank in ranks.items()
            },
        }
        pl.DataFrame(table).write_parquet(
            folder / "exposures" / f"part-{first // PART:05}.parquet", row_group_size=1 << 19
        )
    (folder / "own.toml").write_text(DESCRIPTION)


def prepare(folder: Path, _: argparse.Namespace) -> None:
    from gbdt_pwiser.sources import prepare as prepare_set

    prepare_set(folder / "own.toml", data_dir=folder / "sets")


def train(folder: Path, arguments: argparse.Namespace, model: str) -> None:
    from gbdt_pwiser.models import BoosterSettings, ModelSpec, make_model, save_model
    from gbdt_pwiser.sources import load

    split = load(folder / "own.toml", data_dir=folder / "sets").split()
    settings = BoosterSettings(rounds=arguments.rounds, early_stopping=arguments.rounds)
    trained = make_model(ModelSpec(model=model, loss="pwiser", threads=arguments.threads, settings=settings))
    trained.fit(split.train, split.valid)
    save_model(trained, folder / model, split)


def predict(folder: Path, arguments: argparse.Namespace, model: str) -> None:
    from gbdt_pwiser.serving import Predictor

    predictor = Predictor.load(folder / model, threads=arguments.threads)
    for part in sorted((folder / "exposures").iterdir()):
        predictor.predict_file(part, folder / "predicted.parquet")


STEPS = {
    "prepare": prepare,
    "lightgbm": lambda folder, arguments: train(folder, arguments, "lightgbm"),
    "xgboost": lambda folder, arguments: train(folder, arguments, "xgboost"),
    "predict lightgbm": lambda folder, arguments: predict(folder, arguments, "lightgbm"),
    "predict xgboost": lambda folder, arguments: predict(folder, arguments, "xgboost"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=40, help="features")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the rows go; a temporary folder by default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)  # in this process
    arguments = parser.parse_args()
    if arguments.step:
        start = time.perf_counter()
        STEPS[arguments.step](arguments.folder, arguments)
        print(json.dumps({"seconds": time.perf_counter() - start, "peak_mib": memory("VmHWM")}))
        return
    records = []
    with tempfile.TemporaryDirectory(prefix="gbdt-pwiser-own-", dir=arguments.folder) as scratch:
        generate(Path(scratch), arguments.rows, arguments.columns)
        size = sum(path.stat().st_size for path in Path(scratch, "exposures").iterdir())
        print(f"{arguments.rows:,} rows, {arguments.columns} features, {size / 1e6:,.0f} MB of Parquet\n")
        print(f"{'step':<20} {'seconds':>9} {'rows a second':>14} {'peak MiB':>9}", flush=True)
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.own", "--step", step, "--folder", scratch]
            for option in ("rows", "rounds", "threads"):
                command += [f"--{option}", str(getattr(arguments, option))]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            record = {"step": step, "rows": arguments.rows, **json.loads(done.stdout.splitlines()[-1])}
            rate = arguments.rows / record["seconds"]
            print(f"{step:<20} {record['seconds']:>9.1f} {rate:>14,.0f} {record['peak_mib']:>9,}", flush=True)
            records.append(record)
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
