"""Which round of a training it is, and which loss that round is trained with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives.protocol import ScoreLoss

# Scores by which the beginning of a training is known again.
_SAMPLE = 1024


@dataclass(eq=False)
class _Training:
    number: int
    start: NDArray[Any]
    loss: ScoreLoss


@dataclass(eq=False)
class Rounds:
    """Counts rounds for each data set by itself, as the folds of `cv` take turns, and picks their losses.

    Boosters do not tell an objective of the round. So a training is taken to begin where all scores are
    equal, or are those that the last training on the data set began with.

    Attributes
    ----------
    fixed
        The loss whose margins were fixed last; None for none.
    """

    fixed: ScoreLoss | None = None
    _trainings: WeakKeyDictionary[Any, _Training] = field(default_factory=WeakKeyDictionary)

    def next(
        self, loss: ScoreLoss, data: Any, raw: NDArray[Any], there: Array, plan: PairPlan
    ) -> tuple[int, ScoreLoss]:
        """Return the number of this round, from 0, and its loss.

        Parameters
        ----------
        loss
            Of the objective; with a method `of_round` it changes from round to round, with `fixed_at` it is
            fixed in the first round in which its pairs count.
        data
            The data set.
        raw, there
            Raw scores, and the same in the library that the loss computes with.
        plan
            Of the data set. Workers hold rows that may tell of no beginning, so there every call is a round;
            what trains on workers is a copy of its own for each training.
        """
        sample = raw[:: max(1, len(raw) // _SAMPLE)].copy()
        known = self._trainings.get(data)
        if known is None or (plan.peers.size == 1 and _begins(raw, sample, known.start)):
            known = self._trainings[data] = _Training(0, sample, loss)
        number, known.number = known.number, known.number + 1
        of_round = known.loss.of_round(number) if hasattr(known.loss, "of_round") else known.loss
        if getattr(of_round, "ranks_pairs", False) and not getattr(of_round, "is_fixed", True):
            known.loss = known.loss.fixed_at(there, plan)  # type: ignore[attr-defined]
            self.fixed = known.loss
            of_round = known.loss.of_round(number)  # type: ignore[attr-defined]
        return number, of_round


def _begins(raw: NDArray[Any], sample: NDArray[Any], start: NDArray[Any]) -> bool:
    if np.array_equal(sample, start):
        return True
    return bool((sample == sample[0]).all() and (raw == raw[0]).all())
