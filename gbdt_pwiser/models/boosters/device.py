"""Whether the boosters can run where they are told to."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import lightgbm
import numpy as np
import xgboost

from gbdt_pwiser.objectives import InputError


def check_device(device: str, model: str) -> None:
    """Raise InputError for a device that no booster of ours knows.

    Examples
    --------
    >>> check_device("cuda", "lightgbm")
    """
    if device in ("cpu", "cuda") or (model == "xgboost" and re.fullmatch(r"cuda:\d+", device)):
        return
    hint = "; for a GPU give cuda" if device.lower() in ("gpu", "nvidia", "auto", "cuda:0") else ""
    raise InputError(f"device is {device!r}; {model} runs on cpu or cuda{hint}")


def check_usable(device: str, model: str) -> None:
    """Raise InputError where the device is none that the library can use here.

    XGBoost would run on the CPU instead, with no more than a warning.
    """
    if device != "cpu" and (reason := _why_not(device, model)):
        raise InputError(f"{model} cannot run on {device} here ({reason}); give the device cpu")


@cache
def _why_not(device: str, model: str) -> str:
    """Train a stump on two rows and return what was wrong; empty where nothing was."""
    features, label = np.array([[0.0], [1.0]]), np.array([0.0, 1.0])
    try:
        if model == "lightgbm":
            params = {"device_type": device, "objective": "binary", "verbose": -1}
            with nothing_on_stderr():
                lightgbm.Booster(params, lightgbm.Dataset(features, label=label, params=params))
            return ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = xgboost.DMatrix(features, label=label)
            booster = xgboost.Booster({"device": device, "verbosity": 0}, [data])
            booster.update(data, 0)
        used = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
        return "" if used != "cpu" else "no usable GPU is found"
    except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError) as error:
        return str(error).partition("\n")[0].rstrip(". ")


@contextmanager
def nothing_on_stderr() -> Iterator[None]:
    """Keep what a library in C writes to standard error off it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
