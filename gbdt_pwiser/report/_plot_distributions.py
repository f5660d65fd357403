"""The distribution of pCTR by grade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.distribution import EDGES, GRADES, ScoreDistribution
from gbdt_pwiser.report._plots import (
    BLUE,
    GREEN,
    VERMILLION,
    Drawing,
    Plot,
    finish,
    log_odds_ticks,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS: Final = 4
_GRADE_STYLES: Final = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."))


DISTRIBUTIONS: Final = Plot(
    section="models",
    heading=lambda c: "Predicted CTR by grade",
    label="Plot of distributions",
    draw=lambda c: plot_distributions(c.details.distributions),
    caption=lambda c: (
        f"Test split{c.of_first_seed}. Each line shows what share of a grade's exposures gets which pCTR, "
        "so that\n"
        "  rare grades are as visible as common ones. The less the lines overlap, the better pCTR tells the "
        "grades apart.\n"
    ),
)


def plot_distributions(distributions: Sequence[ScoreDistribution]) -> Drawing | None:
    """Draw a panel per model and loss, models from top to bottom; None where there are no distributions."""
    if not distributions:
        return None
    models = [d.model for d in distributions]
    distributions = sorted(distributions, key=lambda d: models.index(d.model))
    places = _places(distributions)
    rows, columns = (max(place) + 1 for place in zip(*places, strict=True))
    narrow = columns > 3
    figure = new_figure(height=0.9 + (1.5 if narrow else 1.7) * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey="row", squeeze=False)
    rebin = _Rebinning.around(np.sum([d.counts for d in distributions], axis=0))
    ticks, texts = log_odds_ticks(rebin.edges[0], rebin.edges[-1])
    if narrow and len(ticks) > 3:
        ticks, texts = ticks[::2], texts[::2]
    for unclaimed in panels.flat:
        unclaimed.set_axis_off()
    data = []
    for d, (row, column) in zip(distributions, places, strict=True):
        panel: Axes = panels[row, column]
        panel.set_axis_on()
        for counts, label, (color, line) in zip(d.counts, GRADES, _GRADE_STYLES, strict=True):
            share = rebin(counts) / max(1, counts.sum())
            panel.stairs(share, rebin.edges, color=color, linestyle=line, linewidth=1.5, label=label)
            edges = rebin.edges.tolist()
            data += [
                {"model": d.model, "loss": d.loss, "grade": label, "low": low, "high": high, "share": value}
                for low, high, value in zip(edges[:-1], edges[1:], share.tolist(), strict=True)
            ]
        # Side by side, four long titles would touch.
        panel.set_title(
            f"{d.model},\n{d.loss}" if narrow else f"{d.model}, {d.loss}", fontsize=9 if narrow else None
        )
        panel.set_yticks([])
        panel.set_ylim(bottom=0)
        panel.set_xticks(ticks, texts, fontsize=8 if narrow else 9)
        if (row + 1, column) not in places:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("pCTR (log-odds)" if narrow else "pCTR (log-odds scale)")
    handles, labels = panels[places[0]].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False)
    told = "Distribution of predicted click-through rate by grade, per model and loss"
    return finish(figure, "distributions", told, data)


def _places(distributions: Sequence[ScoreDistribution]) -> list[tuple[int, int]]:
    """Row and column of each: a model begins a row, and a loss has its column where they fit into one row."""
    losses = list(dict.fromkeys(d.loss for d in distributions))
    places: list[tuple[int, int]] = []
    row = 0
    for model in dict.fromkeys(d.model for d in distributions):
        own = [d.loss for d in distributions if d.model == model]
        columns = map(losses.index, own) if len(losses) <= _COLUMNS else range(len(own))
        places += [(row + column // _COLUMNS, column % _COLUMNS) for column in columns]
        row = places[-1][0] + 1
    return places


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
