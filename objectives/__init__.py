"""The BCE+PWiseR loss, its exact derivatives and its adapters to the boosters."""

if __name__ != "gbdt_pwiser.objectives":
    raise ImportError(
        f"this package was imported as {__name__!r}, which would make a second copy of it; "
        "import gbdt_pwiser.objectives instead"
    )

from gbdt_pwiser.objectives._activity import PairActivity
from gbdt_pwiser.objectives._auc import auc, auc_by_group, auc_ctr, auc_tasks
from gbdt_pwiser.objectives._convolution import grid_error_bound, logistic_error_bound
from gbdt_pwiser.objectives._loss import PWiseRLoss
from gbdt_pwiser.objectives._objective import Objective
from gbdt_pwiser.objectives._plan import PairPlan
from gbdt_pwiser.objectives._pwiser import PWiseRMultiTaskObjective, PWiseRObjective, pwiser_objective
from gbdt_pwiser.objectives._sklearn import PWiseRSklearnObjective
from gbdt_pwiser.objectives._surrogate import Surrogate
from gbdt_pwiser.objectives._surrogates import SURROGATES
from gbdt_pwiser.objectives._tasks import MultiTaskLoss
from gbdt_pwiser.objectives.datasets import base_score, make_dataset, make_dmatrix, xgboost_params
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.labels import grade_from
from gbdt_pwiser.objectives.protocol import ScoreLoss

__all__ = [
    "SURROGATES",
    "InputError",
    "MultiTaskLoss",
    "Objective",
    "PWiseRLoss",
    "PWiseRMultiTaskObjective",
    "PWiseRObjective",
    "PWiseRSklearnObjective",
    "PairActivity",
    "PairPlan",
    "ScoreLoss",
    "Surrogate",
    "auc",
    "auc_by_group",
    "auc_ctr",
    "auc_tasks",
    "base_score",
    "grade_from",
    "grid_error_bound",
    "logistic_error_bound",
    "make_dataset",
    "make_dmatrix",
    "pwiser_objective",
    "xgboost_params",
]
