"""Margins as numbers, or as quantiles of the scores' differences: numbers once there are scores."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from gbdt_pwiser.objectives._activity import pair_activity
from gbdt_pwiser.objectives._anchors import range_of_all
from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives._logistic import sigmoid
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives._terms import Scale
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import check_number

_QUANTILE: Final = re.compile(r"q(\d{1,2}(?:\.\d+)?)")

# Halvings of the range of differences: a millionth of it, below the digits that are kept.
_HALVINGS: Final = 22


def quantile_of(margin: Any) -> float | None:
    """Return the share of active pairs, in (0, 1), that "q50" stands for; None for a number.

    Examples
    --------
    >>> quantile_of("q97.5"), quantile_of(0.1)
    (0.975, None)
    """
    found = _QUANTILE.fullmatch(margin) if isinstance(margin, str) else None
    return float(found[1]) / 100.0 if found and float(found[1]) else None


def check_margin(name: str, margin: Any) -> None:
    """Raise InputError where a margin is neither a number from 0 on nor a quantile."""
    if quantile_of(margin) is not None:
        return
    if isinstance(margin, str):
        raise InputError(
            f"{name} is {margin!r}; give a number of at least 0, or a quantile between q0 and q100, such as "
            '"q50"'
        )
    check_number(name, margin)


def margins_at(
    raw: Array, plan: PairPlan, margins: tuple[float | str, float | str], scale: Scale, *, threads: int
) -> tuple[float, float]:
    """Return margins to opponents of grade 0 and of grade 1 as the numbers they stand for at raw scores.

    A quantile is the least margin that leaves its share of the term's pairs active, to five digits; 0 where
    as many are active without a margin, or where there are no pairs. With peers all workers call it together.
    """
    low, high = range_of_all(raw, plan.peers) if raw.shape[0] or plan.peers.size > 1 else (0.0, 0.0)
    if scale == "probability":
        low, high = (float(sigmoid(np.float64(end))) for end in (low, high))
    # A number is never met, and so never halved for.
    wanted = np.array([quantile_of(margin) or np.inf for margin in margins])
    least, greatest, tried = np.full(2, -1.0), np.full(2, (high - low) * (1.0 + 1e-6)), np.zeros(2)
    for _ in range(_HALVINGS):
        found = pair_activity(raw, plan, (float(tried[0]), float(tried[1])), scale, threads=threads)
        too_few = np.array([found.impression, found.click]) < wanted  # never of no pairs, which are NaN
        least, greatest = np.where(too_few, tried, least), np.where(too_few, greatest, tried)
        tried = np.maximum((least + greatest) / 2.0, 0.0)
    impression, click = (
        float(f"{end:.5g}") if isinstance(margin, str) else float(margin)
        for margin, end in zip(margins, greatest, strict=True)
    )
    return impression, click
