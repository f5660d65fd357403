"""Result rows: one value each, how they are stored, checked, summarized and printed."""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_type_hints

import numpy as np
import polars as pl

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.evaluation.calibration import CALIBRATIONS, RECOMMENDED_BEYOND
from gbdt_pwiser.evaluation.metrics import METRICS
from gbdt_pwiser.evaluation.significance import CONFIDENCE, PairedTest, across_seeds, combine_seeds, holm
from gbdt_pwiser.objectives import InputError

BASELINE: Final = "bce"
"""The loss every gain is measured against."""

Verdict = Literal["better", "worse", "unclear"]


_FAMILIES: Final = {
    "ranking": "ranking (higher is better)",
    "calibration": "calibration (lower loss, entropy and ECE are better; PCOC is best at 1)",
}
"""Metrics of a table, by family, with its heading."""


CALIBRATED: Final = {f"test_{method}": method for method in CALIBRATIONS if method != "none"}
"""Names of the test split after a calibration that was fitted on validation."""

SPLITS: Final = ("valid", "test", *CALIBRATED)
"""What results are of."""


class Cell(NamedTuple):
    """What a result is the result of; a table holds each cell once."""

    dataset: str
    model: str
    loss: str
    seed: int
    split: str
    metric: str

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._asdict().items())


@dataclass(frozen=True)
class Result:
    """One metric of one fitted model on one split.

    Parameters
    ----------
    dataset, model, loss, seed, split, metric
        The cell. split is a name in `SPLITS`; metric is one in `METRICS`.
    value
        The metric's value; NaN where the data cannot give it.
    weight
        Weight of the pairwise term the model was fitted with; 0 for bce.
    rounds
        Boosting rounds, or epochs of a network, that count.
    size
        Trees of both boosters, or trainable parameters of a network.
    fit_seconds, predict_seconds
        Wall-clock time of the fit, and of predicting this split.
    versions
        The libraries in use, as in "gbdt-pwiser 0.1.0, lightgbm 4.7.0".
    gain_error
        Standard error, on this test sample, of the difference to the same model's bce (see `paired_tests`);
        NaN for bce itself and where there was no test.
    """

    dataset: str
    model: str
    loss: str
    seed: int
    split: str
    metric: str
    value: float
    weight: float
    rounds: int
    size: int
    fit_seconds: float
    predict_seconds: float
    versions: str
    gain_error: float = math.nan

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise InputError(f"metric is {self.metric!r}; choose one of {', '.join(METRICS)}")
        if self.split not in SPLITS:
            raise InputError(f"split is {self.split!r}; choose one of {', '.join(SPLITS)}")

    @property
    def cell(self) -> Cell:
        """What this is the result of."""
        return Cell(self.dataset, self.model, self.loss, self.seed, self.split, self.metric)


@dataclass(frozen=True)
class Summary:
    """A metric on the test split over the seeds, and its gain over the same model's bce.

    Parameters
    ----------
    dataset, model, loss, metric
        What was measured.
    seeds
        How many seeds there are.
    mean, standard_error
        Over the seeds; the error is the sample deviation over sqrt(seeds), NaN for one seed.
    gain, gain_standard_error, gain_low, gain_high
        Mean of the differences to bce within each seed, its error and 95 % interval, of the test sample and
        of the seeds together (`combine_seeds`); of the seeds alone where the sample was not tested. NaN for
        bce itself and without a bce.
    p_value
        That the true gain is 0, adjusted by Holm's method to all cells of the data set that a table marks.
    method
        What the error stands for, in words.
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

    @property
    def verdict(self) -> Verdict:
        """Which way the gain points; "unclear" where it may be chance or where neither way is better."""
        higher_is_better = METRICS[self.metric].higher_is_better
        if higher_is_better is None or not self.p_value < 1.0 - CONFIDENCE:
            return "unclear"
        return "better" if (self.gain > 0) == higher_is_better else "worse"


@dataclass(frozen=True)
class Cost:
    """What a model and loss cost, as means over the seeds, with the range of the pairwise weight."""

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
        """The pairwise weight in words: one number, or the range over the seeds."""
        low, high = f"{self.lowest_weight:g}", f"{self.highest_weight:g}"
        return low if low == high else f"{low}–{high}"


# The table's columns are the dataclass's fields.
_SCHEMA: Final = {
    name: {str: pl.String(), int: pl.Int64(), float: pl.Float64()}[kind]
    for name, kind in get_type_hints(Result).items()
}


def write_results(results: Iterable[Result], path: Path) -> None:
    """Write the rows to a Parquet file, in one step: the old file stands until the new one is whole."""
    frame = pl.DataFrame([astuple(result) for result in results], schema=_SCHEMA, orient="row")
    with replacing_file(path) as temporary:
        frame.write_parquet(temporary)


def read_results(path: Path) -> list[Result]:
    """Read the rows that `write_results` wrote, in their order.

    Raises
    ------
    InputError
        The file is missing, is no whole Parquet file, or has other columns.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the results.parquet that a comparison wrote")
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} is not a whole Parquet file ({error}); run the comparison again") from error
    if dict(frame.schema) != _SCHEMA:
        found, wanted = (
            ", ".join(f"{name} {kind}" for name, kind in s.items()) for s in (frame.schema, _SCHEMA)
        )
        raise InputError(f"{path} has the columns {found}; results have {wanted}")
    if holding_null := [column.name for column in frame if column.null_count()]:
        raise InputError(f"{path} has empty cells in {', '.join(holding_null)}; run the comparison again")
    return [Result(*row) for row in frame.iter_rows()]


