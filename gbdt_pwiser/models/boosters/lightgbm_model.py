"""LightGBM behind the protocol of models."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.progress import is_verbose
from gbdt_pwiser.data.stored import BLOCK
from gbdt_pwiser.models.boosters._binning import BlockSequence
from gbdt_pwiser.models.boosters._features import plain_names
from gbdt_pwiser.models.boosters._files import read_lightgbm
from gbdt_pwiser.models.boosters._lightgbm_trees import LightGBMTrees
from gbdt_pwiser.models.boosters._losses import lightgbm_loss
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.models.boosters.continued import ContinuableModel
from gbdt_pwiser.models.boosters.trees import Binned, Trained
from gbdt_pwiser.models.losses.data_sets import lightgbm_fields
from gbdt_pwiser.models.protocol import OnRoundOfTask
from gbdt_pwiser.objectives import make_dataset


class LightGBMModel(ContinuableModel):
    """LightGBM, leaf-wise trees of 31 leaves."""

    suffix = ".txt"
    library = "lightgbm"
    _grown = LightGBMTrees()

    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned:
        columns = train.features.columns
        options: dict[str, Any] = {
            "feature_name": plain_names(columns),
            "categorical_feature": [columns.index(name) for name in train.categorical],
            "params": {
                "verbose": 1 if is_verbose() else -1,
                "device_type": self.spec.device,
                # Dropping what cannot be split would tie the bins to one min_data_in_leaf.
                "feature_pre_filter": False,
                **self._own_params,
            },
            "free_raw_data": True,
        }

        def dataset(part: Exposures, **more: Any) -> Any:
            features = part.matrix() if len(part) <= BLOCK else BlockSequence(part, BLOCK)
            return make_dataset(features, part.click, part.known_conversion, **options, **more)

        data = dataset(train, group=train.group if grouped else None)
        return Binned(data.construct(), dataset(valid, reference=data).construct(), train.click)

    @property
    def _params(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "metric": "auc",
            "learning_rate": self.settings.learning_rate,
            "num_leaves": 31,
            "min_data_in_leaf": 100,
            # Not by tree (feature_fraction): LightGBM draws once more for a custom objective, and two losses
            # with one seed would see different features.
            "feature_fraction_bynode": 0.8,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "cat_smooth": 50.0,
            "seed": spec.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": spec.threads,
            "device_type": spec.device,
            "verbose": 1 if is_verbose() else -1,
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
        feval, stopping = None, lightgbm.early_stopping(settings.early_stopping, verbose=False)
        if stop_by:
            feval, stopping = _feval(stop_by), ByLastMetric(stopping)
        callbacks: list[Any] = [stopping]
        if on_round:
            callbacks.append(lambda env: on_round(env.iteration, env.evaluation_result_list[0][2]))
        started = time.perf_counter()
        with lightgbm_loss(binned.train, spec, loss) as of_loss, binned.on_earlier_trees(_starting_at):
            booster = lightgbm.train(
                {**of_loss, **self._params},
                binned.train,
                settings.rounds,
                valid_sets=[binned.valid],
                feval=feval,
                callbacks=callbacks,
            )
            start = binned.train.get_init_score()
        seconds = time.perf_counter() - started
        self._keep_margins(of_loss["objective"])
        rounds = booster.best_iteration or booster.current_iteration()
        return Trained(booster, rounds, 0.0 if start is None else float(start[0]), seconds)

    def _score(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return trained.booster.predict(  # type: ignore[no-any-return]
            features, raw_score=True, num_iteration=trained.rounds, num_threads=self.spec.threads
        )

    def _start(self, trained: Trained) -> float:
        return trained.start  # which is in no tree

    def _added(
        self, trained: Trained, features: NDArray[np.float32], first: int, last: int
    ) -> NDArray[np.float64]:
        return trained.booster.predict(  # type: ignore[no-any-return]
            features,
            raw_score=True,
            start_iteration=first,
            num_iteration=last - first,
            num_threads=self.spec.threads,
        )

    def _probability(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        slope = 1.0 if trained.slope is None else trained.slope
        return expit(slope * self._score(trained, features) + trained.start)  # type: ignore[no-any-return]

    def _rounds(self, booster: Any) -> int:
        return int(booster.current_iteration())

    def _write(self, trained: Trained, path: Path) -> None:
        # Through Python, which tells of a full disk.
        path.write_text(trained.booster.model_to_string(num_iteration=trained.rounds), encoding="utf-8")

    def _read(self, path: Path, task: str) -> tuple[Any, int]:
        booster = read_lightgbm(path)
        return booster, booster.num_feature()


def _starting_at(data: Any, raw: NDArray[np.float64]) -> AbstractContextManager[None]:
    return lightgbm_fields(data, init_score=raw)


def _feval(stop_by: StopBy) -> Callable[[NDArray[np.float64], Any], tuple[str, float, bool]]:
    return lambda score, _: (stop_by.name, stop_by.value(score), True)


class ByLastMetric:
    """Early stopping by the last metric of a round alone, which is that of a feval.

    LightGBM's own stops by any of the metrics, or by the first, which is the AUC that rounds are told with.
    """

    def __init__(self, stopping: Any) -> None:
        self._stopping = stopping
        self.order = stopping.order  # after all others, so that they see the last round too

    def __call__(self, env: Any) -> None:
        """Look at a round; what `stopping` raises ends the training."""
        self._stopping(replace(env, evaluation_result_list=env.evaluation_result_list[-1:]))
