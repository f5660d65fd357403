"""The weight path: what validation said of each candidate weight, over the seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from gbdt_pwiser.evaluation.results import BASELINE
from gbdt_pwiser.evaluation.summary import mean_and_error

GIVEN_UP: Final = (0.0005, 0.001, 0.002)
"""Amounts of CTR AUC for which a reader is told what gain in conversion AUC they buy; see `best_within`."""


@dataclass(frozen=True)
class SweepPoint:
    """What validation said of one weight.

    Parameters
    ----------
    model, loss, seed, weight
        What was trained; the weight is the number that varies from candidate to candidate, 0 for bce.
    chosen
        Whether it was the best of its model, loss and seed.
    ctr_auc, ctcvr_auc, conversion_auc
        On validation; NaN where the data cannot give it, or an older version did not note it.
    """

    model: str
    loss: str
    seed: int
    weight: float
    chosen: bool
    ctr_auc: float
    ctcvr_auc: float
    conversion_auc: float = math.nan


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
    ctr_auc, ctcvr_auc, conversion_auc
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
    conversion_auc: Estimate


class BestGain(NamedTuple):
    """The largest gain in conversion AUC over bce that can be had for some CTR AUC.

    Parameters
    ----------
    weight
        With which it was had.
    gain, error
        Of the means over the seeds, with the standard error of the differences within each seed, which is
        NaN for one seed.
    """

    weight: float
    gain: float
    error: float = math.nan


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
                    conversion_auc=_estimate(by_seed, reference, "conversion_auc"),
                )
            )
    return means


def best_within(means: Sequence[SweepMean], given_up: float) -> dict[tuple[str, ...], BestGain | None]:
    """Return, by model and loss, the largest gain in conversion AUC over bce for so much CTR AUC.

        gain = max over weights w with CTR AUC(w) >= CTR AUC(bce) - given_up
               of conversion AUC(w) - conversion AUC(bce)

    Parameters
    ----------
    means
        Of the weight path.
    given_up
        How much lower than that of bce of the same model CTR AUC may be.

    Returns
    -------
    dict
        None where every weight costs more, or conversion AUC is not known. Neither bce nor a model without
        it is there.
    """
    baselines = {s.model: s for s in means if s.loss == BASELINE}
    best: dict[tuple[str, ...], BestGain | None] = {}
    for s in means:
        if s.loss == BASELINE or s.model not in baselines:
            continue
        bce, so_far = baselines[s.model], best.setdefault((s.model, s.loss), None)
        gain = s.conversion_auc.mean - bce.conversion_auc.mean
        is_better = gain > (so_far.gain if so_far else -math.inf)  # a NaN is not
        if is_better and s.ctr_auc.mean >= bce.ctr_auc.mean - given_up:
            best[s.model, s.loss] = BestGain(s.weight, gain, s.conversion_auc.paired_error)
    return best


def _estimate(by_seed: dict[int, SweepPoint], reference: dict[int, SweepPoint], metric: str) -> Estimate:
    values = [getattr(p, metric) for p in by_seed.values()]
    others = [getattr(reference[seed], metric) if seed in reference else math.nan for seed in by_seed]
    _, paired = mean_and_error(np.subtract(values, others).tolist())
    return Estimate(*mean_and_error(values), paired_error=paired)
