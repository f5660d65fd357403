"""Results and details of a comparison that never ran, for the page to be built of."""

import numpy as np

from gbdt_pwiser.evaluation import Details, Result, SweepPoint
from gbdt_pwiser.evaluation.activity import ActivityCurve, log_spaced
from gbdt_pwiser.evaluation.details import ReliabilityCurve, SplitSize, TrainingCurve
from gbdt_pwiser.evaluation.diagnosis import ClickTenths
from gbdt_pwiser.metrics import ScoreDistribution

WEIGHTS = (0.0, 0.01, 0.1)
METRICS = ("ctr_auc", "gauc", "ctcvr_auc", "log_loss", "normalized_entropy", "pcoc", "ece")


def losses_of(model):
    """A ragged table: a loss of its own for one of the models."""
    return ("bce", "pwiser", "lambdarank") if model == "lightgbm" else ("bce", "pwiser")


def made(models=("lightgbm", "xgboost"), *, dataset="simulated", losses=losses_of, seeds=(3, 4, 5), extra=()):
    """Results and details that belong together; `extra` names splits beside valid and test."""
    rng, of_conversions = np.random.default_rng(0), np.random.default_rng(1)
    details = Details(command="gbdt-pwiser compare --seeds 3", released=dataset == "us")
    details.sizes = [SplitSize("train", 3000, 300, 30), SplitSize("test", 0, 0, 0)]
    results = []
    for model in models:
        for loss in losses(model):
            for seed in seeds:
                weights = (0.0,) if loss == "bce" else WEIGHTS
                chosen = int(rng.integers(len(weights)))
                for i, weight in enumerate(weights):
                    aucs = [*rng.uniform(0.7, 0.71, 2).tolist(), of_conversions.uniform(0.75, 0.8)]
                    details.sweep.append(SweepPoint(model, loss, seed, weight, i == chosen, *aucs))
                for split in ("valid", "test", *extra):
                    for metric in METRICS:
                        value = 0.7 + 0.01 * rng.random() + 0.1 * (loss == "pwiser")
                        if metric == "pcoc":
                            value = 1.0 + 0.001 * rng.random()
                        if (split, metric) == ("valid", "ctr_auc"):
                            value = next(
                                p.ctr_auc
                                for p in details.sweep
                                if p.chosen and (p.model, p.loss, p.seed) == (model, loss, seed)
                            )
                        results.append(
                            Result(
                                *(dataset, model, loss, seed, split, metric, value, weights[chosen], 12, 130),
                                *(1.5, 0.25, "gbdt-pwiser 0.1.0, lightgbm 4.7.0"),
                            )
                        )
            add_curves(details, model, loss, rng, extra)
        details.clicks.append(
            ClickTenths(
                model, "bce", tuple((np.arange(10) / 20).tolist()), (200,) * 10, tuple(range(0, 100, 10))
            )
        )
    return results, details


def add_curves(details, model, loss, rng, extra):
    grade = rng.choice(np.array([0, 1, 2], dtype=np.int8), 5000, p=[0.9, 0.08, 0.02])
    scores = ScoreDistribution.from_scores(model, loss, rng.beta(1 + grade, 20), grade)
    details.distributions.append(scores)
    rises = 0.7 - 0.2 * np.exp(-np.arange(20) / 4) + 0.002 * rng.random(20)
    details.curves.append(TrainingCurve(model, loss, 0.01, 12, tuple(rises.tolist())))
    if model in ("lightgbm", "xgboost") and loss in ("bce", "pwiser"):
        details.activity.append(active(model, loss))
    predicted = np.linspace(0.01, 0.3, 10)
    for split in ("test", *extra):
        observed = predicted * rng.uniform(0.8, 1.2, 10)
        observed[0] = 0.0  # a bin without a click
        details.reliability.append(
            ReliabilityCurve(
                model, loss, split, tuple(predicted.tolist()), tuple(observed.tolist()), (500,) * 10
            )
        )


def active(model, loss, impression=0.97, click=0.88, conversion_weight=0.8, scale="probability", weight=0.01):
    """A curve that falls from 1 to these shares."""
    rounds = log_spaced(12)
    falls = 1 - np.linspace(0, 1, len(rounds))[:, None] * (1 - np.array([click, impression]))
    shares = (tuple(column.tolist()) for column in falls.T)
    pushed = conversion_weight if loss == "pwiser" else np.nan
    return ActivityCurve(
        model, loss, weight * (loss == "pwiser"), 0.1, 0.3, scale, tuple(rounds), *shares, pushed
    )