def check_complete(results: Sequence[Result]) -> None:
    """Refuse a table that holds a cell twice, or lacks one.

    Within a data set every model, loss, seed, split and metric that occurs must occur with every other:
    a mean over the seeds that happened to finish is not the mean the table claims.

    Raises
    ------
    InputError
        Naming the first doubled or missing cell.
    """
    counts = Counter(result.cell for result in results)
    if doubled := [cell for cell, count in counts.items() if count > 1]:
        raise InputError(
            f"{len(doubled)} cells occur more than once, the first is {doubled[0]}; keep one result of each"
        )
    by_dataset: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in counts:
        by_dataset[cell.dataset].append(cell)
    whole = (
        Cell(*c)
        for cells in by_dataset.values()
        for c in product(*map(dict.fromkeys, zip(*cells, strict=True)))
    )
    if missing := [cell for cell in whole if cell not in counts]:
        raise InputError(
            f"{len(missing)} cells are missing, the first is {missing[0]}; run them, "
            "or leave that seed, model or loss out everywhere"
        )


def summarize(results: Sequence[Result], split: str = "test") -> list[Summary]:
    """Mean, error and gain of each (dataset, model, loss, metric) on a split, in order of appearance.

    gain = mean over seeds s of (value_s - value_s of the same model's bce)

    The seeds are paired: they share split and data, so the error of the gain is that of the differences,
    not of two separate means.

    Raises
    ------
    InputError
        A cell is doubled or missing.
    """
    check_complete(results)
    cells: defaultdict[tuple[str, str, str, str], dict[int, Result]] = defaultdict(dict)
    for r in results:
        if r.split == split:
            cells[r.dataset, r.model, r.loss, r.metric][r.seed] = r

    summaries = []
    for (dataset, model, loss, metric), by_seed in cells.items():
        mean, error = _mean_and_error([r.value for r in by_seed.values()])
        baseline = cells.get((dataset, model, BASELINE, metric)) if loss != BASELINE else None
        gain = _gain(by_seed, baseline) if baseline else _NO_GAIN
        summaries.append(
            Summary(
                *(dataset, model, loss, metric, len(by_seed), mean, error),
                gain=gain.gain,
                gain_standard_error=gain.standard_error,
                gain_low=gain.low,
                gain_high=gain.high,
                p_value=gain.p_value,
                method=gain.method,
            )
        )
    return _adjusted(summaries)


_NO_GAIN: Final = PairedTest(*(math.nan,) * 5, method="")


def _gain(by_seed: dict[int, Result], baseline: dict[int, Result]) -> PairedTest:
    gains = [(r.value - baseline[seed].value, r.gain_error) for seed, r in by_seed.items()]
    if any(math.isnan(error) for _, error in gains):
        return across_seeds([gain for gain, _ in gains])
    return combine_seeds([PairedTest.from_error(gain, error, "test sample") for gain, error in gains])


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
    described = METRICS[metric]
    return described.family in _FAMILIES and described.higher_is_better is not None


def costs(results: Sequence[Result]) -> list[Cost]:
    """Time, rounds, size and pairwise weight of each (dataset, model, loss) on the test split."""
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


def records(rows: Iterable[Result | Summary | Cost]) -> list[dict[str, Any]]:
    """Flat dicts ready for `json.dumps`: NaN and infinity, which JSON lacks, become None."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(row).items()}
        for row in rows
    ]


def format_estimate(value: float, error: float, decimals: int, *, signed: bool = False) -> str:
    """Print a value and its standard error: ".7351 ± .0004", "+.0031", or "–" for NaN.

    Examples
    --------
    >>> format_estimate(0.73512, 0.00042, 4), format_estimate(-0.0031, math.nan, 4, signed=True)
    ('.7351 ± .0004', '-.0031')
    """
    if math.isnan(value):
        return "–"

    def without_zero(number: float, sign: str) -> str:  # it says nothing and widens every column
        return re.sub(r"^([+-]?)0\.", r"\1.", f"{number:{sign}z.{decimals}f}")

    text = without_zero(value, "+" if signed else "-")
    return text if math.isnan(error) else f"{text} ± {without_zero(error, '-')}"


def format_table(results: Sequence[Result]) -> str:
    """Print the test split as plain text: per data set a block of ranking and one of calibration metrics.

    Each (model, loss) has a row of means; under every other loss than bce stands its gain over bce. A metric
    that is NaN throughout has no column.

    Raises
    ------
    InputError
        A cell is doubled or missing.
    """
    datasets = dict.fromkeys(r.dataset for r in results if r.split == "test")
    check_complete(results)
    return "\n\n".join(_format_dataset([r for r in results if r.dataset == d]) for d in datasets)


def shown_metrics(summaries: Iterable[Summary], family: str) -> list[str]:
    """Names of the family's metrics that have a number somewhere, in the order of `METRICS`."""
    known = {s.metric for s in summaries if not math.isnan(s.mean)}
    return [name for name, metric in METRICS.items() if metric.family == family and name in known]


