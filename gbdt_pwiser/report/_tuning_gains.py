"""The gains on test that a search ends with, and their plot."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report._plots import BLUE, INK, Drawing, Figure, PlainTable, finish, new_figure
from gbdt_pwiser.report.table import format_estimate

if TYPE_CHECKING:
    from gbdt_pwiser.tuning import Gain, Tuning


def plot_tuning_gains(tuning: Tuning) -> Figure | None:
    """Draw the gains on test of the choice over its BCE twin."""
    gains = shown_gains(tuning)
    gains = [g for g in gains if metric_named(g.metric).family == "ranking" and not math.isnan(g.low)]
    if not gains:
        return None
    figure = new_figure(height=0.75 + 0.28 * len(gains))
    panel = figure.subplots()
    panel.axvline(0.0, color=INK, linewidth=0.8)
    panel.grid(axis="x", alpha=0.35, linewidth=0.6)
    for place, g in enumerate(gains):
        panel.errorbar(
            g.gain,
            place,
            xerr=[[g.gain - g.low], [g.high - g.gain]],
            marker="o",
            markersize=6.5,
            markeredgewidth=1.5,
            markerfacecolor=BLUE if g.better or g.worse else "none",
            color=BLUE,
            elinewidth=1.8,
            capsize=3,
        )
    panel.set_yticks(range(len(gains)), [metric_named(g.metric).label for g in gains])
    panel.set_ylim(len(gains) - 0.5, -0.5)
    panel.set_xlabel("gain of the choice over its BCE twin, on test")
    told = "; ".join(f"{metric_named(g.metric).label} {g.gain:+.5f}" for g in gains)
    optimised = " and ".join(metric_named(m).label for m in tuning.metrics)
    names = ("metric", "bce", "tuned", "gain", "low", "high")
    data = [{name: getattr(g, name) for name in names} for g in gains]
    return captioned(
        "Gain on test",
        finish(figure, "gains", f"Gain on test over BCE with 95 % intervals. {told}", data),
        "Marks are gains of the choice over its BCE twin, bars their 95 % intervals. A mark is filled where "
        f"the whole interval is on one side of 0. Optimised: {optimised}; among the others a filled dot may "
        "be chance.",
    )


def shown_gains(tuning: Tuning) -> list[Gain]:
    """Return the gains on test of the metrics that have a better side."""
    return [
        gain
        for gain in (tuning.confirmation.gains if tuning.confirmation else ())
        if metric_named(gain.metric).higher_is_better is not None and not math.isnan(gain.gain)
    ]


def captioned(heading: str, drawing: Drawing, caption: str, table: PlainTable | None = None) -> Figure:
    """Return a figure; the caption is text."""
    return Figure(heading, heading, drawing, escape(caption), table)


def format_metric(value: float, metric: str) -> str:
    """Print a value with the decimals of its metric."""
    return format_estimate(value, math.nan, metric_named(metric).decimals)
