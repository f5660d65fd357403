"""Which positive diagonal second-order value serves a booster best?

    python -m benchmarks.curvature [--dataset simulated] [--model lightgbm --model xgboost]
        [--weight 0.03,0.1] [--surrogate hinge,squared_hinge] [--seeds 5] [--json FILE]

One model per value, weight, surrogate and seed, scored on validation alone; each value is compared with
"bound", which the objective gives, seed by seed. docs/explanation/curvature.md has the formulas and
what came out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.special import expit, logit
from tqdm import tqdm

from gbdt_pwiser.data import Split
from gbdt_pwiser.evaluation.compare import fit
from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.objectives import PWiseRLoss, PWiseRObjective
from gbdt_pwiser.objectives.labels import read_labels
from gbdt_pwiser.significance.intervals import across_seeds
from gbdt_pwiser.sources import load

FLOOR = 1e-6

# Of the second derivatives of BCE, of the pairs through s'' where that is positive, and through s'^2 (twice
# the diagonal, as the bound has it).
CURVATURES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "bound": lambda bce, bend, pairs: bce + bend + pairs,
    "diagonal": lambda bce, bend, pairs: bce + bend + pairs / 2,
    "Gauss-Newton": lambda bce, bend, pairs: bce + pairs / 2,
    "BCE's own": lambda bce, bend, pairs: bce,
    "bound x 2": lambda bce, bend, pairs: 2 * (bce + bend + pairs),
    "bound / 2": lambda bce, bend, pairs: (bce + bend + pairs) / 2,
}


def curved(curvature: str, **parameters: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return the objective with another second-order value, the bound being taken apart into its sum."""
    objective = PWiseRObjective(**parameters)

    def gradient_and_curvature(raw_score: Any, data: Any) -> tuple[Any, Any]:
        grad, hess = objective(raw_score, data)
        p = expit(raw_score)
        bce = p * (1 - p)
        pull = grad - (p - (read_labels(data).grade() > 0))
        by_probability = objective.loss.scale == "probability"
        bend = np.maximum(pull * (1 - 2 * p), 0) if by_probability else np.zeros_like(p)
        pairs = np.maximum(hess - bce - bend, 0)
        return grad, np.maximum(CURVATURES[curvature](bce, bend, pairs), FLOOR).astype(np.float32)

    return gradient_and_curvature


def scores(spec: ModelSpec, split: Split, curvature: str) -> dict[str, float]:
    """Train with a curvature and return what validation says, and L there."""
    with patch("gbdt_pwiser.models.boosters._losses.PWiseRObjective", partial(curved, curvature)):
        fitted = fit(spec, split.train, split.valid)
    pctr = np.clip(fitted.model.predict(split.valid).pctr, 1e-12, 1 - 1e-12)
    return {
        "ctr_auc": fitted.valid["ctr_auc"],
        "ctcvr_auc": fitted.valid["ctcvr_auc"],
        "log_loss": fitted.valid["log_loss"],
        "loss": spec.pwiser.value(logit(pctr), split.valid.grade),
        "rounds": fitted.model.rounds_used,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="simulated")
    parser.add_argument("--exposures", type=int, default=100_000, help="of simulated data")
    parser.add_argument("--model", action="append", dest="models")
    parser.add_argument("--weight", default="0.03,0.1")
    parser.add_argument("--surrogate", default="hinge,squared_hinge")
    parser.add_argument("--scale", default="probability")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    simulated = {"n_exposures": arguments.exposures, "ctr": 0.08, "cvr": 0.1, "accidental_clicks": 0.5}
    dataset = load(arguments.dataset, **(simulated if arguments.dataset == "simulated" else {}))
    cases = list(
        product(
            arguments.models or ["lightgbm", "xgboost"],
            arguments.surrogate.split(","),
            [float(weight) for weight in arguments.weight.split(",")],
        )
    )
    found: dict[tuple[Any, ...], list[dict[str, float]]] = {}
    progress = tqdm(total=len(cases) * len(CURVATURES) * arguments.seeds, unit="fit", disable=None)
    for seed in range(arguments.seeds):
        split = dataset.split(seed)
        for (model, surrogate, weight), curvature in product(cases, CURVATURES):
            loss = PWiseRLoss(weight=weight, surrogate=surrogate, scale=arguments.scale)
            spec = ModelSpec(model=model, loss="pwiser", pwiser=loss, seed=seed, threads=arguments.threads)
            found.setdefault((model, surrogate, weight, curvature), []).append(scores(spec, split, curvature))
            progress.update()
    progress.close()
    records = []
    print(f"{arguments.dataset}, validation, {arguments.seeds} seeds: mean, difference to the bound ± error")
    for model, surrogate, weight in cases:
        print(f"\n{model}, {surrogate}, weight {weight:g}")
        print(f"  {'':<13}{'rounds':>7}{'CTR AUC':>19}{'CTCVR AUC':>19}{'L':>21}")
        bound = found[model, surrogate, weight, "bound"]
        for curvature in CURVATURES:
            runs = found[model, surrogate, weight, curvature]
            cells = []
            record = {"model": model, "surrogate": surrogate, "weight": weight, "curvature": curvature}
            for metric, decimals in (("ctr_auc", 4), ("ctcvr_auc", 4), ("loss", 5)):
                mean = float(np.mean([run[metric] for run in runs]))
                test = across_seeds([a[metric] - b[metric] for a, b in zip(runs, bound, strict=True)])
                record[metric] = {"mean": mean, **asdict(test)}
                shown = f"{mean:.{decimals}f}"
                cells.append(
                    shown
                    if curvature == "bound"
                    else f"{test.gain:+.{decimals}f} ± {test.standard_error:.{decimals}f}"
                )
            rounds = float(np.mean([run["rounds"] for run in runs]))
            records.append({**record, "rounds": rounds})
            print(f"  {curvature:<13}{rounds:>7.0f}{cells[0]:>19}{cells[1]:>19}{cells[2]:>21}")
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=2))


if __name__ == "__main__":
    main()
