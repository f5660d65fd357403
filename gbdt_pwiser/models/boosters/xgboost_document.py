"""XGBoost's JSON document of a booster: its trees, and where its scores start."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

LOGISTIC: Final = "binary:logistic"


def document_of(booster: Any, rounds: int) -> Any:
    """Return the JSON document of so many rounds of a xgboost.Booster."""
    return json.loads(bytes(booster[:rounds].save_raw("json")))


def base_margins(document: Any) -> list[float]:
    """Return where the raw scores of each output start: a logistic objective states them as rates.

    The document may also be what `Booster.save_config` says.
    """
    learner = document["learner"]
    given = json.loads(learner["learner_model_param"]["base_score"])  # one number in older versions
    starts = given if isinstance(given, list) else [given]
    is_rate = learner["objective"]["name"] == LOGISTIC
    single = np.array(starts, dtype=np.float32)  # as XGBoost computes it
    return list(map(float, -np.log(1 / single - 1) if is_rate else single))


def trees_of(document: Any) -> tuple[list[Any], list[float]]:
    """Return the trees, and what each counts: 1, but for trees of which some were dropped in training."""
    boosted = document["learner"]["gradient_booster"]
    model = (boosted if "model" in boosted else boosted["gbtree"])["model"]
    counts = model.get("weight_drop", boosted.get("weight_drop"))  # XGBoost 3.4 moved it
    return model["trees"], counts or [1.0] * len(model["trees"])
