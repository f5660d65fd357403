"""BCE + weight * PWiseR as the objective of the libraries' scikit-learn estimators."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives._loss import PWiseRLoss
from gbdt_pwiser.objectives._objective import derivatives_of, one_output, ranks_pairs
from gbdt_pwiser.objectives._pwiser import LossParameters, described
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import checked_conversion, numbers
from gbdt_pwiser.objectives.labels import grade_from
from gbdt_pwiser.objectives.traps import START_OF_ESTIMATORS, warn_of_start, warn_without_anchors


class PWiseRSklearnObjective:
    """Custom objective for XGBClassifier, XGBRegressor, LGBMClassifier and LGBMModel.

    Called with (y_true, y_pred, sample_weight, group) it returns gradient and hessian of n * L. Classifiers
    would take grades for three classes, so for them y is the click and the conversions are given here;
    models without classes (LGBMModel, LGBMRegressor, XGBRegressor) also take grades as y.

    Estimators do not know where to start: give XGBClassifier `base_score=click.mean()`, XGBRegressor its
    log-odds, and LightGBM's `fit` an `init_score` of its log-odds in every row, to be added to the raw scores
    of `predict`. A start that is far off is met with a warning.

    Parameters
    ----------
    conversion
        (n,): 0 or 1 for each row of the fit, in its order, NaN where it is open; None where y holds grades.
    **parameters
        Those of PWiseRLoss.

    Raises
    ------
    InputError
        At construction: a parameter. When called: y and conversion do not fit together.

    Examples
    --------
    >>> objective = PWiseRSklearnObjective(conversion=[0, 0, 1], weight=0.1)
    >>> grad, hess = objective(np.array([0, 1, 1]), np.zeros(3))
    >>> bool((hess > 0).all())
    True
    """

    def __init__(self, conversion: ArrayLike | None = None, **parameters: Unpack[LossParameters]) -> None:
        self.loss = PWiseRLoss(**parameters)
        if self.loss.warm_up:
            raise InputError(
                f"warm_up is {self.loss.warm_up!r}, and an estimator's objective cannot count rounds; leave "
                "it out, or train with PWiseRObjective"
            )
        # A copy: what happens to the caller's array later is no part of the objective.
        self.conversion = None if conversion is None else checked_conversion(conversion).copy()

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        group: ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return (grad, hess), float32 (n,); group holds sizes, as LightGBM gives them."""
        y = np.asarray(y_true)
        if self.conversion is not None:
            if len(self.conversion) != len(y):
                raise InputError(
                    f"{len(self.conversion)} conversions for a fit on {len(y)} rows; "
                    "make the objective with the conversions of exactly the rows of this fit"
                )
            y = grade_from(y, self.conversion)
        ids = None if group is None else _ids(group)
        plan = self.loss.plan(y, group=ids, sample_weight=sample_weight)
        scores = one_output(y_pred)
        derivatives = derivatives_of(self.loss, scores, plan)
        if plan.n and scores.min() == scores.max():  # the first round: there is nothing to remember it by
            warn_without_anchors(plan, ranks_pairs=ranks_pairs(self.loss))
            warn_of_start(scores, plan, START_OF_ESTIMATORS, equal_only=True)
        return derivatives

    def __repr__(self) -> str:
        return described(self, self.loss)


def _ids(sizes: ArrayLike) -> NDArray[np.int64]:
    """Return an id for each row of groups of these sizes."""
    counts = numbers("group", sizes, "it holds the number of rows of each group")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InputError("group holds the number of rows of each group; give whole numbers of at least 0")
    return np.repeat(np.arange(len(counts)), counts)
