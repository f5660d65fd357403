"""Boosters that go on from trained ones: more trees, or new leaf values in the same trees.

New trees are grown on the raw scores of the earlier ones, and are then joined with them into one booster.
Neither library's own way will do. LightGBM's `init_model` starts at the earlier raw scores without their
start. XGBoost's `xgb_model` finds the leaf of an earlier tree by the bins of the new data, whose edges are
not the thresholds of that tree.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.progress import bar
from gbdt_pwiser.data.stored import BLOCK
from gbdt_pwiser.models.boosters._binning import with_adjacent_groups
from gbdt_pwiser.models.boosters._losses import Derivatives, derivatives_on
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.models.boosters.trees import Binned, Trained, TreeModel, conversions_of_clicks, refusals
from gbdt_pwiser.models.protocol import OnRoundOfTask, Task
from gbdt_pwiser.objectives import InputError

Values = NDArray[np.float64]
_BOOSTING: Final = ("boosting", "boosting_type", "boost", "booster")  # in either library
AT_A_TIME: Final = 32
"""Trees whose leaves are known at a time, for all exposures."""


@dataclass(frozen=True)
class Newton:
    """What makes a leaf's value of its gradient G and hessian H: -rate * G / (H + penalty)."""

    rate: float
    penalty: float

    def values(self, gradient: Values, hessian: Values) -> Values:
        """Return the values of leaves; 0 where there is nothing to divide by."""
        below = hessian + self.penalty
        return -self.rate * np.divide(gradient, below, out=np.zeros_like(below), where=below > 0)


class GrownTrees(Protocol):
    """What can be done with a library's trees once they are grown."""

    def joined(self, first: tuple[Any, int], second: tuple[Any, int]) -> Any:
        """Return one booster, with so many rounds of the first and then so many of the second."""

    def leaves(
        self, booster: Any, features: NDArray[np.float32], first: int, last: int, threads: int
    ) -> NDArray[Any]:
        """Return the number of the leaf of each row in the trees first .. last - 1: int (n, trees)."""

    def newton(self, params: dict[str, Any]) -> Newton:
        """Return what made leaf values; InputError for a parameter that makes them otherwise."""

    def values(self, booster: Any, rounds: int) -> list[Values]:
        """Return per tree what each leaf adds to raw scores, by its number; NaN at what is no leaf."""

    def with_values(self, booster: Any, values: Sequence[Values]) -> Any:
        """Return a booster of so many trees, with other leaf values."""


