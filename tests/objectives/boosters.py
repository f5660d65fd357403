"""Exposures to train boosters on, and the raw scores of trained ones."""

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from gbdt_pwiser.objectives import make_dataset, make_dmatrix, xgboost_params

ROUNDS = 20
LGB = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
XGB = {"nthread": 1, "max_depth": 4}


class Data:
    """3,000 exposures whose click and conversion depend on different features."""

    def __init__(self, seed=0, n=3000):
        rng = np.random.default_rng(seed)
        self.features = rng.normal(size=(n, 6)).astype(np.float32)
        self.click = rng.random(n) < 1 / (1 + np.exp(1.5 - self.features[:, 0] - self.features[:, 1]))
        self.conversion = self.click & (rng.random(n) < 1 / (1 + np.exp(1 - 2 * self.features[:, 1])))
        self.weight = rng.integers(1, 4, n).astype(np.float32)
        self.group = np.sort(rng.integers(0, 300, n))

    @property
    def grade(self):
        return self.click.astype(int) + self.conversion


def xgb_scores(data, objective, dmatrix=None, rounds=ROUNDS):
    dtrain = dmatrix or make_dmatrix(data.features, data.click, data.conversion)
    booster = xgb.train({**XGB, **xgboost_params(data.click)}, dtrain, rounds, obj=objective)
    return booster.predict(xgb.DMatrix(data.features), output_margin=True)


def lgb_scores(data, objective, dataset=None, rounds=ROUNDS):
    dtrain = dataset or make_dataset(data.features, data.click, data.conversion)
    booster = lgb.train({**LGB, "objective": objective}, dtrain, rounds)
    return booster.predict(data.features, raw_score=True) + dtrain.get_init_score()[0]
