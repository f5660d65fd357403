"""What boosters make of values that training did not have, with and without a code that rare ones share."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.rare import share_rare
from gbdt_pwiser.data.values import encode_categories
from gbdt_pwiser.models import BoosterSettings, ModelSpec, make_model
from tests.exposures import categories_of

SETTINGS = BoosterSettings(rounds=40, early_stopping=40, learning_rate=0.3)


def values(rng, n, common=40, first_rare=0):
    """40 common values, and in a tenth of the rows one of many that a few rows have; clicks by value."""
    rare = rng.random(n) < 0.1
    value = np.where(rare, 1000 + first_rare + rng.integers(0, n // 50, n), rng.integers(0, common, n))
    rate = np.where(rare, 0.1, 0.2 + 0.5 * (np.arange(common) / common)[value % common])
    return value, rng.random(n) < rate


def exposures(value, click, categories):
    rng = np.random.default_rng(0)
    features = pl.DataFrame(
        {
            "shop": encode_categories(pl.Series(value), categories),
            "x": rng.normal(size=len(value)).astype(np.float32),
        }
    )
    grade = click * (1 + (rng.random(len(value)) < 0.3))
    return Exposures("toy", features, grade.astype(np.int8), ("shop",), categories={"shop": categories})


def mean_pctr(model, rare, seed):
    """Mean prediction for values that come only after training, which are clicked 10 % of the time."""
    rng = np.random.default_rng(seed)
    train, valid = values(rng, 6000), values(rng, 3000)
    new, click = values(rng, 30_000, first_rare=10**6)
    unknown = new >= 10**6
    categories = categories_of(pl.Series(np.concatenate([train[0], valid[0], new])))
    parts = [exposures(*part, categories) for part in (train, valid, (new[unknown], click[unknown]))]
    if rare is not None:
        parts = share_rare(parts, rare)
    trained = make_model(ModelSpec(model=model, loss="pwiser", threads=1, seed=seed, settings=SETTINGS))
    trained.fit(parts[0], parts[1])
    return float(trained.predict(parts[2]).pctr.mean())


@pytest.mark.parametrize(("model", "without"), [("lightgbm", (0.1, 0.27)), ("xgboost", (0.5, 0.8))])
def test_unknown_values(model, without):
    """All exposures are clicked 42 % of the time. XGBoost sends what it has not seen to the likelier side."""
    shared = [mean_pctr(model, 20, seed) for seed in range(3)]
    apart = [mean_pctr(model, None, seed) for seed in range(3)]
    assert all(0.1 < p < 0.27 for p in shared)
    assert all(without[0] < p < without[1] for p in apart)