class ContinuableModel(TreeModel):
    """Two boosters that can go on from trained ones, where they are told to before `fit`."""

    _grown: ClassVar[GrownTrees]

    @property
    @abstractmethod
    def _params(self) -> dict[str, Any]:
        """The parameters that the library gets."""

    def continue_from(self, earlier: TreeModel) -> None:
        """Go on from a trained model of the same kind: `fit` grows more trees, or `refit` none.

        Its boosters stay as they are. InputError for dart, which would change earlier trees.
        """
        for name in _BOOSTING:
            if str(value := self.settings.params.get(name)).lower() == "dart":
                raise InputError(f"{name}={value} changes earlier trees as it grows others; train again")
        self._earlier, self._columns = earlier, earlier._columns

    def refit(self, train: Exposures, decay: float) -> None:
        """Keep the splits of the model of `continue_from`, and move its leaf values to those of new data.

        Trees are renewed one after the other. With gradient g and hessian h of the loss at the raw score that
        is the start and the renewed trees before it, leaf l of a tree gets ::

            renewed(l) = -learning_rate * G / (H + lambda),   G = sum of g, H = sum of h over l
            value(l)   = decay * earlier(l) + (1 - decay) * renewed(l)

        so that raw scores are decay times the earlier ones plus 1 - decay times those of renewed trees alone.
        A leaf that no exposure reaches is renewed to 0. The conversion booster is refitted on clicked
        exposures with BCE; a booster whose exposures are all of one kind stays as it is.

        Parameters
        ----------
        train
            The new exposures.
        decay
            0 to 1: weight of the earlier values.

        Raises
        ------
        InputError
            Another decay, a loss whose gradients only a library knows, or a parameter that the formula lacks.
        """
        if isinstance(decay, bool) or not (isinstance(decay, int | float) and 0 <= decay <= 1):
            raise InputError(f"refit is {decay!r}; give the weight of the earlier leaf values, from 0 to 1")
        assert self._earlier is not None
        assert self._earlier._click is not None
        newton = self._grown.newton(self._params)
        with refusals(self.spec.model, self._columns):
            self._click = self._refitted(self._earlier._click, train, self.spec.loss, newton, decay)
            if (conversion := self._earlier._conversion) is not None:
                conversion = self._refitted(conversion, conversions_of_clicks(train), "bce", newton, decay)
            self._conversion = conversion

    def _refitted(
        self, earlier: Trained, train: Exposures, loss: str, newton: Newton, decay: float
    ) -> Trained:
        if len(np.unique(train.click)) < 2:
            return earlier
        derivatives = derivatives_on(train, self.spec, loss)
        started = time.perf_counter()
        old = self._grown.values(earlier.booster, earlier.rounds)
        raw = np.full(len(train), self._start(earlier))
        leaves = self._leaves(earlier, train)
        new = renewed(raw, leaves, [len(values) for values in old], derivatives, newton)
        renewing = bar(zip(old, new, strict=True), total=len(old), desc="refit", unit="tree", leave=False)
        blended = [decay * a + (1 - decay) * b for a, b in renewing]
        booster = self._grown.with_values(earlier.booster, blended)
        return replace(earlier, booster=booster, seconds=time.perf_counter() - started)

    def _leaves(self, trained: Trained, train: Exposures) -> Iterator[NDArray[Any]]:
        """Yield per tree the number of the leaf of each exposure, int (n,)."""
        for first in range(0, trained.rounds, AT_A_TIME):
            last = min(first + AT_A_TIME, trained.rounds)
            some = [
                self._grown.leaves(trained.booster, block, first, last, self.spec.threads)
                for block in train.blocks(BLOCK)
            ]
            yield from np.concatenate(some).T

    def _train_task(
        self,
        task: Task,
        binned: Binned,
        parts: tuple[Exposures, Exposures],
        loss: str,
        on_round: OnRoundOfTask | None = None,
        stop_by: StopBy | None = None,
    ) -> Trained:
        begun = self._earlier
        earlier = None if begun is None else begun._click if task == "click" else begun._conversion
        if earlier is None:
            return super()._train_task(task, binned, parts, loss, on_round, stop_by)
        train, valid = parts
        if task == "click" and self.spec.needs_groups:
            train = with_adjacent_groups(train)  # as it was binned
        before = self._raw_scores(earlier, train), self._raw_scores(earlier, valid)
        later = self._train(replace(binned, before=before), loss, on_round, stop_by)
        booster = self._grown.joined((earlier.booster, earlier.rounds), (later.booster, later.rounds))
        rounds = earlier.rounds + later.rounds
        return replace(earlier, booster=booster, rounds=rounds, seconds=later.seconds)

    def _raw_scores(self, trained: Trained, exposures: Exposures) -> Values:
        if trained.slope is None:
            return next(self._staged(trained, exposures, [trained.rounds]))[1]
        # Scores of a ranker, which may start anywhere.
        return np.concatenate([self._score(trained, block) for block in exposures.blocks(BLOCK)])


def renewed(
    raw: Values,
    leaves: Iterator[NDArray[Any]],
    sizes: Sequence[int],
    derivatives: Derivatives,
    newton: Newton,
) -> Iterator[Values]:
    """Yield per tree the values of its leaves, renewed one tree after the other; see `refit`.

    `raw` (n,) is the start of the raw scores, which it goes on from in place.
    """
    for leaf, size in zip(leaves, sizes, strict=True):
        gradient, hessian = derivatives(raw)
        values = newton.values(_sums(leaf, gradient, size), _sums(leaf, hessian, size))
        raw += values[leaf]
        yield values


def _sums(leaf: NDArray[Any], each: Values, size: int) -> Values:
    return np.bincount(leaf, each, minlength=size).astype(np.float64)


def refuse_other_values(params: Mapping[str, Any]) -> None:
    """Raise InputError for parameters, where there are any, that make leaf values otherwise than `Newton`."""
    if params:
        told = ", ".join(f"{name}={value}" for name, value in params.items())
        raise InputError(f"{told} makes leaf values that refit has no formula for; continue, or train again")
