"""The page of a report: what it says, filled into page.html.j2."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.data import Exposures
from gbdt_pwiser.evaluation.metrics import METRICS
from gbdt_pwiser.evaluation.results import (
    BASELINE,
    Cost,
    Result,
    Summary,
    costs,
    format_estimate,
    shown_metrics,
    summarize,
)
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report._distribution import ScoreDistribution
from gbdt_pwiser.report._plots import drawing_style, plot_distributions, plot_gains


@dataclass(frozen=True)
class SplitSize:
    """How many exposures, clicks and conversions a split holds."""

    split: str
    exposures: int
    clicks: int
    conversions: int

    @classmethod
    def of(cls, split: str, exposures: Exposures) -> SplitSize:
        """Count one split."""
        return cls(split, len(exposures), int(exposures.click.sum()), int(exposures.conversion.sum()))


def require_report_extra() -> None:
    """Refuse before the work starts what would fail after it.

    Raises
    ------
    InputError
        Jinja2 or Matplotlib is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"the report needs {error.name}, which is missing; pip install 'gbdt-pwiser[report]'"
        ) from error


def write_report(
    path: Path,
    results: Sequence[Result],
    distributions: Sequence[ScoreDistribution],
    *,
    title: str,
    command: str,
    sizes: Sequence[SplitSize] = (),
) -> None:
    """Write the comparison on one data set as one HTML file that asks nothing of the network.

    Parameters
    ----------
    path
        The file, replaced in one step.
    results
        Complete (see `check_complete`), of one data set.
    distributions
        pCTR by grade of the first seed's test split, one per model and loss; none leaves the plot out.
    title
        Heading of the page.
    command
        The command line that made the results.
    sizes
        Of the first seed's splits.

    Raises
    ------
    InputError
        The extra is missing, the results are incomplete, of several data sets, or none is of the test split.
    """
    require_report_extra()
    import jinja2

    datasets = list(dict.fromkeys(r.dataset for r in results))
    if len(datasets) > 1:
        raise InputError(f"results are of {', '.join(datasets)}; write one report per data set")
    summaries, spent = summarize(results), costs(results)
    if not summaries:
        raise InputError("no result is of the test split; a report needs at least one")

    with drawing_style():
        plots = [
            plot_gains(summaries, name=_name_of_gains(summaries)),
            plot_distributions(
                distributions,
                name="Distribution of predicted click-through rate by grade, per model and loss",
            ),
        ]
    template = resources.files("gbdt_pwiser.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    metrics = [*shown_metrics(summaries, "ranking"), *shown_metrics(summaries, "calibration")]
    page = environment.from_string(template).render(
        title=title,
        command=command,
        dataset=datasets[0],
        sizes=sizes,
        models=_in_words(dict.fromkeys(c.model for c in spent)),
        losses=_in_words(dict.fromkeys(c.loss for c in spent)),
        seeds=list(dict.fromkeys(r.seed for r in results)),
        findings=_findings(summaries),
        baseline=BASELINE,
        tested=any(not math.isnan(r.gain_error) for r in results),
        metrics=[METRICS[m] for m in metrics],
        rows=_rows(summaries, spent, metrics),
        left_out=next(
            (s.mean for s in summaries if s.metric == "gauc_left_out" and not math.isnan(s.mean)), None
        ),
        gains_plot=plots[0],
        distributions_plot=plots[1],
        costs=spent,
        versions=list(dict.fromkeys(r.versions for r in results)),
    )
    with replacing_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


class _MetricCell(NamedTuple):
    """A metric's cell in the results table: what it shows, and the number it sorts by."""

    value: float
    mean: str
    gain: str
    verdict: str


class _Row(NamedTuple):
    cost: Cost
    cells: list[_MetricCell]


def _rows(summaries: list[Summary], spent: list[Cost], metrics: list[str]) -> list[_Row]:
    by_cell = {(s.model, s.loss, s.metric): s for s in summaries}
    return [_Row(cost, [_cell(by_cell[cost.model, cost.loss, m]) for m in metrics]) for cost in spent]


def _cell(s: Summary) -> _MetricCell:
    decimals = METRICS[s.metric].decimals
    gain = "" if math.isnan(s.gain) else format_estimate(s.gain, s.gain_standard_error, decimals, signed=True)
    return _MetricCell(s.mean, format_estimate(s.mean, s.standard_error, decimals), gain, s.verdict)


def _findings(summaries: list[Summary]) -> list[str]:
    """Say for each loss but the baseline what happened to the CTR AUC, and no more than was measured."""
    sentences = []
    for loss in dict.fromkeys(s.loss for s in summaries if s.loss != BASELINE):
        compared = [
            s for s in summaries if (s.loss, s.metric) == (loss, "ctr_auc") and not math.isnan(s.gain)
        ]
        if not compared:
            continue
        low, high = min(compared, key=lambda s: s.gain), max(compared, key=lambda s: s.gain)
        amount = f"{low.gain:+.4f} ({low.model})"
        if len(compared) > 1:
            amount = f"from {amount} to {high.gain:+.4f} ({high.model})"
        start = f"Gain in CTR AUC of {loss} over {BASELINE} of the same model: {amount}."
        if all(math.isnan(s.p_value) for s in compared):
            sentences.append(f"{start} Without an error it cannot be told from chance.")
            continue
        count = Counter(s.verdict for s in compared)
        sentences.append(
            f"{start} Corrected for all gains of the table, {count['better']} of {len(compared)} "
            f"{'gains is' if count['better'] == 1 else 'gains are'} above zero by more than chance and "
            f"{count['worse']} below."
        )
    return sentences


def _in_words(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _name_of_gains(summaries: list[Summary]) -> str:
    gains = "; ".join(
        f"{s.model} {s.loss} {format_estimate(s.gain, s.gain_standard_error, 4, signed=True)}"
        for s in summaries
        if s.metric == "ctr_auc" and not math.isnan(s.gain)
    )
    return f"Gain over {BASELINE} of the same model by metric, with 95 % intervals. CTR AUC: {gains}"
