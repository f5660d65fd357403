"""The activity of pairs: what share of them violates its margin, round by round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import product
from typing import Final

import numpy as np

from gbdt_pwiser.evaluation.activity import ActivityCurve
from gbdt_pwiser.report._plots import Comparison, Drawing, Plot, Styles, add_loss_legend, finish, new_panels
from gbdt_pwiser.report.activity import activity_notes

_TERMS: Final = {"impression": "unclicked", "click": "click-only"}
"""Of each pairwise term: what a conversion is paired with."""


def _caption(c: Comparison) -> str:
    text = (
        "Share of the pairs of a converted with an unclicked and with a click-only exposure that violate "
        f"their margin, on training data{c.of_first_seed}\n"
        "  after some of the rounds, up to the one that counts. These pairs are active: the hinge pulls at "
        "them alone.\n"
        "  Near 100 % it pulls at all alike, and the term is a weight on conversions, as in weighted_bce; "
        "the lower the line, the more it ranks.\n"
        "  The lines of other losses count the same pairs: what the term would find to do. A weight of w "
        "means that BCE pushes conversions as hard,\n"
        "  in sum, where each counts 1 + w times.\n"
    )
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in activity_notes(c.details.activity))
    return f"{text}<ul>\n{notes}</ul>\n" if notes else text


ACTIVITY: Final = Plot(
    section="models",
    heading=lambda c: "What the pairwise term does",
    label="Plot of active pairs",
    draw=lambda c: plot_activity(c.details.activity, c.styles),
    caption=_caption,
)


def plot_activity(curves: Sequence[ActivityCurve], styles: Styles) -> Drawing | None:
    """Draw a row per model, a panel per term and a line per loss; None where there are no pairs."""
    curves = [c for c in curves if not np.isnan([*c.click, *c.impression]).all()]
    if not curves:
        return None
    panels_of = list(product(dict.fromkeys(c.model for c in curves), _TERMS))
    figure, panels = new_panels(len(panels_of), columns=2, height=2.2, sharex="row", sharey=True)
    for panel, (model, term) in zip(panels, panels_of, strict=True):
        for c in (c for c in curves if c.model == model):
            panel.plot(
                c.rounds,
                100 * np.array(getattr(c, term)),
                **styles[c.loss],
                markevery=[-1],
                markersize=6,
                linewidth=1.4,
                clip_on=False,
            )
        panel.set_title(f"{model}, with {_TERMS[term]}")
        last = max(c.rounds[-1] for c in curves if c.model == model)
        panel.set_xscale("symlog", linthresh=1, linscale=0.4)
        panel.set_xticks(*_ticks(last))
        panel.minorticks_off()
        panel.set_xlim(0, last)
        panel.set_xlabel("round")
        panel.set_ylim(0, 100)
        panel.yaxis.set_major_formatter("{x:.0f}%")
        panel.grid(axis="y", alpha=0.35, linewidth=0.6)
        panel.tick_params(labelleft=True)
    for panel in panels[::2]:
        panel.set_ylabel("active pairs")
    add_loss_legend(figure, styles, (c.loss for c in curves))
    data = [
        {"model": c.model, "loss": c.loss, "pairs_with": opponents, "round": number, "active": share}
        for c in curves
        for term, opponents in _TERMS.items()
        for number, share in zip(c.rounds, getattr(c, term), strict=True)
        if not math.isnan(share)
    ]
    return finish(figure, "activity", _name(curves), data)


def _ticks(last: int) -> tuple[list[int], list[str]]:
    """Return the places 0, 1, 10, 100, ... up to the last round, and what stands there."""
    places = [0, *(10**power for power in range(len(str(last)))), last]
    if len(places) > 3 and last < 2 * places[-2]:
        del places[-2]  # two numbers would touch
    return (shown := list(dict.fromkeys(places))), list(map(str, shown))


def _name(curves: Sequence[ActivityCurve]) -> str:
    ends = "; ".join(f"{c.model} {c.loss} {_share(c.impression[-1])}, {_share(c.click[-1])}" for c in curves)
    return (
        "Share of pairs that violate their margin by round, with unclicked and with click-only exposures. "
        f"In the round that counts: {ends}"
    )


def _share(active: float) -> str:
    return "none" if math.isnan(active) else f"{100 * active:.0f} %"
