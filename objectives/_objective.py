"""A loss, BCE + weight * PWiseR or one of somebody's own, as the objective of LightGBM and XGBoost."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._activity import PairActivity
from gbdt_pwiser.objectives._arrays import Array, cupy_for, namespace
from gbdt_pwiser.objectives._parallel import threads_of
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.labels import Labels, peers_of, read_labels
from gbdt_pwiser.objectives.protocol import ScoreLoss
from gbdt_pwiser.objectives.rounds import Rounds
from gbdt_pwiser.objectives.traps import (
    START_OF_INIT_MODEL,
    START_OF_LIGHTGBM,
    START_OF_XGBOOST,
    refuse_random_forest,
    warn_of_metrics,
    warn_of_start,
    warn_without_anchors,
    warn_without_effect,
)


class Objective:
    """Custom objective of any loss, for `xgb.train(obj=...)` and for LightGBM's `params["objective"]`.

    Called with (raw_score, data) it returns gradient and hessian of n * L, with grades, weights and groups
    read from the data set. One object serves both libraries, their `cv`, and any number of data sets.

    Labels it reads: grades 0, 1, 2, 3 (both libraries); or label = click with label_lower_bound = conversion,
    NaN where it is open (XGBoost; `make_dmatrix` builds that). Weights in the data set are applied.

    At the first call on a data set it warns of what boosters get wrong in silence: a start far from the mean
    click (`make_dataset` and `xgboost_params` give the right one; LightGBM's `init_model` and `save_binary`
    lose it), and parameters of LightGBM that do nothing beside an objective of one's own.
    docs/explanation/loss.md has the recipes.

    Where XGBoost trains on several workers (`xgboost.dask.train`), the loss makes its plan together with the
    other workers.

    Parameters
    ----------
    loss
        Anything with the methods of `protocol.ScoreLoss`, which shows an example.
    device
        "cpu", or "cuda": scores go to the GPU once a round and the loss gets them as CuPy arrays. XGBoost
        takes the gradients as they are, for LightGBM they come back. See docs/guides/gpu.md.
    record_activity
        Whether to keep in `activity`, round by round, the share of pairs that violate their margin. The loss
        must have a `pair_activity`, as PWiseRLoss does. A pass as for the gradient of the hinge, but lighter.

    Raises
    ------
    InputError
        At construction: a loss without those methods, or "cuda" without CuPy or a GPU. When called: a label,
        shape or score, or what the loss refuses.
    """

    tasks: ClassVar[int] = 1
    """Outputs of the model: the click's raw score, or with two also that of a conversion given the click."""

    def __init__(self, loss: ScoreLoss, *, device: str = "cpu", record_activity: bool = False) -> None:
        if isinstance(loss, type) or not isinstance(loss, ScoreLoss):
            raise InputError(
                f"loss is {loss!r}; give an object with the methods plan, value and gradient_hessian, such "
                "as PWiseRLoss()"
            )
        if record_activity and not hasattr(loss, "pair_activity"):
            raise InputError(
                f"record_activity needs a loss with the method pair_activity, and {type(loss).__name__} has "
                "none; leave it out, or give PWiseRLoss()"
            )
        self.loss = loss
        self.device = device
        self.record_activity = record_activity
        self._rounds = Rounds()
        self._activity: list[tuple[int, PairActivity]] = []
        self._cupy = cupy_for(device)
        self._plans: WeakKeyDictionary[Any, tuple[Labels, PairPlan]] = WeakKeyDictionary()

    def __call__(self, raw_score: Any, data: Any) -> tuple[Array, Array]:
        """Return (grad, hess), float32 as both libraries keep them: (n,), or with two tasks (n, 2)."""
        scores = one_output(raw_score) if self.tasks == 1 else _two_outputs(raw_score)
        labels, plan, is_new = self._read(data)
        there = scores if self._cupy is None else self._cupy.asarray(scores)
        number, loss = self._rounds.next(self.loss, data, scores, there, plan)
        grad, hess = derivatives_of(loss, there, plan)
        if self._cupy is not None and labels.booster == "lightgbm":
            grad, hess = grad.get(), hess.get()
        if self.record_activity:
            self._activity.append((number, _activity(loss, there, plan)))
        if is_new:
            of_click = scores if scores.ndim == 1 else scores[:, 0]
            _warn_of_traps(self.loss, of_click, data, labels, plan)
        return grad, hess

    @property
    def activity(self) -> list[tuple[int, PairActivity]]:
        """What record_activity kept, oldest first: the round, from 0, and the activity that it began with.

        Rounds are counted for each data set by itself (the folds of `cv` take turns) and go on where a model
        is continued on it. While a margin is a quantile that no number is known of, both shares are NaN.
        Workers of Dask have copies, and keep theirs.
        """
        return self._activity

    @property
    def fixed_loss(self) -> ScoreLoss | None:
        """The loss with the numbers that its margins stood for in the last training; None for no quantiles.

        Workers of Dask have copies, and keep theirs.
        """
        return self._rounds.fixed

    def _read(self, data: Any) -> tuple[Labels, PairPlan, bool]:
        """Labels and plan of a data set, and whether the plan is new: the data set is, or has changed."""
        _refuse_what_lightgbm_cannot(data)
        labels = read_labels(data, tasks=self.tasks)
        known = self._plans.get(data)
        peers = peers_of(data)
        if known and known[1].peers.size == peers.size and labels.same_as(known[0]):
            return *known, False
        # A worker may be left without rows.
        grade = labels.grade() if peers.size == 1 or len(labels.label) else np.zeros(0)
        plan = self.loss.plan(grade, group=labels.group(), sample_weight=labels.sample_weight(), peers=peers)
        if isinstance(plan, PairPlan):
            plan = replace(plan, threads=threads_of(data))
        self._plans[data] = labels, plan
        return labels, plan, True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r}, device={self.device!r})"

    def __getstate__(self) -> dict[str, Any]:
        # Data sets, and what was recorded of them, stay where they are.
        return {"loss": self.loss, "device": self.device, "record_activity": self.record_activity}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Objective.__init__(self, **state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # LightGBM trains with a deep copy of its parameters; the user looks into the original.
        twin = type(self).__new__(type(self))
        twin.__setstate__(deepcopy(self.__getstate__(), memo))
        twin._rounds, twin._activity = self._rounds, self._activity
        return twin


def _refuse_what_lightgbm_cannot(data: Any) -> None:
    params = data.params if hasattr(data, "get_init_score") else None
    refuse_random_forest(params)
    if params and int(params.get("num_machines", 1)) > 1:
        raise InputError(
            "LightGBM's workers cannot tell each other of their anchors, so pairs would span the rows of one "
            "worker only; train XGBoost with gbdt_pwiser.distributed.train, or on one machine"
        )


def derivatives_of(loss: ScoreLoss, scores: Array, plan: PairPlan) -> tuple[Array, Array]:
    """Return gradient and hessian as float32, whatever type a loss of somebody's own gives them in."""
    xp = namespace(scores)
    grad, hess = loss.gradient_hessian(scores, plan, dtype="float32")
    return xp.astype(grad, xp.float32, copy=False), xp.astype(hess, xp.float32, copy=False)


def _activity(loss: Any, scores: Array, plan: PairPlan) -> PairActivity:
    if not getattr(loss, "is_fixed", True):
        return PairActivity(float("nan"), float("nan"))
    activity: PairActivity = loss.pair_activity(scores, plan)
    return activity


def ranks_pairs(loss: ScoreLoss) -> bool:
    return bool(getattr(loss, "ranks_pairs", False))


def _warn_of_traps(loss: ScoreLoss, scores: NDArray[Any], data: Any, labels: Labels, plan: PairPlan) -> None:
    warn_without_anchors(plan, ranks_pairs=ranks_pairs(loss))
    if labels.booster == "xgboost":
        # Scores that differ are those of base_margin or of xgb_model, which is continued rightly.
        warn_of_start(scores, plan, START_OF_XGBOOST, equal_only=True)
        return
    warn_without_effect(data.params)
    warn_of_metrics(data.params)
    continued = getattr(data, "_predictor", None) is not None
    warn_of_start(
        scores,
        plan,
        START_OF_INIT_MODEL if continued else START_OF_LIGHTGBM,
        # Scores that differ are right where init_score was given, as a prior.
        equal_only=not continued and len(labels.start) > 0,
    )


def _two_outputs(raw_score: ArrayLike) -> NDArray[Any]:
    scores = np.asarray(raw_score)
    if not scores.size:  # of a worker without rows
        return scores.reshape(0, 2)
    if scores.ndim != 2 or scores.shape[1] != 2:
        raise InputError(
            f"raw scores have shape {scores.shape}, and a model of both tasks has two per row; give the data "
            "set a label of two columns, as make_dmatrix(..., tasks=2) does"
        )
    return scores


def one_output(raw_score: ArrayLike) -> NDArray[Any]:
    scores = np.asarray(raw_score)
    if scores.ndim != 1:
        raise InputError(
            f"raw scores have shape {scores.shape}: the model has several outputs; "
            "do not set num_class, and give one label per row"
        )
    return scores
