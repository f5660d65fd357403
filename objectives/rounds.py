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
        fixed, of_round = loss_of_round(known.loss, number, there, plan)
        if fixed is not known.loss:
            known.loss = self.fixed = fixed
        return number, of_round


def loss_of_round(loss: Any, number: int, raw: Array, plan: PairPlan) -> tuple[Any, Any]:
    """Return a loss, its margins fixed once its pairs count, and what it is in a round, counted from 0.

    A loss without `of_round` is the same in all rounds, and one without `is_fixed` has nothing to fix.
    """
    of_round = loss.of_round(number) if hasattr(loss, "of_round") else loss
    if not getattr(of_round, "ranks_pairs", False) or getattr(of_round, "is_fixed", True):
        return loss, of_round
    fixed = loss.fixed_at(raw, plan)
    return fixed, fixed.of_round(number)


def _begins(raw: NDArray[Any], sample: NDArray[Any], start: NDArray[Any]) -> bool:
    if np.array_equal(sample, start):
        return True
    return bool((sample == sample[0]).all() and (raw == raw[0]).all())
