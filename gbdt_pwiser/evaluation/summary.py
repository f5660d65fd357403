"""Result rows over the seeds: means, gains with their errors and marks, and costs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from gbdt_pwiser.evaluation.results import Result, baseline_of, check_complete, names_cell
from gbdt_pwiser.metrics import metric_named, metrics_named
from gbdt_pwiser.significance.intervals import CONFIDENCE, PairedTest, across_seeds, combine_seeds, holm

Verdict = Literal["better", "worse", "unclear"]

FAMILIES: Final = {
    "ranking": "ranking (higher is better)",
    "top": "first places of each group (higher is better)",
    "calibration": "calibration (lower loss, entropy and ECE are better; PCOC is best at 1)",
}
"""Metrics of a table, by family, with its heading."""


OF_SAMPLE: Final = "test sample"
"""What an error stands for, in words, where the gain was tested on the test rows (`Result.gain_error`)."""


@dataclass(frozen=True)
class Summary:
    """A metric on the test split over the seeds, and its gain over the baseline.

    Parameters
    ----------
    dataset, model, loss, metric
        What was measured.
    seeds
        How many seeds there are.
    mean, standard_error
        Over the seeds; the error is the sample deviation over sqrt(seeds), NaN for one seed.
    gain, gain_standard_error, gain_low, gain_high
        Mean of the differences to the baseline within each seed, its error and 95 % interval, of the test
        sample and of the seeds together (`combine_seeds`); of the seeds alone where the sample was not
        tested. NaN for the baseline itself and without it.
    p_value
        That the true gain is 0, adjusted by Holm's method to all cells of the data set that a table marks.
    method
        What the error stands for, in words.
    baseline
        As in `Result`: "MODEL:LOSS", or a loss of the same model.
    """

    dataset: str
    model: str
    loss: str
    metric: str
    seeds: int
    mean: float
    standard_error: float
    gain: float
    gain_standard_error: float
    gain_low: float
    gain_high: float
    p_value: float
    method: str
    baseline: str

    @property
    def over(self) -> str:
        """The baseline in words, as in "gain over bce of the same model"."""
        return self.baseline if names_cell(self.baseline) else f"{self.baseline} of the same model"

    @property
    def tested(self) -> bool:
        """Whether there is an interval, and it holds the error of the test sample."""
        return OF_SAMPLE in self.method and not math.isnan(self.gain_low)

    @property
    def verdict(self) -> Verdict:
        """Which way the gain points; "unclear" where it may be chance or where neither way is better."""
        higher_is_better = metric_named(self.metric).higher_is_better
        if higher_is_better is None or not self.p_value < 1.0 - CONFIDENCE:
            return "unclear"
        return "better" if (self.gain > 0) == higher_is_better else "worse"


@dataclass(frozen=True)
class Cost:
    """What a model and loss cost, as means over the seeds, with the range of the loss's weight."""

    dataset: str
    model: str
    loss: str
    lowest_weight: float
    highest_weight: float
    rounds: float
    size: float
    fit_seconds: float
    predict_seconds: float

    @property
    def weight(self) -> str:
        """The weight in words: one number, or the range over the seeds."""
        low, high = f"{self.lowest_weight:g}", f"{self.highest_weight:g}"
        return low if low == high else f"{low}–{high}"


def summarize(results: Sequence[Result], split: str = "test") -> list[Summary]:
    """Mean, error and gain of each (dataset, model, loss, metric) on a split, in order of appearance.

        gain = mean over seeds s of (value_s - value_s of the baseline)

    The baseline is what the results say: the same model's bce, or one model and loss for all. The seeds are
    paired: they share split and data, so the error of the gain is that of the differences, not of two
    separate means.

    Raises
    ------
    InputError
        A cell is doubled or missing, or gains are measured against several baselines.
    """
    check_complete(results)
    baselines = {r.dataset: r.baseline for r in results}
    cells: defaultdict[tuple[str, str, str, str], dict[int, Result]] = defaultdict(dict)
    for r in results:
        if r.split == split:
            cells[r.dataset, r.model, r.loss, r.metric][r.seed] = r

    summaries = []
    for (dataset, model, loss, metric), by_seed in cells.items():
        mean, error = mean_and_error([r.value for r in by_seed.values()])
        compared_with = baseline_of(model, baselines[dataset])
        others = cells.get((dataset, *compared_with, metric)) if (model, loss) != compared_with else None
        gain = _gain(by_seed, others) if others else _NO_GAIN
        summaries.append(
            Summary(
                *(dataset, model, loss, metric, len(by_seed), mean, error),
                gain=gain.gain,
                gain_standard_error=gain.standard_error,
                gain_low=gain.low,
                gain_high=gain.high,
                p_value=gain.p_value,
                method=gain.method,
                baseline=baselines[dataset],
            )
        )
    return _adjusted(summaries)


