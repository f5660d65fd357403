"""The page of a look at a data set: what its test part can show, and what was seen of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gbdt_pwiser.evaluation.check import Check
from gbdt_pwiser.metrics.drift import Drift
from gbdt_pwiser.report._html import require_report_extra, write_page
from gbdt_pwiser.report._plots import INK, Figure, PlainTable, drawing_style, finish, new_figure
from gbdt_pwiser.report.check import check_lines, part_rows
from gbdt_pwiser.report.table import format_estimate


def write_check_report(path: Path | str, check: Check, *, command: str) -> None:
    """Write what `check` found as one HTML file that asks nothing of the network.

    Parameters
    ----------
    path
        The file, replaced in one step.
    check
        What was found.
    command
        The command line that looked; empty for none.

    Raises
    ------
    InputError
        The report extra is missing.
    """
    require_report_extra()
    with drawing_style():
        figures = [] if check.drift is None else [_drift(check.drift)]
    note = f"{check.features} features, {check.categorical} of them categorical."
    write_page(
        path,
        "check.html.j2",
        title=f"What {check.name} can show",
        answer=check_answer(check),
        figures=figures,
        parts=PlainTable("Exposures of each part", part_rows(check.parts), words=1, note=note),
        found=[line.split(": ", 1) for line in check_lines(check)],
        command=command,
    )


def check_answer(check: Check) -> str:
    """Say in one sentence how small a gain the test part can show, or why there is none."""
    if check.refused:
        return f"{check.name} cannot be split into train, validation and test: {check.refused}."
    told = {"CTR AUC": check.ctr_auc, "conversion AUC": check.conversion_auc}
    known = {label: gain for label, gain in told.items() if gain is not None and not math.isnan(gain)}
    test = check.parts[-1]
    size = f"{test.rows:,} exposures, {test.clicks:,} clicks and {test.conversions:,} conversions"
    if not known:
        return f"The test part of {check.name} can show no gain: it has {size}."
    gains = " and ".join(f"{format_estimate(g, math.nan, 4)} in {label}" for label, g in known.items())
    return f"The test part of {check.name} ({size}) can show a gain of {gains}, with a power of 80 %."


def _drift(drift: Drift) -> Figure:
    """Draw the click rate in tenths of the range of time."""
    figure = new_figure(height=2.4)
    panel = figure.subplots()
    place, rates = np.arange(1, len(drift.rows) + 1), np.array(drift.rates)
    panel.bar(place, 100 * rates, color=INK, alpha=0.3)
    panel.set_xticks(place)
    panel.grid(axis="y", alpha=0.35, linewidth=0.6)
    panel.set_xlabel("tenth of the range of time")
    panel.set_ylabel("CTR, %")
    data = [
        {"tenth": tenth, "exposures": rows, "clicks": clicks, "rate": rate}
        for tenth, rows, clicks, rate in zip(
            place.tolist(), drift.rows, drift.events, drift.rates, strict=True
        )
    ]
    told = ", ".join("none" if math.isnan(rate) else f"{rate:.2%}" for rate in drift.rates)
    return Figure(
        "Click rate over time",
        "Plot of the click rate over time",
        finish(figure, "drift", f"Clicks per exposure by tenth of the range of time: {told}", data),
        "Clicks per exposure in tenths of the range of time, of all exposures. Whether it moves beyond "
        "chance stands below.",
    )
