"""XGBoost whose trees serve both tasks: the counterpart of the network `shared_bottom`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import BLOCK
from gbdt_pwiser.models.boosters._binning import block_dmatrix
from gbdt_pwiser.models.boosters._rates import ClickRates
from gbdt_pwiser.models.boosters.trees import Binned, Trained
from gbdt_pwiser.models.boosters.xgboost_model import Rounds, XGBoostModel
from gbdt_pwiser.models.kept import KeptWith
from gbdt_pwiser.models.protocol import OnRound, OnRoundOfTask
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRMultiTaskObjective, auc, xgboost_params

_kept_with = KeptWith()


class SharedXGBoostModel(XGBoostModel):
    """pCTR from a booster of the click alone, pCVR from trees that learn click and conversion together.

    The second booster has one leaf for both tasks: where to split is learnt from all clicks, which are many,
    and from the conversions, which are few. Its first output is the click, with BCE whatever the loss that is
    compared; its second is pCVR, and the round with the best CVR AUC on validation counts. Trees of several
    outputs cannot split on categories in every XGBoost, so both boosters get each category's click rate in
    training in its place; a category that training had not counts as missing.
    """

    _outputs = MappingProxyType({"click": 1, "conversion": 2})

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._rates = ClickRates({}, {})

    @property
    def rates(self) -> ClickRates:
        """What the trees get in the place of categories."""
        return self._rates

    def fit(self, train: Exposures, valid: Exposures, on_round: OnRound | None = None) -> None:
        """Train both boosters; see `TreeModel.fit`."""
        rates: ClickRates = _kept_with.get(train, "rates", lambda: ClickRates.fit(train))
        self._rates = rates
        super().fit(train, valid, on_round)

    def _dmatrix(self, part: Exposures, **options: Any) -> Any:
        return block_dmatrix(
            part,
            BLOCK,
            external_memory=self.settings.external_memory,
            feature_types=["q"] * len(part.features.columns),
            max_bin=self.settings.params.get("max_bin"),
            encode=self._features,
            **options,
        )

    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned:
        data = self._dmatrix(train, group=train.group if grouped else None)
        return Binned(data, self._dmatrix(valid, ref=data), train.click)

    def _train_conversion(
        self, train: Exposures, valid: Exposures, on_round: OnRoundOfTask | None = None
    ) -> Trained | None:
        if any(len(np.unique(part.conversion[part.decided_click])) < 2 for part in (train, valid)):
            return None
        data = self._dmatrix(train, tasks=2)
        data_valid = self._dmatrix(valid, tasks=2, ref=data)
        decided, converted = np.flatnonzero(valid.decided_click), valid.conversion[valid.decided_click]

        def cvr_auc(raw_score: NDArray[np.float32], _: Any) -> tuple[str, float]:
            return "auc_cvr", auc(raw_score[decided, 1], converted)

        settings, params = self.settings, {**self._params, "disable_default_eval_metric": True}
        del params["eval_metric"]
        callbacks: list[Any] = [
            xgboost.callback.EarlyStopping(
                rounds=settings.early_stopping, metric_name="auc_cvr", maximize=True
            )
        ]
        if on_round:
            callbacks.append(Rounds(on_round, "auc_cvr"))
        started = time.perf_counter()
        booster = xgboost.train(
            {**xgboost_params(train.click, conversion=train.known_conversion), **params},
            data,
            settings.rounds,
            evals=[(data_valid, "valid")],
            obj=PWiseRMultiTaskObjective(
                weight=0, conversion_weight=settings.conversion_weight, threads=self.spec.threads or None
            ),
            custom_metric=cvr_auc,
            verbose_eval=False,
            callbacks=callbacks,
        )
        seconds = time.perf_counter() - started
        return Trained(booster, int(booster.best_iteration) + 1, 0.0, seconds)

    def _features(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._rates.encode(block)

    def _pcvr(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._probability(trained, features)[:, 1]

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the boosters and return the rest, the click rates of the categories included."""
        return {**super().save(folder), "rates": self._rates.record()}

    def restore(self, folder: Path, columns: Sequence[str], state: Mapping[str, Any]) -> None:
        """Become the model that `save` wrote; see `TreeModel.restore`."""
        super().restore(folder, columns, {task: of for task, of in state.items() if task != "rates"})
        self._rates = ClickRates.from_record(state["rates"])
        if not set(self._rates.codes) <= set(range(len(columns))):
            raise InputError(f"{folder} has click rates of other columns; train again")
