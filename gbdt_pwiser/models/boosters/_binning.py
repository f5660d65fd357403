"""Exposures handed to a booster's binning a block at a time, so that no matrix of all of them is made."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import xgboost
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.objectives.datasets import group_sizes
from gbdt_pwiser.objectives.labels import task_labels

Encode = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class BlockSequence(lightgbm.Sequence):  # type: ignore[misc]
    """Rows for LightGBM, which reads single ones upwards for its sample and then all in batches.

    Only the block of the latest row is in memory; going back starts over.
    """

    def __init__(self, exposures: Exposures, rows: int) -> None:
        self.batch_size = rows
        self._exposures = exposures
        self._restart()

    def _restart(self) -> None:
        self._blocks = self._exposures.blocks(self.batch_size)
        self._start = 0
        self._block = np.empty((0, 0), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._exposures)

    def __getitem__(self, index: int | slice) -> NDArray[Any]:
        first = index.start if isinstance(index, slice) else index
        if first < self._start:
            self._restart()
        while first >= self._start + len(self._block):
            self._start += len(self._block)
            self._block = next(self._blocks)
        if isinstance(index, slice):  # a batch, which is a block
            return self._block[first - self._start : index.stop - self._start]
        row: NDArray[np.float64] = self._block[first - self._start].astype(np.float64)
        return row


class _BlockIterator(xgboost.DataIter):  # type: ignore[misc]
    """Blocks for XGBoost, which makes several passes over them."""

    def __init__(
        self, exposures: Exposures, rows: int, cache_prefix: str | None, encode: Encode, **columns: Any
    ) -> None:
        super().__init__(cache_prefix=cache_prefix, release_data=True)
        self._exposures, self._rows, self._encode, self._columns = exposures, rows, encode, columns
        self._blocks: Iterator[NDArray[np.float32]] = iter(())

    def reset(self) -> None:
        self._blocks = self._exposures.blocks(self._rows)

    def next(self, input_data: Callable[..., None]) -> bool:
        try:
            block = next(self._blocks, None)
        except (KeyboardInterrupt, SystemExit) as stop:
            # XGBoost would take it for the end of the rows.
            raise _InterruptedError from stop
        if block is None:
            return False
        input_data(data=self._encode(block), **self._columns)
        return True


class _InterruptedError(Exception):
    """A KeyboardInterrupt or SystemExit that XGBoost hands on."""


def block_dmatrix(
    exposures: Exposures,
    rows: int,
    *,
    external_memory: bool,
    feature_types: Sequence[str],
    group: NDArray[np.int64] | None = None,
    encode: Encode = lambda block: block,
    tasks: int = 1,
    **options: Any,
) -> Any:
    """Build what `make_dmatrix` builds, a QuantileDMatrix, from blocks of so many rows.

    Parameters
    ----------
    exposures
        The features and labels.
    rows
        Of a block.
    external_memory
        Whether the bins stay in temporary files, which go with the matrix, and are read in every round.
    feature_types
        As XGBoost has them.
    group
        int64 (n,): as in `make_dmatrix`.
    encode
        Of a block of features, what the trees are to get in its place.
    tasks
        As in `make_dmatrix`.
    **options
        Passed on (`ref`, `max_bin`, `enable_categorical`).
    """
    with ExitStack() as stack:
        kind, prefix = xgboost.QuantileDMatrix, None
        if external_memory:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gbdt-pwiser-bins-"))
            kind, prefix = xgboost.ExtMemQuantileDMatrix, str(Path(folder, "bins"))
        blocks = _BlockIterator(exposures, rows, prefix, encode, feature_types=feature_types)
        try:
            data = kind(blocks, **options)
        except _InterruptedError as stop:
            raise (stop.__cause__ or KeyboardInterrupt()) from None
        weakref.finalize(data, stack.pop_all().close)
    label = task_labels(exposures.grade, tasks=tasks)
    if tasks == 2:
        data.set_info(label=label)
    else:
        data.set_info(label=label[:, 0], label_lower_bound=label[:, 1])
    if group is not None:
        data.set_info(group=group_sizes(group))
    return data


def with_adjacent_groups(exposures: Exposures) -> Exposures:
    """Return the exposures with the rows of each group side by side, as both boosters want them."""
    group = exposures.group
    if group is None or not len(group):
        return exposures
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    if len(np.unique(group[starts])) == len(starts):
        return exposures
    return exposures.take(np.argsort(group, kind="stable"))
