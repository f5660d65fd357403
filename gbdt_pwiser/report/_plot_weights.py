"""The weight path: CTR AUC against conversion AUC on validation, weight by weight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from gbdt_pwiser.evaluation.results import BASELINE
from gbdt_pwiser.evaluation.sweep import GIVEN_UP, Estimate, SweepMean, best_within
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report._plots import (
    Comparison,
    Drawing,
    PlainTable,
    Plot,
    Styles,
    add_loss_legend,
    drop_overlapping,
    finish,
    label_point,
    new_panels,
)
from gbdt_pwiser.report.table import best_gain_rows, best_gains_label, best_gains_notes


def _caption(c: Comparison) -> str:
    paired = any(s.loss == BASELINE for s in c.means)
    several = len(c.seeds) > 1
    mean = f", mean over {len(c.seeds)} seeds" if several else ""
    by = " by at least one seed" if several else ""
    ring = f" The ring is {BASELINE}." if paired else ""
    label = escape(metric_named(c.details.choose_by).label)
    drawn = metric_named(_against(c.means))
    text = (
        f"Each point is a weight, trained and scored on <strong>validation</strong>{mean}; "
        "test played no part in it.\n"
        f"  A filled point was chosen there{by} for its {label}.{ring}\n"
        f"  {drawn.label[0].upper()}{drawn.label[1:]} is the {drawn.meaning}.\n"
    )
    if several:
        other = f"{BASELINE} of the same model" if paired else "the least weight"
        text += f"  Bars: standard error over the seeds of the difference to {other} and seed.\n"
    return text


def _table(c: Comparison) -> PlainTable | None:
    rows = best_gain_rows(["model", "loss"], [best_within(c.means, amount) for amount in GIVEN_UP])
    if not rows:
        return None
    note = " ".join(best_gains_notes(len(c.seeds)))
    return PlainTable(best_gains_label("conversion_auc"), rows, words=2, note=note)


WEIGHTS: Final = Plot(
    section="results",
    heading=lambda c: "The weight path, on validation",
    label="Plot of the weight path",
    draw=lambda c: plot_weights(c.means, c.styles),
    caption=_caption,
    table=_table,
)


def plot_weights(means: Sequence[SweepMean], styles: Styles) -> Drawing | None:
    """Draw a panel per model and a line per loss; None where no loss was trained with several weights."""
    against = _against(means)
    known = [s for s in means if not (math.isnan(s.ctr_auc.mean) or math.isnan(_of(s, against).mean))]
    tried = Counter((s.model, s.loss) for s in known)
    models = list(dict.fromkeys(model for (model, _), weights in tried.items() if weights > 1))
    if not models:
        return None
    shown = [s for s in known if s.model in models]
    # Several paths in one panel need room for their labels; many panels leave none.
    crowded = max(Counter(model for (model, _), weights in tried.items() if weights > 1).values()) > 2
    columns = 1 if crowded and len(models) < 3 else min(2, len(models))
    figure, panels = new_panels(len(models), columns=columns, height=3.4 if columns == 1 else 3.1)
    labels = []
    for panel, model in zip(panels, models, strict=True):
        for loss in styles:
            path = [s for s in shown if (s.model, s.loss) == (model, loss)]
            if not path:
                continue
            color = styles[loss]["color"]
            x, y = [s.ctr_auc.mean for s in path], [_of(s, against).mean for s in path]
            panel.plot(x, y, color=color, linestyle=styles[loss]["linestyle"], linewidth=1.3)
            for s in path:
                panel.errorbar(
                    s.ctr_auc.mean,
                    _of(s, against).mean,
                    xerr=_bar(s.ctr_auc.paired_error),
                    yerr=_bar(_of(s, against).paired_error),
                    color=color,
                    elinewidth=0.8,
                    marker=styles[loss]["marker"],
                    # A ring around what lies there: weight 0 of another loss is the same model.
                    markersize=10 if loss == BASELINE else 6.5,
                    markerfacecolor=color if s.chosen and loss != BASELINE else "none",
                )
                if tried[model, loss] > 1:
                    place = (s.ctr_auc.mean, _of(s, against).mean)
                    labels.append(label_point(panel, place, f"{s.weight:g}"))
        panel.margins(0.12)
        panel.locator_params(axis="x", nbins=4 if columns > 1 else "auto")
        panel.grid(alpha=0.3, linewidth=0.6)
        panel.set_title(model)
        panel.set_xlabel(metric_named("ctr_auc").label)
    for panel in panels[::columns]:
        panel.set_ylabel(metric_named(against).label)
    add_loss_legend(figure, styles, (s.loss for s in shown))
    drop_overlapping(figure, labels)
    return finish(figure, "weights", _name(shown, against), [_row(s, against) for s in shown])


def _against(means: Sequence[SweepMean]) -> str:
    """Return the metric of the upright axis: conversion AUC, which older versions did not note."""
    known = any(not math.isnan(s.conversion_auc.mean) for s in means)
    return "conversion_auc" if known else "ctcvr_auc"


def _of(s: SweepMean, metric: str) -> Estimate:
    estimate: Estimate = getattr(s, metric)
    return estimate


def _row(s: SweepMean, against: str) -> dict[str, Any]:
    bought = _of(s, against)
    return {
        **{"model": s.model, "loss": s.loss, "weight": s.weight},
        **{"ctr_auc": s.ctr_auc.mean, "ctr_auc_error": s.ctr_auc.paired_error},
        **{against: bought.mean, f"{against}_error": bought.paired_error},
        **{"chosen_by": s.chosen, "seeds": s.seeds},
    }


def _bar(error: float) -> float | None:
    return None if math.isnan(error) else error


def _name(shown: Sequence[SweepMean], against: str) -> str:
    points = "; ".join(
        f"{s.model} {s.loss} {s.weight:g}: {s.ctr_auc.mean:.4f}, {_of(s, against).mean:.4f}"
        + (f" (chosen by {s.chosen} of {s.seeds})" if s.chosen else "")
        for s in shown
    )
    return f"CTR AUC and {metric_named(against).label} on validation by weight. {points}"
