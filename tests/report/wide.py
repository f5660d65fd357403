"""A comparison of 8 models with 4 losses that never ran: `python -m tests.report.wide FOLDER` stores it."""

import math
import sys
from pathlib import Path

import numpy as np

from gbdt_pwiser.evaluation import Details, Result, SweepPoint, write_details, write_results
from gbdt_pwiser.evaluation.details import SplitSize
from gbdt_pwiser.evaluation.diagnosis import ClickTenths
from tests.report.made import add_curves

MODELS = ("lightgbm", "xgboost", "xgboost_shared", "dnn", "shared_bottom", "mmoe", "ple", "aitm")
LOSSES = ("bce", "pwiser", "weighted_bce", "combined_pair")
WEIGHTS = (0.003, 0.01, 0.03, 0.1, 0.3)
# Of each metric: its level, how much models differ, and the error of a gain on the test sample.
LEVELS = {
    "ctr_auc": (0.71, 0.004, 0.0004),
    "gauc": (0.66, 0.004, 0.0006),
    "conversion_auc": (0.82, 0.006, 0.002),
    "ctcvr_auc": (0.84, 0.006, 0.0016),
    "ndcg@5": (0.41, 0.004, 0.0009),
    "mrr": (0.38, 0.004, 0.0009),
    "conversions@5": (0.61, 0.01, 0.003),
    "log_loss": (0.241, 0.001, 0.0002),
    "normalized_entropy": (0.93, 0.004, 0.0007),
    "pcoc": (1.0, 0.004, 0.002),
    "ece": (0.004, 0.0005, 0.0001),
}
# Of each loss: how its gain in a metric lies, in errors of a gain.
GAINS = {"pwiser": (1.5, 4.0), "weighted_bce": (-4.0, 5.0), "combined_pair": (0.3, 0.5)}


def wide(models=MODELS, losses=LOSSES, seeds=range(5), extra=("test_isotonic",), gains=None):
    """Results and details that belong together; `gains` in place of GAINS: on clicks, and on conversions."""
    rng, gains = np.random.default_rng(7), gains or GAINS
    details = Details(command="gbdt-pwiser compare --dataset us --seeds 5 --calibrate isotonic")
    counts = ((1_600_000, 78_912, 2_391), (400_000, 19_845, 611), (500_000, 24_618, 745))
    details.sizes = [SplitSize(n, *c) for n, c in zip(("train", "valid", "test"), counts, strict=True)]
    results = []
    for model in models:
        base = {m: level + differ * rng.normal() for m, (level, differ, _) in LEVELS.items()}
        for loss in losses:
            weights = (0.0,) if loss == "bce" else WEIGHTS if loss == "pwiser" else (1.0,)
            bias = rng.normal(size=len(LEVELS))
            for seed in seeds:
                chosen = int(rng.integers(len(weights)))
                sweep = []
                for i, weight in enumerate(weights):
                    ctr, conversion = 0.71 - 0.01 * weight, 0.82 + 0.02 * weight / (weight + 0.1)
                    noise = 0.0005 * rng.normal(size=2)
                    aucs = (ctr + noise[0], 0.84 + noise[1], conversion + noise[1])
                    sweep.append(SweepPoint(model, loss, seed, weight, i == chosen, *aucs))
                details.sweep += sweep
                for split in ("valid", "test", *extra):
                    for place, (metric, (_, _, error)) in enumerate(LEVELS.items()):
                        value = base[metric] + error * rng.normal() / 3
                        if loss != "bce":
                            size = gains[loss][metric.startswith(("conv", "ctcvr"))]
                            value += error * (size + 0.7 * bias[place])
                        if (split, metric) == ("valid", "ctr_auc"):
                            value = sweep[chosen].ctr_auc
                        tested = split == "test" and loss != "bce"
                        cell = (model, loss, seed, split, metric, value)
                        run = (weights[chosen], 212, 212, 12.5, 0.25, "gbdt-pwiser 0.1.0, lightgbm 4.7.0")
                        results.append(
                            Result(
                                *("us", *cell, *run),
                                gain_error=error if tested else math.nan,
                            )
                        )
            add_curves(details, model, loss, rng, extra)
        pctr, conversions = tuple((np.arange(1, 11) / 20).tolist()), tuple(range(10, 30, 2))
        details.clicks.append(ClickTenths(model, "bce", pctr, (200,) * 10, conversions))
    return results, details


def store(folder, results, details):
    """Write them as `compare --output` does."""
    write_results(results, Path(folder) / "results.parquet")
    write_details(details, Path(folder) / "details.json")


if __name__ == "__main__":
    store(sys.argv[1], *wide())
