"""What a model can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import pcvr_of
from gbdt_pwiser.models.spec import ModelSpec

Task = Literal["click", "conversion"]

OnRound = Callable[[int, Mapping[Task, float]], None]
"""Called after each round, or epoch of a network, with its number from 0 and AUCs on validation by task.

The AUC of the click is over all exposures; that of the conversion is over the clicks whose conversion is not
open, NaN where these are of one kind. A model that trains both tasks together tells of both at once. One that
trains them one after the other tells of the click's rounds first and then, from 0 again, of the conversion's;
of the latter only where it trains them, and not where it has them from another loss on the same data.
"""

OnRoundOfTask = Callable[[int, float], None]
"""The same of a training of one task, with its AUC alone."""


def of_task(on_round: OnRound | None, task: Task) -> OnRoundOfTask | None:
    """Return what a training of one task is to call."""
    return None if on_round is None else lambda number, auc: on_round(number, {task: auc})


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities per exposure.

    Attributes
    ----------
    pctr
        float64 (n,): click given exposure.
    pctcvr
        float64 (n,): conversion given exposure, pctr * pcvr.
    pcvr
        float64 (n,): conversion given click. Where it is not given, it is pctcvr / pctr to 12 decimals, and
        0 where pctr is 0.
    """

    pctr: NDArray[np.float64]
    pctcvr: NDArray[np.float64]
    pcvr: NDArray[np.float64] = None  # type: ignore[assignment]  # an array once it is made

    def __post_init__(self) -> None:
        if self.pcvr is None:
            object.__setattr__(self, "pcvr", pcvr_of(self.pctr, self.pctcvr))  # type: ignore[unreachable]


class Model(Protocol):
    """A trainable model; `fit` sees train and validation only."""

    spec: ModelSpec

    def fit(self, train: Exposures, valid: Exposures, on_round: OnRound | None = None) -> None:
        """Train, stopping early on validation; what `on_round` raises ends the training, see `OnRound`."""

    def predict(self, exposures: Exposures) -> Predictions:
        """Return probabilities for exposures with the training features."""

    @property
    def rounds_used(self) -> int:
        """Rounds, or epochs, of the pCTR model that count after early stopping."""

    @property
    def fit_seconds(self) -> float:
        """Time that training took, without binning or encoding the features."""

    @property
    def size(self) -> int:
        """Trees of both boosters that count, or trainable parameters of all networks."""

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the trained model's files into a folder and return the rest as JSON can hold it."""

    def restore(self, folder: Path, columns: Sequence[str], state: Mapping[str, Any]) -> None:
        """Become the model of these feature columns that `save` wrote; InputError for other files."""


@runtime_checkable
class MatrixModel(Protocol):
    """A model that reads `Exposures.matrix` alone, as boosters do and networks do not."""

    def predict_matrix(self, matrix: NDArray[np.float32]) -> Predictions:
        """Return probabilities for float32 (n, columns), in the order of training; not checked."""


@runtime_checkable
class StagedModel(Protocol):
    """A model that knows its raw scores after each of its rounds, as boosters do and networks do not."""

    def raw_scores_at(
        self, exposures: Exposures, rounds: Sequence[int]
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield each of the rounds with the raw scores (n,) of pCTR that the model has after it.

        Parameters
        ----------
        exposures
            With the training features.
        rounds
            Ascending, from 0, where training starts, to `rounds_used`, whose raw scores are those of pCTR.

        Yields
        ------
        int, float64 (n,)
            The round and its log-odds: one array that goes on changing, so copy what is to stay.

        Raises
        ------
        InputError
            Before `fit`, for other columns than in training, other rounds, or a loss whose scores are no
            log-odds.
        """
