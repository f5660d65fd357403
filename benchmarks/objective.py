"""Time of gradient_hessian beside a plain NumPy BCE gradient, the pair matrix and sort + searchsorted.

    python -m benchmarks.objective [--rows 100000,1000000] [--json FILE]

Ratios are medians over runs that alternate in one process on one thread; absolute times are the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from tqdm import tqdm

from gbdt_pwiser.objectives import PWiseRLoss

CLICK_RATE = 0.04


def plain_bce(z, click):
    p = 1.0 / (1.0 + np.exp(-z))
    return p - click, p * (1.0 - p)


def pair_matrix(z, grade, click, loss):
    """The obvious way: every pair, in memory."""
    grad, hess = plain_bce(z, click)
    p = click - click + 1.0 / (1.0 + np.exp(-z))
    anchors = np.flatnonzero(grade == 2)
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        opponents = np.flatnonzero(grade == kind)
        violated = margin - (p[anchors, None] - p[None, opponents]) > 0
        unit = loss.weight * len(z) / violated.size
        grad[anchors] -= unit * violated.sum(1) * (p * (1 - p))[anchors]
        grad[opponents] += unit * violated.sum(0) * (p * (1 - p))[opponents]
    return grad, hess


def sort_and_search(z, grade, click, loss):
    """Sort each side and search the other in it."""
    grad, hess = plain_bce(z, click)
    p = 1.0 / (1.0 + np.exp(-z))
    anchors = np.flatnonzero(grade == 2)
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        opponents = np.flatnonzero(grade == kind)
        unit = loss.weight * len(z) / (len(anchors) * len(opponents))
        below = np.searchsorted(np.sort(p[anchors]), p[opponents] + margin)
        above = len(opponents) - np.searchsorted(np.sort(p[opponents] + margin), p[anchors], side="right")
        grad[anchors] -= unit * above * (p * (1 - p))[anchors]
        grad[opponents] += unit * below * (p * (1 - p))[opponents]
    return grad, hess


def rivals(n: int, rate: float) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    z, draw = rng.normal(-3.5, 1.0, n), rng.random(n)
    grade = np.where(draw < rate, 2, np.where(draw < max(CLICK_RATE, 2 * rate), 1, 0)).astype(np.int8)
    click, group, weight = (grade > 0).astype(float), np.arange(n) // 20, rng.random(n)
    timed: dict[str, Callable[[], object]] = {"plain BCE": lambda: plain_bce(z, click)}

    def ours(name: str, loss: PWiseRLoss, **extra: object) -> None:
        plan = loss.plan(grade, **extra)
        timed[name] = lambda: loss.gradient_hessian(z, plan)

    ours("weight 0", PWiseRLoss(weight=0))
    ours("hinge", PWiseRLoss())
    ours("hinge, sample weights", PWiseRLoss(), sample_weight=weight)
    ours("hinge, logit scale", PWiseRLoss(scale="logit"))
    ours("hinge, pairs in groups", PWiseRLoss(pairs="group"), group=group)
    ours("squared hinge", PWiseRLoss(surrogate="squared_hinge"))
    ours("logistic", PWiseRLoss(surrogate="logistic"))
    timed["sort + searchsorted"] = lambda: sort_and_search(z, grade, click, PWiseRLoss())
    if n * rate * n <= 2e8:
        timed["pair matrix"] = lambda: pair_matrix(z, grade, click, PWiseRLoss())
    return timed


def medians(timed: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in timed}
    for call in timed.values():
        call()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times["plain BCE"]) < 3:
        for name, call in timed.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument("--rates", default="0.0005,0.001,0.005,0.02", help="conversions per row")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each table row")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cells = [
        (int(float(n)), float(rate)) for n in arguments.rows.split(",") for rate in arguments.rates.split(",")
    ]
    records = []
    for n, rate in tqdm(cells, disable=None):
        found = medians(rivals(n, rate), arguments.seconds)
        base = found["plain BCE"]
        print(f"\n{n:,} rows, {rate:.2%} conversions, 1 thread, plain BCE {base * 1e3:.2f} ms")
        for name, value in found.items():
            print(f"  {name:<24}{value * 1e3:>10.2f} ms {value / base:>9.2f} x")
            records.append(
                {"rows": n, "conversion_rate": rate, "what": name, "seconds": value, "ratio": value / base}
            )
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {
                    "machine": platform.processor(),
                    "numpy": np.__version__,
                    "python": sys.version.split()[0],
                    "cells": records,
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
