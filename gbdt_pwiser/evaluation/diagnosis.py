"""Where a data set's clicks convert: a hint, and no more, at how many of its clicks tell nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import reliability
from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.significance.intervals import CONFIDENCE

BINS: Final = 10
FEWEST: Final = 100
"""Conversions below which the rates of the tenths say nothing: each has ten of them, give or take three."""


class Ratio(NamedTuple):
    """A ratio of two rates with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClickTenths:
    """Conversions of the clicks, in tenths of the clicks by ascending pCTR.

    They do not tell how many clicks are accidental. Accidents at random, which no feature tells, would have
    low pCTR and make the conversion rate of clicks rise with pCTR. Conversions that follow relevance make it
    rise without any accident; and accidents that features do tell have high pCTR and make it fall. Simulated
    (200,000 exposures, ctr .08, cvr .1, three seeds, and 100,000, ctr .2, cvr .3, two seeds; lightgbm bce)::

        accidental clicks                                  0         30 %        50 %        60 %
        1 - rate / rate of the tenth with most        .48 to .62  .23 to .47  .06 to .18  .00 to .08
        `ratio` of the highest fifth to the lowest    3.6 to 6.8  2.3 to 4.1   .9 to 1.8   .4 to  .8

    The first, with the rates of the tenths made monotone, would be the share of accidental clicks if the
    clicks of the last tenth were all meant and meant clicks converted alike. It goes the wrong way.

    Parameters
    ----------
    model, loss
        Whose pCTR it is.
    pctr, clicks, conversions
        Mean pCTR, number of clicks and of conversions of each tenth. Equal pCTR stay in one, so that there
        may be fewer of them; none without a click.

    Raises
    ------
    InputError
        They differ in length, or a tenth has more conversions than clicks, or no click.
    """

    model: str
    loss: str
    pctr: tuple[float, ...]
    clicks: tuple[int, ...]
    conversions: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.pctr) == len(self.clicks) == len(self.conversions):
            raise InputError("pctr, clicks and conversions differ in length; give one of each per tenth")
        for clicks, conversions in zip(self.clicks, self.conversions, strict=True):
            if not 0 <= conversions <= clicks or not clicks:
                raise InputError(
                    f"{conversions} conversions of {clicks} clicks; give at least a click per tenth, and at "
                    "most as many conversions"
                )

    @classmethod
    def of(cls, spec: ModelSpec, exposures: Exposures, pctr: NDArray[np.float64]) -> ClickTenths:
        """Count the clicks and conversions of exposures with these predictions, float64 (n,).

        Clicks whose conversion is open are left out.
        """
        clicked = exposures.decided_click
        tenths = reliability(pctr[clicked], exposures.conversion[clicked], bins=BINS)
        return cls(
            *(spec.model, spec.loss),
            pctr=tuple(tenths.predicted.tolist()),
            clicks=tuple(int(mass) for mass in tenths.weight),
            conversions=tuple(int(n) for n in np.rint(tenths.observed * tenths.weight)),
        )

    @property
    def rates(self) -> tuple[float, ...]:
        """Conversions per click of each tenth."""
        return tuple(np.divide(self.conversions, self.clicks).tolist())

    @property
    def enough(self) -> bool:
        """Whether there are conversions enough for the rates to say something."""
        return sum(self.conversions) >= FEWEST

    @property
    def ratio(self) -> Ratio:
        """Rate of the highest fifth of the clicks over that of the lowest; NaN with fewer than five bins.

        ::

            ratio = r(c, n) / r(d, m),  r(c, n) = (c + .5) / (n + .5)
            var(log ratio) = 1 / (c + .5) - 1 / (n + .5) + 1 / (d + .5) - 1 / (m + .5)

        for c conversions of the n clicks with the highest pCTR and d of the m with the lowest (Walter 1975):
        a normal interval of its logarithm, which no 0 breaks.
        """
        if len(self.clicks) < 5:
            return Ratio(math.nan, math.nan, math.nan)
        bins = len(self.clicks) // 5
        c, n, d, m = (
            sum(counts[end]) + 0.5
            for end in (slice(-bins, None), slice(None, bins))
            for counts in (self.conversions, self.clicks)
        )
        log_ratio = math.log(c / n) - math.log(d / m)
        reach = float(norm.ppf(0.5 + CONFIDENCE / 2)) * math.sqrt(1 / c - 1 / n + 1 / d - 1 / m)
        return Ratio(*(math.exp(log_ratio + sign * reach) for sign in (0, -1, 1)))
