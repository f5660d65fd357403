"""What every metric asks of its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.objectives import InputError

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


def check_score(score: Floats, positive: Bools, name: str = "score") -> None:
    """Refuse labels that are not bool (n,), and a score of another shape or with NaN."""
    if positive.ndim != 1 or positive.dtype != np.bool_:
        raise InputError(
            f"positive has shape {positive.shape} and type {positive.dtype}; give bool, shape (n,)"
        )
    if score.shape != positive.shape:
        raise InputError(f"{name} has shape {score.shape}; give one per exposure, shape {positive.shape}")
    if np.isnan(score).any():
        raise InputError(f"{name} is NaN in {np.isnan(score).sum()} places; a prediction must be a number")


def check_probability(probability: Floats, positive: Bools, name: str = "probability") -> None:
    """Refuse what `check_score` refuses, and values outside [0, 1]."""
    check_score(probability, positive, name)
    if len(probability) and not (probability.min() >= 0 and probability.max() <= 1):
        raise InputError(
            f"{name} runs from {probability.min()} to {probability.max()}; a probability lies in [0, 1], "
            "so pass log-odds through the sigmoid first"
        )


def check_group(group: NDArray[np.integer[Any]], rows: int) -> None:
    """Refuse groups that are not one integer per exposure."""
    if group.shape != (rows,):
        raise InputError(f"group has shape {group.shape}; give {(rows,)}, as score")
    if not np.issubdtype(group.dtype, np.integer):
        raise InputError(f"group has type {group.dtype}; give integer ids, as of np.unique(return_inverse)")


def check_weight(sample_weight: Floats | None, rows: int) -> NDArray[np.float64] | None:
    """Return the weights as float64, None where there are none; refuse another shape and negative values."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (rows,):
        raise InputError(f"sample_weight has shape {weight.shape}; give one per exposure, shape {(rows,)}")
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise InputError("a sample_weight is negative or not finite; give weights of at least 0")
    return weight
