"""XGBoost behind the protocol of models, with the click booster trained on a Dask cluster."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import BLOCK, StoredFeatures
from gbdt_pwiser.distributed import train as train_on_workers
from gbdt_pwiser.models.boosters._losses import objective_of
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.models.boosters.trees import Binned, Trained
from gbdt_pwiser.models.boosters.xgboost_model import XGBoostModel
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.protocol import OnRoundOfTask
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRObjective, base_score


class Parts(NamedTuple):
    """Dask arrays of exposures, cut into the same rows."""

    features: Any
    click: Any
    conversion: Any
    feature_types: list[str]


class DaskXGBoostModel(XGBoostModel):
    """XGBoost on the workers of a Dask cluster.

    The model is that of one machine, up to the cuts and the rows that each worker draws. The conversion
    booster, on clicked exposures, is trained here. `fit` tells its `on_round` of that one only: the
    workers have the rounds of the click.

    Parameters
    ----------
    spec
        Of model "xgboost", with a loss that spans workers, such as "bce", or "pwiser" with pairs="all".
    client
        A distributed.Client. Workers read stored features from the same paths as this process.

    Raises
    ------
    InputError
        Another loss or pairs, a margin that is a quantile, external memory, or another metric to stop by than
        CTR AUC.
    """

    def __init__(self, spec: ModelSpec, client: Any) -> None:
        if not LOSSES[spec.loss].spans_workers or spec.needs_groups:
            raise InputError(
                f"{spec.loss}{' in groups' if spec.loss == 'pwiser' else ''} cannot be trained with Dask; "
                'choose bce, or pwiser with pairs="all", or train without Dask'
            )
        if spec.loss == "pwiser" and not spec.pwiser.is_fixed:
            raise InputError(
                f"margins are {spec.pwiser.click_margin!r} and {spec.pwiser.impression_margin!r}, and "
                "workers do not tell which numbers quantiles stand for; give numbers, or train without Dask"
            )
        super().__init__(spec)
        if self.settings.external_memory:
            raise InputError(
                "workers keep their bins in memory; leave external_memory out, or train without Dask"
            )
        if self.settings.stop_by != "ctr_auc":
            raise InputError(
                f"workers have the rounds, and stop by ctr_auc alone, not by {self.settings.stop_by}; leave "
                "stop_by out, or train without Dask"
            )
        self._client = client

    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned:
        return Binned(train, valid, train.click)  # the workers bin

    def _parts(self, exposures: Exposures, rows: int) -> Parts:
        import dask.array as da

        exposures = replace(exposures, categories=None)  # may be many, and a worker gets codes
        n, columns = len(exposures), exposures.features.columns
        stored = isinstance(exposures.features, StoredFeatures)
        blocks = []
        for start in range(0, n, rows):
            part = exposures.take(np.arange(start, min(start + rows, n)))
            # Workers read for themselves what is stored.
            block = self._client.submit(_matrix, part) if stored else self._client.scatter(part.matrix())
            blocks.append(da.from_delayed(block, (len(part), len(columns)), np.float32))
        sizes = tuple(block.shape[0] for block in blocks)
        click, conversion = (
            da.from_array(label.astype(np.float32), chunks=(sizes,))
            for label in (exposures.click, exposures.known_conversion)
        )
        types = ["c" if column in exposures.categorical else "q" for column in columns]
        return Parts(da.concatenate(blocks), click, conversion, types)

    def _train(
        self,
        binned: Binned,
        loss: str,
        on_round: OnRoundOfTask | None = None,
        stop_by: StopBy | None = None,
    ) -> Trained:
        settings, params = self.settings, self._params
        if not self.spec.threads:
            params.pop("nthread")  # as many as a worker has
        objective = objective_of(self.spec, loss) or PWiseRObjective(weight=0)
        workers = len(self._client.nthreads())
        if not workers:
            raise InputError("the Dask cluster has no workers; start some, then train again")
        train = self._parts(binned.train, min(BLOCK, -(-len(binned.train) // workers)))
        # One partition of validation: its AUC is then exact.
        valid = self._parts(binned.valid, len(binned.valid))
        started = time.perf_counter()
        booster = train_on_workers(
            self._client,
            params,
            train.features,
            train.click,
            train.conversion,
            objective=objective,
            feature_types=train.feature_types,
            valid=(valid.features, valid.click),
            num_boost_round=settings.rounds,
            verbose_eval=False,
            callbacks=[xgboost.callback.EarlyStopping(rounds=settings.early_stopping, maximize=True)],
        )
        seconds = time.perf_counter() - started
        return Trained(booster, int(booster.best_iteration) + 1, base_score(binned.click), seconds)

    def _check_usable(self) -> None:
        pass  # the device is one of the workers

    def _train_conversion(
        self, train: Exposures, valid: Exposures, on_round: OnRoundOfTask | None = None
    ) -> Trained | None:
        here = XGBoostModel(self.spec)
        here._columns = self._columns
        return here._train_conversion(train, valid, on_round)


def _matrix(exposures: Exposures) -> NDArray[np.float32]:
    return exposures.matrix()
