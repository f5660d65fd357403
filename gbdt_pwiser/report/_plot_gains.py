"""The gain plot: every gain with its interval, a panel per metric and a line per model and loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from gbdt_pwiser.evaluation.results import names_cell
from gbdt_pwiser.evaluation.summary import Summary, shown_metrics
from gbdt_pwiser.metrics import METRICS
from gbdt_pwiser.report._plots import Comparison, Drawing, Plot, Styles, finish, new_figure
from gbdt_pwiser.report.table import format_estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS: Final = ("ctr_auc", "gauc", "conversion_auc", "ctcvr_auc", "noise_free_ctr_auc")
_LINE: Final = 0.225  # inches, of a loss, or of the name of a model
_TALL: Final = 15  # lines from which the numbers stand above, too
_GAP: Final = 0.35  # lines, above the name of a model


def _caption(c: Comparison) -> str:
    paired = "paired on the same test\n  rows, " if names_cell(c.baseline) else ""
    return (
        f"Marks are mean gains over {escape(c.summaries[0].over)}, {paired}bars their 95&nbsp;% intervals; "
        "right of the line is better.\n"
        "  A mark is filled where the gain survives Holm's correction for all gains of the table.\n"
    )


GAINS: Final = Plot(
    section="opening",
    heading=lambda c: f"Gain over {c.baseline}",
    label="Plot of gains",
    draw=lambda c: plot_gains(c.summaries, c.styles),
    caption=_caption,
)


def plot_gains(summaries: Sequence[Summary], styles: Styles) -> Drawing | None:
    """Draw a panel per metric with a line per model and loss; None where there is no gain."""
    gains = [s for s in summaries if s.metric in _METRICS and not math.isnan(s.gain)]
    metrics = shown_metrics(gains, "ranking")
    if not gains:
        return None
    places, lines = _lines(dict.fromkeys((s.model, s.loss) for s in gains))
    lowest = max(places.values()) + 0.7
    names = {metric: METRICS[metric].label for metric in metrics}
    if len(metrics) > 1:  # a panel is as wide as one word
        names = {
            metric: name.replace(" ", "\n", 1) if len(name) > 9 else name for metric, name in names.items()
        }
    broken = any("\n" in name for name in names.values())
    figure = new_figure(height=0.85 + 0.16 * broken + _LINE * (lowest + 0.7))
    panels: list[Axes] = list(figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0])
    for panel, metric in zip(panels, metrics, strict=True):
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.grid(axis="x", alpha=0.35, linewidth=0.6)
        for s in (s for s in gains if s.metric == metric):
            _draw_gain(panel, s, places[s.model, s.loss], styles)
        panel.locator_params(
            axis="x", nbins=3 if len(metrics) > 3 else 4
        )  # side by side there is room for few
        panel.xaxis.set_major_formatter(lambda gain, _: f"{gain:+zg}".replace("0.", ".") if gain else "0")
        panel.set_title(names[metric], fontsize=9 if len(metrics) > 3 else 10)
        if lowest > _TALL:
            panel.tick_params(top=True, labeltop=True)
    panels[0].set_yticks(list(lines), list(lines.values()))
    models = {s.model for s in gains}
    for label in panels[0].get_yticklabels():
        if label.get_text() in models:
            label.set_fontweight("bold")
    panels[0].set_ylim(lowest, -0.7)
    figure.supxlabel(f"gain over {_over(gains[0])}", fontsize=10)
    return finish(figure, "gains", _name(gains), list(map(_row, gains)))


def _lines(cells: Iterable[tuple[str, str]]) -> tuple[dict[tuple[str, str], float], dict[float, str]]:
    """Return the place of each model and loss from the top, and by place what is written there.

    The losses of a model stand below its name; a single loss for all is named with the model.
    """
    by_model: dict[str, list[str]] = {}
    for model, loss in cells:
        by_model.setdefault(model, []).append(loss)
    places: dict[tuple[str, str], float] = {}
    written: dict[float, str] = {}
    line = 0.0
    for model, losses in by_model.items():
        if grouped := max(map(len, by_model.values())) > 1:
            written[line] = model
            line += 1
        for loss in losses:
            places[model, loss] = line
            written[line] = loss if grouped else f"{model} {loss}"
            line += 1
        line += _GAP * grouped
    return places, written


def _draw_gain(panel: Axes, s: Summary, place: float, styles: Styles) -> None:
    color = styles[s.loss]["color"]
    panel.errorbar(
        s.gain,
        place,
        xerr=None if math.isnan(s.gain_low) else [[s.gain - s.gain_low], [s.gain_high - s.gain]],
        marker=styles[s.loss]["marker"],
        markersize=5.5,
        markeredgewidth=1.5,
        # Hollow where the gain may be chance in a table of so many.
        markerfacecolor="none" if s.verdict == "unclear" else color,
        color=color,
        elinewidth=1.6,
        capsize=2.5,
    )


def _row(s: Summary) -> dict[str, Any]:
    return {
        **{"model": s.model, "loss": s.loss, "metric": s.metric, "over": s.baseline},
        **{"gain": s.gain, "low": s.gain_low, "high": s.gain_high, "verdict": s.verdict},
    }


def _over(s: Summary) -> str:
    return s.baseline if names_cell(s.baseline) else f"the same model's {s.baseline}"


def _name(gains: Sequence[Summary]) -> str:
    told = "; ".join(
        f"{s.model} {s.loss} {format_estimate(s.gain, s.gain_standard_error, 4, signed=True)}"
        for s in gains
        if s.metric == "ctr_auc"
    )
    first = gains[0]
    what = f"{first.baseline} of every other model and loss," if names_cell(first.baseline) else first.over
    return f"Gain over {what} by metric, with 95 % intervals. CTR AUC: {told}"
