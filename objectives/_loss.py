"""BCE + weight * PWiseR: the value, and the derivatives a booster wants."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from gbdt_pwiser.objectives._arrays import (
    Array,
    Index,
    arange,
    at_least,
    is_array,
    like,
    namespace,
    on_cpu,
    put,
    zeros,
)
from gbdt_pwiser.objectives._convolution import LogisticGrid
from gbdt_pwiser.objectives._errors import InputError
from gbdt_pwiser.objectives._groups import GroupedHingeSweep, GroupedLogistic
from gbdt_pwiser.objectives._plan import Opponents, PairPlan, make_plan
from gbdt_pwiser.objectives._surrogates import sigmoid, softplus, surrogate_named
from gbdt_pwiser.objectives._sweep import HingeSweep, weighted_sum

# Rows handled at a time: a few arrays of this length stay in the processor's cache.
BLOCK = 1 << 14
# Least second-order value, in units of the mean sample weight: a leaf whose hessians sum to nearly nothing
# gets an absurd value or none.
HESSIAN_FLOOR = 1e-6

Scale = Literal["probability", "logit"]
Pairs = Literal["all", "group"]


@dataclass(frozen=True, kw_only=True)
class PWiseRLoss:
    """Binary cross-entropy on clicks plus a pairwise ranking term that lifts converted exposures.

    ::

        L = BCE + weight * PWiseR
        BCE    = mean_i [log(1 + exp(z_i)) - y_i z_i]
        PWiseR = mean_{i in V, j in C} phi(click_margin - (s_i - s_j))
               + mean_{i in V, j in N} phi(impression_margin - (s_i - s_j))

    over all exposures i, with raw score z, click y, s = sigmoid(z) or z; V are the converted, C the
    click-only, N the unclicked exposures. Means are over all pairs; a mean over no pairs is 0. With sample
    weights w, BCE is the weighted mean and a pair weighs w_i w_j.

    Parameters
    ----------
    weight
        Weight of PWiseR, at least 0; 0 is BCE alone.
    click_margin, impression_margin
        By how much a converted exposure should score above a click-only and above an unclicked one; at
        least 0, in units of s.
    surrogate
        phi: "hinge" max(0, u), "squared_hinge" max(0, u)^2, "logistic" log(1 + e^u).
    scale
        s: "probability" (sigmoid of the raw score) or "logit" (the raw score).
    pairs
        "all", or "group" for pairs inside one group (search, page, user) only.

    Raises
    ------
    InputError
        A parameter breaks a rule above.

    Notes
    -----
    Hinge sums are exact, in O(n + |V| log |V|); logistic ones come from a grid, to the bound of
    `logistic_error_bound`. Source: Durmus et al., Pairwise Ranking Loss for Multi-Task Learning in
    Recommender Systems, arXiv 2406.02163; docs/loss.md says what is theirs and what is our reading.

    Examples
    --------
    >>> loss = PWiseRLoss(weight=1.0, scale="logit", click_margin=1.0, impression_margin=2.0)
    >>> bce = PWiseRLoss(weight=0.0)
    >>> z, grade = [3.0, 2.5, 0.0], [2, 1, 0]
    >>> round(loss.value(z, grade) - bce.value(z, grade), 12)  # (1 - 0.5) + max(0, 2 - 3)
    0.5
    """

    weight: float = 0.03
    click_margin: float = 0.1
    impression_margin: float = 0.3
    surrogate: str = "hinge"
    scale: Scale = "probability"
    pairs: Pairs = "all"

    def __post_init__(self) -> None:
        surrogate_named(self.surrogate)
        for name, known in (("scale", ("probability", "logit")), ("pairs", ("all", "group"))):
            if getattr(self, name) not in known:
                raise InputError(f"unknown {name} {getattr(self, name)!r}; choose one of {', '.join(known)}")
        for name in ("weight", "click_margin", "impression_margin"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float | np.number):
                raise InputError(f"{name} is {number!r}; give a number of at least 0")
            if not (np.isfinite(number) and number >= 0):
                raise InputError(f"{name} is {number}; give a finite number of at least 0")

    def plan(
        self, grade: ArrayLike, *, group: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> PairPlan:
        """Check grades, groups and weights once, for many calls with new scores.

        Parameters are those of `value`. The plan may be given to `value` and `gradient_hessian` in place of
        grades; it holds for losses with the same `pairs`.
        """
        return make_plan(grade, group=group, sample_weight=sample_weight, within_groups=self.pairs == "group")

    def value(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return L = BCE + weight * PWiseR.

        Parameters
        ----------
        raw_score
            (n,): log-odds; an array of NumPy, CuPy, PyTorch or another Array API library, or a sequence.
        grade
            (n,): 0 impression only, 1 click without conversion, 2 conversion; or the plan of them.
        group
            (n,): ids, needed with pairs="group" only.
        sample_weight
            (n,): at least 0.

        Returns
        -------
        float
            L; 0.0 for no exposures.

        Raises
        ------
        InputError
            A shape, grade, weight or score that is not finite.
        """
        z_all, plan = self._arguments(raw_score, grade, group, sample_weight)
        if plan.n == 0:
            return 0.0
        xp = namespace(z_all)
        w_all, total, pairwise = plan.sample_weight, 0.0, 0.0
        terms = self._terms(z_all, plan)
        dense = next((term for term in terms if term.opponents.rows is None), None)
        for block, clicked in _blocks(plan):
            z = _as_scores(z_all[block])
            w = None if w_all is None else w_all[block]
            bce = softplus(z)
            put(bce, clicked, xp.take(bce, clicked) - xp.take(z, clicked))
            total += weighted_sum(bce, w)
            if dense:
                pairwise += dense.sums.value(self._s(z) + dense.margin, w, clicked)
        for term in terms:
            for rows, extra in term.listed():
                t = self._s(_as_scores(xp.take(z_all, rows))) + term.margin
                pairwise += term.sums.value(t, None if w_all is None else xp.take(w_all, rows), *extra)
        return (total + pairwise) / plan.total_weight

    def gradient_hessian(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return gradient and second-order value of n * L in the raw scores (sum of weights for n).

        ::

            grad_i = w_i (p_i - y_i) + weight n a_i s'_i
            hess_i = w_i p_i (1 - p_i) + weight n (2 b_i s'_i^2 + max(0, a_i s''_i)),  at least a floor > 0

        where a_i and b_i are the first and second derivative of PWiseR in s_i. A pair's own second
        derivative is phi'' (e_i - e_j)(e_i - e_j)^T, which twice its diagonal dominates: the diagonal
        matrix of hess minus the true hessian is positive semidefinite.

        Parameters and errors are those of `value`.

        Returns
        -------
        grad, hess
            (n,): in the library, on the device and in the floating type of raw_score; sums are taken in
            float64.
        """
        z_all, plan = self._arguments(raw_score, grade, group, sample_weight)
        xp = namespace(z_all)
        grad, hess = xp.empty_like(z_all), xp.empty_like(z_all)
        if plan.n == 0:
            return grad, hess
        w_all = plan.sample_weight
        floor = HESSIAN_FLOOR * plan.total_weight / plan.n
        terms = self._terms(z_all, plan)
        dense = next((term for term in terms if term.opponents.rows is None), None)

        for block, clicked in _blocks(plan):
            z = _as_scores(z_all[block])
            w = None if w_all is None else w_all[block]
            p = sigmoid(z)
            pull = None
            if dense is not None:
                pull = dense.sums.add((p if self.scale == "probability" else z) + dense.margin, w, clicked)
            grad[block], hess[block] = self._chain(p, clicked, w, pull, floor, z_all.dtype)

        def write(rows: Index, click: bool, pull: tuple[Array, Array | None]) -> None:
            w = None if w_all is None else xp.take(w_all, rows)
            p = sigmoid(_as_scores(xp.take(z_all, rows)))
            clicked = arange(rows, rows.shape[0] if click else 0)
            for out, values in zip(
                (grad, hess), self._chain(p, clicked, w, pull, floor, z_all.dtype), strict=True
            ):
                put(out, rows, values)

        # The clicked rows, and inside groups all rows with pairs: few, and written over what is there.
        for term in terms:
            for rows, extra in term.listed():
                t = self._s(_as_scores(xp.take(z_all, rows))) + term.margin
                pull = term.sums.add(t, None if w_all is None else xp.take(w_all, rows), *extra)
                write(rows, term.opponents.grade > 0, pull)
        if terms:
            rows = plan.anchors
            first, second = (zeros(z_all, rows.shape[0]) for _ in range(2))
            for term in terms:
                f, s = term.sums.anchors()
                first += f
                if s is not None:
                    second += s
            write(rows, True, (first, second))
        return grad, hess

    def _chain(
        self,
        p: Array,
        clicked: Index,
        w: Array | None,
        pull: tuple[Array, Array | None] | None,
        floor: float,
        dtype: Any,
    ) -> tuple[Array, Array]:
        """Return BCE's derivatives in z, plus the pairs', brought from s to z by the chain rule.

        Works in place: p and the pull's arrays are used up.
        """
        xp = namespace(p)
        rest = 1.0 - p
        q = p * rest
        h = q if w is None else q * w
        if pull is None:
            first = None
        elif self.scale == "logit":
            first, second = pull
            if second is not None:
                second *= 2.0
                h += second
        else:
            first, second = pull
            if second is not None:
                second *= 2.0 * q
                second *= q
            first *= q
            # s'' = q (1 - 2 p), and q is already in.
            rest -= p
            rest *= first
            h += at_least(rest, 0.0)
            if second is not None:
                h += second
        put(p, clicked, xp.take(p, clicked) - 1.0)
        if w is not None:
            p *= w
        if first is not None:
            p += first
        return xp.astype(p, dtype, copy=False), xp.astype(at_least(h, floor), dtype, copy=False)

    def _s(self, z: Array) -> Array:
        return sigmoid(z) if self.scale == "probability" else z

    def _arguments(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        group: ArrayLike | None,
        sample_weight: ArrayLike | None,
    ) -> tuple[Array, PairPlan]:
        if not isinstance(grade, PairPlan):
            plan = self.plan(grade, group=group, sample_weight=sample_weight)
        elif group is not None or sample_weight is not None:
            raise InputError("group and sample_weight are already in the plan; leave them out")
        elif grade.opponents and (grade.bounds is not None) != (self.pairs == "group"):
            raise InputError(f'the plan was made for other pairs than pairs="{self.pairs}"; make it anew')
        else:
            plan = grade
        z = raw_score if is_array(raw_score) else np.asarray(raw_score)
        xp = namespace(z)
        if z.dtype not in (xp.float32, xp.float64):
            z = xp.astype(z, xp.float64)
        if tuple(z.shape) != (plan.n,):
            raise InputError(
                f"raw_score has shape {tuple(z.shape)}; give one score per exposure, shape ({plan.n},)"
            )
        return z, plan.beside(z)

    def _terms(self, z_all: Array, plan: PairPlan) -> list[_Term]:
        """Set up the sums of each pairwise term; none for weight 0."""
        if self.weight == 0:
            return []
        xp = namespace(z_all)
        surrogate = surrogate_named(self.surrogate)
        anchor_scores = self._s(_as_scores(xp.take(z_all, plan.anchors)))
        w = plan.sample_weight
        unit = xp.ones_like(anchor_scores) if w is None else xp.take(w, plan.anchors)
        terms = []
        for opponents in plan.opponents:
            margin = float(self.click_margin if opponents.grade else self.impression_margin)
            # weight * n / pairs goes into the anchors' weights, and so into everything made of them.
            weights = unit * (self.weight * plan.total_weight / opponents.pairs)
            sums: HingeSweep | LogisticGrid | GroupedHingeSweep | GroupedLogistic
            if surrogate.degree:
                if plan.bounds is None:
                    sample = self._s(_as_scores(z_all[:: max(1, plan.n // 2048)])) + margin
                    sums = HingeSweep(surrogate, anchor_scores, weights, sample)
                else:
                    sums = GroupedHingeSweep(surrogate, anchor_scores, weights, plan.bounds)
            else:
                low, high = (0.0, 1.0) if self.scale == "probability" else (xp.min(z_all), xp.max(z_all))
                limits = float(low) + margin, float(high) + margin
                if plan.bounds is None:
                    sums = LogisticGrid(surrogate, anchor_scores, weights, *limits)
                else:
                    sums = GroupedLogistic(surrogate, anchor_scores, weights, plan.bounds, *limits)
            terms.append(_Term(opponents, margin, sums))
        return terms


@dataclass(frozen=True, eq=False)
class _Term:
    opponents: Opponents
    margin: float
    sums: Any

    def listed(self) -> Iterator[tuple[Index, tuple[Index, ...]]]:
        """Blocks of listed opponents, each with its further arguments for the sums."""
        rows, segment = self.opponents.rows, self.opponents.segment
        if rows is None:
            return
        for start in range(0, rows.shape[0], block_length(rows)):
            block = slice(start, start + block_length(rows))
            yield rows[block], () if segment is None else (segment[block],)


def block_length(x: Array) -> int:
    """Return how many rows are handled at a time: on a device other than the CPU, all."""
    return BLOCK if on_cpu(x) else max(1, int(x.shape[0]))


def _blocks(plan: PairPlan) -> Iterator[tuple[slice, Index]]:
    """Blocks of rows, each with the positions of its clicked rows inside the block."""
    length = BLOCK if on_cpu(plan.clicked) else max(1, plan.n)
    starts = list(range(0, plan.n, length))
    cuts = namespace(plan.clicked).searchsorted(plan.clicked, like(plan.clicked, [*starts, plan.n]))
    for k, start in enumerate(starts):
        clicked = plan.clicked[int(cuts[k]) : int(cuts[k + 1])] - start
        yield slice(start, min(start + length, plan.n)), clicked


def _as_scores(z: Array) -> Array:
    """Scores in float64, refused if one is not finite: boosters take NaN gradients in silence."""
    xp = namespace(z)
    scores = xp.astype(z, xp.float64, copy=False)
    # A finite sum proves finite scores in one pass; else look closer.
    if not math.isfinite(float(xp.sum(scores))) and not xp.all(xp.isfinite(scores)):
        raise InputError(
            "a raw score is NaN or infinite; look for NaN in labels, base score or learning rate before it"
        )
    return scores
