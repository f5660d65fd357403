"""The weight path: what validation said of each candidate weight, over the seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gbdt_pwiser.evaluation.results import BASELINE
from gbdt_pwiser.evaluation.summary import mean_and_error


@dataclass(frozen=True)
class SweepPoint:
    """What validation said of one weight.

    Parameters
    ----------
    model, loss, seed, weight
        What was trained; the weight is the number that varies from candidate to candidate, 0 for bce.
    chosen
        Whether it was the best of its model, loss and seed.
    ctr_auc, ctcvr_auc
        On validation; NaN where the data cannot give it.
    """

    model: str
    loss: str
    seed: int
    weight: float
    chosen: bool
    ctr_auc: float
    ctcvr_auc: float


class Estimate(NamedTuple):
    """A mean over seeds with two errors.

    Parameters
    ----------
    mean, error
        Over the seeds; the error is NaN for one seed.
    paired_error
        Standard error of the differences to the reference of the same seed: what remains of the error once
        that which all weights share, as an easy validation split, is taken away.
    """

    mean: float
    error: float
    paired_error: float


@dataclass(frozen=True)
class SweepMean:
    """A weight on validation over the seeds.

    Parameters
    ----------
    model, loss, weight
        What was trained.
    seeds, chosen
        How many seeds there are, and how many of them chose this weight.
    ctr_auc, ctcvr_auc
        The reference of their paired errors is bce of the same model or, without it, the least weight of
        the same loss.
    """

    model: str
    loss: str
    weight: float
    seeds: int
    chosen: int
    ctr_auc: Estimate
    ctcvr_auc: Estimate


def sweep_means(points: Sequence[SweepPoint]) -> list[SweepMean]:
    """Average each model, loss and weight over the seeds: models and losses in order, weights ascending."""
    runs: defaultdict[tuple[str, str], defaultdict[float, dict[int, SweepPoint]]]
    runs = defaultdict(lambda: defaultdict(dict))
    for p in points:
        runs[p.model, p.loss][p.weight][p.seed] = p
    means = []
    for (model, loss), by_weight in runs.items():
        baseline = runs.get((model, BASELINE)) or by_weight
        reference = baseline[min(baseline)]
        for weight, by_seed in sorted(by_weight.items()):
            means.append(
                SweepMean(
                    *(model, loss, weight, len(by_seed), sum(p.chosen for p in by_seed.values())),
                    ctr_auc=_estimate(by_seed, reference, "ctr_auc"),
                    ctcvr_auc=_estimate(by_seed, reference, "ctcvr_auc"),
                )
            )
    return means


def _estimate(by_seed: dict[int, SweepPoint], reference: dict[int, SweepPoint], metric: str) -> Estimate:
    values = [getattr(p, metric) for p in by_seed.values()]
    others = [getattr(reference[seed], metric) if seed in reference else math.nan for seed in by_seed]
    _, paired = mean_and_error(np.subtract(values, others).tolist())
    return Estimate(*mean_and_error(values), paired_error=paired)
