"""Encoded exposures as batches: from memory, or from Parquet files where memory cannot hold them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import BLOCK, StoredFeatures
from gbdt_pwiser.models.neural._features import FeatureEncoder
from gbdt_pwiser.objectives.inputs import CLICK, OPEN

SHUFFLED = 4
"""Blocks of a file among which its rows are shuffled."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Exposures in memory: tensors on the device, and on the host what the pairs are planned from.

    Attributes
    ----------
    codes, numbers
        int32 (n, codes) and float32 (n, numbers), see `FeatureEncoder`.
    grade
        int8 (n,), on the device.
    host_grade, group
        int8 (n,), and int64 (n,) or None.
    """

    codes: Tensor
    numbers: Tensor
    grade: Tensor
    host_grade: NDArray[np.int8]
    group: NDArray[np.int64] | None

    @classmethod
    def of(cls, exposures: Exposures, encoder: FeatureEncoder, device: torch.device) -> Rows:
        """Encode exposures and move them to the device."""
        codes, numbers = encoder.encode(exposures)
        return cls(
            torch.from_numpy(codes).to(device),
            torch.from_numpy(numbers).to(device),
            torch.tensor(exposures.grade, device=device),
            exposures.grade,
            exposures.group,
        )

    def __len__(self) -> int:
        return len(self.host_grade)

    def take(self, index: Tensor) -> Rows:
        """Return the given rows; index int64, on the host."""
        here, there = index.numpy(), index.to(self.codes.device)
        return Rows(
            self.codes[there],
            self.numbers[there],
            self.grade[there],
            self.host_grade[here],
            None if self.group is None else self.group[here],
        )

    def decided_clicks(self) -> Rows:
        """Return the clicked rows whose conversion is not open."""
        decided = (self.host_grade >= CLICK) & (self.host_grade != OPEN)
        return self.take(torch.from_numpy(np.flatnonzero(decided)))

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Rows]:
        """All rows once, in random order, in batches of `size` rows or a few more."""
        order = torch.randperm(len(self), generator=generator)
        for index in torch.tensor_split(order, max(1, len(self) // size)):
            yield self.take(index)

    def features(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes and numbers of all rows in their order, `size` rows at a time; no rows are one block."""
        yield from zip(self.codes.split(size), self.numbers.split(size), strict=True)


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Exposures in Parquet files, encoded a block at a time; it has of `Rows` what training needs.

    Attributes
    ----------
    host_grade, group
        As in `Rows`.
    """

    exposures: Exposures
    encoder: FeatureEncoder
    device: torch.device

    @property
    def host_grade(self) -> NDArray[np.int8]:
        return self.exposures.grade

    @property
    def group(self) -> NDArray[np.int64] | None:
        return self.exposures.group

    def __len__(self) -> int:
        return len(self.exposures)

    def decided_clicks(self) -> Rows:
        """Return the clicked rows whose conversion is not open, which are few, in memory."""
        return self._encoded(self.exposures.take(self.exposures.decided_click))

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Rows]:
        """All rows once, in batches of `size` rows or a few more, in an order that is only nearly random.

        The rows are cut into blocks. Blocks come in random order, and the rows of `SHUFFLED` blocks are
        shuffled together.
        """
        blocks = torch.tensor_split(torch.arange(len(self)), -(-len(self) // BLOCK))
        order = torch.randperm(len(blocks), generator=generator)
        for some in torch.tensor_split(order, -(-len(blocks) // SHUFFLED)):
            # Ascending, so that the files are read in one pass.
            rows = torch.cat([blocks[i] for i in some.sort().values.tolist()])
            yield from self._encoded(self.exposures.take(rows.numpy())).batches(size, generator)

    def features(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes and numbers of all rows in their order, `size` rows at a time."""
        step = size * max(1, BLOCK // size)
        for start in range(0, len(self), step):
            block = np.arange(start, min(start + step, len(self)))
            yield from self._encoded(self.exposures.take(block)).features(size)

    def _encoded(self, exposures: Exposures) -> Rows:
        return Rows.of(exposures.in_memory(), self.encoder, self.device)


def encoded_rows(exposures: Exposures, encoder: FeatureEncoder, device: torch.device) -> Rows | StoredRows:
    """Encode exposures, or leave them in their files where they would take a quarter of the memory.

    The memory is that of the device: of the machine, or of the GPU.
    """
    values = len(exposures) * (encoder.layout.codes + encoder.layout.numbers)
    if isinstance(exposures.features, StoredFeatures) and 4 * values > _memory(device) // 4:
        # A copy, for what is kept with the exposures must not keep them.
        return StoredRows(replace(exposures), encoder, device)
    return Rows.of(exposures, encoder, device)


def _memory(device: torch.device) -> int:
    """Bytes of the device's memory."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
