"""What an objective needs of a loss, so that a loss of one's own trains both boosters."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from numpy.typing import ArrayLike

from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives._peers import Peers
from gbdt_pwiser.objectives._plan import PairPlan


@runtime_checkable
class ScoreLoss(Protocol):
    """A loss of raw scores (log-odds of a click) and grades; `Objective` makes an objective of it.

    A loss that ranks pairs says so by an attribute `ranks_pairs`, true where the pairs count: a data set
    without any is then met with a warning. A loss that changes while a model trains has a method
    `of_round(number)`, which returns the loss of a round, counted from 0. `PWiseRLoss` has both; other losses
    need neither.

    Examples
    --------
    The squared error of the probability (Brier score), with the plan of PWiseRLoss:

    >>> import numpy as np
    >>> from gbdt_pwiser.objectives import Objective, PWiseRLoss
    >>> class Brier:
    ...     def plan(self, grade, **more):
    ...         return PWiseRLoss(weight=0).plan(grade, **more)
    ...
    ...     def value(self, raw_score, plan):
    ...         _, error, weight = self._parts(raw_score, plan)
    ...         return float(weight @ error**2) / plan.total_weight if plan.n else 0.0
    ...
    ...     def gradient_hessian(self, raw_score, plan, *, dtype=None):
    ...         p, error, weight = self._parts(raw_score, plan)
    ...         slope = p * (1 - p)
    ...         return 2 * weight * error * slope, 2 * weight * slope**2 + 1e-6 * plan.mean_weight
    ...
    ...     def _parts(self, raw_score, plan):
    ...         p = 1 / (1 + np.exp(-np.asarray(raw_score, dtype=float)))
    ...         error = p.copy()
    ...         error[plan.clicked] -= 1
    ...         return p, error, np.ones(plan.n) if plan.sample_weight is None else plan.sample_weight
    >>> brier = Brier()
    >>> brier.value([0.0, 0.0], brier.plan([0, 1]))
    0.25
    >>> objective = Objective(brier)  # for xgboost.train(obj=...) and LightGBM's params["objective"]
    """

    def plan(
        self,
        grade: ArrayLike,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        peers: Peers | None = None,
    ) -> PairPlan:
        """Check grades, groups and weights once per data set; InputError for what breaks a rule.

        Parameters
        ----------
        grade
            (n,): 0 impression only, 1 click without conversion, 2 conversion, 3 click whose conversion is
            open.
        group
            (n,): ids; None where the data set has none.
        sample_weight
            (n,): at least 0; None for 1 each.
        peers
            The workers that hold the other rows of the data set; None for none.

        Returns
        -------
        PairPlan
            `PWiseRLoss.plan` makes one, which serves losses without pairs as well.
        """

    def value(self, raw_score: Array, plan: PairPlan, /) -> float:
        """Return the loss, a (weighted) mean over the exposures; 0.0 for none.

        Parameters
        ----------
        raw_score
            (n,): log-odds.
        plan
            Of the exposures.
        """

    def gradient_hessian(
        self, raw_score: Array, plan: PairPlan, /, *, dtype: Literal["float32", "float64"] | None = None
    ) -> tuple[Array, Array]:
        """Return gradient and second-order value of `plan.total_weight` times the value in the raw scores.

        Boosters expect derivatives of a sum over the rows, with the sample weights in it, and second-order
        values that are all positive, by a floor if need be.

        Parameters
        ----------
        raw_score
            (n,): log-odds, of NumPy, or of CuPy where the objective is made for a GPU;
            `plan.beside(raw_score)` has the plan's arrays in the same library.
        plan
            Of the exposures; with peers, of this worker's.
        dtype
            Floating type that suffices for the result; None for that of raw_score.

        Returns
        -------
        grad, hess
            (n,): in the library of raw_score.
        """