def _format_dataset(results: Sequence[Result]) -> str:
    summaries, spent = summarize(results), costs(results)
    seeds = summaries[0].seeds
    lines = [f"{summaries[0].dataset}, test split, {seeds} seed{'s' * (seeds != 1)}"]
    for family, title in _FAMILIES.items():
        if metrics := shown_metrics(summaries, family):
            lines += ["", title, *_block(summaries, spent, metrics)]
    for split, method in CALIBRATED.items():
        calibrated = summarize(results, split)
        if calibrated:
            metrics = ["ctr_auc", *shown_metrics(calibrated, "calibration")]
            lines += ["", f"after {method} calibration on validation", *_block(calibrated, spent, metrics)]
    lines += ["", "cost (means over the seeds)", *_cost_block(spent)]
    lines += [
        "",
        "± is the standard error over the seeds." if seeds > 1 else "One seed: means have no error.",
    ]
    if not all(math.isnan(s.gain) for s in summaries):
        lines += [
            "gain: mean difference to the same model's bce, seed by seed; ± is of test sample and seeds.",
            "* survives Holm's correction for all gains above: the chance of any false mark is 5 %.",
        ]
    if left_out := [s.mean for s in summaries if s.metric == "gauc_left_out" and not math.isnan(s.mean)]:
        lines.append(
            f"GAUC leaves out {np.mean(left_out):.1%} of the groups: without a click, or with clicks only."
        )
    return "\n".join([*lines, *_advice(results)])


def _block(summaries: list[Summary], spent: list[Cost], metrics: list[str]) -> list[str]:
    """Lay out a row per model and loss, and one for its gain."""
    by_cell = {(s.model, s.loss, s.metric): s for s in summaries}
    # Two lines per heading keep the columns as narrow as their numbers.
    headings = [textwrap.wrap(METRICS[m].label, 11) for m in metrics]
    rows = [["model", "loss", "weight", *(h[-1] + " " for h in headings)]]
    if any(len(h) > 1 for h in headings):
        rows.insert(0, ["", "", "", *(h[0] + " " if len(h) > 1 else "" for h in headings)])
    for cost in spent:
        row = [by_cell[cost.model, cost.loss, m] for m in metrics]
        cells = [format_estimate(s.mean, s.standard_error, METRICS[s.metric].decimals) + " " for s in row]
        rows.append([cost.model, cost.loss, cost.weight, *cells])
        if not all(math.isnan(s.gain) for s in row):
            rows.append(["", "  gain", "", *map(_format_gain, row)])
    return _align(rows)


def _cost_block(spent: list[Cost]) -> list[str]:
    rows = [["model", "loss", "rounds", "trees or parameters", "fit s", "predict s"]]
    for c in spent:
        rows.append(
            [
                *(c.model, c.loss, f"{c.rounds:.0f}", f"{c.size:,.0f}"),
                *(f"{c.fit_seconds:.1f}", f"{c.predict_seconds:.2f}"),
            ]
        )
    return _align(rows)


def _advice(results: Sequence[Result]) -> list[str]:
    """Recommend calibration where a loss moved PCOC on validation off 1, and it was not asked for."""
    if any(r.split in CALIBRATED for r in results):
        return []
    moved = [
        s
        for s in summarize(results, "valid")
        if s.metric == "pcoc"
        and s.loss != BASELINE
        and abs(s.mean - 1.0) > RECOMMENDED_BEYOND
        and not abs(s.gain) <= RECOMMENDED_BEYOND  # what bce is off by too is not the loss's work
    ]
    return [
        f"{s.model} {s.loss}: PCOC on validation is {s.mean:.3f}; calibrate for bids (--calibrate isotonic)."
        for s in moved
    ]


def _format_gain(s: Summary) -> str:
    text = format_estimate(s.gain, s.gain_standard_error, METRICS[s.metric].decimals, signed=True)
    return text + (" " if s.verdict == "unclear" else "*")


def _align(rows: list[list[str]]) -> list[str]:
    """Pad to columns two spaces apart: model and loss to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error; the error of one value is NaN, unknown rather than zero."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), error
