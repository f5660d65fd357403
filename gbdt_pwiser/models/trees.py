"""LightGBM and XGBoost: one booster for the click, one for the conversion of a click.

pCTR comes from a booster on all exposures, with the loss that is compared. pCVR comes from a second booster
on clicked exposures with BCE, the same for every loss, and pCTCVR = pCTR * pCVR: a difference in CTCVR AUC
between two losses is then the work of their pCTR alone.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.special import expit

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.models._kept import KeptWith
from gbdt_pwiser.models.protocol import ModelSpec, OnRound, Predictions
from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    base_score,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)


@dataclass(frozen=True, eq=False)
class Trained:
    """A booster, the round that counts, where its scores start, and the time it took."""

    booster: Any
    rounds: int
    start: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Binned:
    """Train and validation in a booster's own form, for one of the two tasks."""

    train: Any
    valid: Any
    click: NDArray[np.bool_]


_kept_with = KeptWith()


# What a search changes from model to model while the features stay binned.
_NOT_OF_BINS = frozenset(
    {"num_leaves", "min_data_in_leaf", "feature_fraction_bynode", "bagging_fraction", "lambda_l2"}
    | {"max_depth", "min_child_weight", "subsample", "colsample_bytree", "lambda"}
)


class TreeModel(ABC):
    """The two boosters of a model; what is special to a library is in its subclass."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._click: Trained | None = None
        self._conversion: Trained | None = None
        self._columns: list[str] = []

    def fit(self, train: Exposures, valid: Exposures, on_round: OnRound | None = None) -> None:
        """Train both boosters, stopping each early on the AUC of its task on validation.

        `on_round` gets each round of the click booster, from 0, and its CTR AUC on validation.

        Raises
        ------
        InputError
            Validation without features of train, pairs="group" without groups, or what the library itself
            refuses: a device, a parameter, a code.
        """
        spec = self.spec
        if valid.features.columns != train.features.columns:
            raise InputError(
                f"{valid.name}: validation has other feature columns than {train.name}'s training"
            )
        self._columns = train.features.columns
        grouped = spec.loss == "pwiser" and spec.pwiser.pairs == "group"
        if grouped and train.group is None:
            raise InputError(f'{train.name} has no groups; use pairs="all" or describe its group column')
        objective = PWiseRObjective(**asdict(spec.pwiser)) if spec.loss == "pwiser" else None
        params = repr(sorted(spec.params.items()))
        # Others, such as max_bin, may decide the bins.
        bins = repr(sorted(item for item in spec.params.items() if item[0] not in _NOT_OF_BINS))
        settings = (spec.seed, spec.rounds, spec.early_stopping, spec.learning_rate, params)
        with _refusals(spec.model):
            # XGBoost and LightGBM want the rows of a group side by side.
            binned = _kept_with.get(
                train,
                (valid, spec.model, spec.device, bins, grouped),
                lambda: self._bin(_by_group(train, grouped), valid, grouped),
            )
            self._click = self._train(binned, objective, on_round)
            self._conversion = _kept_with.get(
                train,
                (valid, spec.model, spec.device, settings),
                lambda: self._train_conversion(train, valid),
            )

    def predict(self, exposures: Exposures) -> Predictions:
        """Return pCTR and pCTCVR; InputError before `fit` or for other columns than in training."""
        if self._click is None:
            raise InputError("the model is not trained; call fit first")
        if exposures.features.columns != self._columns:
            raise InputError(f"{exposures.name} has other feature columns than the training data")
        features = exposures.matrix()
        pctr = self._probability(self._click, features)
        pcvr = self._probability(self._conversion, features) if self._conversion else np.ones_like(pctr)
        return Predictions(pctr=pctr, pctcvr=pctr * pcvr)

    @property
    def rounds_used(self) -> int:
        """Rounds of the click booster up to its best on validation."""
        return 0 if self._click is None else self._click.rounds

    @property
    def fit_seconds(self) -> float:
        """Training time of both boosters."""
        return sum(trained.seconds for trained in (self._click, self._conversion) if trained)

    @property
    def size(self) -> int:
        """Trees of both boosters that count."""
        return sum(trained.rounds for trained in (self._click, self._conversion) if trained)

    def _train_conversion(self, train: Exposures, valid: Exposures) -> Trained | None:
        """Train the booster for a conversion given a click; None where there is nothing to tell apart."""
        clicked, clicked_valid = (_conversions_of_clicks(part) for part in (train, valid))
        if len(np.unique(clicked.click)) < 2 or len(np.unique(clicked_valid.click)) < 2:
            return None
        return self._train(self._bin(clicked, clicked_valid, grouped=False), None)

    @abstractmethod
    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned: ...

    @abstractmethod
    def _train(
        self, binned: Binned, objective: PWiseRObjective | None, on_round: OnRound | None = None
    ) -> Trained: ...

    @abstractmethod
    def _probability(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]: ...


class LightGBMModel(TreeModel):
    """LightGBM, leaf-wise trees of 31 leaves."""

    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned:
        options: dict[str, Any] = {
            "feature_name": train.features.columns,
            "categorical_feature": list(train.categorical),
            "params": {
                "verbose": -1,
                "device_type": self.spec.device,
                # Dropping what cannot be split would tie the bins to one min_data_in_leaf.
                "feature_pre_filter": False,
                **self.spec.params,
            },
            "free_raw_data": True,
        }
        data = make_dataset(
            train.matrix(), train.click, train.conversion, group=train.group if grouped else None, **options
        )
        data_valid = make_dataset(valid.matrix(), valid.click, valid.conversion, reference=data, **options)
        return Binned(data.construct(), data_valid.construct(), train.click)

    def _train(
        self, binned: Binned, objective: PWiseRObjective | None, on_round: OnRound | None = None
    ) -> Trained:
        spec = self.spec
        params = {
            # LightGBM's binary objective counts a label > 0 as positive: grades serve it as they are.
            "objective": objective or "binary",
            "metric": "auc",
            "learning_rate": spec.learning_rate,
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
            "verbose": -1,
            **spec.params,
        }
        callbacks: list[Any] = [lightgbm.early_stopping(spec.early_stopping, verbose=False)]
        if on_round:
            callbacks.append(lambda env: on_round(env.iteration, env.evaluation_result_list[0][2]))
        started = time.perf_counter()
        booster = lightgbm.train(
            params,
            binned.train,
            spec.rounds,
            valid_sets=[binned.valid],
            callbacks=callbacks,
        )
        seconds = time.perf_counter() - started
        rounds = booster.best_iteration or booster.current_iteration()
        return Trained(booster, rounds, float(binned.train.get_init_score()[0]), seconds)

    def _probability(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        raw = trained.booster.predict(
            features, raw_score=True, num_iteration=trained.rounds, num_threads=self.spec.threads
        )
        return expit(raw + trained.start)  # type: ignore[no-any-return]


class XGBoostModel(TreeModel):
    """XGBoost with histograms, trees of depth 6."""

    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned:
        categorical = set(train.categorical)
        options: dict[str, Any] = {
            "quantile": True,
            "feature_names": train.features.columns,
            "feature_types": ["c" if column in categorical else "q" for column in train.features.columns],
            "enable_categorical": True,
            "max_bin": self.spec.params.get("max_bin"),
        }
        data = make_dmatrix(
            train.matrix(), train.click, train.conversion, group=train.group if grouped else None, **options
        )
        data_valid = make_dmatrix(valid.matrix(), valid.click, valid.conversion, ref=data, **options)
        return Binned(data, data_valid, train.click)

    def _train(
        self, binned: Binned, objective: PWiseRObjective | None, on_round: OnRound | None = None
    ) -> Trained:
        spec = self.spec
        params = {
            **xgboost_params(binned.click),
            "eval_metric": "auc",
            "learning_rate": spec.learning_rate,
            "max_depth": 6,
            "min_child_weight": 1.0,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "lambda": 1.0,
            "tree_method": "hist",
            "seed": spec.seed,
            "nthread": spec.threads,
            "device": spec.device,
            "verbosity": 0,
            **spec.params,
        }
        callbacks = [xgboost.callback.EarlyStopping(rounds=spec.early_stopping, maximize=True)]
        if on_round:
            callbacks.append(_Rounds(on_round))
        started = time.perf_counter()
        booster = xgboost.train(
            params,
            binned.train,
            spec.rounds,
            evals=[(binned.valid, "valid")],
            obj=objective,
            verbose_eval=False,
            callbacks=callbacks,
        )
        seconds = time.perf_counter() - started
        return Trained(booster, int(booster.best_iteration) + 1, base_score(binned.click), seconds)

    def _probability(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        predicted = trained.booster.inplace_predict(
            features, iteration_range=(0, trained.rounds), validate_features=False
        )
        return np.asarray(predicted, dtype=np.float64)


class _Rounds(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Hands each round's CTR AUC on validation to a function."""

    def __init__(self, on_round: OnRound) -> None:
        self.on_round = on_round

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.on_round(epoch, evals_log["valid"]["auc"][-1])
        return False


@contextmanager
def _refusals(model: str) -> Iterator[None]:
    """Turn an error of a booster into an InputError, without its C++ stack."""
    try:
        yield
    except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError) as error:
        reason = str(error).partition("\nStack trace")[0]
        raise InputError(f"{model} refuses the data or a parameter: {reason}") from error


def _by_group(exposures: Exposures, grouped: bool) -> Exposures:
    if not grouped or exposures.group is None:
        return exposures
    return exposures.take(np.argsort(exposures.group, kind="stable"))


def _conversions_of_clicks(exposures: Exposures) -> Exposures:
    """Clicked exposures, with the conversion in the place of the click."""
    clicked = exposures.take(exposures.click)
    return Exposures(
        name=clicked.name,
        features=clicked.features,
        grade=clicked.conversion.astype(np.int8),
        categorical=clicked.categorical,
    )
