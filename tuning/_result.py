"""What a search found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gbdt_pwiser.evaluation.results import Result
from gbdt_pwiser.evaluation.sweep import BestGain
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.models import ModelSpec

State = Literal["complete", "pruned", "failed"]

REFERENCE: Final = "weighted_bce"
"""The loss of reference trials: a Pareto search draws them beside PWiseR's, and never chooses one."""


@dataclass(frozen=True)
class Trial:
    """One model that was tried, and what validation said of it.

    Attributes
    ----------
    number
        Its place in its study.
    study
        "pwiser", "bce" for BCE's own search where the model's parameters are searched, or `REFERENCE`.
    state
        "complete"; "pruned", stopped for want of promise; "failed", see `error`.
    parameters
        What was searched.
    weight
        Of the pairwise term; 0 is BCE. Of a reference trial, of its own loss.
    metrics
        Of `evaluate`, on validation; empty unless complete.
    rounds, fit_seconds
        As of the model; 0 unless complete.
    error
        What the training raised; empty unless failed.
    margins
        The numbers that margins stood for which are quantiles among the parameters; else empty.
    """

    number: int
    study: str
    state: State
    parameters: Mapping[str, Any]
    weight: float
    metrics: Mapping[str, float]
    rounds: int
    fit_seconds: float
    error: str = ""
    margins: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Gain:
    """A metric on test of the chosen model and of its BCE twin, over the seeds of the confirmation.

    Attributes
    ----------
    metric
        Of `evaluate`.
    bce, tuned
        Means over the seeds.
    gain
        tuned - bce, with its 95 % interval [low, high] and the p-value of no difference; NaN where it cannot
        be told.
    method
        How interval and p-value were made.
    """

    metric: str
    bce: float
    tuned: float
    gain: float
    low: float
    high: float
    p_value: float
    method: str

    @property
    def better(self) -> bool:
        """Whether the whole interval is on the better side of 0."""
        return self.low > 0 if metric_named(self.metric).higher_is_better else self.high < 0

    @property
    def worse(self) -> bool:
        """Whether the whole interval is on the worse side of 0."""
        return self.high < 0 if metric_named(self.metric).higher_is_better else self.low > 0


@dataclass(frozen=True)
class Confirmation:
    """The chosen model and its BCE twin, refitted over fresh seeds and scored on test.

    Attributes
    ----------
    seeds
        Of the models; the split is that of the search.
    gains
        One per metric; none where the search chose BCE itself.
    results
        The rows behind them, of validation and test; none where the confirmation was read from the study.
    times
        How often this study has scored its test split, this time included. More than once weakens the test.
    """

    seeds: tuple[int, ...]
    gains: tuple[Gain, ...]
    results: tuple[Result, ...] = field(default=(), repr=False, compare=False)
    times: int = 1

    def of(self, metric: str) -> Gain | None:
        """Return the gain of a metric, None where there is none."""
        return next((gain for gain in self.gains if gain.metric == metric), None)


