"""What a click booster is stopped by, where that is not the CTR AUC that its library has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import Metric, metric_named
from gbdt_pwiser.metrics.checks import Floats
from gbdt_pwiser.metrics.scored import RankedExposures
from gbdt_pwiser.objectives import InputError


@dataclass(frozen=True, eq=False)
class StopBy:
    """A metric that ranks by pCTR, and the validation exposures on which it is measured after each round."""

    metric: Metric
    valid: Exposures

    @classmethod
    def of(cls, name: str, valid: Exposures) -> StopBy | None:
        """Return the metric of that name on validation; None for CTR AUC, which the libraries have.

        InputError where validation cannot give it.
        """
        if name == "ctr_auc":
            return None
        group = valid.group
        if group is not None:  # numbered from 0, which the metrics would do again in every round
            group = np.unique(group, return_inverse=True)[1]
        stop_by = cls(metric_named(name), replace(valid, group=group))
        if np.isnan(stop_by.value(np.zeros(len(valid)))):
            groups = "no" if group is None else f"{group.max(initial=-1) + 1:,}"
            raise InputError(
                f"{valid.name}: {name} has no value on validation, whose {len(valid):,} exposures have "
                f"{valid.click.sum():,} clicks, {valid.conversion.sum():,} conversions and {groups} groups; "
                "stop by ctr_auc or another metric"
            )
        return stop_by

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name

    def value(self, score: Floats) -> float:
        """Return the metric of a score, float (n,), on any monotone scale of pCTR; higher is better."""
        value = self.metric.compute(RankedExposures.of(self.valid, score))
        assert value is not None  # which only metrics of simulated data are
        return value
