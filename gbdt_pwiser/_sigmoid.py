"""A sigmoid that makes click rates of scores that are no log-odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from gbdt_pwiser.objectives import InputError

# Relative to the spread of the scores: next to no slope, and yet the order of the scores.
_LEAST_SLOPE = 1e-6


def fit_sigmoid(
    score: NDArray[np.float64], click: NDArray[np.bool_], sample_weight: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Fit P(click) = sigmoid(slope * score + start) by maximum likelihood (Platt, 1999).

    Parameters
    ----------
    score
        float (n,): any real numbers.
    click
        bool (n,): both classes must occur.
    sample_weight
        float (n,): at least 0; None for 1 each.

    Returns
    -------
    slope, start
        The slope is positive, so that the order of the scores is kept, also where they rank the wrong way
        round. For a constant score the start makes it the base rate.

    Raises
    ------
    InputError
        One class only.

    Examples
    --------
    >>> slope, start = fit_sigmoid(np.array([-1.0, 0.0, 0.0, 1.0]), np.array([False, False, True, True]))
    >>> slope > 0, round(start, 6)
    (True, 0.0)
    """
    if click.all() or not click.any():
        raise InputError(
            f"{int(click.sum())} of {len(click)} exposures are clicked; a sigmoid is fitted to both classes"
        )
    rate = float(np.average(click, weights=sample_weight))
    center, scale = float(np.average(score, weights=sample_weight)), float(score.std())
    if score.min() == score.max():  # rounding may keep the deviation off 0
        return 1.0, float(logit(rate) - score[0])
    from sklearn.linear_model import LogisticRegression

    # Standardized for the solver. C is next to no penalty, yet finite where a threshold parts the classes.
    fitted = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(
        ((score - center) / scale)[:, None], click, sample_weight=sample_weight
    )
    slope, start = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope < _LEAST_SLOPE:
        slope, start = _LEAST_SLOPE, float(logit(rate))
    return slope / scale, start - slope / scale * center
