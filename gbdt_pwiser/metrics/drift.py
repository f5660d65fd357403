"""Whether a rate moves with time beyond chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.stats import chi2

from gbdt_pwiser.metrics.checks import Bools

FEWEST_UNITS: Final = 20
"""Groups, or rows without groups, below which no chance is told."""


@dataclass(frozen=True)
class Drift:
    """A rate in equal stretches of a range of time.

    Attributes
    ----------
    rows, events
        Of each stretch, in the order of time.
    p_value
        Of the hypothesis that the rate is the same in all; NaN where the data cannot tell.
    """

    rows: tuple[int, ...]
    events: tuple[int, ...]
    p_value: float

    @property
    def rates(self) -> tuple[float, ...]:
        """Events per row of each stretch; NaN without rows."""
        return tuple(e / n if n else math.nan for e, n in zip(self.events, self.rows, strict=True))


def drift(
    event: Bools,
    time: NDArray[np.integer[Any]],
    group: NDArray[np.integer[Any]] | None = None,
    *,
    stretches: int = 10,
) -> Drift:
    """Return the rate of an event in equal stretches of the range of time, and whether it moves.

    The score test that all stretches have the same rate r. With e_gt the sum of event - r over the rows of
    group g in stretch t, and n_t the rows of the stretch::

        s_t = sum_g e_gt,   u_gt = e_gt - (n_t / n) sum_t e_gt,   V = sum_g u_g u_g',   s' V^+ s ~ chi^2

    with as many degrees of freedom as V has rank, one fewer than stretches with rows. Exposures of one group
    are alike, and count as one draw, also where they are of several stretches.

    Parameters
    ----------
    event
        bool (n,), as the clicks.
    time
        int (n,), in any unit.
    group
        int (n,): rows that belong together; None: all are independent.
    stretches
        How many.

    Examples
    --------
    >>> time = np.arange(2000)
    >>> found = drift((time % 10 == 0) | (time > 1500) & (time % 5 == 0), time, stretches=2)
    >>> found.rates, found.p_value < 0.05
    ((0.1, 0.15), True)
    """
    n = len(event)
    if not n:
        return Drift((0,) * stretches, (0,) * stretches, math.nan)
    since = time.astype(np.float64) - float(time.min())
    place = np.minimum((since / max(since.max(), 1) * stretches).astype(np.int64), stretches - 1)
    rows = np.bincount(place, minlength=stretches)
    events = np.bincount(place[event], minlength=stretches)
    p_value = _p_value(event, place, rows, group)
    return Drift(tuple(rows.tolist()), tuple(events.tolist()), p_value)


def _p_value(
    event: Bools,
    place: NDArray[np.int64],
    rows: NDArray[np.int64],
    group: NDArray[np.integer[Any]] | None,
) -> float:
    n = len(event)
    unit = np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]
    filled = rows > 0
    if unit.max() + 1 < FEWEST_UNITS or filled.sum() < 2 or event.all() or not event.any():
        return math.nan
    apart = event - event.mean()
    by_unit = coo_array((apart, (unit, place)), shape=(int(unit.max()) + 1, len(rows))).tocsr()
    products = (by_unit.T @ by_unit).toarray()
    share = np.eye(len(rows)) - np.outer(rows / n, np.ones(len(rows)))
    variance = (share @ products @ share.T)[np.ix_(filled, filled)]
    score = np.bincount(place, weights=apart, minlength=len(rows))[filled]
    rank = int(np.linalg.matrix_rank(variance, hermitian=True))
    if rank < filled.sum() - 1:  # a stretch of one group, say
        return math.nan
    return float(chi2.sf(score @ np.linalg.pinv(variance, hermitian=True) @ score, rank))
