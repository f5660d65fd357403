"""One booster in its library's own format, so that the library's `predict` alone gives a probability.

What this package keeps beside a booster, where its scores start and the slope of a ranker's, goes into the
leaves; what the scores mean, log-odds, into the objective that the file names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
import xgboost

from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.export.document import LOGISTIC, base_margins, document_of, trees_of
from gbdt_pwiser.export.model_text import ModelText
from gbdt_pwiser.models.boosters.shared_model import SharedXGBoostModel
from gbdt_pwiser.models.boosters.trees import Trained, TreeModel
from gbdt_pwiser.models.protocol import Model, Task
from gbdt_pwiser.objectives import InputError

_SUFFIXES: Final = {"lightgbm": (".txt",), "xgboost": (".ubj", ".json")}


def native_bytes(model: Model, task: Task, calibrator: Calibrator, comment: str, target: Path) -> bytes:
    """Return the content of a file from which the booster's library predicts a task's probability.

    Parameters
    ----------
    model
        Trained boosters.
    task
        Which of the two.
    calibrator
        Of the task. A sigmoid of the probability is one of the scores too, so it goes into the leaves.
    comment
        Stands in the file.
    target
        The name that the file will have, whose suffix says the format.

    Raises
    ------
    InputError
        The suffix is none of the library's, there is no such booster, or something decides the probability
        beside it: an isotonic calibration, or click rates in the place of categories.
    """
    assert isinstance(model, TreeModel)
    if target.suffix.lower() not in _SUFFIXES[model.library]:
        suffixes = " or ".join(_SUFFIXES[model.library])
        raise InputError(f"{target} has another suffix than {model.library}'s files; call it {suffixes}")
    if isinstance(model, SharedXGBoostModel):
        raise InputError(
            f"{model.spec.model} puts click rates in the place of categories, which no file of XGBoost "
            "holds; export to onnx"
        )
    if calibrator.method == "isotonic":
        raise InputError(
            f"no file of {model.library} holds the isotonic calibration of pCTR; export to onnx, or leave "
            "the calibration out (--uncalibrated, uncalibrated=True)"
        )
    slope, start = model.log_odds(trained := booster_of(model, task))
    if calibrator.method == "sigmoid":
        slope, start = calibrator.slope * slope, calibrator.slope * start + calibrator.intercept
    if model.library == "lightgbm":
        return _lightgbm_text(trained, slope, start, comment).encode()
    return _xgboost_raw(trained, slope, start, comment, target.suffix.lower().removeprefix("."))


def booster_of(model: TreeModel, task: Task) -> Trained:
    """Return the booster of a task; InputError where there is none."""
    if task not in model.boosters:
        raise InputError(
            "the model has no booster for the conversion, since training or validation had clicks of one "
            "kind only; its pCVR is 1"
        )
    return model.boosters[task]


# ------------------------------------------------------------------------------ LightGBM's text

_SCALED: Final = ("leaf_value", "internal_value", "leaf_const", "leaf_coeff")
_SHIFTED: Final = ("leaf_value", "internal_value", "leaf_const")
"""Of the first tree. A linear leaf is a constant plus terms; its value counts where a term is missing."""


def _lightgbm_text(trained: Trained, slope: float, start: float, comment: str) -> str:
    """Return the model's text, in which slope * score + start is the log-odds of a binary objective."""
    header, trees, rest = ModelText.of(trained)
    header = [line for line in header if not line.startswith("objective=")]
    place = next(i for i, line in enumerate(header) if line.startswith("feature_names="))
    header[place:place] = ["objective=binary sigmoid:1", f"comment={comment}"]
    first, *others = trees
    changed = [_with_log_odds(first, slope, start), *(_with_log_odds(tree, slope, 0.0) for tree in others)]
    return ModelText(header, changed, rest).join()


def _with_log_odds(lines: list[str], slope: float, start: float) -> list[str]:
    changed = []
    for line in lines:
        name, _, values = line.partition("=")
        if name in _SCALED and values:
            numbers = slope * np.array(values.split(), dtype=np.float64)
            numbers += start if name in _SHIFTED else 0.0
            line = f"{name}={' '.join(map(repr, numbers.tolist()))}"
        changed.append(line)
    return changed


# ------------------------------------------------------------------------------ XGBoost's document


def _xgboost_raw(trained: Trained, slope: float, start: float, comment: str, form: str) -> bytes:
    """Return the model, in which slope * score + start is the margin of a logistic objective."""
    booster = trained.booster[: trained.rounds]
    if (slope, start) != (1.0, 0.0):
        document = document_of(trained)
        learner = document["learner"]
        (base,) = base_margins(document)
        trees, counts = trees_of(document)
        for number, tree in enumerate(trees):
            added = 0.0 if number else (slope * base + start) / counts[0]
            tree["split_conditions"] = [
                slope * value + added if left == -1 else value
                for value, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
            ]
            tree["base_weights"] = [slope * value + added for value in tree["base_weights"]]
        learner["learner_model_param"]["base_score"] = "[5E-1]"  # a rate, whose log-odds are 0
        learner["objective"] = {"name": LOGISTIC, "reg_loss_param": {"scale_pos_weight": "1"}}
        booster = xgboost.Booster(model_file=bytearray(json.dumps(document).encode()))
    booster.set_attr(comment=comment)
    return bytes(booster.save_raw(form))
