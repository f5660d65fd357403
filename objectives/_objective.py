"""A loss, BCE + weight * PWiseR or one of somebody's own, as the objective of LightGBM and XGBoost."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict
from typing import Any, ClassVar, Self, TypedDict, Unpack
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._activity import ActivityLog, PairActivity
from gbdt_pwiser.objectives._arrays import Array, cupy_for, namespace
from gbdt_pwiser.objectives._loss import Pairs, PWiseRLoss
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives._tasks import MultiTaskLoss
from gbdt_pwiser.objectives._terms import Scale
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import checked_binary, numbers
from gbdt_pwiser.objectives.labels import Labels, grade_from, peers_of, read_labels
from gbdt_pwiser.objectives.protocol import ScoreLoss
from gbdt_pwiser.objectives.traps import (
    START_OF_ESTIMATORS,
    START_OF_INIT_MODEL,
    START_OF_LIGHTGBM,
    START_OF_XGBOOST,
    refuse_random_forest,
    warn_of_metrics,
    warn_of_start,
    warn_without_anchors,
    warn_without_effect,
)


class LossParameters(TypedDict, total=False):
    """The parameters of PWiseRLoss, all optional."""

    weight: float
    click_margin: float
    impression_margin: float
    surrogate: str
    scale: Scale
    pairs: Pairs


class Objective:
    """Custom objective of any loss, for `xgb.train(obj=...)` and for LightGBM's `params["objective"]`.

    Called with (raw_score, data) it returns gradient and hessian of n * L, with grades, weights and groups
    read from the data set. One object serves both libraries, their `cv`, and any number of data sets.

    Labels it reads: grades 0, 1, 2 (both libraries); or label = click with label_lower_bound = conversion
    (XGBoost; `make_dmatrix` builds that). Weights in the data set are applied.

    At the first call on a data set it warns of what boosters get wrong in silence: a start far from the mean
    click (`make_dataset` and `xgboost_params` give the right one; LightGBM's `init_model` and `save_binary`
    lose it), and parameters of LightGBM that do nothing beside an objective of one's own. docs/loss.md has
    the recipes.

    Where XGBoost trains on several workers (`xgboost.dask.train`), the loss makes its plan together with the
    other workers.

    Parameters
    ----------
    loss
        Anything with the methods of `protocol.ScoreLoss`, which shows an example.
    device
        "cpu", or "cuda": scores go to the GPU once a round and the loss gets them as CuPy arrays. XGBoost
        takes the gradients as they are, for LightGBM they come back. See docs/gpu.md.
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
        self._log = ActivityLog()
        self._cupy = cupy_for(device)
        self._plans: WeakKeyDictionary[Any, tuple[Labels, PairPlan]] = WeakKeyDictionary()

    def __call__(self, raw_score: Any, data: Any) -> tuple[Array, Array]:
        """Return (grad, hess), float32 as both libraries keep them: (n,), or with two tasks (n, 2)."""
        scores = _one_output(raw_score) if self.tasks == 1 else _two_outputs(raw_score)
        labels, plan, is_new = self._read(data)
        there = scores if self._cupy is None else self._cupy.asarray(scores)
        grad, hess = _derivatives(self.loss, there, plan)
        if self._cupy is not None and labels.booster == "lightgbm":
            grad, hess = grad.get(), hess.get()
        if self.record_activity:
            self._log.add(data, self.loss.pair_activity(there, plan))  # type: ignore[attr-defined]
        if is_new:
            of_click = scores if scores.ndim == 1 else scores[:, 0]
            _warn_of_traps(self.loss, of_click, data, labels, plan)
        return grad, hess

    @property
    def activity(self) -> list[tuple[int, PairActivity]]:
        """What record_activity kept, oldest first: the round, from 0, and the activity that it began with.

        Rounds are counted for each data set by itself (the folds of `cv` take turns), and go on in a second
        training on it; an objective of its own starts anew. Workers of Dask have copies, and keep theirs.
        """
        return self._log.rounds

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
        twin._log = self._log
        return twin


