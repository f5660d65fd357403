"""XGBoost behind the protocol of models."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.special import expit

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.progress import is_verbose
from gbdt_pwiser.data.stored import BLOCK
from gbdt_pwiser.models.boosters._binning import block_dmatrix
from gbdt_pwiser.models.boosters._files import read_xgboost
from gbdt_pwiser.models.boosters._losses import xgboost_loss
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.models.boosters._xgboost_trees import XGBoostTrees
from gbdt_pwiser.models.boosters.continued import ContinuableModel
from gbdt_pwiser.models.boosters.device import check_usable
from gbdt_pwiser.models.boosters.trees import Binned, Trained, refusals
from gbdt_pwiser.models.boosters.xgboost_document import base_margins
from gbdt_pwiser.models.losses.data_sets import xgboost_infos
from gbdt_pwiser.models.protocol import OnRoundOfTask
from gbdt_pwiser.objectives import make_dmatrix


class XGBoostModel(ContinuableModel):
    """XGBoost with histograms, trees of depth 6."""

    suffix = ".ubj"
    library = "xgboost"
    _grown = XGBoostTrees()
    _outputs: Mapping[str, int] = MappingProxyType({"click": 1, "conversion": 1})

    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned:
        columns, categorical = train.features.columns, set(train.categorical)
        # Without names XGBoost calls the features f0, f1, ...
        options: dict[str, Any] = {
            "feature_types": ["c" if column in categorical else "q" for column in columns],
            "enable_categorical": True,
            "max_bin": self.settings.params.get("max_bin"),
        }

        def dmatrix(part: Exposures, group: NDArray[np.int64] | None = None, ref: Any = None) -> Any:
            if len(part) <= BLOCK and not self.settings.external_memory:
                return make_dmatrix(
                    part.matrix(),
                    part.click,
                    part.known_conversion,
                    quantile=True,
                    group=group,
                    ref=ref,
                    **options,
                )
            return block_dmatrix(
                part, BLOCK, group=group, ref=ref, external_memory=self.settings.external_memory, **options
            )

        data = dmatrix(train, group=train.group if grouped else None)
        return Binned(data, dmatrix(valid, ref=data), train.click)

    @property
    def _params(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "eval_metric": "auc",
            "learning_rate": self.settings.learning_rate,
            "max_depth": 6,
            "min_child_weight": 1.0,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "lambda": 1.0,
            "tree_method": "hist",
            "seed": spec.seed,
            "nthread": spec.threads,
            "device": spec.device,
            "verbosity": 2 if is_verbose() else 0,
            **self._own_params,
        }

    def _train(
        self,
        binned: Binned,
        loss: str,
        on_round: OnRoundOfTask | None = None,
        stop_by: StopBy | None = None,
    ) -> Trained:
        spec, settings = self.spec, self.settings
        callbacks: list[Any] = [Measured(stop_by, binned.valid)] if stop_by else []
        callbacks.append(
            xgboost.callback.EarlyStopping(
                rounds=settings.early_stopping,
                metric_name=stop_by.name if stop_by else None,
                maximize=True,
            )
        )
        if on_round:
            callbacks.append(Rounds(on_round, "auc"))
        started = time.perf_counter()
        with (
            xgboost_loss(binned.train, spec, loss) as (of_loss, objective),
            binned.on_earlier_trees(_starting_at),
        ):
            booster = xgboost.train(
                {**of_loss, **self._params},
                binned.train,
                settings.rounds,
                evals=[(binned.valid, "valid")],
                obj=objective,
                verbose_eval=False,
                callbacks=callbacks,
            )
        seconds = time.perf_counter() - started
        self._keep_margins(objective)
        return Trained(booster, int(booster.best_iteration) + 1, of_loss.get("base_score", 0.0), seconds)

    def _score(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._margin(trained, features, 0, trained.rounds)

    def _margin(
        self, trained: Trained, features: NDArray[np.float32], first: int, last: int
    ) -> NDArray[np.float64]:
        margin = trained.booster.inplace_predict(
            features, iteration_range=(first, last), predict_type="margin", validate_features=False
        )
        return np.asarray(margin, dtype=np.float64)

    def _start(self, trained: Trained) -> float:
        # As the booster has it: a parameter may have set it in place of the mean click.
        return base_margins(json.loads(trained.booster.save_config()))[0]

    def _added(
        self, trained: Trained, features: NDArray[np.float32], first: int, last: int
    ) -> NDArray[np.float64]:
        # Every margin, of a part of the rounds too, has the start in it.
        return self._margin(trained, features, first, last) - self._start(trained)

    def log_odds(self, trained: Trained) -> tuple[float, float]:
        """Return slope and start; the raw scores start where they should, but for a ranker's."""
        return (1.0, 0.0) if trained.slope is None else (trained.slope, trained.start)

    def _probability(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        if trained.slope is not None:
            return expit(trained.slope * self._score(trained, features) + trained.start)  # type: ignore[no-any-return]
        predicted = trained.booster.inplace_predict(
            features, iteration_range=(0, trained.rounds), validate_features=False
        )
        return np.asarray(predicted, dtype=np.float64)

    def _rounds(self, booster: Any) -> int:
        return int(booster.num_boosted_rounds())

    def _write(self, trained: Trained, path: Path) -> None:
        # Through Python, which tells of a full disk.
        path.write_bytes(trained.booster[: trained.rounds].save_raw("ubj"))

    def _read(self, path: Path, task: str) -> tuple[Any, int]:
        booster = read_xgboost(path, self._outputs[task])
        check_usable(self.spec.device, "xgboost")
        with refusals("xgboost"):
            booster.set_param({"nthread": self.spec.threads, "device": self.spec.device})
            return booster, booster.num_features()


def _starting_at(data: Any, raw: NDArray[np.float64]) -> AbstractContextManager[None]:
    return xgboost_infos(data, base_margin=raw.astype(np.float32))


class Rounds(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Hands a metric of each round on validation to a function."""

    def __init__(self, on_round: OnRoundOfTask, metric: str) -> None:
        self.on_round, self._metric = on_round, metric

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Tell of a round; training goes on."""
        self.on_round(epoch, evals_log["valid"][self._metric][-1])
        return False


class Measured(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Puts a metric of each round on validation beside those of the library, for callbacks after it.

    A custom_metric would be rounded to six decimals, and be given probabilities by built-in objectives.
    """

    def __init__(self, stop_by: StopBy, valid: Any) -> None:
        self._stop_by, self._valid = stop_by, valid

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Measure a round, of which XGBoost has kept the scores; training goes on."""
        score = model.predict(self._valid, output_margin=True, training=False)
        evals_log["valid"].setdefault(self._stop_by.name, []).append(self._stop_by.value(score))
        return False
