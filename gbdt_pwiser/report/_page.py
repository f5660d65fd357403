"""The page of a comparison: what it says, filled into page.html.j2."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, NamedTuple, get_args

import polars as pl

from gbdt_pwiser._files import begins_with, refuse_foreign, replacing_file
from gbdt_pwiser.evaluation.details import Details, check_belongs
from gbdt_pwiser.evaluation.results import CALIBRATED, Result, names_cell
from gbdt_pwiser.evaluation.summary import Cost, Summary, costs, shown_metrics, summarize
from gbdt_pwiser.evaluation.sweep import sweep_means
from gbdt_pwiser.metrics import Metric, metric_named
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report._html import require_report_extra, write_page
from gbdt_pwiser.report._plot_activity import ACTIVITY
from gbdt_pwiser.report._plot_clicks import CLICKS
from gbdt_pwiser.report._plot_distributions import DISTRIBUTIONS
from gbdt_pwiser.report._plot_gains import GAINS
from gbdt_pwiser.report._plot_reliability import RELIABILITY
from gbdt_pwiser.report._plot_training import TRAINING
from gbdt_pwiser.report._plot_weights import WEIGHTS
from gbdt_pwiser.report._plots import (
    SVG_BEGINS,
    Comparison,
    Figure,
    Section,
    drawing_style,
    loss_styles,
)
from gbdt_pwiser.report.advice import calibration_notes
from gbdt_pwiser.report.answer import IN_SENTENCES, answer
from gbdt_pwiser.report.published import PROTOCOL, PUBLISHED
from gbdt_pwiser.report.table import format_estimate, format_left_out, format_smallest

PLOTS: Final = (GAINS, WEIGHTS, CLICKS, RELIABILITY, DISTRIBUTIONS, TRAINING, ACTIVITY)
"""In the order in which they stand in their sections."""

_OF_CALIBRATION: Final = ("pcoc", "ece", "normalized_entropy", "ctr_auc")


def write_report(path: Path | str, results: Sequence[Result], details: Details | None = None) -> None:
    """Write the comparison on one data set as one HTML file that asks nothing of the network.

    Parameters
    ----------
    path
        The file, replaced in one step.
    results
        Complete (see `check_complete`), of one data set.
    details
        Of the same comparison; what it lacks, all of it for None, the page lacks.

    Raises
    ------
    InputError
        The extra is missing; the results are incomplete, of several data sets, or none is of the test split;
        the details are of another comparison.
    """
    comparison = _comparison(results, details)
    summaries, spent, details = comparison.summaries, costs(results), comparison.details
    dataset, seeds, losses = results[0].dataset, comparison.seeds, list(comparison.styles)
    tables = _tables(summaries, spent)
    write_page(
        path,
        "page.html.j2",
        title=f"{_in_words(IN_SENTENCES.get(loss, loss) for loss in losses)} on {dataset}",
        answer=answer(summaries),
        dataset=dataset,
        sizes=details.sizes,
        models=_in_words(dict.fromkeys(c.model for c in spent)),
        losses=_in_words(losses),
        model_names=(models := list(dict.fromkeys(c.model for c in spent))),
        loss_names=losses,
        names=max(map(len, models)),
        ragged=len(spent) < len(losses) * len({c.model for c in spent}),
        seeds=seeds,
        findings=_findings(summaries),
        over=summaries[0].over,
        smallest=format_smallest(summaries),
        tested=any(not math.isnan(r.gain_error) for r in results),
        tables=tables,
        metrics=[metric for table in tables for metric in table.metrics],
        left_out=format_left_out(summaries),
        figures=_figures(comparison),
        calibration=_calibration(results),
        calibration_metrics=[metric_named(m) for m in _OF_CALIBRATION],
        notes=calibration_notes(results),
        costs=spent,
        published=PUBLISHED.get(dataset, ()) if details.released else (),
        protocol=PROTOCOL,
        command=details.command,
        versions=list(dict.fromkeys(r.versions for r in results)),
    )


def write_figures(
    folder: Path | str, results: Sequence[Result], details: Details | None = None
) -> list[Path]:
    """Write every plot of the page as NAME.svg, light or dark as the reader's screen, beside its NAME.csv.

    Parameters
    ----------
    folder
        Made where missing; each file is replaced in one step.
    results, details
        As of `write_report`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        As `write_report`; or a file of such a name in the folder is not one of these.
    """
    comparison, folder = _comparison(results, details), Path(folder)
    drawings = [figure.drawing for figures in _figures(comparison).values() for figure in figures]
    files = {f"{d.name}.{kind}": text for d in drawings for kind, text in (("svg", d.file), ("csv", d.csv))}
    # A plot is known by how ours begin, its data by all its columns: a first one of "model" may be a user's.
    beginnings = {
        name: text.partition("\n")[0] + "\n" if name.endswith(".csv") else SVG_BEGINS
        for name, text in files.items()
    }
    refuse_foreign(folder, {name: begins_with(start.encode()) for name, start in beginnings.items()})
    for name, text in files.items():
        with replacing_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _comparison(results: Sequence[Result], details: Details | None) -> Comparison:
    """Return what a page is drawn from, where it can be."""
    require_report_extra()
    datasets = list(dict.fromkeys(r.dataset for r in results))
    if len(datasets) > 1:
        raise InputError(f"results are of {', '.join(datasets)}; write one report per data set")
    summaries = summarize(results)
    if not summaries:
        raise InputError("no result is of the test split; a report needs at least one")
    details = details or Details()
    check_belongs(details, results)
    losses, seeds = (
        list(dict.fromkeys(each)) for each in zip(*((r.loss, r.seed) for r in results), strict=True)
    )
    return Comparison(summaries, sweep_means(details.sweep), details, loss_styles(losses), seeds)


def _figures(comparison: Comparison) -> dict[Section, list[Figure]]:
    """Draw what there is to draw, by section."""
    figures: dict[Section, list[Figure]] = {section: [] for section in get_args(Section)}
    with drawing_style():
        for plot in PLOTS:
            drawing = plot.draw(comparison)
            if drawing is not None:
                heading = plot.heading and plot.heading(comparison)
                below = (plot.caption(comparison), plot.table(comparison))
                figures[plot.section].append(Figure(heading, plot.label, drawing, *below))
    return figures


class _MetricCell(NamedTuple):
    """A metric's cell in the results table: what it shows, and the number it sorts by."""

    value: float
    mean: str
    gain: str
    verdict: str


