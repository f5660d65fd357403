"""A gain with its error: what every test of significance returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtr, ndtri, stdtr, stdtrit

CONFIDENCE: Final = 0.95
"""Coverage of every interval."""


@dataclass(frozen=True)
class PairedTest:
    """A gain with its error: interval and p-value say the same, the interval leaves out 0 where p < 0.05.

        low, high = gain -+ q standard_error,    p = P(|T| >= |gain| / standard_error)

    with q the quantile, and T the variable, of the normal or of Student's distribution.

    Parameters
    ----------
    gain
        Metric of the prediction less that of the baseline.
    standard_error
        NaN where the data cannot tell it.
    low, high
        95 % interval; NaN without an error.
    p_value
        Two-sided, for a gain of 0; 1 where prediction and baseline are the same throughout.
    method
        What the error stands for, in words.
    """

    gain: float
    standard_error: float
    low: float
    high: float
    p_value: float
    method: str

    @classmethod
    def from_error(
        cls, gain: float, standard_error: float, method: str, *, degrees: float = math.inf
    ) -> PairedTest:
        """Interval and p-value from an estimate, its error and the error's degrees of freedom.

        A gain of 0 without any variation is certain: error 0, p 1. Any other gain that never varies has no
        error to be judged by: NaN, not certainty.
        """
        if gain == 0.0 and standard_error == 0.0:
            return cls(0.0, 0.0, 0.0, 0.0, 1.0, method)
        if not standard_error > 1e-12 * abs(gain):  # below that it is rounding
            return cls(gain, math.nan, math.nan, math.nan, math.nan, method)
        if degrees > 1e9:
            quantile, tail = ndtri(0.5 + CONFIDENCE / 2), ndtr(-abs(gain) / standard_error)
        else:
            quantile = stdtrit(degrees, 0.5 + CONFIDENCE / 2)
            tail = stdtr(degrees, -abs(gain) / standard_error)
        reach = float(quantile) * standard_error
        return cls(gain, standard_error, gain - reach, gain + reach, float(2 * tail), method)
