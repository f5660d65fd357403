"""Each gain over the same model's bce with its interval, a panel per model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gbdt_pwiser.evaluation.results import BASELINE, names_cell
from gbdt_pwiser.evaluation.summary import Summary, shown_metrics
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.report._plots import Plot, Styles, add_loss_legend, new_figure, to_svg
from gbdt_pwiser.report.table import format_estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS: Final = ("ctr_auc", "gauc", "conversion_auc", "ctcvr_auc", "noise_free_ctr_auc")
_LINE: Final = 0.27  # inches


GAINS: Final = Plot(
    section="results",
    heading=lambda c: f"Gain over {BASELINE}",
    label="Plot of gains",
    draw=lambda c: None if names_cell(c.baseline) else plot_gains(c.summaries, c.styles),
    caption=lambda c: (
        f"Dots are mean gains over {BASELINE} of the same model, bars their 95&nbsp;% intervals. "
        "A dot is filled\n"
        "  where the gain survives Holm's correction for all gains of the table.\n"
    ),
)


def plot_gains(summaries: Sequence[Summary], styles: Styles) -> str | None:
    """Draw a panel per model with a row per metric and loss; None where there is no gain."""
    metrics = [m for m in shown_metrics(summaries, "ranking") if m in _METRICS]
    rows = [s for s in summaries if s.metric in metrics and not math.isnan(s.gain)]
    if not rows:
        return None
    losses = {m: list(dict.fromkeys(s.loss for s in rows if s.model == m)) for m in _models(rows)}
    several = any(len(own) > 1 for own in losses.values())
    # Inches from metric to metric: a line per loss, and a little air between blocks of several.
    steps = [_LINE * (len(own) + 0.3 * several) for own in losses.values()]
    heights = [0.45 + step * len(metrics) for step in steps]
    figure = new_figure(height=0.8 + 0.3 * several + sum(heights))
    panels: list[Axes] = list(
        figure.subplots(len(losses), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    )
    for panel, (model, own), step in zip(panels, losses.items(), steps, strict=True):
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.grid(axis="x", alpha=0.35, linewidth=0.6)
        for s in (s for s in rows if s.model == model):
            color = styles[s.loss]["color"]
            panel.errorbar(
                s.gain,
                metrics.index(s.metric) + (own.index(s.loss) - (len(own) - 1) / 2) * _LINE / step,
                xerr=None if math.isnan(s.gain_low) else s.gain_high - s.gain,
                marker=styles[s.loss]["marker"] if several else "o",
                markersize=6.5,
                markeredgewidth=1.5,
                # Hollow where the gain may be chance in a table of so many.
                markerfacecolor="none" if s.verdict == "unclear" else color,
                color=color,
                elinewidth=1.8,
                capsize=3,
            )
        panel.set_yticks(range(len(metrics)), [METRICS[m].label for m in metrics])
        panel.set_ylim(len(metrics) - 0.5, -0.5)
        panel.set_title(model if several else f"{model}, {own[0]}")
    for panel in panels[:-1]:
        panel.spines.bottom.set_visible(False)
        panel.tick_params(bottom=False)
    panels[-1].set_xlabel(f"gain over the same model's {BASELINE}")
    if several:
        add_loss_legend(figure, styles, (s.loss for s in rows))
    return to_svg(figure, "gains", _name(rows))


def _models(rows: Sequence[Summary]) -> list[str]:
    return list(dict.fromkeys(s.model for s in rows))


def _name(rows: Sequence[Summary]) -> str:
    gains = "; ".join(
        f"{s.model} {s.loss} {format_estimate(s.gain, s.gain_standard_error, 4, signed=True)}"
        for s in rows
        if s.metric == "ctr_auc"
    )
    return f"Gain over {BASELINE} of the same model by metric, with 95 % intervals. CTR AUC: {gains}"
