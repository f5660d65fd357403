"""Reliability curves: predicted against observed click rates, before and after calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.evaluation.details import ReliabilityCurve
from gbdt_pwiser.evaluation.results import CALIBRATED
from gbdt_pwiser.report._plots import (
    INK,
    Drawing,
    Plot,
    Styles,
    add_loss_legend,
    finish,
    log_odds_ticks,
    new_panels,
)

RELIABILITY: Final = Plot(
    section="calibration",
    heading=None,
    label="Plot of reliability",
    draw=lambda c: plot_reliability(c.details.reliability, c.styles),
    caption=lambda c: (
        f"Test split{c.of_first_seed}, in at most 20 bins of equally many exposures, both axes in log-odds. "
        "On the straight line pCTR keeps its promise;\n"
        "  below it, it promises too much. Bins without a click, and with clicks only, have no place here."
    ),
)


def plot_reliability(curves: Sequence[ReliabilityCurve], styles: Styles) -> Drawing | None:
    """Draw a panel per model and calibration and a line per loss; None where there are no curves.

    Both axes are log-odds, so a bin whose click rate is 0 or 1 has no place on them and is left out.
    """
    places = [_log_odds(c) for c in curves]
    seen = np.concatenate([np.ravel(place) for place in places]) if places else np.zeros(0)
    if not len(seen):
        return None
    low, high = seen.min() - 0.2, seen.max() + 0.2
    kinds = list(dict.fromkeys((c.model, c.split) for c in curves))
    figure, panels = new_panels(
        len(kinds), columns=2, height=2.9 if len(kinds) <= 4 else 2.1, sharex=True, sharey=True
    )
    by_kind = dict(zip(kinds, panels, strict=True))
    for (model, split), panel in by_kind.items():
        panel.axline((low, low), slope=1.0, color=INK, linewidth=0.8, alpha=0.6)
        panel.grid(alpha=0.3, linewidth=0.6)
        how = CALIBRATED.get(split, "as trained")  # short: two titles share a line
        panel.set_title(f"{model}, {how}")
        panel.set_xticks(*log_odds_ticks(low, high))
        panel.set_yticks(*log_odds_ticks(low, high))
        panel.set_xlim(low, high)
        panel.set_ylim(low, high)
        panel.tick_params(labelbottom=True, labelleft=True)
    for c, (predicted, observed) in zip(curves, places, strict=True):
        by_kind[c.model, c.split].plot(
            predicted, observed, **styles[c.loss], markersize=3.5, linewidth=1.1, markerfacecolor="none"
        )
    for panel in panels[-2:]:
        panel.set_xlabel("mean pCTR of the bin")
    for panel in panels[::2]:
        panel.set_ylabel("click rate of the bin")
    add_loss_legend(figure, styles, (c.loss for c in curves))
    data = [
        {"model": c.model, "loss": c.loss, "split": c.split, "predicted": p, "observed": o}
        for c in curves
        for p, o in zip(c.predicted, c.observed, strict=True)
        if 0 < p < 1 and 0 < o < 1
    ]
    return finish(figure, "reliability", _name(curves), data)


def _log_odds(curve: ReliabilityCurve) -> NDArray[np.float64]:
    """Return log-odds of predicted and observed rates, (2, bins), without the bins at 0 or 1."""
    rates = np.array([curve.predicted, curve.observed], dtype=np.float64)
    inside = rates[:, ((rates > 0) & (rates < 1)).all(axis=0)]
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _name(curves: Sequence[ReliabilityCurve]) -> str:
    models = ", ".join(dict.fromkeys(c.model for c in curves))
    losses = ", ".join(dict.fromkeys(c.loss for c in curves))
    how = " before and after calibration" if len({c.split for c in curves}) > 1 else ""
    return f"Click rate against mean pCTR in bins of equal size{how}: {models}, each with {losses}"