class PWiseRObjective(Objective):
    """BCE + weight * PWiseR as the objective of both boosters; all else is said of `Objective`.

    A data set without conversions trains on BCE alone, with a warning.

    Where XGBoost trains on several workers (`xgboost.dask.train`), pairs span the rows of all workers, and
    the gradient is that of one machine; base_score must be that of all rows, and a group must lie with one
    worker. LightGBM has no way for its workers to talk in Python: its objective would see local pairs only.

    Parameters
    ----------
    device
        "cpu" or "cuda"; see `Objective`.
    record_activity
        Whether to keep the share of active pairs, round by round, in `activity`; see `Objective`.
    **parameters
        Those of PWiseRLoss.

    Raises
    ------
    InputError
        At construction: a parameter, or "cuda" without CuPy or a GPU. When called: a label, shape or
        score; see `PWiseRLoss.value`.
    """

    loss: PWiseRLoss

    def __init__(
        self, *, device: str = "cpu", record_activity: bool = False, **parameters: Unpack[LossParameters]
    ) -> None:
        super().__init__(PWiseRLoss(**parameters), device=device, record_activity=record_activity)

    def __repr__(self) -> str:
        return _described(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"device": self.device, "record_activity": self.record_activity, **asdict(self.loss)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class PWiseRMultiTaskObjective(Objective):
    """Both tasks in one XGBoost model of two outputs: BCE + weight * PWiseR of the click, BCE of conversions.

    The loss is `MultiTaskLoss`, its derivatives are exact, weights and groups count as in `PWiseRObjective`.
    Trees have one leaf for both tasks with `multi_strategy="multi_output_tree"`, which `xgboost_params(click,
    conversion=...)` sets together with where both outputs start; `predict` then gives pCTR and pCVR, (n, 2).
    The built-in `auc` mixes the tasks, so give `custom_metric=auc_tasks`. XGBoost 3.2 or newer. What
    `min_child_weight` means in trees of several outputs differs between versions: docs/multi_task.md.

    Parameters
    ----------
    click_weight, conversion_weight
        Of the tasks; see `MultiTaskLoss` for their unit.
    device
        "cpu" or "cuda"; see `Objective`.
    **parameters
        Those of PWiseRLoss, for the click.

    Raises
    ------
    InputError
        As `Objective`; called with a lightgbm.Dataset, one label per row or one raw score per row.

    Examples
    --------
    >>> import xgboost
    >>> from gbdt_pwiser.objectives import auc_tasks, make_dmatrix, xgboost_params
    >>> rng = np.random.default_rng(0)
    >>> features, click = rng.random((99, 2)), rng.integers(2, size=99)
    >>> conversion = click * rng.integers(2, size=99)
    >>> data = make_dmatrix(features, click, conversion, tasks=2)
    >>> booster = xgboost.train(
    ...     xgboost_params(click, conversion=conversion),
    ...     data,
    ...     num_boost_round=2,
    ...     obj=PWiseRMultiTaskObjective(weight=0.1),
    ...     custom_metric=auc_tasks,
    ... )
    >>> booster.predict(data).shape
    (99, 2)
    """

    tasks = 2

    def __init__(
        self,
        *,
        click_weight: float = 1.0,
        conversion_weight: float = 1.0,
        device: str = "cpu",
        **parameters: Unpack[LossParameters],
    ) -> None:
        click = PWiseRLoss(**parameters)
        loss = MultiTaskLoss(click=click, click_weight=click_weight, conversion_weight=conversion_weight)
        super().__init__(loss, device=device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r}, device={self.device!r})"


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
        (n,): 0 or 1 for each row of the fit, in its order; None where y holds grades.
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
        # A copy: what happens to the caller's array later is no part of the objective.
        self.conversion = None if conversion is None else checked_binary("conversion", conversion).copy()

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
        scores = _one_output(y_pred)
        derivatives = _derivatives(self.loss, scores, plan)
        if plan.n and scores.min() == scores.max():  # the first round: there is nothing to remember it by
            warn_without_anchors(plan, ranks_pairs=_ranks_pairs(self.loss))
            warn_of_start(scores, plan, START_OF_ESTIMATORS, equal_only=True)
        return derivatives

    def __repr__(self) -> str:
        return _described(self)


def _refuse_what_lightgbm_cannot(data: Any) -> None:
    params = data.params if hasattr(data, "get_init_score") else None
    refuse_random_forest(params)
    if params and int(params.get("num_machines", 1)) > 1:
        raise InputError(
            "LightGBM's workers cannot tell each other of their anchors, so pairs would span the rows of one "
            "worker only; train XGBoost with gbdt_pwiser.distributed.train, or on one machine"
        )


def _derivatives(loss: ScoreLoss, scores: Array, plan: PairPlan) -> tuple[Array, Array]:
    """Return gradient and hessian as float32, whatever type a loss of somebody's own gives them in."""
    xp = namespace(scores)
    grad, hess = loss.gradient_hessian(scores, plan, dtype="float32")
    return xp.astype(grad, xp.float32, copy=False), xp.astype(hess, xp.float32, copy=False)


def _ranks_pairs(loss: ScoreLoss) -> bool:
    return bool(getattr(loss, "ranks_pairs", False))


def _warn_of_traps(loss: ScoreLoss, scores: NDArray[Any], data: Any, labels: Labels, plan: PairPlan) -> None:
    warn_without_anchors(plan, ranks_pairs=_ranks_pairs(loss))
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


def _described(objective: PWiseRObjective | PWiseRSklearnObjective) -> str:
    return f"{type(objective).__name__}({', '.join(f'{k}={v!r}' for k, v in asdict(objective.loss).items())})"


def _ids(sizes: ArrayLike) -> NDArray[np.int64]:
    """Return an id for each row of groups of these sizes."""
    counts = numbers("group", sizes, "it holds the number of rows of each group")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InputError("group holds the number of rows of each group; give whole numbers of at least 0")
    return np.repeat(np.arange(len(counts)), counts)


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


def _one_output(raw_score: ArrayLike) -> NDArray[Any]:
    scores = np.asarray(raw_score)
    if scores.ndim != 1:
        raise InputError(
            f"raw scores have shape {scores.shape}: the model has several outputs; "
            "do not set num_class, and give one label per row"
        )
    return scores


pwiser_objective = PWiseRObjective()
