"""Time of whole training with PWiseR beside each library's own objectives, per boosting round.

    python -m benchmarks.training [--rows 1000000] [--features 79] [--rounds 20] [--threads 1,2] [--json FILE]

Rounds of all objectives alternate in one process on the same binned data and threads; medians and ratios.
"two binaries" is the built-in objective in trees with one leaf for both tasks: what XGBoost takes for them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import lightgbm
import numpy as np
import xgboost
from tqdm import tqdm

from gbdt_pwiser.objectives import (
    PWiseRMultiTaskObjective,
    make_dataset,
    make_dmatrix,
    pwiser_objective,
    xgboost_params,
)

PAGE = 20


def exposures(n: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.random((n, width), dtype=np.float32)
    raw = -4.5 + 2.0 * features[:, 0] + features[:, 1]
    click = rng.random(n) < 1 / (1 + np.exp(-raw))
    conversion = click & (rng.random(n) < 0.03 + 0.05 * features[:, 2])
    return features, click, conversion, np.arange(n) // PAGE


def lightgbm_rounds(n: int, width: int, threads: int) -> dict[str, Callable[[], object]]:
    features, click, conversion, group = exposures(n, width)
    params = {"verbose": -1, "num_threads": threads, "learning_rate": 0.05}
    calls = {}
    for name, objective in (
        ("binary", "binary"),
        ("pwiser", pwiser_objective),
        ("lambdarank", "lambdarank"),
        ("rank_xendcg", "rank_xendcg"),
    ):
        data = make_dataset(features, click, conversion, group=group, params=params)
        if name in ("lambdarank", "rank_xendcg"):
            data.init_score = None
        booster = lightgbm.Booster(
            {**params, "objective": "none" if callable(objective) else objective}, data
        )
        calls[name] = (
            (lambda b=booster: b.update(fobj=pwiser_objective)) if callable(objective) else booster.update
        )
    return calls


def xgboost_rounds(n: int, width: int, threads: int) -> dict[str, Callable[[], object]]:
    features, click, conversion, group = exposures(n, width)
    params = {"nthread": threads, "learning_rate": 0.05, "max_depth": 6, "verbosity": 0}
    plain = make_dmatrix(features, click, conversion, quantile=True, nthread=threads)
    grouped = make_dmatrix(features, click, conversion, quantile=True, group=group)
    calls = {}
    both = make_dmatrix(features, click, conversion, quantile=True, tasks=2)
    of_tasks = PWiseRMultiTaskObjective(weight=0)
    for name, data, settings, objective in (
        ("binary", plain, xgboost_params(click), None),
        ("pwiser", plain, xgboost_params(click), pwiser_objective),
        ("both tasks", both, xgboost_params(click, conversion=conversion), of_tasks),
        ("two binaries", both, xgboost_params(click, conversion=conversion), None),
        ("rank:pairwise", grouped, {"objective": "rank:pairwise"}, None),
        ("rank:ndcg", grouped, {"objective": "rank:ndcg"}, None),
    ):
        booster = xgboost.Booster({**params, **settings}, [data])
        rounds = iter(range(10**9))
        calls[name] = lambda b=booster, d=data, o=objective, r=rounds: b.update(d, next(r), fobj=o)
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--features", type=int, default=79)
    parser.add_argument("--threads", default=str(os.cpu_count()), help="such as 1,2: a table for each")
    parser.add_argument("--only", help="objectives to time beside binary, such as pwiser")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    records = []
    libraries = ("lightgbm", lightgbm_rounds), ("xgboost", xgboost_rounds)
    for threads, (library, make) in product(map(int, arguments.threads.split(",")), libraries):
        calls = make(arguments.rows, arguments.features, threads)
        if arguments.only:
            calls = {name: calls[name] for name in ("binary", *arguments.only.split(","))}
        times: dict[str, list[float]] = {name: [] for name in calls}
        for turn in tqdm(range(arguments.rounds + 2), disable=None):
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                if turn >= 2:  # the first rounds set things up
                    times[name].append(time.perf_counter() - started)
        base = statistics.median(times["binary"])
        print(f"\n{library}, {arguments.rows:,} rows x {arguments.features} features, {threads} threads")
        for name, seconds in times.items():
            median = statistics.median(seconds)
            print(f"  {name:<14}{median * 1e3:>9.1f} ms a round {median / base:>7.2f} x")
            told = {"library": library, "objective": name, "threads": threads}
            records.append({**told, "seconds": median, "ratio": median / base})
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"rows": arguments.rows, "features": arguments.features, "cells": records}, indent=2)
        )


if __name__ == "__main__":
    main()