_NO_GAIN: Final = PairedTest(*(math.nan,) * 5, method="")


def _gain(by_seed: dict[int, Result], others: dict[int, Result]) -> PairedTest:
    gains = [(r.value - others[seed].value, r.gain_error) for seed, r in by_seed.items()]
    if any(math.isnan(error) for _, error in gains):
        return across_seeds([gain for gain, _ in gains])
    return combine_seeds([PairedTest.from_error(gain, error, OF_SAMPLE) for gain, error in gains])


def _adjusted(summaries: list[Summary]) -> list[Summary]:
    """Adjust p-values to the number of cells of each data set that a table may mark."""
    # Where both losses predict the same, as pCVR of boosters, there is nothing to test.
    tested = [_marked(s.metric) and s.gain_standard_error != 0.0 for s in summaries]
    p_values = np.array([s.p_value if t else math.nan for s, t in zip(summaries, tested, strict=True)])
    datasets = np.array([s.dataset for s in summaries])
    for dataset in dict.fromkeys(datasets):
        p_values[datasets == dataset] = holm(p_values[datasets == dataset])
    return [
        replace(s, p_value=float(p)) if t else s for s, p, t in zip(summaries, p_values, tested, strict=True)
    ]


def _marked(metric: str) -> bool:
    described = metric_named(metric)
    return described.family in FAMILIES and described.higher_is_better is not None


def costs(results: Sequence[Result]) -> list[Cost]:
    """Time, rounds, size and weight of each (dataset, model, loss) on the test split."""
    runs: defaultdict[tuple[str, str, str], dict[int, Result]] = defaultdict(dict)
    for r in results:
        if r.split == "test":
            runs[r.dataset, r.model, r.loss][r.seed] = r
    return [
        Cost(
            *key,
            lowest_weight=min(r.weight for r in by_seed.values()),
            highest_weight=max(r.weight for r in by_seed.values()),
            rounds=float(np.mean([r.rounds for r in by_seed.values()])),
            size=float(np.mean([r.size for r in by_seed.values()])),
            fit_seconds=float(np.mean([r.fit_seconds for r in by_seed.values()])),
            predict_seconds=float(np.mean([r.predict_seconds for r in by_seed.values()])),
        )
        for key, by_seed in runs.items()
    ]


def smallest_gains(summaries: Sequence[Summary]) -> dict[str, float]:
    """Smallest gain that the test sample could have shown, by metric of ranking or of the first places.

        smallest = median over models and losses of half the width of the gain's 95 % interval

    A smaller gain has an interval that holds 0: it cannot be told from chance, which is not to say that it
    is none. It is of one gain by itself; Holm's correction for a whole table asks for more. Metrics without a
    test are absent.
    """
    smallest = {}
    for metric in (m for family in ("ranking", "top") for m in shown_metrics(summaries, family)):
        widths = [
            (s.gain_high - s.gain_low) / 2
            for s in summaries
            if s.metric == metric and s.tested and s.gain_standard_error > 0  # 0: the predictions are equal
        ]
        if widths:
            smallest[metric] = float(np.median(widths))
    return smallest


def shown_metrics(summaries: Iterable[Summary], family: str) -> list[str]:
    """Names of the family's metrics that have a number somewhere, in the order of `metrics_named`."""
    known = {s.metric for s in summaries if not math.isnan(s.mean)}
    return [name for name, metric in metrics_named(known).items() if metric.family == family]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error; the error of one value is NaN, unknown rather than zero."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), error
