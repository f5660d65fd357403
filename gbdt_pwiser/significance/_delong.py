"""DeLong's test of the difference between two AUCs on one test set."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.metrics.checks import Bools, Floats, check_group, check_score, check_weight
from gbdt_pwiser.significance._paired_test import PairedTest


def delong(
    positive: Bools,
    score: Floats,
    baseline_score: Floats,
    *,
    sample_weight: Floats | None = None,
    group: NDArray[np.integer[Any]] | None = None,
) -> PairedTest:
    """Test the gain in AUC of one prediction over another of the same exposures, in O(n log n).

        gain = AUC(score) - AUC(baseline_score)

    With v_i the placement of row i, which for a positive is the share of negatives that it beats and for a
    negative the share of positives that beat it, ties half, and d_i the difference of both predictions' v_i::

        variance = var(d of the positives) / positives + var(d of the negatives) / negatives

    With groups, rows of one group may depend on each other: the parts of the variance,
    w_i (d_i - gain) / W of its class, are summed inside each group before they are squared (Obuchowski 1997).

    Parameters
    ----------
    positive
        bool (n,).
    score, baseline_score
        float (n,), any monotone scale each.
    sample_weight
        float (n,), at least 0; 1 each where it is missing.
    group
        int (n,): exposures that belong together, as of one search or user. None: all are independent, which
        makes the interval too narrow where they are not.

    Returns
    -------
    PairedTest
        Normal interval. Without an error (NaN) where a class has fewer than two rows, or lies in fewer than
        two groups; gain and error are NaN where a class is empty. Rows of weight 0 are as good as absent.

    Raises
    ------
    InputError
        A shape differs, a score is NaN, or a weight is negative.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44; Sun and Xu 2014, IEEE Signal Processing Letters 21
    (the fast form); Obuchowski 1997, Biometrics 53 (groups).

    Examples
    --------
    >>> positive = np.array([True, True, True, False, False, False])
    >>> test = delong(positive, np.array([5, 4, 2, 3, 1, 0.0]), np.array([5, 1, 2, 3, 4, 0.0]))
    >>> f"{test.gain:.3f} {test.standard_error:.3f} {test.p_value:.3f}"
    '0.333 0.272 0.221'
    """
    check_score(score, positive)
    check_score(baseline_score, positive, "baseline_score")
    weight = check_weight(sample_weight, len(positive))
    if group is not None:
        check_group(group, len(positive))
    if weight is not None and not weight.all():
        seen = weight > 0
        positive, score, baseline_score = positive[seen], score[seen], baseline_score[seen]
        weight, group = weight[seen], None if group is None else group[seen]
    w = np.ones(len(positive)) if weight is None else weight
    up, down = np.flatnonzero(positive), np.flatnonzero(~positive)
    method = "DeLong" if group is None else "DeLong, by group"
    if not (len(up) and len(down)):
        return PairedTest.from_error(math.nan, math.nan, method)

    influence = np.zeros(len(positive))
    gain = math.nan
    for side, other, sign in ((down, up, -1.0), (up, down, 1.0)):
        beaten = _doubled_mass_below(score, w, side, other)
        beaten -= _doubled_mass_below(baseline_score, w, side, other)
        difference = sign * beaten / (2 * w[other].sum())
        total = w[side].sum()
        gain = float(w[side] @ difference / total)
        influence[side] = w[side] * (difference - gain) / total
    if group is None:
        enough = min(len(up), len(down)) > 1
        variance = sum(
            float(influence[side] @ influence[side]) * len(side) / max(1, len(side) - 1)
            for side in (up, down)
        )
    else:
        index = np.unique(group, return_inverse=True)[1]
        enough = all(index[side].min() < index[side].max() for side in (up, down))
        by_group = np.bincount(index, weights=influence)
        variance = float(by_group @ by_group) * len(by_group) / max(1, len(by_group) - 1)
    return PairedTest.from_error(gain, math.sqrt(variance) if enough else math.nan, method)


def _doubled_mass_below(
    score: Floats, weight: NDArray[np.float64], rows: NDArray[np.intp], other: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Twice the weight of the other class below each row, ties half: whole where the weights are."""
    order = other[np.argsort(score[other])]
    below = np.append(0.0, np.cumsum(weight[order]))
    ladder, steps = score[order], score[rows]
    return np.asarray(
        below[np.searchsorted(ladder, steps, "left")] + below[np.searchsorted(ladder, steps, "right")]
    )
