"""The loss of both tasks in one model with two outputs: the click's, and BCE of conversions among clicks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._arrays import Array, Index, at_least, namespace, put, take
from gbdt_pwiser.objectives._kernel import HESSIAN_FLOOR
from gbdt_pwiser.objectives._logistic import sigmoid, softplus
from gbdt_pwiser.objectives._loss import PWiseRLoss
from gbdt_pwiser.objectives._peers import Peers
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import CLICK, CONVERSION, LARGEST_PARAMETER
from gbdt_pwiser.objectives.protocol import ScoreLoss


@dataclass(frozen=True, kw_only=True)
class MultiTaskLoss:
    """Loss of two raw scores per exposure: z of a click, u of a conversion given the click.

    ::

        L = click_weight * L_click(z)
          + conversion_weight * sum_{i decided} w_i [ softplus(u_i) - v_i u_i ] / sum_i w_i

    over the clicks whose conversion v_i is decided. Both terms are divided by the weight of all exposures, so
    such a click weighs conversion_weight times as much in the second as in the first, whatever the click
    rate. The second is 0 without any.

    Parameters
    ----------
    click
        The loss of z: `PWiseRLoss`, or another `ScoreLoss`.
    click_weight, conversion_weight
        At least 0; not both 0.

    Raises
    ------
    InputError
        A parameter breaks a rule above.

    Examples
    --------
    >>> loss = MultiTaskLoss(click=PWiseRLoss(weight=0))
    >>> bool(np.isclose(loss.value(np.zeros((4, 2)), loss.plan([0, 0, 1, 2])), 1.5 * np.log(2)))
    True
    """

    click: ScoreLoss = field(default_factory=PWiseRLoss)
    click_weight: float = 1.0
    conversion_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("click_weight", "conversion_weight"):
            weight = getattr(self, name)
            is_number = isinstance(weight, int | float | np.number) and not isinstance(weight, bool)
            if not (is_number and 0 <= weight <= LARGEST_PARAMETER):
                raise InputError(f"{name} is {weight!r}; give a number from 0 to {LARGEST_PARAMETER:g}")
        if not self.click_weight + self.conversion_weight:
            raise InputError("click_weight and conversion_weight are 0; give at least one task a weight")

    @property
    def ranks_pairs(self) -> bool:
        """Whether pairs count in the loss of the click."""
        return bool(getattr(self.click, "ranks_pairs", False))

    @property
    def pairs(self) -> str:
        """Which pairs the loss of the click has: "all" or "group"."""
        return str(getattr(self.click, "pairs", "all"))

    def of_round(self, number: int) -> MultiTaskLoss:
        """Return the loss of a boosting round, from 0, in which the click's may have a warm-up."""
        if not hasattr(self.click, "of_round"):
            return self
        return replace(self, click=self.click.of_round(number))

    @property
    def is_fixed(self) -> bool:
        """Whether no margin of the click's loss is a quantile."""
        return bool(getattr(self.click, "is_fixed", True))

    def fixed_at(self, raw_score: Array, plan: PairPlan) -> MultiTaskLoss:
        """Return the loss with the click's margins as numbers; see `PWiseRLoss.fixed_at`."""
        if self.is_fixed:
            return self
        z = namespace(raw_score).asarray(raw_score[:, 0], copy=True)
        return replace(self, click=self.click.fixed_at(z, plan))  # type: ignore[attr-defined]

    def plan(
        self,
        grade: ArrayLike,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        peers: Peers | None = None,
    ) -> PairPlan:
        """Check grades, groups and weights once; see `PWiseRLoss.plan`."""
        return self.click.plan(grade, group=group, sample_weight=sample_weight, peers=peers)

    def value(self, raw_score: Array, plan: PairPlan) -> float:
        """Return L; 0.0 for no exposures.

        Parameters
        ----------
        raw_score
            (n, 2): z and u.
        plan
            Of the exposures.
        """
        if not plan.n:
            return 0.0
        total = self.click_weight * self.click.value(raw_score[:, 0], plan) if self.click_weight else 0.0
        u, converted, weight, _ = self._decided(raw_score, plan)
        each = softplus(u) - converted * u
        xp = namespace(each)
        conversion = float(xp.sum(each if weight is None else weight * each))
        return total + self.conversion_weight * conversion / plan.total_weight

    def gradient_hessian(
        self, raw_score: Array, plan: PairPlan, *, dtype: Literal["float32", "float64"] | None = None
    ) -> tuple[Array, Array]:
        """Return gradient and second-order value of n * L in both raw scores (sum of weights for n).

        ::

            grad_iz = click_weight * that of L_click
            grad_iu = conversion_weight * w_i (sigmoid(u_i) - v_i) where i is decided, else 0
            hess_iu = conversion_weight * w_i q_i (1 - q_i), q_i = sigmoid(u_i), where i is decided,
                      and everywhere at least a floor > 0

        Parameters are those of `value`; dtype is that of the result, None for that of raw_score.

        Returns
        -------
        grad, hess
            (n, 2): in the library and on the device of raw_score.
        """
        xp = namespace(raw_score)
        kind = raw_score.dtype if dtype is None else getattr(xp, dtype)
        floor = HESSIAN_FLOOR * plan.mean_weight
        grad, hess = xp.empty_like(raw_score, dtype=kind), xp.empty_like(raw_score, dtype=kind)
        grad[:, 1], hess[:, 1] = 0.0, floor
        if self.click_weight:
            z = xp.asarray(raw_score[:, 0], copy=True)  # side by side, as the sums want them
            of_click = self.click.gradient_hessian(z, plan, dtype=dtype)
            if self.click_weight != 1:
                of_click = tuple(self.click_weight * each for each in of_click)
            grad[:, 0], hess[:, 0] = (xp.astype(each, kind, copy=False) for each in of_click)
        else:
            grad[:, 0], hess[:, 0] = 0.0, floor
        if self.conversion_weight:
            u, converted, weight, rows = self._decided(raw_score, plan)
            q = sigmoid(u)
            g, h = q - converted, q * (1.0 - q)
            scale = self.conversion_weight if weight is None else self.conversion_weight * weight
            put(grad[:, 1], rows, xp.astype(scale * g, kind))
            put(hess[:, 1], rows, xp.astype(at_least(scale * h, floor), kind))
        return grad, hess

    def _decided(self, raw_score: Array, plan: PairPlan) -> tuple[Array, Array, Array | None, Index]:
        """Return u, the conversions and the weights of the decided clicks, in float64, and their rows."""
        xp = namespace(raw_score)
        plan = plan.beside(raw_score)
        u = xp.astype(take(raw_score[:, 1], plan.decided), xp.float64)
        if not bool(xp.all(xp.isfinite(u))):
            raise InputError(
                "a raw score of the conversion is not finite; lower the learning rate or a task's weight"
            )
        flags = xp.zeros_like(raw_score[:, 1], dtype=xp.bool)
        put(flags, plan.anchors, True)
        weight = None if plan.sample_weight is None else take(plan.sample_weight, plan.decided)
        return u, xp.astype(take(flags, plan.decided), xp.float64), weight, plan.decided


def conversion_rate(grade: NDArray[np.int8], sample_weight: ArrayLike | None = None) -> float:
    """Return the (weighted) mean conversion of decided clicks; InputError where it is 0, 1 or of none."""
    weight = np.ones(len(grade)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    converted = grade == CONVERSION
    of = float(weight[converted | (grade == CLICK)].sum())
    rate = float(weight[converted].sum()) / of if of else math.nan
    if not 0.0 < rate < 1.0:
        raise InputError(
            f"the mean conversion of clicks is {rate}; a model of both tasks needs clicks with and without "
            "a conversion"
        )
    return rate
