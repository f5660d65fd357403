"""Time of metrics of order, and of all metrics of a comparison, beside one NumPy argsort of the same scores.

    python -m benchmarks.metrics [--rows 1e7] [--part functions] [--part comparison] [--json FILE]

`functions` times the functions of `gbdt_pwiser.metrics`, `comparison` every metric of `METRICS` alone, and
those of the first places together, of which the sorts are shared. Each time is the median of alternating
runs, in CPU seconds of one thread. The aim is a ratio of at most 2 for metrics without weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl
from tqdm import tqdm

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import METRICS, auc, gauc, map_at_k, mrr, ndcg_at_k, pr_auc, recall_at_k
from gbdt_pwiser.metrics.scored import ScoredExposures

Calls = dict[str, Callable[[], object]]

FIRST_PLACES = [m for m in METRICS.values() if m.family == "top" or m.name.startswith("conversion_")]


def function_calls(rows: int, dtype: type, click_rate: float) -> Calls:
    """Pages of about 20 exposures in random order, scores as a model gives them; argsort comes first."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(np.log(click_rate / (1 - click_rate)), 1.0, rows)
    score = (1 / (1 + np.exp(-log_odds))).astype(dtype)
    click = rng.random(rows) < score
    page = rng.integers(0, rows // 20, rows)
    hashed = rng.integers(-(2**63), 2**63, rows // 20)[page]
    weight = rng.uniform(0.5, 2.0, rows)
    grade = click.astype(np.int8) + (click & (rng.random(rows) < 0.1))
    few = np.round(score, 2)
    return {
        "argsort": lambda: np.argsort(score),
        "AUC": lambda: auc(score, click),
        "AUC, weighted": lambda: auc(score, click, sample_weight=weight),
        "PR-AUC": lambda: pr_auc(score, click),
        "GAUC": lambda: gauc(score, click, page),
        "GAUC, hashed ids": lambda: gauc(score, click, hashed),
        "GAUC, weighted": lambda: gauc(score, click, page, sample_weight=weight),
        "NDCG@5": lambda: ndcg_at_k(score, grade, page, k=5),
        "MAP@5": lambda: map_at_k(score, click, page, k=5),
        "MRR": lambda: mrr(score, click, page),
        "MRR, ties": lambda: mrr(few, click, page),
        "recall@5": lambda: recall_at_k(score, grade == 2, page, k=5),
    }


def comparison_calls(rows: int, dtype: type, order: str) -> Calls:
    """Groups of 20, 2 % clicks, .1 % conversions; each call checks and sorts afresh. argsort comes first."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-4.3, 1.0, rows)
    pctr = (1 / (1 + np.exp(-log_odds))).astype(dtype)
    click = rng.random(rows) < pctr
    grade = (click + (click & (rng.random(rows) < 0.05))).astype(np.int8)
    group = np.arange(rows) // 20
    if order != "adjacent":
        rng.shuffle(group)
    if order == "hashed":
        group = rng.integers(-(2**63), 2**63, group.max() + 1)[group]
    pcvr = rng.beta(1, 20, rows).astype(dtype)
    features = pl.DataFrame({"x": np.zeros(rows, dtype=np.float32)})
    exposures = Exposures(name="benchmark", features=features, grade=grade, group=group)

    def compute(*names: str) -> Callable[[], object]:
        def call() -> list[float | None]:
            scored = ScoredExposures(exposures, pctr, pctr * pcvr, pcvr=pcvr)
            return [METRICS[name].compute(scored) for name in names]

        return call

    return {
        "argsort": lambda: np.argsort(pctr),
        "first places together": compute(*(metric.name for metric in FIRST_PLACES)),
        "all together": compute(*METRICS),
    } | {name: compute(name) for name in METRICS if name != "noise_free_ctr_auc"}


def median_seconds(calls: Calls, runs: int, progress: tqdm[NoReturn]) -> dict[str, float]:
    """CPU seconds of each call, the calls taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            started = time.process_time()
            call()
            seconds[name].append(time.process_time() - started)
        progress.update()
    return {name: statistics.median(each) for name, each in seconds.items()}


DTYPES = (np.float32, np.float64)

CELLS: dict[str, dict[str, Callable[[int], Calls]]] = {
    "functions": {
        f"{np.dtype(dtype)}, {rate:.0%} clicks": partial(function_calls, dtype=dtype, click_rate=rate)
        for dtype in DTYPES
        for rate in (0.04, 0.45)
    },
    "comparison": {
        f"{np.dtype(dtype)}, groups {order}": partial(comparison_calls, dtype=dtype, order=order)
        for dtype in DTYPES
        for order in ("adjacent", "random", "hashed")
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--part", action="append", choices=list(CELLS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = int(arguments.rows)
    records = []
    cells = {(part, cell): make for part in arguments.part or CELLS for cell, make in CELLS[part].items()}
    with tqdm(total=len(cells) * arguments.runs, disable=None) as progress:
        for (part, cell), make in cells.items():
            medians = median_seconds(make(rows), arguments.runs, progress)
            print(f"\n{rows:,} rows, {cell}, 1 thread")
            for name, seconds in medians.items():
                ratio = seconds / medians["argsort"]
                print(f"  {name:<26}{seconds:>8.2f} s {ratio:>7.2f} x", flush=True)
                record = {"part": part, "cell": cell, "rows": rows, "what": name}
                records.append(record | {"seconds": seconds, "ratio": ratio})
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {"numpy": np.__version__, "python": sys.version.split()[0], "cells": records}, indent=2
            )
        )


if __name__ == "__main__":
    main()
