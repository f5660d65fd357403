"""Features that show the traits of simulated searches and items through noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


def _noisy(traits: Floats, count: int, rng: np.random.Generator, world: np.random.Generator) -> Floats:
    """Columns that each show one trait or a mixture of two through noise; the last third shows nothing."""
    n, k = traits.shape
    loading = np.zeros((k, count))
    for column in range(count - count // 3):
        loading[column % k, column] += 1.0
        loading[world.integers(k), column] += world.choice([0.0, 0.5])
    noise = np.where(np.arange(count) < k, 0.3, 1.0)
    noisy: Floats = traits @ loading + noise * rng.standard_normal((n, count))
    return noisy


def numericals(
    traits: Floats, count: int, rng: np.random.Generator, world: np.random.Generator
) -> NDArray[np.float32]:
    """Numbers in [0, 1], every fourth column mostly zero as counters are."""
    x = ndtr(_noisy(traits, count, rng, world) / 1.2)
    x[:, 3::4] = np.maximum(x[:, 3::4] - 0.6, 0.0) / 0.4
    single: NDArray[np.float32] = x.astype(np.float32)
    return single


def codes(
    traits: Floats, count: int, rng: np.random.Generator, world: np.random.Generator
) -> NDArray[np.int32]:
    """Small whole numbers: cut traits, renumbered so that their order says nothing."""
    x = ndtr(_noisy(traits, count, rng, world) / 1.2)
    levels = world.integers(3, 41, count)
    codes = np.minimum((x * levels).astype(np.int32), levels - 1)
    return np.stack([world.permutation(size)[codes[:, i]] for i, size in enumerate(levels)], axis=1).astype(
        np.int32
    )


def columns_of(
    kind: str, offset: int, values: NDArray[np.generic], rows: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.generic]]:
    values = values if rows is None else values[rows]
    return {f"{kind}_{offset + i + 1}": np.ascontiguousarray(column) for i, column in enumerate(values.T)}
