"""Both classifiers beside their libraries' own, and exposures to fit them on."""

from types import SimpleNamespace

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from gbdt_pwiser.sklearn import LGBMPWiseRClassifier, XGBPWiseRClassifier
from tests.objectives.boosters import Data

LIGHTGBM = {"n_jobs": 1, "verbose": -1, "deterministic": True, "force_row_wise": True, "num_leaves": 7}
XGBOOST = {"n_jobs": 1, "max_depth": 3}


def _kind(name, ours, plain, settings):
    settings = {"n_estimators": 6, "learning_rate": 0.3, **settings}
    return SimpleNamespace(
        name=name,
        ours=lambda **more: ours(**settings | more),
        plain=lambda **more: plain(**settings | more),
        settings=settings,
    )


KINDS = {
    "lightgbm": _kind("lightgbm", LGBMPWiseRClassifier, LGBMClassifier, LIGHTGBM),
    "xgboost": _kind("xgboost", XGBPWiseRClassifier, XGBClassifier, XGBOOST),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """A library: our classifier and its own, made with the same settings."""
    return KINDS[request.param]


@pytest.fixture(scope="session")
def data():
    """800 exposures."""
    made = Data(n=800)
    made.click, made.conversion = made.click.astype(int), made.conversion.astype(int)
    return made


@pytest.fixture(scope="session")
def valid():
    """300 others."""
    made = Data(seed=1, n=300)
    made.click, made.conversion = made.click.astype(int), made.conversion.astype(int)
    return made


def raw_scores(model, features):
    if isinstance(model, XGBClassifier):
        return model.predict(features, output_margin=True)
    return np.asarray(model.predict(features, raw_score=True))
