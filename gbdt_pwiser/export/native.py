"""One booster in its library's own format, so that the library's `predict` alone gives a probability.

What this package keeps beside a booster, where its scores start and the slope of a ranker's, goes into the
leaves; what the scores mean, log-odds, into the objective that the file names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import xgboost

from gbdt_pwiser._lightgbm_text import ModelText
from gbdt_pwiser.calibration import Calibrator
from gbdt_pwiser.models.boosters.shared_model import SharedXGBoostModel
from gbdt_pwiser.models.boosters.trees import Trained, TreeModel
from gbdt_pwiser.models.boosters.xgboost_document import LOGISTIC, base_margins, document_of, trees_of
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
        text = ModelText.of(trained.booster, trained.rounds)
        return text.as_binary(start, slope=slope, more=[f"comment={comment}"]).join().encode()
    return _xgboost_raw(trained, slope, start, comment, target.suffix.lower().removeprefix("."))


def booster_of(model: TreeModel, task: Task) -> Trained:
    """Return the booster of a task; InputError where there is none."""
    if task not in model.boosters:
        raise InputError(
            "the model has no booster for the conversion, since training or validation had clicks of one "
            "kind only; its pCVR is 1"
        )
    return model.boosters[task]


def _xgboost_raw(trained: Trained, slope: float, start: float, comment: str, form: str) -> bytes:
    """Return the model, in which slope * score + start is the margin of a logistic objective."""
    booster = trained.booster[: trained.rounds]
    if (slope, start) != (1.0, 0.0):
        document = document_of(trained.booster, trained.rounds)
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