class _Row(NamedTuple):
    cost: Cost
    cells: list[_MetricCell]


class _Table(NamedTuple):
    """A table of results: its id, its label, and a row per model and loss."""

    name: str
    label: str
    metrics: list[Metric]
    rows: list[_Row]
    csv: str


_TABLES: Final = (
    ("results", "Results", ("ranking", "calibration")),
    ("top", "First places of each group", ("top",)),
)


def _tables(summaries: Sequence[Summary], spent: list[Cost]) -> list[_Table]:
    """Return the tables that have a metric with a number somewhere."""
    tables = []
    for name, label, families in _TABLES:
        if metrics := [m for family in families for m in shown_metrics(summaries, family)]:
            rows = _rows(summaries, spent, metrics)
            csv = pl.DataFrame([asdict(s) | {"verdict": s.verdict} for s in summaries if s.metric in metrics])
            described = [metric_named(m) for m in metrics]
            tables.append(_Table(name, label, described, rows, csv.write_csv()))
    return tables


def _rows(summaries: Sequence[Summary], spent: list[Cost], metrics: list[str]) -> list[_Row]:
    by_cell = {(s.model, s.loss, s.metric): s for s in summaries}
    return [_Row(cost, [_cell(by_cell[cost.model, cost.loss, m]) for m in metrics]) for cost in spent]


def _cell(s: Summary) -> _MetricCell:
    decimals = metric_named(s.metric).decimals
    gain = "" if math.isnan(s.gain) else format_estimate(s.gain, s.gain_standard_error, decimals, signed=True)
    return _MetricCell(s.mean, format_estimate(s.mean, s.standard_error, decimals), gain, s.verdict)


def _findings(summaries: Sequence[Summary]) -> list[str]:
    """Say what happened to the CTR AUC, and no more than was measured.

    A sentence for each loss that is compared with the same model's own, or one for all that are compared with
    one model and loss.
    """
    gains = [s for s in summaries if s.metric == "ctr_auc" and not math.isnan(s.gain)]
    if names_cell(summaries[0].baseline):
        parts = [("every other model and loss", "{0.model} {0.loss}", gains)]
    else:
        losses = dict.fromkeys(s.loss for s in gains)
        parts = [(loss, "{0.model}", [s for s in gains if s.loss == loss]) for loss in losses]
    return [_finding(whose, name, compared) for whose, name, compared in parts if compared]


def _finding(whose: str, name: str, compared: list[Summary]) -> str:
    low, high = min(compared, key=lambda s: s.gain), max(compared, key=lambda s: s.gain)
    amount = f"{low.gain:+.4f} ({name.format(low)})"
    if len(compared) > 1:
        amount = f"from {amount} to {high.gain:+.4f} ({name.format(high)})"
    start = f"Gain in CTR AUC of {whose} over {low.over}: {amount}."
    if all(math.isnan(s.p_value) for s in compared):
        return f"{start} Without an error it cannot be told from chance."
    count = Counter(s.verdict for s in compared)
    return (
        f"{start} Corrected for all gains of the table, {count['better']} of {len(compared)} "
        f"{'gains is' if count['better'] == 1 else 'gains are'} above zero by more than chance and "
        f"{count['worse']} below."
    )


def _in_words(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


class _CalibrationRow(NamedTuple):
    """One model and loss, as trained or after a calibration."""

    model: str
    loss: str
    how: str
    cells: list[tuple[float, str]]


def _calibration(results: Sequence[Result]) -> list[_CalibrationRow]:
    """Rows of the table of test before and after calibration; none where nothing was calibrated."""
    splits = [split for split in CALIBRATED if any(r.split == split for r in results)]
    if not splits:
        return []
    by_cell = {
        (s.model, s.loss, split, s.metric): s
        for split in ("test", *splits)
        for s in summarize(results, split)
    }
    return [
        _CalibrationRow(
            *(c.model, c.loss, CALIBRATED.get(split, "as trained")),
            [
                (s.mean, format_estimate(s.mean, s.standard_error, metric_named(m).decimals))
                for m in _OF_CALIBRATION
                if (s := by_cell.get((c.model, c.loss, split, m)))
            ],
        )
        for c in costs(results)
        for split in ("test", *splits)
    ]
