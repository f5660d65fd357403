"""The test of every metric's gain between two predictions of one test set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import METRICS, metrics_named
from gbdt_pwiser.metrics.metric import Bootstrap, DeLong, Metric, Statistic
from gbdt_pwiser.metrics.scored import Sample, Units
from gbdt_pwiser.significance.intervals import PairedTest, bootstrap_groups, delong

if TYPE_CHECKING:
    from gbdt_pwiser.models import Predictions

__all__ = ["paired_tests"]


def paired_tests(
    exposures: Exposures,
    predictions: Predictions,
    baseline: Predictions,
    *,
    also: Iterable[str] = (),
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, PairedTest]:
    """Test the gain in each metric of `evaluate` of one prediction over another of the same exposures.

    AUCs by `delong`, everything else by one bootstrap; both by the exposures' groups where there are any, as
    exposures of one search or user are alike. Bins of ECE stay those of the sample.

    Parameters
    ----------
    exposures
        What both predicted.
    predictions, baseline
        Of two losses, say.
    also
        Names of metrics beside those of `METRICS`, such as ndcg@7.
    replicates, seed
        Of the bootstrap.

    Returns
    -------
    dict
        A test by metric name, in the order of `evaluate`. Absent: shares of groups left out, which
        predictions do not change, the medians by grade, which are a description, and what `evaluate` lacks or
        the data cannot give, as GAUC without groups.

    Raises
    ------
    InputError
        A prediction has another shape, or is NaN or outside [0, 1]; or a metric is unknown.
    """
    metrics = metrics_named((*METRICS, *also))
    units = Units.of(exposures)
    tests, gains = _prepared(
        metrics,
        *(
            Sample(
                exposures,
                np.asarray(p.pctr, np.float64),
                np.asarray(p.pctcvr, np.float64),
                units,
                pcvr=np.asarray(p.pcvr, np.float64),
            )
            for p in (predictions, baseline)
        ),
    )
    tests |= bootstrap_groups(gains, units.count, replicates=replicates, seed=seed)
    return {name: tests[name] for name in metrics if name in tests}


def _prepared(
    metrics: Mapping[str, Metric], ours: Sample, baseline: Sample
) -> tuple[dict[str, PairedTest], dict[str, Statistic]]:
    """Return the tests of AUCs, and the other gains as functions of the units' weights.

    What metrics share of the samples, as the losses of all exposures, is not kept while units are drawn.
    """
    tests: dict[str, PairedTest] = {}
    gains: dict[str, Statistic] = {}
    for name, metric in metrics.items():
        match metric.gain_test:
            case DeLong(ranking):
                ranked, against = ranking(ours), ranking(baseline)
                if ranked is not None and against is not None:
                    rows = slice(None) if ranked.rows is None else ranked.rows
                    group = None if ours.group is None else ours.group[rows]
                    tests[name] = delong(ranked.positive, ranked.score, against.score, group=group)
            case Bootstrap(statistic):
                value, base = statistic(ours), statistic(baseline)
                if value is not None and base is not None:
                    gains[name] = _difference(value, base)
    return tests, gains


def _difference(statistic: Statistic, baseline: Statistic) -> Statistic:
    return lambda weight: statistic(weight) - baseline(weight)
