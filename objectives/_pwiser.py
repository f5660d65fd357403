"""BCE + weight * PWiseR as the objective of both boosters, and of XGBoost for two tasks."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, TypedDict, Unpack

from gbdt_pwiser.objectives._loss import Pairs, PWiseRLoss
from gbdt_pwiser.objectives._objective import Objective
from gbdt_pwiser.objectives._tasks import MultiTaskLoss
from gbdt_pwiser.objectives._terms import Scale


class LossParameters(TypedDict, total=False):
    """The parameters of PWiseRLoss, all optional."""

    weight: float
    click_margin: float | str
    impression_margin: float | str
    surrogate: str
    scale: Scale
    pairs: Pairs
    warm_up: int
    threads: int | None


class PWiseRObjective(Objective):
    """BCE + weight * PWiseR as the objective of both boosters; all else is said of `Objective`.

    A data set without conversions trains on BCE alone, with a warning.

    A margin that is a quantile is fixed at the first round after the warm-up, once for each training;
    `fixed_loss` and repr then show the number.

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
        fixed = self.fixed_loss
        return described(self, fixed if isinstance(fixed, PWiseRLoss) else self.loss)

    def __getstate__(self) -> dict[str, Any]:
        return {"device": self.device, "record_activity": self.record_activity, **asdict(self.loss)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class PWiseRMultiTaskObjective(Objective):
    """Both tasks in one XGBoost model of two outputs: BCE + weight * PWiseR of the click, BCE of conversions.

    The loss is `MultiTaskLoss`, its derivatives are exact, weights and groups count as in `PWiseRObjective`.
    Trees have one leaf for both tasks with `multi_strategy="multi_output_tree"`, which `xgboost_params(click,
    conversion=...)` sets together with where both outputs start; `predict` then gives pCTR and pCVR, (n, 2).
    The built-in `auc` mixes the tasks, so give `custom_metric=auc_tasks`. What
    `min_child_weight` means in trees of several outputs differs between versions:
    docs/explanation/multi_task.md.

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
    >>> import numpy as np
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
        return f"{type(self).__name__}({self.fixed_loss or self.loss!r}, device={self.device!r})"


def described(objective: object, loss: PWiseRLoss) -> str:
    """Return how an objective of this loss is made."""
    told = ", ".join(f"{f.name}={getattr(loss, f.name)!r}" for f in fields(loss) if f.repr)
    return f"{type(objective).__name__}({told})"


pwiser_objective = PWiseRObjective()
"""`PWiseRObjective` with its defaults, for `xgb.train(obj=...)` and for LightGBM's `params["objective"]`."""
