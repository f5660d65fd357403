"""How scores spread over each grade: quantiles, and the histograms that a report keeps of millions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Floats, check_score, check_weight
from gbdt_pwiser.metrics.metric import Metric
from gbdt_pwiser.metrics.scored import ScoredExposures, once
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import OPEN

GRADES: Final = ("impression only", "click without conversion", "conversion")

# Log-odds, because click rates of 0.1 % and 1 % differ as much as 10 % and 50 % do. Every histogram has the
# same fine bins, so they can be drawn on one axis and joined into coarser ones.
EDGES: Final = np.linspace(-14.0, 14.0, 561)

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of `score_quantiles`."""


def score_quantiles(
    score: Floats,
    grade: NDArray[np.int8],
    *,
    levels: Sequence[float] = LEVELS,
    sample_weight: Floats | None = None,
) -> NDArray[np.float64]:
    """Quantiles of the scores of each grade: where a loss puts conversions, clicks and the rest.

        q_level = the least score s with at least `level` of the grade's weight at or below s

    Parameters
    ----------
    score
        float (n,), any scale.
    grade
        int8 (n,), 0 to 3. Clicks whose conversion is open, of grade 3, have no row of their own.
    levels
        Shares in [0, 1].
    sample_weight
        float (n,), at least 0; 1 each where it is missing.

    Returns
    -------
    float64 (3, len(levels))
        A row per grade, each value a score that occurs; NaN for a grade that does not occur or has no weight.

    Raises
    ------
    InputError
        A shape differs, a score is NaN, a weight is negative, or a level is outside [0, 1].

    Examples
    --------
    >>> score, grade = np.array([0.1, 0.2, 0.3, 0.8]), np.array([0, 0, 0, 2], dtype=np.int8)
    >>> score_quantiles(score, grade, levels=[0.5])[:, 0].tolist()
    [0.2, nan, 0.8]
    """
    check_score(score, grade >= 1)
    weight = check_weight(sample_weight, len(score))
    if not all(0 <= level <= 1 for level in levels):
        raise InputError(f"levels are {tuple(levels)}; give shares between 0 and 1")
    quantiles = np.full((3, len(levels)), np.nan)
    for g in range(3):
        rows = np.flatnonzero(grade == g) if weight is None else np.flatnonzero((grade == g) & (weight > 0))
        if len(rows):
            quantiles[g] = np.quantile(
                score[rows],
                levels,
                weights=None if weight is None else weight[rows],
                method="inverted_cdf",
            )
    return quantiles


@once
def _medians(s: ScoredExposures) -> NDArray[np.float64]:
    return score_quantiles(s.pctr, s.exposures.grade, levels=[0.5])[:, 0]


def _median_metric(name: str, label: str, of: str, grade: int) -> Metric:
    """Return the median pCTR of a grade, a description, in which there is no gain to test."""
    return Metric(
        f"median_pctr_{name}",
        f"median pCTR, {label}",
        "detail",
        None,
        4,
        f"median pCTR of {of}",
        lambda s: float(_medians(s)[grade]),
    )


MEDIANS: Final = (
    _median_metric("impression", "impressions", "exposures without a click", 0),
    _median_metric("click", "clicks", "clicks without a conversion", 1),
    _median_metric("conversion", "conversions", "conversions", 2),
)
"""Median pCTR of each grade."""


@dataclass(frozen=True, eq=False)
class ScoreDistribution:
    """How one model and loss spread their pCTR over the exposures of each grade.

    Parameters
    ----------
    model, loss
        Whose predictions they are.
    counts
        int64 (3, len(EDGES) - 1): exposures by grade and bin of log-odds; the outer bins hold the rest.

    Raises
    ------
    InputError
        The counts have another shape.
    """

    model: str
    loss: str
    counts: NDArray[np.int64] = field(repr=False)

    def __post_init__(self) -> None:
        if self.counts.shape != (3, len(EDGES) - 1):
            raise InputError(f"counts have shape {self.counts.shape}; give (3, {len(EDGES) - 1})")

    @classmethod
    def from_scores(
        cls, model: str, loss: str, pctr: NDArray[np.floating[Any]], grade: NDArray[np.int8]
    ) -> Self:
        """Count the exposures of each grade in bins of the log-odds log(p / (1 - p)).

        Parameters
        ----------
        model, loss
            Whose predictions they are.
        pctr
            float (n,), in [0, 1]; 0 and 1 fall into the outer bins.
        grade
            int8 (n,), 0 to 3. Clicks whose conversion is open, of grade 3, are not counted. A grade that does
            not occur has counts of zero.

        Raises
        ------
        InputError
            The shapes differ, or a value is NaN or out of range.
        """
        if pctr.ndim != 1 or pctr.shape != grade.shape:
            raise InputError(
                f"pctr has shape {pctr.shape}, grade {grade.shape}; give one of each per exposure"
            )
        if not ((pctr >= 0) & (pctr <= 1)).all():
            raise InputError("pctr has values that are NaN or outside [0, 1]; give probabilities")
        if not ((grade >= 0) & (grade <= OPEN)).all():
            raise InputError(
                "grade has values outside 0, 1, 2, 3; a grade is click + conversion, or 3 where the "
                "conversion is open"
            )
        if (grade == OPEN).any():
            pctr, grade = pctr[grade != OPEN], grade[grade != OPEN]
        bins = len(EDGES) - 1
        with np.errstate(divide="ignore"):  # the infinite log-odds of 0 and 1 are clipped next
            p = pctr.astype(np.float64)
            log_odds = np.log(p) - np.log1p(-p)
        bin_of = (
            (np.clip(log_odds, EDGES[0], EDGES[-1]) - EDGES[0]) * (bins / (EDGES[-1] - EDGES[0]))
        ).astype(np.int64)
        cell = np.minimum(bin_of, bins - 1) + grade.astype(np.int64) * bins
        return cls(model, loss, np.bincount(cell, minlength=3 * bins).reshape(3, bins))
