"""The answer of a comparison in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from gbdt_pwiser.evaluation.results import names_cell
from gbdt_pwiser.evaluation.summary import Summary
from gbdt_pwiser.metrics import metric_named
from gbdt_pwiser.report.table import format_estimate

IN_SENTENCES: Final = {"bce": "BCE", "pwiser": "BCE+PWiseR"}
"""What losses are called in sentences and titles, where it is not their name."""

METRIC: Final = "ctr_auc"
"""What the answer is about: how well clicks are ranked."""


def answer(summaries: Sequence[Summary]) -> str:
    """Say whether a loss ranks clicks better than the baseline, by how much, and whether it may be chance.

    Parameters
    ----------
    summaries
        Of one data set. Marks are theirs (`Summary.verdict`): corrected for all gains of the table.

    Examples
    --------
    >>> from gbdt_pwiser.evaluation.summary import Summary
    >>> own, gain = ("us", "lightgbm", "pwiser", "ctr_auc", 5, 0.7, 0.001), (0.0031, 0.0009, 0.0012, 0.005)
    >>> print(answer([Summary(*own, *gain, p_value=0.002, method="seeds", baseline="bce")]))
    BCE+PWiseR ranks clicks better than BCE here: the gain in CTR AUC is +.0031 (95 % interval +.0012 to +.0050), more than chance.
    >>> print(answer([Summary(*own, 0.0003, 0.0009, -0.0015, 0.0021, 0.7, method="seeds", baseline="bce")]))
    BCE+PWiseR does not rank clicks better than BCE here: the gain in CTR AUC is +.0003 (95 % interval -.0015 to +.0021), which may be chance.
    """  # noqa: E501
    gains = [s for s in summaries if s.metric == METRIC and not math.isnan(s.gain)]
    if not gains:
        return f"Nothing is compared here: no gain in {metric_named(METRIC).label} was measured."
    label, over = metric_named(METRIC).label, IN_SENTENCES.get(gains[0].baseline, gains[0].baseline)
    several = len(gains) > 1
    better, worse = ([s for s in gains if s.verdict == verdict] for verdict in ("better", "worse"))
    if all(math.isnan(s.p_value) for s in gains):
        start, end = f"Nothing here tells whether a loss ranks clicks better than {over}", "without an error"
    elif better:
        start, end = _praise(better, gains, over), "more than chance"
    else:
        start, end = f"{_nobody(gains)} better than {over} here", "which may be chance"
    best = max(better or gains, key=lambda s: s.gain)
    if best.verdict == "unclear" and best.gain_low > 0:
        end += " among all gains of the table"
    if best.verdict == "worse":
        end = "lower by more than chance"
    elif worse:
        verb = "is" if len(worse) == 1 else "are"
        end += f", and {len(worse)} of {len(gains)} gains {verb} below zero by more than chance"
    which = "" if not several else "largest such " if better else "largest "
    return f"{start}: the {which}gain in {label} is {_amount(best, several)}, {end}."


def _praise(better: Sequence[Summary], gains: Sequence[Summary], over: str) -> str:
    """Say who ranks better than what."""
    losses = {s.loss for s in better}
    if len(gains) == 1 and names_cell(gains[0].baseline):
        return f"{gains[0].model} {gains[0].loss} ranks clicks better than {over} here"
    if names_cell(gains[0].baseline) or len(losses) > 1:
        return f"{len(better)} of {len(gains)} models and losses rank clicks better than {over} here"
    (loss,) = losses
    tried = sum(s.loss == loss for s in gains)
    where = f" for {len(better)} of {tried} models" if tried > 1 else ""
    return f"{IN_SENTENCES.get(loss, loss)} ranks clicks better than {over}{where} here"


def _nobody(gains: Sequence[Summary]) -> str:
    losses = {s.loss for s in gains}
    if names_cell(gains[0].baseline):
        return "No other model and loss ranks clicks"
    if len(losses) > 1:
        return "No loss ranks clicks"
    (loss,) = losses
    return f"{IN_SENTENCES.get(loss, loss)} does not rank clicks"


def _amount(s: Summary, named: bool) -> str:
    """Print a gain with its interval, at least two digits of it, and whose it is."""
    decimals, reach = metric_named(s.metric).decimals, (s.gain_high - s.gain_low) / 2
    if reach > 0:
        decimals = max(decimals, 1 - math.floor(math.log10(reach)))

    def told(value: float) -> str:
        return format_estimate(value, math.nan, decimals, signed=True)

    interval = "" if math.isnan(reach) else f"95 % interval {told(s.gain_low)} to {told(s.gain_high)}"
    beside = ", ".join(filter(None, [f"{s.model} {s.loss}" * named, interval]))
    return told(s.gain) + (f" ({beside})" if beside else "")
