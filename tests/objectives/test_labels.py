"""Labels, weights and groups as the data sets of the boosters hold them."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRLoss,
    PWiseRObjective,
    base_score,
    grade_from,
    make_dataset,
    make_dmatrix,
    pwiser_objective,
)
from tests.objectives.boosters import xgb_scores


def test_the_two_codings_of_xgboost_agree(data):
    grades = xgb.DMatrix(data.features, label=data.grade)
    np.testing.assert_array_equal(
        xgb_scores(data, pwiser_objective, grades), xgb_scores(data, pwiser_objective)
    )


@pytest.mark.parametrize("change", ["label", "conversion", "weight", "group"])
def test_a_changed_data_set_is_read_again(data, change):
    loss = PWiseRObjective(weight=1.0, pairs="group" if change == "group" else "all")
    dtrain = make_dmatrix(
        data.features, data.click, data.conversion, group=data.group if change == "group" else None
    )
    z = np.random.default_rng(0).normal(size=len(data.click)).astype(np.float32)
    before, _ = loss(z, dtrain)
    flipped = data.conversion.copy()
    flipped[np.flatnonzero(data.click & ~data.conversion)[:50]] = True
    if change == "label":
        dtrain.set_label(np.maximum(data.click, np.arange(len(data.click)) % 7 == 0))
    elif change == "conversion":
        dtrain.set_float_info("label_lower_bound", flipped.astype(np.float32))
    elif change == "weight":
        dtrain.set_weight(data.weight)
    else:
        dtrain.set_info(group=[len(z)])
    after, _ = loss(z, dtrain)
    fresh, _ = PWiseRObjective(weight=1.0, pairs=loss.loss.pairs)(z, dtrain)
    np.testing.assert_array_equal(after, fresh)
    assert not np.array_equal(before, after)


def test_groups_come_from_the_data_set(data):
    z = np.random.default_rng(0).normal(size=len(data.click))
    expected, _ = PWiseRLoss(pairs="group").gradient_hessian(z, data.grade, group=data.group, dtype="float32")
    objective = PWiseRObjective(pairs="group")
    for dtrain in (
        make_dmatrix(data.features, data.click, data.conversion, group=data.group),
        make_dataset(data.features, data.click, data.conversion, group=data.group).construct(),
    ):
        np.testing.assert_array_equal(objective(z, dtrain)[0], expected)


def test_weights_per_group_of_xgboost(data):
    sizes = np.unique(data.group, return_counts=True)[1]
    dtrain = make_dmatrix(data.features, data.click, data.conversion, group=data.group)
    per_group = np.arange(1, len(sizes) + 1, dtype=np.float32)
    dtrain.set_weight(per_group)
    z = np.random.default_rng(0).normal(size=len(data.click))
    weight = np.repeat(per_group, sizes)
    expected, _ = PWiseRLoss().gradient_hessian(z, data.grade, sample_weight=weight, dtype="float32")
    np.testing.assert_array_equal(pwiser_objective(z, dtrain)[0], expected)


def dmatrix(label, **info):
    data = xgb.DMatrix(np.zeros((3, 1)), **({} if label is None else {"label": label}))
    for name, value in info.items():
        data.set_float_info(name, np.array(value, np.float32))
    return data


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: dmatrix(None), "has no label; give grades 0, 1, 2"),
        (lambda: dmatrix([0, 4, 1]), "grade 4.0 in row 1"),
        (lambda: dmatrix([0, 2, 1], label_lower_bound=[0, 1, 0]), "click is 2.0 in row 1"),
        (lambda: dmatrix([0, 0, 1], label_lower_bound=[1, 0, 0]), "1 conversions have no click"),
        (lambda: dmatrix([0, 0, 1], label_lower_bound=[0, 0, 5]), "conversion is 5.0 in row 2"),
        (lambda: xgb.DMatrix(np.zeros((3, 1)), label=np.zeros((3, 2))), "several outputs"),
        (lambda: lgb.Dataset(np.zeros((3, 1)), label=[0, 1, 4]).construct(), "grade 4"),
        (lambda: np.zeros(3), "numpy.ndarray is no xgboost.DMatrix"),
    ],
)
def test_labels_that_are_no_grades(make, says):
    with pytest.raises(InputError, match=says):
        pwiser_objective(np.zeros(3), make())


def test_other_errors(data):
    with pytest.raises(InputError, match='pairs="group" needs the group'):
        PWiseRObjective(pairs="group")(np.zeros(3), dmatrix([0, 1, 2]))
    with pytest.raises(InputError, match="several outputs"):
        pwiser_objective(np.zeros((3, 3)), dmatrix([0, 1, 2]))
    with pytest.raises(InputError, match="not adjacent"):
        make_dmatrix(np.zeros((3, 1)), [0, 1, 1], [0, 0, 1], group=[1, 2, 1])
    with pytest.raises(InputError, match="per group, not per row"):
        make_dmatrix(np.zeros((3, 1)), [0, 1, 1], [0, 0, 1], group=[1, 1, 2], sample_weight=[1, 1, 1])
    for rate in ([0, 0], [1, 1]):
        with pytest.raises(InputError, match="the mean click is"):
            base_score(rate)
    with pytest.raises(InputError, match=r"click has shape \(2,\), conversion \(3,\)"):
        grade_from([0, 1], [0, 0, 1])
    with pytest.raises(InputError, match="click is nan in row 0"):
        grade_from([float("nan"), 1], [0, 0])


def test_labels_without_conversions_warn_and_train_bce(data):
    clicks_only = xgb.DMatrix(data.features, label=data.click)
    with pytest.warns(UserWarning, match="no conversion"):
        got = xgb_scores(data, pwiser_objective, clicks_only)
    np.testing.assert_array_equal(got, xgb_scores(data, PWiseRObjective(weight=0)))
