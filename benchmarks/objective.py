"""Time and memory of gradient_hessian beside a plain NumPy BCE gradient and the ways it replaces.

    python -m benchmarks.objective [--rows 100000,1000000,10000000] [--rates 0.0005,0.005,0.02] [--json FILE]
    python -m benchmarks.objective --threads 1,2 [--rows 1000000,10000000] [--rates 0.005]

Scores are float64, as LightGBM gives them, and gradients float32, as both boosters keep them, unless a line
says otherwise. Everything alternates in one process; ratios are of medians in that process, times are the
machine's. The C library is first made to keep freed memory up to its own limit of 32 MB, as it does in any
process that has freed a larger array; else arrays of a million rows are mapped anew at every call, which
doubles the time of the plain gradient and depends on what ran before.

OMP_NUM_THREADS, which is 1 unless it is given, sets the threads. With --threads the tables are of threads
instead: the losses and the AUC on so many, beside two floors. "bare passes" is the elementwise arithmetic of
BCE with pairs, in blocks of the same length on the same threads, with no pair looked at: what NumPy gains
from threads at all. "copy" reads the scores and writes as many bytes as the derivatives have: what the
memory gives.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from tqdm import tqdm

from gbdt_pwiser.objectives import PWiseRLoss, auc
from gbdt_pwiser.objectives._block import runs  # the floor has the blocks of what it is a floor of
from gbdt_pwiser.objectives._parallel import default_threads, in_order

CLICK_RATE = 0.04
BASE = "plain BCE"
# The pair matrix holds a byte, and while it is made eight more, for every pair.
MOST_PAIRS = 2e8

Calls = dict[str, Callable[[], object]]


def plain_bce(z, click):
    p = 1.0 / (1.0 + np.exp(-z))
    return p - click, p * (1.0 - p)


def pair_matrix(z, grade, click, loss):
    """The obvious way: every pair, in memory."""
    grad, hess = plain_bce(z, click)
    p = 1.0 / (1.0 + np.exp(-z))
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


def exposures(n: int, rate: float):
    rng = np.random.default_rng(0)
    z, draw = rng.normal(-3.5, 1.0, n), rng.random(n)
    grade = np.where(draw < rate, 2, np.where(draw < max(CLICK_RATE, 2 * rate), 1, 0)).astype(np.int8)
    return z, grade, rng.random(n)


def bare_passes(z, threads):
    """Sigmoid, cell, gradient and hessian of a block as in the loss, without what they are for."""
    grad, hess = np.empty(len(z), dtype=np.float32), np.empty(len(z), dtype=np.float32)

    def work(rows):
        x = z[rows].astype(np.float32)
        low, high = float(x.min()), float(x.max())
        p = np.exp(x)
        rest = 1.0 / (p + 1.0)
        p *= rest
        cell = x - low
        cell *= 4096 / (high - low)
        cell = cell.clip(0.0, 4096.0, out=cell).astype(np.int32).astype(np.int64)
        h = p * rest
        rest -= p
        first = h * x
        rest *= first
        np.add(p, first, out=grad[rows])
        np.add(h, rest, out=hess[rows])

    in_order(runs(z, len(z)), work, lambda part: None, threads=threads)
    return grad, hess


def copy(z, out, threads):
    def work(rows):
        for array in out:
            array[rows] = z[rows]

    in_order(runs(z, len(z)), work, lambda part: None, threads=threads)
    return out


def on_threads(n: int, rate: float, threads: int) -> Calls:
    z, grade, weight = exposures(n, rate)
    click, group = (grade > 0).astype(float), np.arange(n) // 20
    out = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)

    def area() -> float:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        return auc(z, grade > 0)

    return {
        BASE: lambda: plain_bce(z, click),
        "weight 0": ours(PWiseRLoss(weight=0, threads=threads), z, grade),
        "hinge": ours(PWiseRLoss(threads=threads), z, grade),
        "hinge, float32 scores": ours(PWiseRLoss(threads=threads), z.astype(np.float32), grade),
        "hinge, sample weights": ours(PWiseRLoss(threads=threads), z, grade, sample_weight=weight),
        "hinge, logit scale": ours(PWiseRLoss(scale="logit", threads=threads), z, grade),
        "hinge, pairs in groups": ours(PWiseRLoss(pairs="group", threads=threads), z, grade, group=group),
        "squared hinge": ours(PWiseRLoss(surrogate="squared_hinge", threads=threads), z, grade),
        "logistic": ours(PWiseRLoss(surrogate="logistic", threads=threads), z, grade),
        "auc": area,
        "bare passes": lambda: bare_passes(z, threads),
        "copy": lambda: copy(z, out, threads),
    }


def scaling(
    rows: list[int], rates: list[float], threads: list[int], seconds: float
) -> list[dict[str, object]]:
    """Print what each number of threads takes, and gains over the first."""
    records: list[dict[str, object]] = []
    for n, rate in tqdm([(n, rate) for n in rows for rate in rates], disable=None):
        # All numbers of threads alternate, for what else the machine does changes from minute to minute.
        timed = {(name, k): call for k in threads for name, call in on_threads(n, rate, k).items()}
        found = medians(timed, seconds * len(threads), base=(BASE, threads[0]))
        base = found[BASE, threads[0]]
        heads = "".join(f"{f'{k} thr. ms':>12}{'x':>7}{'gain':>7}" for k in threads)
        print(f"\n{n:,} rows, {rate:.2%} conversions; x is of {BASE} on one thread\n  {'':<24}{heads}")
        for name in dict.fromkeys(name for name, _ in timed):
            if name == BASE:
                print(f"  {name:<24}{base * 1e3:>12.2f}{1:>7.2f}")
                continue
            cells = [found[name, k] for k in threads]
            told = "".join(f"{t * 1e3:>12.2f}{t / base:>7.2f}{cells[0] / t:>7.2f}" for t in cells)
            print(f"  {name:<24}{told}", flush=True)
            records += [
                {
                    "rows": n,
                    "conversion_rate": rate,
                    "what": name,
                    "threads": k,
                    "seconds": t,
                    "ratio": t / base,
                }
                for k, t in zip(threads, cells, strict=True)
            ]
        moved = n * 16 / found["copy", threads[0]] / 1e9
        print(f"  copy moves 16 bytes a row: {moved:.1f} GB/s on {threads[0]} thread(s)")
    return records


def ours(loss: PWiseRLoss, z, grade, *, dtype: str = "float32", **extra: object) -> Callable[[], object]:
    plan = loss.plan(grade, **extra)
    return lambda: loss.gradient_hessian(z, plan, dtype=dtype)


def rivals(n: int, rate: float) -> Calls:
    z, grade, weight = exposures(n, rate)
    click, group, hinge = (grade > 0).astype(float), np.arange(n) // 20, PWiseRLoss()
    narrow, narrow_click = z.astype(np.float32), click.astype(np.float32)
    timed: Calls = {
        BASE: lambda: plain_bce(z, click),
        "weight 0": ours(PWiseRLoss(weight=0), z, grade),
        "hinge": ours(hinge, z, grade),
        "hinge, float64 result": ours(hinge, z, grade, dtype="float64"),
        "hinge, sample weights": ours(hinge, z, grade, sample_weight=weight),
        "hinge, no margin": ours(PWiseRLoss(click_margin=0, impression_margin=0), z, grade),
        "hinge, logit scale": ours(PWiseRLoss(scale="logit"), z, grade),
        "hinge, pairs in groups": ours(PWiseRLoss(pairs="group"), z, grade, group=group),
        "squared hinge": ours(PWiseRLoss(surrogate="squared_hinge"), z, grade),
        "logistic": ours(PWiseRLoss(surrogate="logistic"), z, grade),
        "plain BCE, float32 scores": lambda: plain_bce(narrow, narrow_click),
        "hinge, float32 scores": ours(hinge, narrow, grade),
        "sort + searchsorted": lambda: sort_and_search(z, grade, click, hinge),
    }
    if n * rate * n <= MOST_PAIRS:
        timed["pair matrix"] = lambda: pair_matrix(z, grade, click, hinge)
    return timed


def adversaries(n: int, rate: float) -> Calls:
    """The same rows with scores made to hurt; margins of 0 put every anchor among the opponents."""
    z, grade, _ = exposures(n, rate)
    loss = PWiseRLoss(scale="logit", click_margin=0.5, impression_margin=0.5)
    anchors = np.flatnonzero(grade == 2)
    one_cell, outlier, tied = z.copy(), z.copy(), np.round(z)
    one_cell[anchors] = 1e-9 * z[anchors]
    outlier[anchors[0]] = 1e30
    tied[anchors] += 0.5
    order = np.argsort(z)
    cases = {
        BASE: (z, grade),  # here: the random case
        "all equal": (np.zeros(n), grade),
        "anchors in one cell": (one_cell, grade),
        "one outlier at 1e30": (outlier, grade),
        "sorted": (z[order], grade[order]),
        "reversed": (z[order[::-1]], grade[order[::-1]]),
        "all tied at the margin": (tied, grade),
    }
    return {name: ours(loss, *case) for name, case in cases.items()}


def medians(timed: dict, seconds: float, base: object = BASE) -> dict:
    times: dict[object, list[float]] = {name: [] for name in timed}
    for call in timed.values():
        call()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[base]) < 3:
        for name, call in timed.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def peak_bytes(call: Callable[[], object]) -> int:
    """Most memory beyond inputs and outputs, where those of an earlier call cannot be used again."""
    held = call()
    tracemalloc.start()
    outputs = call()
    del held
    peak = tracemalloc.get_traced_memory()[1] - sum(array.nbytes for array in outputs)
    tracemalloc.stop()
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--rates", default="0.0005,0.005,0.02", help="conversions per row")
    parser.add_argument("--threads", help="tables of threads, such as 1,2,4")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each block of the table")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [int(float(n)) for n in arguments.rows.split(",")]
    rates = [float(rate) for rate in arguments.rates.split(",")]
    blocks = [(rivals, n, rate) for n in rows for rate in rates] + [(adversaries, rows[-1], rates[-1])]
    np.empty((1 << 25) - (1 << 17), dtype=np.int8)  # made and freed, just below the limit: see above
    if arguments.threads:
        threads = [int(k) for k in arguments.threads.split(",")]
        cells = scaling(rows, rates, threads, arguments.seconds)
        if arguments.json:
            arguments.json.write_text(json.dumps({"numpy": np.__version__, "cells": cells}, indent=2))
        return
    records: list[dict[str, object]] = []
    per_row: dict[tuple[float, str], list[str]] = {}
    for make, n, rate in tqdm(blocks, disable=None):
        timed = make(n, rate)
        found = medians(timed, arguments.seconds)
        base = found[BASE]
        title = "" if make is rivals else ", logit scale, margin 0.5; plain BCE stands for the random case"
        print(f"\n{n:,} rows, {rate:.2%} conversions, {default_threads()} thread(s){title}")
        print(f"  {'':<27}{'ms':>10}{'x':>9}{'bytes a row':>13}")
        for name, value in found.items():
            memory = peak_bytes(timed[name]) / n
            print(f"  {name:<27}{value * 1e3:>10.2f}{value / base:>9.2f}{memory:>13.1f}", flush=True)
            records.append(
                {
                    "table": make.__name__,
                    "rows": n,
                    "conversion_rate": rate,
                    "what": name,
                    "seconds": value,
                    "ratio": value / base,
                    "peak_bytes_per_row": memory,
                }
            )
            if make is rivals and name in (BASE, "hinge", "squared hinge", "logistic"):
                per_row.setdefault((rate, name), []).append(f"{value / n * 1e9:.1f}")
    print(f"\nnanoseconds a row at {', '.join(f'{n:,}' for n in rows)} rows")
    for (rate, name), values in per_row.items():
        print(f"  {rate:.2%}  {name:<16}{'  '.join(f'{value:>7}' for value in values)}")
    if arguments.json:
        about = {"processor": platform.processor(), "numpy": np.__version__, "threads": default_threads()}
        about["python"] = sys.version.split()[0]
        arguments.json.write_text(json.dumps({**about, "cells": records}, indent=2))


if __name__ == "__main__":
    main()
