"""Features that give the label away: what is known only after the exposure, or was made of the label."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.stored import BLOCK, StoredFeatures
from gbdt_pwiser.objectives import auc
from gbdt_pwiser.objectives.inputs import CLICK, CONVERSION

TOO_GOOD: Final = 0.99
"""AUC above which a feature, or a model, knows the label rather than predicts it."""
FEWEST: Final = 20
"""Rows of the rarer class below which no AUC is called too good: of 20, an honest feature with an AUC of .95
comes above .99 by chance once in 250 samples, of 5 once in nine."""
SAMPLE: Final = 10_000
"""Rows of each class that are looked at, so that the check costs the same for any number of rows."""
STRETCHES: Final = 8
"""Stretches of rows that the sample is drawn from where features lie in files."""
BINS: Final = 100


def too_good(value: float, positive: NDArray[np.bool_]) -> bool:
    """Return whether an AUC over rows with these labels is above `TOO_GOOD` by more than chance."""
    return value > TOO_GOOD and min(int(positive.sum()), int((~positive).sum())) >= FEWEST


def warn_of_leaks(train: Exposures) -> None:
    """Warn once, with their names, of features that give the click, or the conversion of a click, away.

    Parameters
    ----------
    train
        The exposures of training; a sample of them is read.

    Warns
    -----
    UserWarning
        Features whose `own_auc` is above `TOO_GOOD`.
    """
    if found := find_leaks(train):
        told = "; ".join(f"{name}: AUC {value:.4f} for the {what}" for name, what, value in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        warnings.warn(
            f"{train.name}: on train, single features all but give the label away ({told}{more}); list in "
            "ignore what is known only after the exposure",
            stacklevel=3,
        )


def find_leaks(train: Exposures, *, seed: int = 0) -> list[tuple[str, str, float]]:
    """Return feature, label and AUC of each feature that gives a label away, the click before the conversion.

    Parameters
    ----------
    train
        Exposures; classes with fewer than `FEWEST` rows in the sample are not judged.
    seed
        Of the sample.
    """
    rng = np.random.default_rng(seed)
    rows = _candidates(train)
    grade = train.grade[rows]
    sides = {
        "click": (rows[grade == 0], rows[grade >= 1]),
        "conversion of a click": (rows[grade == CLICK], rows[grade == CONVERSION]),
    }
    drawn = {
        what: [np.sort(rng.choice(side, min(len(side), SAMPLE), replace=False)) for side in pair]
        for what, pair in sides.items()
        if min(map(len, pair)) >= FEWEST
    }
    if not drawn:
        return []
    read = np.unique(np.concatenate([side for pair in drawn.values() for side in pair]))
    # Missing is NaN, a value of its own.
    matrix = train.take(read).matrix()
    found: dict[str, tuple[str, str, float]] = {}
    for what, pair in drawn.items():
        chosen = np.searchsorted(read, np.concatenate(pair))
        positive = np.repeat([False, True], [len(side) for side in pair])
        half = rng.permutation(len(chosen)) % 2 == 0
        for place, name in enumerate(train.features.columns):
            if name in found:
                continue
            value = own_auc(matrix[chosen, place], positive, half, codes=name in train.categorical)
            if value > TOO_GOOD:
                found[name] = (name, what, value)
    return list(found.values())


def own_auc(
    values: NDArray[np.float32], positive: NDArray[np.bool_], half: NDArray[np.bool_], *, codes: bool
) -> float:
    """Return how well one feature by itself ranks positives before negatives, whichever way it points.

    ::

        own_auc = max of AUC(rate) and, for numbers, AUC(x), 1 - AUC(x) with missing ones below or above all

    rate is the share of positives among rows of the same value (of one of `BINS` quantiles, for numbers) in
    the other half of the rows, so that an id that is unique in each row ranks nothing.

    Parameters
    ----------
    values
        (n,): codes or numbers, missing as NaN.
    positive
        (n,): what is to be ranked first.
    half
        (n,): which half a row is in.
    codes
        Whether the values are codes, in no order.
    """
    missing = np.isnan(values)
    best = 0.0
    if not codes:
        ends = [-np.inf, np.inf] if missing.any() else [0.0]
        ranked = [auc(np.where(missing, end, values), positive) for end in ends]
        best = max(*ranked, *(1 - value for value in ranked))
        if not missing.all():
            edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)))
            values = np.where(missing, np.nan, np.searchsorted(edges, values)).astype(np.float32)
    _, value = np.unique(values, return_inverse=True)
    rate = np.empty(len(values))
    for fitted in (half, ~half):
        rows = np.bincount(value[fitted], minlength=value.max() + 1)
        hits = np.bincount(value[fitted & positive], minlength=value.max() + 1)
        mean = positive[fitted].mean()
        # A value without rows in the other half has the rate of all.
        rate[~fitted] = ((hits + mean) / (rows + 1))[value[~fitted]]
    return max(best, auc(rate, positive))


def _candidates(train: Exposures) -> NDArray[np.int64]:
    """Rows to draw from: all in memory; of features in files some stretches, since each costs a reading."""
    n = len(train)
    if not isinstance(train.features, StoredFeatures) or n <= BLOCK:
        return np.arange(n)
    length = BLOCK // STRETCHES
    starts = np.linspace(0, n - length, STRETCHES).astype(np.int64)
    rows: NDArray[np.int64] = (starts[:, None] + np.arange(length)).ravel()
    return rows
