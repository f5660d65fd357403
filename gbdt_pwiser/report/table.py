"""A comparison as plain text, or as the lines and tables that the text is made of."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gbdt_pwiser.evaluation.results import CALIBRATED, Result, check_complete, names_cell
from gbdt_pwiser.evaluation.summary import (
    FAMILIES,
    Cost,
    Summary,
    costs,
    shown_metrics,
    smallest_gains,
    summarize,
)
from gbdt_pwiser.evaluation.sweep import GIVEN_UP, BestGain, SweepPoint, best_within, sweep_means
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report.advice import calibration_notes


@dataclass(frozen=True, eq=False)
class Table:
    """A table among lines of text.

    Attributes
    ----------
    rows
        Cells, the headings first.
    keys
        Columns, from the left, that say what a row is of.
    headings
        Rows of headings.
    """

    rows: list[list[str]]
    keys: int
    headings: int = 1


Told = list[str | Table]
"""Lines of text, and tables among them."""


def as_text(told: Told) -> str:
    """Print lines and tables as plain text, columns two spaces apart."""
    return "\n".join(
        line for part in told for line in ([part] if isinstance(part, str) else _align(part.rows))
    )


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
    """Print the test split as plain text: per data set a block of metrics for each family.

    Each (model, loss) has a row of means; under every one but the baseline stands its gain over the baseline,
    the same model's bce or the one that the results name. A metric that is NaN throughout has no column.

    Raises
    ------
    InputError
        A cell is doubled or missing.
    """
    return as_text(tell_results(results))


def tell_results(results: Sequence[Result]) -> Told:
    """Return what `format_table` prints."""
    datasets = dict.fromkeys(r.dataset for r in results if r.split == "test")
    check_complete(results)
    blocks = [_tell_dataset([r for r in results if r.dataset == d]) for d in datasets]
    return [part for i, block in enumerate(blocks) for part in (*[""] * (i > 0), *block)]


def format_smallest(summaries: Sequence[Summary]) -> str:
    """Print the smallest gains that the test sample could have shown; empty where none was tested."""
    return ", ".join(
        # Two digits at least: of much data it may be smaller than the last digit of the table.
        f"{metric_named(m).label} "
        + format_estimate(gain, math.nan, max(metric_named(m).decimals, 1 - math.floor(math.log10(gain))))
        for m, gain in smallest_gains(summaries).items()
    )


_LEAVES_OUT: Final = {
    "gauc_left_out": ("GAUC leaves", "without a click, or with clicks only"),
    "conversion_gauc_left_out": ("Conversion GAUC leaves", "without a conversion, or with conversions only"),
    "groups_without_click": ("NDCG, MAP and MRR leave", "without a click"),
    "groups_without_conversion": ("Conversions in the first places leave", "without a conversion"),
}
"""Of each metric of coverage: what leaves groups out, and which."""


def format_left_out(summaries: Sequence[Summary]) -> list[str]:
    """Print, a sentence each, what share of the groups some metrics leave out; none without groups."""
    shares = {
        metric: np.nanmean([s.mean for s in summaries if s.metric == metric])
        for metric in shown_metrics(summaries, "coverage")
    }
    return [
        f"{what} out {shares[metric]:.1%} of the groups: {which}."
        for metric, (what, which) in _LEAVES_OUT.items()
        if metric in shares
    ]


def best_gains_label(metric: str) -> str:
    """Say what `best_gain_rows` show of a metric."""
    label = metric_named(metric).label
    return f"Largest gain in {label} over bce on validation (its weight), by the CTR AUC given up"


def best_gains_notes(seeds: int) -> list[str]:
    """Say, a sentence each, how far the best gains of a weight path can be trusted."""
    error = "± is the standard error over the seeds of the difference to bce of the same seed."
    best = "The best of several weights on the split that they are judged by looks a little too good."
    return [error, best] if seeds > 1 else [best]


def best_gain_rows(
    names: Sequence[str], best: Sequence[Mapping[tuple[str, ...], BestGain | None]]
) -> list[list[str]]:
    """Lay out the largest gains with their weights: a heading, and a row per key.

    Parameters
    ----------
    names
        What the parts of a key are called.
    best
        For each of `GIVEN_UP` what `best_within` says; where it never has a gain there are no rows.

    Examples
    --------
    >>> best = [{("a",): None}, {("a",): BestGain(0.01, 0.0031, 0.0004)}, {("a",): BestGain(0.3, 0.0102)}]
    >>> for row in best_gain_rows(["loss"], best):
    ...     print(row)
    ['loss', 'at most .0005', 'at most .0010', 'at most .0020']
    ['a', '–', '+.0031 ± .0004 (0.01)', '+.0102 (0.3)']
    """
    if not any(gain for gains in best for gain in gains.values()):
        return []

    def told(gain: BestGain | None) -> str:
        if gain is None:
            return "–"
        return f"{format_estimate(gain.gain, gain.error, 4, signed=True)} ({gain.weight:.3g})"

    amounts = (f"at most {format_estimate(amount, math.nan, 4)}" for amount in GIVEN_UP)
    return [[*names, *amounts], *([*key, *(told(gains[key]) for gains in best)] for key in best[0])]


def tell_best_gains(
    names: Sequence[str], best: Sequence[Mapping[tuple[str, ...], BestGain | None]], metric: str
) -> Told:
    """Return `best_gain_rows` of a metric below what they are; nothing where there are none."""
    rows = best_gain_rows(names, best)
    return [best_gains_label(metric), Table(rows, keys=len(names))] if rows else []


def format_sweep(points: Sequence[SweepPoint]) -> str:
    """Print the weight path on validation: a row per model, loss and weight, means ± standard errors.

    Below it stands the largest gain in conversion AUC over bce for each of `GIVEN_UP`, where there is any.

    Examples
    --------
    >>> print(format_sweep([SweepPoint("lightgbm", "pwiser", 0, 0.01, True, 0.7, 0.8, 0.75)]))
    weight path on validation, 1 seed
    model     loss    weight  CTR AUC  conversion AUC  CTCVR AUC  chosen
    lightgbm  pwiser    0.01    .7000           .7500      .8000  1 of 1
    """
    return as_text(tell_sweep(points))


def tell_sweep(points: Sequence[SweepPoint]) -> Told:
    """Return what `format_sweep` prints."""
    means = sweep_means(points)
    seeds = len({p.seed for p in points})
    labels = (metric_named(m).label for m in ("ctr_auc", "conversion_auc", "ctcvr_auc"))
    rows = [["model", "loss", "weight", *labels, "chosen"]]
    for s in means:
        estimates = (format_estimate(e.mean, e.error, 4) for e in (s.ctr_auc, s.conversion_auc, s.ctcvr_auc))
        rows.append([s.model, s.loss, f"{s.weight:g}", *estimates, f"{s.chosen} of {s.seeds}"])
    told: Told = [f"weight path on validation, {seeds} seed{'s' * (seeds != 1)}", Table(rows, keys=3)]
    best = [best_within(means, amount) for amount in GIVEN_UP]
    if gains := tell_best_gains(["model", "loss"], best, "conversion_auc"):
        told += ["", *gains, *best_gains_notes(seeds)]
    return told


def _tell_dataset(results: Sequence[Result]) -> Told:
    summaries, spent = summarize(results), costs(results)
    seeds = summaries[0].seeds
    lines: Told = [f"{summaries[0].dataset}, test split, {seeds} seed{'s' * (seeds != 1)}"]
    for family, title in FAMILIES.items():
        if metrics := shown_metrics(summaries, family):
            lines += ["", title, _block(summaries, spent, metrics)]
    for split, method in CALIBRATED.items():
        calibrated = summarize(results, split)
        if calibrated:
            metrics = ["ctr_auc", *shown_metrics(calibrated, "calibration")]
            lines += ["", f"after {method} calibration on validation", _block(calibrated, spent, metrics)]
    lines += ["", "cost (means over the seeds)", _cost_block(spent)]
    lines += [
        "",
        "± is the standard error over the seeds." if seeds > 1 else "One seed: means have no error.",
    ]
    if not all(math.isnan(s.gain) for s in summaries):
        baseline = summaries[0].baseline
        other = baseline if names_cell(baseline) else f"the same model's {baseline}"
        lines += [
            f"gain: mean difference to {other}, seed by seed; ± is of test sample and seeds.",
            "* survives Holm's correction for all gains above: the chance of any false mark is 5 %.",
        ]
    if smallest := format_smallest(summaries):
        lines += [
            *textwrap.wrap(f"Smallest gain that this test split could have shown: {smallest}.", 110),
            "It is half the width of a typical gain's 95 % interval; Holm's correction asks for more.",
            "A smaller gain without a star means too little data to tell, not that there is no gain.",
        ]
    return [*lines, *format_left_out(summaries), *calibration_notes(results)]


def _block(summaries: list[Summary], spent: list[Cost], metrics: list[str]) -> Table:
    """Lay out a row per model and loss, and one for its gain."""
    by_cell = {(s.model, s.loss, s.metric): s for s in summaries}
    # Two lines per heading keep the columns as narrow as their numbers.
    headings = [textwrap.wrap(metric_named(m).label, 11) for m in metrics]
    rows = [["model", "loss", "weight", *(h[-1] + " " for h in headings)]]
    if any(len(h) > 1 for h in headings):
        rows.insert(0, ["", "", "", *(h[0] + " " if len(h) > 1 else "" for h in headings)])
    for cost in spent:
        row = [by_cell[cost.model, cost.loss, m] for m in metrics]
        cells = [
            format_estimate(s.mean, s.standard_error, metric_named(s.metric).decimals) + " " for s in row
        ]
        rows.append([cost.model, cost.loss, cost.weight, *cells])
        if not all(math.isnan(s.gain) for s in row):
            baseline = row[0].baseline
            named = ["  gain over", baseline] if names_cell(baseline) else ["", "  gain"]
            rows.append([*named, "", *map(_format_gain, row)])
    return Table(rows, keys=3, headings=1 + any(len(h) > 1 for h in headings))


def _cost_block(spent: list[Cost]) -> Table:
    rows = [["model", "loss", "rounds", "trees or parameters", "fit s", "predict s"]]
    for c in spent:
        rows.append(
            [
                *(c.model, c.loss, f"{c.rounds:.0f}", f"{c.size:,.0f}"),
                *(f"{c.fit_seconds:.1f}", f"{c.predict_seconds:.2f}"),
            ]
        )
    return Table(rows, keys=2)


def _format_gain(s: Summary) -> str:
    text = format_estimate(s.gain, s.gain_standard_error, metric_named(s.metric).decimals, signed=True)
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
