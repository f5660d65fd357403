"""LightGBM and XGBoost behind the protocol of models.

Importing this package imports neither library: making or loading a model does.
"""

from __future__ import annotations

from typing import Any, Final

from gbdt_pwiser.models.boosters.settings import BoosterSettings
from gbdt_pwiser.models.boosters.state import check_shared_state, check_state
from gbdt_pwiser.models.kind import ModelKind
from gbdt_pwiser.models.protocol import Model
from gbdt_pwiser.models.ranges import Float, Int, LogFloat, Range
from gbdt_pwiser.models.spec import ModelSpec

__all__ = ["BOOSTERS", "BoosterSettings"]


def _lightgbm(spec: ModelSpec) -> Model:
    from gbdt_pwiser.models.boosters.lightgbm_model import LightGBMModel

    return LightGBMModel(spec)


def _xgboost(spec: ModelSpec) -> Model:
    from gbdt_pwiser.models.boosters.xgboost_model import XGBoostModel

    return XGBoostModel(spec)


def _xgboost_shared(spec: ModelSpec) -> Model:
    from gbdt_pwiser.models.boosters.shared_model import SharedXGBoostModel

    return SharedXGBoostModel(spec)


def _xgboost_on_workers(spec: ModelSpec, client: Any) -> Model:
    from gbdt_pwiser.models.boosters.dask_model import DaskXGBoostModel

    return DaskXGBoostModel(spec, client)


_SEARCHED_OF_XGBOOST: Final[dict[str, Range]] = {
    "learning_rate": LogFloat(0.01, 0.2),
    "max_depth": Int(3, 10, 6),
    "min_child_weight": LogFloat(0.1, 100.0, 1.0),
    "subsample": Float(0.5, 1.0, 0.8),
    "colsample_bytree": Float(0.3, 1.0, 0.8),
    "lambda": LogFloat(1e-3, 100.0, 1.0),
}

# Nothing that is searched decides the bins, so the features are binned once for all trials.
BOOSTERS: Final[dict[str, ModelKind]] = {
    "lightgbm": ModelKind(
        make=_lightgbm,
        settings=BoosterSettings,
        library="lightgbm",
        rounds="boosting round",
        searched={
            "learning_rate": LogFloat(0.01, 0.2),
            "num_leaves": Int(7, 255, 31, log=True),
            "min_data_in_leaf": Int(10, 1000, 100, log=True),
            "feature_fraction_bynode": Float(0.3, 1.0, 0.8),
            "bagging_fraction": Float(0.5, 1.0, 0.8),
            "lambda_l2": LogFloat(1e-3, 100.0, 1.0),
        },
        continues=True,
        files=("click.txt", "conversion.txt"),
        check_state=check_state,
    ),
    "xgboost": ModelKind(
        make=_xgboost,
        settings=BoosterSettings,
        library="xgboost",
        rounds="boosting round",
        searched=_SEARCHED_OF_XGBOOST,
        external_memory=True,
        on_workers=_xgboost_on_workers,
        continues=True,
        files=("click.ubj", "conversion.ubj"),
        check_state=check_state,
    ),
    "xgboost_shared": ModelKind(
        make=_xgboost_shared,
        settings=BoosterSettings,
        library="xgboost",
        rounds="boosting round",
        searched={**_SEARCHED_OF_XGBOOST, "conversion_weight": LogFloat(0.1, 10.0)},
        shares_tasks=True,
        external_memory=True,
        files=("click.ubj", "conversion.ubj"),
        check_state=check_shared_state,
    ),
}
"""Boosters by name."""
