"""How small a gain a test split can show, before any model is trained."""

from __future__ import annotations

import math
from typing import Final

from scipy.special import ndtri, owens_t

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.significance._paired_test import CONFIDENCE

AUC: Final = 0.7
"""AUC that is assumed where no model has been trained, a common one of click models."""
CORRELATION: Final = 0.9
"""Correlation of the AUCs of two models over test samples that is assumed."""
POWER: Final = 0.8


def detectable_gain(
    positives: int,
    negatives: int,
    *,
    auc: float = AUC,
    correlation: float = CORRELATION,
    power: float = POWER,
) -> float:
    """Return the gain in AUC that a two-sided test at 5 % finds with this power.

    ::

        gain = (q(.975) + q(power)) sqrt(2 (1 - correlation) var)
        var  = (A (1 - A) + (P + N - 2) (Q - A^2)) / (P N),  Q = A - 2 T(q(A), 1 / sqrt(3))

    for P positives, N negatives and the AUC A of both models (Hanley and McNeil 1982, 1983), where q are
    quantiles of the normal distribution, T is Owen's function and Q the chance that two positives beat one
    negative, for scores that are normal in both classes with one variance. Rows count as independent: where
    those of a group are alike, only a larger gain is found.

    Parameters
    ----------
    positives, negatives
        Rows of each class on test.
    auc
        Of both models.
    correlation
        Of their two AUCs, over test samples of the same kind. On KuaiRand-Pure the errors of gains, with
        users as groups, are those of .91 (XGBoost with weight .1 against LightGBM with BCE) to .98 (one model
        with BCE and with weight .01).
    power
        Chance to find a gain of this size.

    Returns
    -------
    float
        NaN where a class has fewer than two rows.

    Raises
    ------
    InputError
        auc or power is not between 0 and 1, or correlation not from 0 to below 1.

    Examples
    --------
    >>> f"{detectable_gain(1000, 50_000):.4f} {detectable_gain(100, 50_000):.4f}"
    '0.0103 0.0324'
    """
    for what, value in (("auc", auc), ("power", power)):
        if not 0 < value < 1:
            raise InputError(f"{what} is {value}; give a number between 0 and 1")
    if not 0 <= correlation < 1:
        raise InputError(f"correlation is {correlation}; give a number from 0 to below 1")
    if min(positives, negatives) < 2:
        return math.nan
    both = auc - 2 * float(owens_t(ndtri(auc), 1 / math.sqrt(3)))
    pairs = positives * negatives
    variance = (auc * (1 - auc) + (positives + negatives - 2) * (both - auc**2)) / pairs
    reach = float(ndtri(0.5 + CONFIDENCE / 2) + ndtri(power))
    return reach * math.sqrt(2 * (1 - correlation) * variance)
