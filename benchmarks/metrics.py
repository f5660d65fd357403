"""Time of metrics of order beside one NumPy argsort of the same scores.

    python -m benchmarks.metrics [--rows 1e7] [--json FILE]

Each time is the best of alternating runs, in CPU seconds of one thread, so that a busy machine
disturbs little. The aim is a ratio of at most 2 for metrics without weights.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from tqdm import tqdm

from gbdt_pwiser.metrics import auc, gauc, map_at_k, mrr, ndcg_at_k, pr_auc, recall_at_k


def timed_calls(rows: int, dtype: type, click_rate: float) -> dict[str, Callable[[], object]]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = int(arguments.rows)
    records = []
    cells = [(dtype, rate) for dtype in (np.float32, np.float64) for rate in (0.04, 0.45)]
    with tqdm(total=len(cells) * arguments.runs, disable=None) as progress:
        for dtype, rate in cells:
            calls = timed_calls(rows, dtype, rate)
            best = dict.fromkeys(calls, float("inf"))
            for _ in range(arguments.runs):
                for name, call in calls.items():
                    started = time.process_time()
                    call()
                    best[name] = min(best[name], time.process_time() - started)
                progress.update()
            print(f"\n{rows:,} rows, {np.dtype(dtype)}, {rate:.0%} clicks, 1 thread")
            for name, seconds in best.items():
                ratio = seconds / best["argsort"]
                print(f"  {name:<18}{seconds:>8.2f} s {ratio:>7.2f} x")
                records.append(
                    {
                        "rows": rows,
                        "dtype": str(np.dtype(dtype)),
                        "click_rate": rate,
                        "what": name,
                        "seconds": seconds,
                        "ratio": ratio,
                    }
                )
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {"numpy": np.__version__, "python": sys.version.split()[0], "cells": records}, indent=2
            )
        )


if __name__ == "__main__":
    main()
