"""Conversion rates of the clicks in tenths by pCTR: a hint where the data lies."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import numpy as np
from scipy.stats import binomtest

from gbdt_pwiser.evaluation.diagnosis import ClickTenths
from gbdt_pwiser.report._plots import INK, Comparison, Drawing, Plot, finish, new_panels
from gbdt_pwiser.report.clicks import HINT, ratio_in_words


def _caption(c: Comparison) -> str:
    ratios = {t.model: ratio_in_words(t) for t in c.details.clicks if t.enough}
    told = [f"<li>{escape(model)}: {ratio}</li>" for model, ratio in ratios.items() if ratio]
    text = (
        f"Conversions per click on validation{c.of_first_seed}, with 95&nbsp;% intervals, by tenth of "
        "the clicks in the order of the pCTR of bce."
    )
    return "\n".join([text, "<ul>", *told, "</ul>", *HINT]) if told else text


CLICKS: Final = Plot(
    section="results",
    heading=lambda c: "Where this data lies (a hint)",
    label="Plot of conversions by tenth of the clicks",
    draw=lambda c: plot_clicks(c.details.clicks),
    caption=_caption,
)


def plot_clicks(tenths: Sequence[ClickTenths]) -> Drawing | None:
    """Draw a panel of bars per model; None where all have too few conversions."""
    shown = [t for t in tenths if t.enough]
    if not shown:
        return None
    figure, panels = new_panels(len(shown), columns=2, height=2.2, sharey=True)
    data = []
    for t, panel in zip(shown, panels, strict=True):
        place, rates = np.arange(1, len(t.rates) + 1), np.array(t.rates)
        ends = np.array([_interval(*counts) for counts in zip(t.conversions, t.clicks, strict=True)])
        panel.bar(place, 100 * rates, color=INK, alpha=0.3)
        reach = np.abs(ends.T - rates)
        for tenth, (rate, clicks, conversions, (low, high)) in enumerate(
            zip(t.rates, t.clicks, t.conversions, ends.tolist(), strict=True), start=1
        ):
            counts = {"clicks": clicks, "conversions": conversions}
            place_of = {"model": t.model, "tenth": tenth}
            data.append({**place_of, **counts, "rate": rate, "low": low, "high": high})
        panel.errorbar(place, 100 * rates, 100 * reach, fmt="none", ecolor=INK, elinewidth=1.0, capsize=2)
        panel.set_ylim(bottom=0.0)
        panel.set_xticks(place)
        panel.grid(axis="y", alpha=0.35, linewidth=0.6)
        panel.set_title(t.model)
        panel.set_xlabel("tenth of the clicks, by pCTR")
    panels[0].set_ylabel("% of clicks that convert")
    told = "; ".join(f"{t.model} {', '.join(f'{rate:.1%}' for rate in t.rates)}" for t in shown)
    return finish(figure, "clicks", f"Conversions per click by tenth of the clicks, by pCTR: {told}", data)


def _interval(conversions: int, clicks: int) -> tuple[float, float]:
    interval = binomtest(conversions, clicks).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
