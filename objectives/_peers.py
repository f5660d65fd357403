"""Workers that hold parts of one data set, and what they tell each other so that pairs span all parts.

An anchor needs the opponents of every worker, and an opponent the anchors of every worker. Anchors are few:
each round workers gather the anchors' raw scores, and add up what they found on the anchors' side. Rows
never move.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Peers(Protocol):
    """A group of workers that call the same methods in the same order."""

    @property
    def rank(self) -> int:
        """Which worker this is, from 0."""

    @property
    def size(self) -> int:
        """How many workers there are."""

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over the workers of arrays of one shape."""


class Alone:
    """The one worker that holds everything."""

    rank, size = 0, 1

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values."""
        return values


class XGBoostPeers:
    """Workers inside a communicator of xgboost.collective, such as those of xgboost.dask.train."""

    def __init__(self) -> None:
        from xgboost import collective

        self._collective = collective
        self.rank, self.size = collective.get_rank(), collective.get_world_size()

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over the workers; an error of XGBoost if one of them is gone."""
        contiguous = np.ascontiguousarray(values, dtype=np.float64)
        return np.asarray(self._collective.allreduce(contiguous, self._collective.Op.SUM))


def gather(peers: Peers, values: NDArray[Any]) -> tuple[NDArray[np.float64], int]:
    """Return the values of all workers one after another, and where this worker's begin."""
    if peers.size == 1:
        return np.asarray(values, dtype=np.float64), 0
    lengths = np.zeros(peers.size)
    lengths[peers.rank] = len(values)
    ends = np.cumsum(peers.sum(lengths)).astype(np.int64)
    start = int(ends[peers.rank]) - len(values)
    whole = np.zeros(int(ends[-1]))
    whole[start : start + len(values)] = values
    return peers.sum(whole), start
