"""When simulated conversions come, and what a log that ends before the last of them shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown
from gbdt_pwiser.objectives.inputs import OPEN
from gbdt_pwiser.sources._simulated_features import Floats

OpenAs = Literal["open", "none"]

WINDOW: Final = 3.0
"""Attribution window, in mean delays: what has not come by then never comes."""
LONGEST: Final = 36_500.0


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What comes of each of n exposures in the end, and when.

    Attributes
    ----------
    click, conversion
        bool (n,).
    moment
        float64 (n,): of the exposure and its click, in days from the start of the log.
    delay
        float64 (n,): days from the click to the conversion.
    window
        Days after which a click is settled.
    """

    click: NDArray[np.bool_]
    conversion: NDArray[np.bool_]
    moment: Floats
    delay: Floats
    window: float

    def grade_at(self, end: float, open_as: OpenAs = "open") -> NDArray[np.int8]:
        """Return the grades, int8 (n,), as a log has them that ends so many days after its start.

        As "open", clicks that are not settled by then have grade 3, converted or not; as "none" a conversion
        that has not come by then is taken for none.
        """
        came = self.conversion & (self.moment + self.delay <= end)
        grade = self.click.astype(np.int8) + came.astype(np.int8)
        if open_as == "open":
            grade[self.click & (self.moment + self.window > end)] = OPEN
        return grade


def drawn_delays(n: int, mean: float, seed: int) -> Floats:
    """Return exponential delays of a mean, cut off at `WINDOW` times it, in days: float64 (n,)."""
    # Of a sequence of their own, so that all else is drawn as without them.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    within = 1.0 - np.exp(-WINDOW)
    delays: Floats = -mean * np.log1p(-within * rng.random(n))
    return delays


def check_delay(delay: float, open_as: str) -> None:
    """Raise InputError for a delay or a way of counting that no simulation has."""
    if not 0.0 <= delay <= LONGEST:
        raise InputError(f"delay is {delay}; give days from 0 to {LONGEST:g}")
    if open_as not in get_args(OpenAs):
        raise unknown("open_as", open_as, get_args(OpenAs))
