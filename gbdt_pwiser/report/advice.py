"""What to say about calibration: advice before it, and how well it worked after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gbdt_pwiser.calibration import RECOMMENDED_BEYOND
from gbdt_pwiser.evaluation.results import BASELINE, CALIBRATED, Result
from gbdt_pwiser.evaluation.summary import Summary, summarize

ENTROPY_WITHIN: Final = 0.005
"""After calibration, a loss's normalized entropy should differ from that of bce by no more, relatively."""


def calibration_notes(results: Sequence[Result]) -> list[str]:
    """Say of one data set which losses need calibration, or, where it was done, what it left over.

    Advised where a loss moved PCOC on validation off 1 by more than 2 %. Left over after it: a PCOC on test
    that is off 1 by more than 2 %, or a normalized entropy more than .5 % off that of the same model's bce.

    Raises
    ------
    InputError
        A cell is doubled or missing.
    """
    calibrated = [method for split, method in CALIBRATED.items() if any(r.split == split for r in results)]
    if not calibrated:
        return _advice(results)
    return [note for method in calibrated for note in _left_over(results, method)]


def _advice(results: Sequence[Result]) -> list[str]:
    moved = [
        s
        for s in _over_own_bce(results, "valid")
        if s.metric == "pcoc"
        and s.loss != BASELINE
        and abs(s.mean - 1.0) > RECOMMENDED_BEYOND
        and not abs(s.gain) <= RECOMMENDED_BEYOND  # what bce is off by too is not the loss's work
    ]
    return [
        f"{s.model} {s.loss}: PCOC on validation is {s.mean:.3f}; calibrate for bids (--calibrate isotonic)."
        for s in moved
    ]


def _left_over(results: Sequence[Result], method: str) -> list[str]:
    summaries = _over_own_bce(results, f"test_{method}")
    notes = [note for s in summaries if (note := _pcoc_note(s) or _entropy_note(s))]
    after = f"After {method} calibration"
    if not notes:
        return [
            f"{after} every PCOC is within {RECOMMENDED_BEYOND:.0%} of 1, and every normalized entropy "
            f"within {ENTROPY_WITHIN:.1%} of {BASELINE}'s."
        ]
    return [f"{after} {note}" for note in notes]


def _over_own_bce(results: Sequence[Result], split: str) -> list[Summary]:
    """Summarize with gains over the same model's bce, whatever the table's are over: they are the loss's."""
    return summarize([replace(r, baseline=BASELINE) for r in results], split)


def _pcoc_note(s: Summary) -> str:
    if s.metric != "pcoc" or not abs(s.mean - 1.0) > RECOMMENDED_BEYOND:
        return ""
    return f"{s.model} {s.loss}: PCOC is {s.mean:.3f}, off 1 by {abs(s.mean - 1.0):.1%}."


def _entropy_note(s: Summary) -> str:
    if s.metric != "normalized_entropy" or math.isnan(s.gain):
        return ""
    off = s.gain / (s.mean - s.gain)
    if not abs(off) > ENTROPY_WITHIN:
        return ""
    return (
        f"{s.model} {s.loss}: normalized entropy is {s.mean:.4f}, {abs(off):.1%} "
        f"{'above' if off > 0 else 'below'} {BASELINE}'s {s.mean - s.gain:.4f}."
    )
