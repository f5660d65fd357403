"""Histograms of predicted CTR by grade: what a report keeps of millions of scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.objectives import InputError

GRADES: Final = ("impression only", "click without conversion", "conversion")

# Log-odds, because click rates of 0.1 % and 1 % differ as much as 10 % and 50 % do. Every histogram has the
# same fine bins, so they can be drawn on one axis and joined into coarser ones.
EDGES: Final = np.linspace(-14.0, 14.0, 561)


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
            int8 (n,), 0 to 2. A grade that does not occur has counts of zero.

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
        if not ((grade >= 0) & (grade <= 2)).all():
            raise InputError("grade has values outside 0, 1, 2; a grade is click + conversion")
        bins = len(EDGES) - 1
        with np.errstate(divide="ignore"):  # the infinite log-odds of 0 and 1 are clipped next
            p = pctr.astype(np.float64)
            log_odds = np.log(p) - np.log1p(-p)
        bin_of = (
            (np.clip(log_odds, EDGES[0], EDGES[-1]) - EDGES[0]) * (bins / (EDGES[-1] - EDGES[0]))
        ).astype(np.int64)
        cell = np.minimum(bin_of, bins - 1) + grade.astype(np.int64) * bins
        return cls(model, loss, np.bincount(cell, minlength=3 * bins).reshape(3, bins))
