"""The forest plot: every model and loss with its difference to the one that all are measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from gbdt_pwiser.evaluation.results import names_cell
from gbdt_pwiser.evaluation.summary import Summary, shown_metrics
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.report._plots import Comparison, Plot, Styles, new_figure, to_svg
from gbdt_pwiser.report.table import format_estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS: Final = ("ctr_auc", "gauc", "conversion_auc", "ctcvr_auc")
_LINE: Final = 0.23  # inches, of a model and loss
_GAP: Final = 0.4  # lines, between models


FOREST: Final = Plot(
    section="results",
    heading=lambda c: f"Gain over {c.baseline}",
    label="Forest plot of gains",
    draw=lambda c: plot_forest(c) if names_cell(c.baseline) else None,
    caption=lambda c: (
        f"Dots are mean gains of each model and loss over {escape(c.baseline)}, paired on the same test\n"
        "  rows, bars their 95&nbsp;% intervals. A dot is filled where the gain survives Holm's correction\n"
        "  for all gains of the table.\n"
    ),
)


def plot_forest(comparison: Comparison) -> str | None:
    """Draw a panel per metric with a row per model and loss; None where there is no gain."""
    summaries = [s for s in comparison.summaries if not math.isnan(s.gain)]
    metrics = [m for m in shown_metrics(summaries, "ranking") if m in _METRICS]
    cells = list(dict.fromkeys((s.model, s.loss) for s in summaries if s.metric in metrics))
    if not cells:
        return None
    models = list(dict.fromkeys(model for model, _ in cells))
    # Rows from the top, a little apart where another model begins.
    places = {cell: row + _GAP * models.index(cell[0]) for row, cell in enumerate(cells)}
    lowest = max(places.values()) + 0.7
    figure = new_figure(height=0.8 + _LINE * (lowest + 0.7))
    panels: list[Axes] = list(figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0])
    for panel, metric in zip(panels, metrics, strict=True):
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.grid(axis="x", alpha=0.35, linewidth=0.6)
        for s in (s for s in summaries if s.metric == metric):
            _draw_gain(panel, s, places[s.model, s.loss], comparison.styles)
        panel.locator_params(axis="x", nbins=4)  # side by side there is room for few
        panel.xaxis.set_major_formatter(lambda gain, _: f"{gain:+zg}".replace("0.", ".") if gain else "0")
        panel.set_title(METRICS[metric].label)
    panels[0].set_yticks(list(places.values()), [f"{model} {loss}" for model, loss in cells])
    panels[0].set_ylim(lowest, -0.7)
    figure.supxlabel(f"gain over {comparison.baseline}", fontsize=10)
    return to_svg(figure, "forest", _name(summaries))


def _draw_gain(panel: Axes, s: Summary, place: float, styles: Styles) -> None:
    color = styles[s.loss]["color"]
    panel.errorbar(
        s.gain,
        place,
        xerr=None if math.isnan(s.gain_low) else s.gain_high - s.gain,
        marker=styles[s.loss]["marker"],
        markersize=5.5,
        markeredgewidth=1.5,
        # Hollow where the gain may be chance in a table of so many.
        markerfacecolor="none" if s.verdict == "unclear" else color,
        color=color,
        elinewidth=1.6,
        capsize=2.5,
    )


def _name(summaries: Sequence[Summary]) -> str:
    gains = "; ".join(
        f"{s.model} {s.loss} {format_estimate(s.gain, s.gain_standard_error, 4, signed=True)}"
        for s in summaries
        if s.metric == "ctr_auc"
    )
    return (
        f"Gain over {summaries[0].baseline} of every other model and loss, by metric, with 95 % intervals. "
        f"CTR AUC: {gains}"
    )
