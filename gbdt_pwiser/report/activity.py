"""What the activity of pairs says of a trained model, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gbdt_pwiser.evaluation.activity import ActivityCurve


def activity_notes(curves: Sequence[ActivityCurve]) -> list[str]:
    """Say, a sentence each, what the pairwise term does in the round that counts; nothing without pairs.

    A term whose pairs nearly all violate their margin pulls at all of them alike, whatever stands beside
    them: it is a weight on conversions. Where fewer than half do, it ranks.
    """
    return [note for c in curves if c.loss == "pwiser" and (note := _note(c))]


class _Term(NamedTuple):
    """One of the two pairwise terms in the round that counts."""

    opponents: str
    parameter: str
    margin: float
    active: float


def _terms(c: ActivityCurve) -> list[_Term]:
    """Return the terms that have pairs."""
    both = (
        _Term("unclicked", "impression_margin", c.impression_margin, c.impression[-1]),
        _Term("click-only", "click_margin", c.click_margin, c.click[-1]),
    )
    return [term for term in both if not math.isnan(term.active)]


def _note(c: ActivityCurve) -> str:
    terms = _terms(c)
    if not terms:
        return ""
    whose = ("the pairs with {} exposures", "those with {} ones")
    shares = " and ".join(
        f"{100 * t.active:.0f} % of {of.format(t.opponents)}" for t, of in zip(terms, whose, strict=False)
    )
    margins = f"margin{'s' * (len(terms) > 1)} ({' and '.join(f'{t.margin:g}' for t in terms)})"
    start = f"{c.model}, pwiser: {shares} still violate their {margins} in the round that counts"
    weights = [t for t in terms if t.active >= 0.5]
    if not weights:
        return f"{start}: the margins are met by most pairs, and the term ranks the rest."
    if c.conversion_weight == 0.0:
        return f"{start}, but they had no weight in training."
    about = f"about {c.conversion_weight:.2g}"
    remedy = "" if c.scale == "logit" else " or the logit scale"
    if len(weights) == len(terms):
        return (
            f"{start}, so the term acts as a weight of {about} on conversions; smaller margins{remedy} would "
            "make it rank."
        )
    ((opponents, parameter, *_),) = weights
    (ranked,) = (t.opponents for t in terms if t not in weights)
    return (
        f"{start}, so the term ranks against {ranked} exposures and acts as a weight on conversions against "
        f"{opponents} ones ({about} with both); a smaller {parameter}{remedy} would make it rank there too."
    )
