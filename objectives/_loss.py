"""BCE + weight * PWiseR: the value, and the derivatives a booster wants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from gbdt_pwiser.objectives._activity import PairActivity, equivalent_weight, pair_activity
from gbdt_pwiser.objectives._anchors import Anchors
from gbdt_pwiser.objectives._arrays import Array, is_array, namespace
from gbdt_pwiser.objectives._convolution import check_curvature
from gbdt_pwiser.objectives._kernel import derivatives, total_value
from gbdt_pwiser.objectives._margins import check_margin, margins_at
from gbdt_pwiser.objectives._parallel import check_threads, threads_for
from gbdt_pwiser.objectives._peers import Peers
from gbdt_pwiser.objectives._plan import PairPlan, make_plan
from gbdt_pwiser.objectives._surrogates import surrogate_named
from gbdt_pwiser.objectives._terms import Scale, Term, pairwise_terms
from gbdt_pwiser.objectives.errors import LARGEST, InputError, check_whole, unknown
from gbdt_pwiser.objectives.inputs import check_number, numbers

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
        Weight of PWiseR, 0 to 1e6; 0 is BCE alone.
    click_margin, impression_margin
        By how much a converted exposure should score above a click-only and above an unclicked one; 0 to
        1e6, in units of s. Or a quantile of the differences s_i - s_j that BCE leaves: with "q50" half of
        the term's pairs violate the margin at the end of the warm-up. `fixed_at` makes the number of it.
    surrogate
        phi, by its name in SURROGATES: "hinge" max(0, u), "squared_hinge" max(0, u)^2, "logistic"
        log(1 + e^u).
    scale
        s: "probability" (sigmoid of the raw score) or "logit" (the raw score).
    pairs
        "all", or "group" for pairs inside one group (search, page, user) only.
    warm_up
        Boosting rounds of BCE alone before the pairs count; a margin that is a quantile needs one at least.
    threads
        On which blocks of rows are computed, 1 to 1024; results are the same, bit for bit, for any number.
        None: those of the booster's data set, else OMP_NUM_THREADS, else all cores that the process may use;
        below 200,000 rows one.

    Raises
    ------
    InputError
        A parameter breaks a rule above, or the surrogate has derivatives without bound on the logit scale.

    Notes
    -----
    Hinge sums are exact, in `O(n + |V| log |V|)`; those of a smooth surrogate come from a grid, to the bound
    of `grid_error_bound`. Source: Durmus et al., Pairwise Ranking Loss for Multi-Task Learning in
    Recommender Systems, arXiv 2406.02163; docs/explanation/loss.md says what is theirs and what is our
    reading.

    Examples
    --------
    >>> loss = PWiseRLoss(weight=1.0, scale="logit", click_margin=1.0, impression_margin=2.0)
    >>> bce = PWiseRLoss(weight=0.0)
    >>> z, grade = [3.0, 2.5, 0.0], [2, 1, 0]
    >>> round(loss.value(z, grade) - bce.value(z, grade), 12)  # (1 - 0.5) + max(0, 2 - 3)
    0.5
    """

    weight: float = 0.03
    click_margin: float | str = 0.1
    impression_margin: float | str = 0.3
    surrogate: str = "hinge"
    scale: Scale = "probability"
    pairs: Pairs = "all"
    warm_up: int = 0
    threads: int | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        surrogate = surrogate_named(self.surrogate)
        for name, known in (("scale", ("probability", "logit")), ("pairs", ("all", "group"))):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        check_number("weight", self.weight)
        check_whole("warm_up", self.warm_up, 0, LARGEST)
        check_threads(self.threads)
        margins = {name: getattr(self, name) for name in ("click_margin", "impression_margin")}
        for name, margin in margins.items():
            check_margin(name, margin)
            if isinstance(margin, str) and not self.warm_up:
                raise InputError(
                    f"{name} is {margin!r}, a quantile of what BCE has learnt, which is nothing before the "
                    "first round; give a warm_up of at least 1 round, or a number"
                )
        check_curvature(surrogate, self.scale, **{n: m for n, m in margins.items() if not isinstance(m, str)})

    @property
    def ranks_pairs(self) -> bool:
        """Whether pairs count at all; see `ScoreLoss`."""
        return self.weight > 0

    def of_round(self, number: int) -> PWiseRLoss:
        """Return the loss of a boosting round, counted from 0: BCE alone during the warm-up, then itself."""
        return self if number >= self.warm_up else replace(self, weight=0.0)

    @property
    def is_fixed(self) -> bool:
        """Whether both margins are numbers."""
        return not (isinstance(self.click_margin, str) or isinstance(self.impression_margin, str))

    def fixed_at(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> PWiseRLoss:
        """Return the loss with each margin that is a quantile as the number it stands for at these scores.

        That is the least margin, of at least 0 and to five digits, that leaves so many of the term's pairs
        active; 0 for a term without pairs. With peers it is that of the whole, and all workers call it
        together. Parameters and errors are those of `value`.

        Examples
        --------
        >>> loss = PWiseRLoss(scale="logit", impression_margin="q50", warm_up=1)
        >>> loss.fixed_at([2.0, 1.5, 1.0, 0.5, 0.0], [2, 0, 0, 0, 0]).impression_margin
        1.0
        """
        if self.is_fixed:
            return self
        raw, plan = self._arguments(raw_score, grade, group, sample_weight)
        margins = self.impression_margin, self.click_margin
        threads = self._threads_for(raw, plan)
        impression, click = margins_at(raw, plan, margins, self.scale, threads=threads)
        return replace(self, click_margin=click, impression_margin=impression)

    def plan(
        self,
        grade: ArrayLike,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        peers: Peers | None = None,
    ) -> PairPlan:
        """Check grades, groups and weights once, for many calls with new scores.

        Parameters are those of `value`. The other methods take the plan in place of grades; it holds for
        losses with the same `pairs`. With peers the rows are this worker's part of a data set,
        `gradient_hessian` and `pair_activity` are those of the whole, and all workers call each together;
        groups must not be split between workers.
        """
        within_groups = self.pairs == "group"
        return make_plan(
            grade, group=group, sample_weight=sample_weight, within_groups=within_groups, peers=peers
        )

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
            (n,): 0 impression, 1 click, 2 conversion, 3 click of open conversion, no pair's; or their plan.
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
        raw, plan = self._arguments(raw_score, grade, group, sample_weight)
        if plan.n == 0:
            return 0.0
        _, terms = self._terms(raw, plan, namespace(raw).float64)
        total = total_value(raw, plan, terms, self.scale, threads=self._threads_for(raw, plan))
        return total / plan.total_weight

    def gradient_hessian(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        dtype: Literal["float32", "float64"] | None = None,
    ) -> tuple[Array, Array]:
        """Return gradient and second-order value of n * L in the raw scores (sum of weights for n).

        ::

            grad_i = w_i (p_i - y_i) + weight n a_i s'_i
            hess_i = w_i p_i (1 - p_i) + weight n (2 b_i s'_i^2 + max(0, a_i s''_i)),  at least a floor > 0

        where a_i and b_i are the first and second derivative of PWiseR in s_i. A pair's own second
        derivative is phi'' (e_i - e_j)(e_i - e_j)^T, which twice its diagonal dominates: the diagonal
        matrix of hess minus the true hessian is positive semidefinite.

        Parameters and errors are those of `value`, and:

        dtype
            Floating type of the result and, where there are pairs, of what is computed row by row; BCE
            alone is computed in the type of raw_score. None for that of raw_score. Which pairs count is
            decided on the raw scores as given, and sums are taken in float64, with either.

        Returns
        -------
        grad, hess
            (n,): in the library and on the device of raw_score.
        """
        raw, plan = self._arguments(raw_score, grade, group, sample_weight)
        xp = namespace(raw)
        if dtype not in (None, "float32", "float64"):
            raise InputError(f"dtype is {dtype!r}; choose float32 or float64")
        kind = raw.dtype if dtype is None else getattr(xp, dtype)
        anchors, terms = self._terms(raw, plan, kind)
        threads = self._threads_for(raw, plan)
        return derivatives(raw, plan, anchors, terms, self.scale, kind, threads=threads)

    def pair_activity(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> PairActivity:
        """Return the share of each term's pairs that violate their margin, counted exactly in O(n).

        ::

            activity = sum of w_i w_j over the pairs with margin - (s_i - s_j) > 0, by that over all pairs

        It depends on margins, scale and pairs, not on surrogate and weight: with weight 0 it tells of BCE
        alone. Which pairs count is decided on the raw scores as given. With peers it is that of the whole,
        and all workers call it together. Parameters and errors are those of `value`.

        Returns
        -------
        PairActivity
            click and impression, 0 to 1; NaN for a term without pairs.

        Examples
        --------
        >>> PWiseRLoss(scale="logit", impression_margin=1.0).pair_activity([1.0, 0.5, -0.5], [2, 0, 0])
        PairActivity(click=nan, impression=0.5)
        """
        raw, plan = self._arguments(raw_score, grade, group, sample_weight)
        threads = self._threads_for(raw, plan)
        return pair_activity(raw, plan, self._margins, self.scale, threads=threads)

    def equivalent_weight(
        self,
        raw_score: Array,
        grade: ArrayLike | PairPlan,
        *,
        group: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the w for which BCE pushes conversions as hard, in sum, if each weighs 1 + w there.

        ::

            w = sum over V of (dBCE/dz_i - dL/dz_i)  /  sum over V of -dBCE/dz_i,   -dBCE/dz_i = (1 - p_i) / n

        0 for weight 0, NaN without conversions. Peers, parameters and errors are those of `pair_activity`.

        Examples
        --------
        >>> PWiseRLoss(weight=0.5, scale="logit").equivalent_weight([0.0, 0.0], [2, 0])
        2.0
        """
        raw, plan = self._arguments(raw_score, grade, group, sample_weight)
        z = namespace(raw).astype(raw, namespace(raw).float64)
        losses, more = (replace(self, weight=0.0), self), {"group": group, "sample_weight": sample_weight}
        of_bce, of_both = (loss.gradient_hessian(z, grade, **more)[0] for loss in losses)  # type: ignore[arg-type]
        return equivalent_weight(of_bce, of_both, plan)

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
        z = raw_score
        if not is_array(z) or (isinstance(z, np.ndarray) and z.dtype.kind != "f"):
            z = numbers("raw_score", z, "a raw score is a number")
        xp = namespace(z)
        if z.dtype not in (xp.float32, xp.float64):
            z = xp.astype(z, xp.float64)
        if tuple(z.shape) != (plan.n,):
            raise InputError(
                f"raw_score has shape {tuple(z.shape)}; give one score per exposure, shape ({plan.n},)"
            )
        return z, plan.beside(z)

    def _terms(self, raw: Array, plan: PairPlan, dtype: Any) -> tuple[Anchors | None, list[Term]]:
        """Set up the sums of each pairwise term; none for weight 0."""
        if self.weight == 0:
            return None, []
        surrogate, total = surrogate_named(self.surrogate), self.weight * plan.total_weight
        return pairwise_terms(raw, plan, surrogate, self._margins, self.scale, dtype, total=total)

    def _threads_for(self, raw: Array, plan: PairPlan) -> int:
        """Only NumPy lets threads share the work; other libraries have their own way."""
        return threads_for(plan.n, self.threads, plan.threads) if isinstance(raw, np.ndarray) else 1

    @property
    def _margins(self) -> tuple[float, float]:
        """Margins to opponents of grade 0 and of grade 1."""
        if not self.is_fixed:
            raise InputError(
                f"the margins are {self.click_margin!r} and {self.impression_margin!r}, and a quantile is no "
                "number yet; fix it by fixed_at(raw_score, grade), as PWiseRObjective does after the warm-up"
            )
        return float(self.impression_margin), float(self.click_margin)
