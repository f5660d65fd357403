"""Saved models with what makes an export hard: missing values, categories, starts, slopes, calibration."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.models import save_model
from tests.models.helpers import SPEC, every_part, fitted, make_split
from tests.specs import varied

TEXTS = [f"brand {i}, «{chr(233)}»" for i in range(60)]
CATEGORIES = {
    "categorical_1": pl.Series(TEXTS),
    "categorical_10": pl.Series([7, -3, 2**40, *range(100, 160)], dtype=pl.Int64),
    "categorical_11": pl.Series([3.0, 1.0, *range(10, 60)], dtype=pl.Float64),
}
"""By column; the fourth categorical column has codes, as prepared sets have."""
MODELS = {
    "lightgbm": {"loss": "pwiser"},
    "lambdarank": {"model": "lightgbm", "loss": "lambdarank"},
    "not_missing": {"model": "lightgbm", "loss": "bce", "params": {"use_missing": False}},
    "linear": {"model": "lightgbm", "loss": "pwiser", "params": {"linear_tree": True}},
    "stumps": {"model": "lightgbm", "loss": "bce", "params": {"min_data_in_leaf": 100_000}},
    "xgboost": {"model": "xgboost", "loss": "pwiser"},
    "rank_pairwise": {"model": "xgboost", "loss": "rank_pairwise"},
    "xgboost_dart": {
        "model": "xgboost",
        "loss": "rank_pairwise",
        "params": {"booster": "dart", "rate_drop": 0.3},
    },
    "xgboost_shared": {"model": "xgboost_shared", "loss": "pwiser"},
    # Every other network has bins of the numbers too.
    "dnn": {"loss": "pwiser", "bins": 5},
    "shared_bottom": {"loss": "bce"},
    "mmoe": {"loss": "pwiser", "bins": 5},
    "ple": {"loss": "pwiser", "bottom": (8, 6)},
    "esmm": {"loss": "pwiser", "bins": 5},
    "aitm": {"loss": "pwiser"},
}


@pytest.fixture(scope="session")
def split():
    """Every fifth value of a category and every seventh number is missing."""

    def with_holes(part):
        rows = pl.int_range(pl.len())
        changed = [
            pl.when((rows + i) % (5 if name in part.categorical else 7) != 0).then(pl.col(name)).alias(name)
            for i, name in enumerate(part.features.columns)
        ]
        return replace(part, features=part.features.with_columns(changed), categories=CATEGORIES)

    return every_part(make_split(), with_holes)


@pytest.fixture(scope="session")
def saved(split, tmp_path_factory):
    """Return the folder of a saved model by name, calibrated by a method where one is given; made once."""
    top, models = tmp_path_factory.mktemp("models"), {}

    def folder(name, calibration="none"):
        place = top / f"{name}-{calibration}"
        if not place.exists():
            if name not in models:
                models[name] = fitted(varied(SPEC, **{"model": name, **MODELS[name]}), split)
            fit = Calibrator.fit(calibration, models[name].predict(split.valid).pctr, split.valid.click)
            kept = None if calibration == "none" else fit.to_dict()
            save_model(models[name], place, split, calibration=kept)
        return place

    return folder


@pytest.fixture(scope="session")
def table():
    """10,000 rows of a table as users have it: missing values, and categories that training had not."""
    rng = np.random.default_rng(5)
    frame = make_split(1).train.features
    frame = frame[rng.integers(0, frame.height, 10_000)]
    columns = {}
    for name in frame.columns:
        values = frame[name].alias("")
        if name in CATEGORIES:
            known = CATEGORIES[name]
            texts = known.gather(values % len(known))
            unseen = "brand new" if known.dtype == pl.String else 4711
            values = texts.zip_with(
                pl.Series(rng.random(len(texts)) > 0.1), pl.Series([unseen] * len(texts), dtype=known.dtype)
            )
        elif values.dtype == pl.Int32:
            values = values.zip_with(
                pl.Series(rng.random(len(values)) > 0.1), pl.Series([700] * len(values), dtype=pl.Int32)
            )
        else:
            values = values + pl.Series(rng.normal(0, 0.2, len(values)).astype(np.float32))
        columns[name] = values.zip_with(
            pl.Series(rng.random(len(values)) > 0.15), pl.Series([None] * len(values), dtype=values.dtype)
        )
    return pl.DataFrame(columns)