@dataclass(frozen=True)
class Tuning:
    """A search, what it chose on validation and what the test split said of the choice.

    Attributes
    ----------
    metrics
        What was optimised: one metric, or two for a Pareto front.
    trials
        Finished ones, in the order of their studies and numbers.
    total
        Finished trials that were asked for.
    best
        The choice on validation.
    baseline
        The best BCE on validation; None where no BCE trial came to its end.
    spec, twin
        What to train: the best trial's model, and the BCE it is measured against.
    confirmation
        None where the search is not over.
    importances
        Share of the searched parameters in the differences of the first metric, where it can be told.
    """

    metrics: tuple[str, ...]
    trials: tuple[Trial, ...]
    total: int
    best: Trial
    baseline: Trial | None
    spec: ModelSpec
    twin: ModelSpec
    confirmation: Confirmation | None = None
    importances: Mapping[str, float] = field(default_factory=dict)

    @property
    def helps(self) -> bool:
        """Whether the test split confirms that PWiseR helps.

        One metric: its whole interval is on the better side. Two: that of the second, and the first is not
        on the worse side.
        """
        if self.confirmation is None or self.best.weight == 0:
            return False
        gains = [self.confirmation.of(metric) for metric in self.metrics]
        if gains[-1] is None or not gains[-1].better:
            return False
        return not any(gain is not None and gain.worse for gain in gains)

    @property
    def recommended_weight(self) -> float:
        """The best trial's weight where its gain was confirmed, else 0."""
        return self.best.weight if self.helps else 0.0

    @property
    def verdict(self) -> str:
        """Say what came of it, and no more than was measured."""
        if self.best.weight == 0:
            return "PWiseR does not help: on validation no weight is better than BCE. Recommended weight: 0."
        if self.confirmation is None:
            return "The search is not over, so nothing was scored on test."
        metric = self.metrics[-1]
        gain = self.confirmation.of(metric)
        if gain is None or math.isnan(gain.low):
            return "The test split cannot tell whether PWiseR helps. Recommended weight: 0."
        digits = metric_named(metric).decimals + 1
        told = (
            f"{metric_named(metric).label} on test {gain.gain:+.{digits}f}, "
            f"95 % interval {gain.low:+.{digits}f} to {gain.high:+.{digits}f}"
        )
        if self.helps:
            return f"PWiseR helps: {told}. Recommended weight: {self.best.weight:.4g}."
        return f"PWiseR does not help beyond doubt: {told}. Recommended weight: 0."

    @property
    def front(self) -> tuple[Trial, ...]:
        """Trials that may be chosen and no other beats in all metrics, from best to worst in the first."""
        return pareto_front(candidates(self.trials), self.metrics)

    @property
    def by_loss(self) -> dict[tuple[str, str], list[Trial]]:
        """Complete trials but those of BCE, by loss: PWiseR of a surrogate and scale, then `REFERENCE`.

        As in ("pwiser hinge", "logit"); the reference has no scale: ("weighted_bce", "").
        """
        found: dict[tuple[str, str], list[Trial]] = {}
        for trial in self.trials:
            if trial.state == "complete" and trial.weight > 0:
                found.setdefault(self._loss(trial), []).append(trial)
        return dict(sorted(found.items(), key=lambda item: (item[0][0] == REFERENCE, item[0])))

    def _loss(self, trial: Trial) -> tuple[str, str]:
        if trial.study == REFERENCE:
            return REFERENCE, ""
        surrogate, scale = (
            str(trial.parameters.get(name, getattr(self.spec.pwiser, name)))
            for name in ("surrogate", "scale")
        )
        return f"pwiser {surrogate}", scale

    @property
    def fronts(self) -> dict[tuple[str, str], tuple[Trial, ...]]:
        """Of each loss the trials that no other of the same loss beats in all metrics."""
        return {loss: pareto_front(trials, self.metrics) for loss, trials in self.by_loss.items()}

    def best_within(self, given_up: float) -> dict[tuple[str, ...], BestGain | None]:
        """Return, by loss, the largest gain in the second metric over the best BCE for so much CTR AUC.

        None where all trials of a loss have a CTR AUC that is lower than BCE's by more than `given_up`. Empty
        where CTR AUC is not the first of two metrics, and without BCE.
        """
        if self.metrics[0] != "ctr_auc" or len(self.metrics) < 2 or self.baseline is None:
            return {}
        (first, second), bce = self.metrics, self.baseline
        best: dict[tuple[str, ...], BestGain | None] = {}
        for loss, trials in self.by_loss.items():
            near = [t for t in trials if t.metrics[first] >= bce.metrics[first] - given_up]
            found = max(near, key=lambda trial: score(trial, second), default=None)
            best[loss] = None
            if found is not None:
                best[loss] = BestGain(found.weight, found.metrics[second] - bce.metrics[second])
        return best


def score(trial: Trial, metric: str) -> float:
    """Return the metric such that more is better."""
    return (1.0 if metric_named(metric).higher_is_better else -1.0) * trial.metrics[metric]


def candidates(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that may be chosen: complete ones but for the references."""
    return [trial for trial in trials if trial.state == "complete" and trial.study != REFERENCE]


def pareto_front(trials: Sequence[Trial], metrics: Sequence[str]) -> tuple[Trial, ...]:
    """Return the complete trials that no other beats: at least as good in all metrics, better in one.

    They run from best to worst in the first metric; of equal ones the first stands for all.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    points = {id(t): tuple(score(t, metric) for metric in metrics) for t in complete}
    front: list[Trial] = []
    for trial in sorted(complete, key=lambda trial: points[id(trial)], reverse=True):
        if not any(all(a >= b for a, b in zip(points[id(t)], points[id(trial)], strict=True)) for t in front):
            front.append(trial)
    return tuple(front)


def choose(trials: Sequence[Trial], metrics: Sequence[str]) -> tuple[Trial, Trial | None]:
    """Return the best trial and the best BCE, both on validation.

    One metric: the best; of equals BCE, then the earliest. Two: of the trials whose first metric is no worse
    than that of the best BCE, the best in the second: what can be had for nothing.
    """
    complete = candidates(trials)

    def best_of(some: Sequence[Trial], metric: str) -> Trial:
        return max(some, key=lambda trial: (score(trial, metric), trial.weight == 0, -trial.number))

    bce = [trial for trial in complete if trial.weight == 0]
    baseline = best_of(bce, metrics[0]) if bce else None
    if len(metrics) > 1 and baseline is not None:
        floor = score(baseline, metrics[0])
        complete = [trial for trial in complete if score(trial, metrics[0]) >= floor]
    return best_of(complete, metrics[-1]), baseline
