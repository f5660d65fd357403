"""What the classifiers refuse, and what a refusal leaves behind."""

import numpy as np
import pytest

from gbdt_pwiser.objectives import (
    InputError,
)
from tests.sklearn.conftest import KINDS

WRONG = {
    "no click": ({"conversion": "ones"}, r"conversions have no click"),
    "length": ({"conversion": "short"}, r"click has shape \(800,\), conversion \(799,\)"),
    "value": ({"conversion": "twos"}, r"conversion is 2 in row"),
    "infinite": ({"conversion": "infinite"}, r"conversion is inf in row 0 .* or NaN where"),
    "eval": ({"eval_conversion": [[0]]}, r"conversions of 1 evaluation sets, and there are 0"),
    "group": ({"group": [1, 2]}, r"one group id per exposure"),
    "weight": ({"sample_weight": np.ones(3)}, r"sample_weight has shape \(3,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_rows_are_refused(kind, data, case):
    given, message = WRONG[case]
    made = {
        "ones": np.ones(len(data.click)),
        "short": data.conversion[1:],
        "twos": 2 * data.conversion,
        "infinite": np.where(np.arange(len(data.click)) == 0, np.inf, data.conversion),
    }
    wrong = given.get("conversion", "right")
    given = {"conversion": made.get(wrong, data.conversion)} | {
        name: value for name, value in given.items() if name != "conversion"
    }
    with pytest.raises(InputError, match=message):
        kind.ours().fit(data.features, data.click, **given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pwiser_weight": -1}, "pwiser_weight is -1"),
        ({"surrogate": "hing"}, "did you mean hinge"),
        ({"click_margin": "q50"}, "give a warm_up"),
        ({"objective": lambda y, z: (y, y)}, "brings its own"),
        ({"objective": "binary:hinge"}, "brings its own"),
        ({"scale_pos_weight": 3}, "scale_pos_weight would do nothing beside PWiseR"),
    ],
)
def test_bad_parameters_are_refused(kind, data, settings, message):
    with pytest.raises(InputError, match=message):
        kind.ours(**settings).fit(data.features, data.click, conversion=data.conversion)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weight": "balanced"}, "class_weight would do nothing .* sample_weight"),
        ({"is_unbalance": True}, "is_unbalance would do nothing"),
        ({"boosting_type": "rf"}, "choose gbdt, dart or goss"),
        ({"metric": "l2"}, "metric l2 of LightGBM would get raw scores"),
        ({"app": "cross_entropy"}, "app is 'cross_entropy'"),
    ],
)
def test_what_only_lightgbm_has_is_refused(data, settings, message):
    with pytest.raises(InputError, match=message):
        KINDS["lightgbm"].ours(**settings).fit(data.features, data.click, conversion=data.conversion)


def test_three_classes_are_refused(kind, data):
    with pytest.raises(InputError, match=r"Only binary classification is supported\. y holds 3 classes"):
        kind.ours().fit(data.features, data.grade, conversion=data.conversion)


def test_one_class_is_refused(kind, data):
    with pytest.raises(InputError, match="one class only"):
        kind.ours().fit(data.features, np.ones(len(data.click)), conversion=data.conversion)


def test_weights_of_one_class_are_refused(kind, data):
    with pytest.raises(InputError, match=r"mean click with these sample weights is 1\.0, that of one class"):
        kind.ours().fit(data.features, data.click, conversion=data.conversion, sample_weight=data.click)


def test_a_failed_fit_leaves_the_parameters_alone(kind, data):
    model = kind.ours()
    before = model.get_params()
    with pytest.raises(ValueError, match="X has 5 rows, y has 800"):
        model.fit(data.features[:5], data.click, conversion=data.conversion)
    assert model.get_params() == before
