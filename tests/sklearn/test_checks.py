"""scikit-learn's checks of estimators: what fails is what fails for the libraries' own classifiers."""

import numpy as np
import pytest
import xgboost
from lightgbm import LGBMClassifier
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from xgboost import XGBClassifier

from gbdt_pwiser.sklearn import LGBMPWiseRClassifier, XGBPWiseRClassifier

SETTINGS = {
    "lightgbm": {"n_estimators": 10, "n_jobs": 1, "verbose": -1},
    "xgboost": {"n_estimators": 10, "n_jobs": 1},
}

LABELS = "XGBClassifier takes the labels 0 and 1 only"
ZERO_WEIGHTS = "{} trains on weights that are all 0"
EXPECTED = {
    "lightgbm": {
        "check_no_attributes_set_in_init": "LightGBM makes attributes of parameters given as **kwargs",
        "check_all_zero_sample_weights_error": ZERO_WEIGHTS.format("LGBMClassifier"),
    },
    "xgboost": dict.fromkeys(
        (
            "check_estimators_dtypes",
            "check_sample_weights_pandas_series",
            "check_sample_weights_not_an_array",
            "check_sample_weights_shape",
            "check_sample_weights_not_overwritten",
            "check_classifier_data_not_an_array",
            "check_classifiers_classes",
        ),
        LABELS,
    ),
}
if tuple(map(int, xgboost.__version__.split(".")[:2])) < (3, 4):
    EXPECTED["xgboost"] |= {
        "check_all_zero_sample_weights_error": "XGBoost names base_score, not the weights",
        "check_fit2d_1sample": LABELS,
        "check_fit2d_1feature": LABELS,
    }


def library_of(estimator):
    return "lightgbm" if isinstance(estimator, LGBMClassifier) else "xgboost"


def made_up(y):
    """Conversions for what a check takes for two classes: every other click."""
    labels = np.asarray(y)
    labels = labels[:, 0] if labels.ndim == 2 else labels
    classes = np.unique(labels) if labels.dtype.kind in "biuU" and labels.ndim == 1 else []
    if len(classes) != 2:
        return None
    converted = labels == classes[1]
    return converted & (np.cumsum(converted) % 2 == 0)


class LGBMConverted(LGBMPWiseRClassifier):
    """Trains on PWiseR in the checks, which know of no conversions."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight=sample_weight, conversion=made_up(y))


class XGBConverted(XGBPWiseRClassifier):
    """The same for XGBoost."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight=sample_weight, conversion=made_up(y))


@pytest.mark.filterwarnings("ignore:.*trains on BCE alone")
@pytest.mark.filterwarnings("ignore:Converting data to scipy sparse")  # LightGBM
@pytest.mark.filterwarnings("ignore:Unknown data type.*scipy.sparse")  # XGBoost
@parametrize_with_checks(
    [LGBMPWiseRClassifier(**SETTINGS["lightgbm"]), XGBPWiseRClassifier(**SETTINGS["xgboost"])],
    expected_failed_checks=lambda estimator: EXPECTED[library_of(estimator)],
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def checked(estimator):
    """What each check found, with its exception; a name may come more than once."""
    found = check_estimator(estimator, on_fail=None, on_skip=None)
    return [(told["check_name"], told["status"], str(told["exception"])[:300]) for told in found]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("library", "converted", "plain"),
    [
        ("lightgbm", LGBMConverted(**SETTINGS["lightgbm"]), LGBMClassifier(**SETTINGS["lightgbm"])),
        ("xgboost", XGBConverted(**SETTINGS["xgboost"]), XGBClassifier(**SETTINGS["xgboost"])),
    ],
    ids=["lightgbm", "xgboost"],
)
def test_with_conversions_nothing_fails_that_the_library_passes(library, converted, plain):
    ours = {name: told for name, status, told in checked(converted) if status == "failed"}
    ours.pop("check_class_weight_classifiers", None)  # refused beside PWiseR, with the remedy
    plain = checked(plain)
    # A check that needs pandas is skipped without it.
    its = {name for name, status, _ in plain if status in ("failed", "skipped")}
    assert ours.keys() <= its, {name: ours[name] for name in ours.keys() - its}
    known = {name for name, *_ in plain}  # an older scikit-learn has fewer
    assert EXPECTED[library].keys() & known <= its
