"""The report's plots, as SVG text that can stand inside an HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.evaluation.metrics import METRICS
from gbdt_pwiser.evaluation.results import BASELINE, Summary, shown_metrics
from gbdt_pwiser.report._distribution import EDGES, GRADES, ScoreDistribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The three of Okabe and Ito's palette that stand out from light and dark pages alike; the line styles tell
# them apart without colour. Black becomes the colour of the page's text.
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
_STYLES: Final = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."))

_GAIN_METRICS: Final = ("ctr_auc", "gauc", "ctcvr_auc", "noise_free_ctr_auc")

_LOOK: Final = {
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "svg.hashsalt": "gbdt-pwiser",  # equal drawings give equal files
    "ytick.left": False,
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw the same whatever style the user's own matplotlib is set to."""
    from matplotlib import style

    with style.context(["default", _LOOK]):
        yield


def plot_gains(summaries: Sequence[Summary], *, name: str) -> str | None:
    """Draw each gain over bce with its 95 % interval; None where there is no gain.

    Parameters
    ----------
    summaries
        Of one data set.
    name
        Accessible name of the drawing.
    """
    metrics = [m for m in shown_metrics(summaries, "ranking") if m in _GAIN_METRICS]
    rows = [s for s in summaries if s.metric in metrics and not np.isnan(s.gain)]
    if not rows:
        return None
    blocks = list(dict.fromkeys((s.model, s.loss) for s in rows))
    figure = new_figure(height=0.8 + len(blocks) * (0.45 + 0.27 * len(metrics)))
    panels: list[Axes] = list(figure.subplots(len(blocks), sharex=True, squeeze=False)[:, 0])
    for panel, (model, loss) in zip(panels, blocks, strict=True):
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.grid(axis="x", alpha=0.35, linewidth=0.6)
        for s in (s for s in rows if (s.model, s.loss) == (model, loss)):
            panel.errorbar(
                s.gain,
                metrics.index(s.metric),
                xerr=None if np.isnan(s.gain_low) else s.gain_high - s.gain,
                marker="o",
                markersize=6.5,
                markeredgewidth=1.5,
                # Hollow where the gain may be chance in a table of so many.
                markerfacecolor="none" if s.verdict == "unclear" else BLUE,
                color=BLUE,
                elinewidth=1.8,
                capsize=3,
            )
        panel.set_yticks(range(len(metrics)), [METRICS[m].label for m in metrics])
        panel.set_ylim(len(metrics) - 0.5, -0.5)
        panel.set_title(f"{model}, {loss}")
    for panel in panels[:-1]:
        panel.spines.bottom.set_visible(False)
        panel.tick_params(bottom=False)
    panels[-1].set_xlabel(f"gain over the same model's {BASELINE}")
    return to_svg(figure, "gains", name)


def plot_distributions(distributions: Sequence[ScoreDistribution], *, name: str) -> str | None:
    """Draw pCTR by grade, one panel per model and loss; None where there are no distributions.

    Parameters
    ----------
    distributions
        One per panel: models from top to bottom, losses from left to right.
    name
        Accessible name of the drawing.
    """
    if not distributions:
        return None
    models = list(dict.fromkeys(d.model for d in distributions))
    losses = list(dict.fromkeys(d.loss for d in distributions))
    figure = new_figure(height=0.9 + 1.7 * len(models))
    panels = figure.subplots(len(models), len(losses), sharex=True, sharey="row", squeeze=False)
    rebin = _Rebinning.around(np.sum([d.counts for d in distributions], axis=0))
    for panel in panels.flat:
        panel.set_axis_off()  # until a distribution claims it
    for d in distributions:
        panel = panels[models.index(d.model), losses.index(d.loss)]
        panel.set_axis_on()
        for counts, label, (color, line) in zip(d.counts, GRADES, _STYLES, strict=True):
            share = rebin(counts) / max(1, counts.sum())
            panel.stairs(share, rebin.edges, color=color, linestyle=line, linewidth=1.5, label=label)
        panel.set_title(f"{d.model}, {d.loss}")
        panel.set_yticks([])
        panel.set_ylim(bottom=0)
    ticks = np.array([1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999])
    places = np.log(ticks) - np.log1p(-ticks)
    shown = (places >= rebin.edges[0]) & (places <= rebin.edges[-1])
    for panel in panels[-1]:
        panel.set_xticks(places[shown], [f"{100 * t:g}%" for t in ticks[shown]])
        panel.set_xlabel("pCTR (log-odds scale)")
    handles, labels = next(p for p in panels.flat if p.axison).get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False)
    return to_svg(figure, "distributions", name)


class _Rebinning:
    """Joins `join` fine bins into one, from bin `first` to at least bin `last`."""

    def __init__(self, first: int, last: int, join: int) -> None:
        self.first, self.join = first, join
        self.bins = -(-(last - first) // join)
        self.edges = EDGES[0] + (EDGES[1] - EDGES[0]) * (first + join * np.arange(self.bins + 1))

    @classmethod
    def around(cls, counts: NDArray[np.int64]) -> _Rebinning:
        """About 40 bins over all but the outer 0.05 % on either side of each grade."""
        seen = counts[counts.sum(axis=1) > 0]
        if not len(seen):
            return cls(0, counts.shape[1], 10)
        share = np.cumsum(seen, axis=1) / seen.sum(axis=1, keepdims=True)
        first = int((share <= 0.0005).sum(axis=1).min())
        last = int((share < 0.9995).sum(axis=1).max()) + 1
        return cls(first, last, max(1, (last - first) // 40))

    def __call__(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        window = counts[self.first : self.first + self.bins * self.join]
        whole = np.pad(window, (0, self.bins * self.join - len(window)))
        joined: NDArray[np.int64] = whole.reshape(self.bins, self.join).sum(axis=1)
        return joined


def new_figure(*, height: float) -> Figure:
    from matplotlib.figure import Figure  # not pyplot: nothing global is touched

    return Figure(figsize=(6.8, height))


def to_svg(figure: Figure, prefix: str, name: str) -> str:
    """Render as an SVG element for HTML: named, in the page's text colour, ids unique to this drawing."""
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    text = buffer.getvalue()
    opening = re.search(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", text)
    assert opening is not None, "matplotlib wrote no SVG element"
    drawing = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", text[opening.end() :])
    drawing = drawing.replace("#000000", "currentColor")
    label = escape(name)
    root = f'<svg role="img" aria-label="{label}" {opening[1]} fill="currentColor">'
    return f"{root}<title>{label}</title>{drawing}"
