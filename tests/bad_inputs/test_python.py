"""Inputs that break a rule, handed to the Python functions: one line that names value, rule and remedy."""

from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
import xgboost as xgb

from gbdt_pwiser.models import ModelSpec, make_model
from gbdt_pwiser.objectives import (
    InputError,
    PWiseRLoss,
    PWiseRSklearnObjective,
    auc,
    auc_by_group,
    base_score,
    grade_from,
    make_dataset,
    make_dmatrix,
    pwiser_objective,
    xgboost_params,
)

pd = import_module("pandas") if find_spec("pandas") else None

N = 12
X = np.arange(2.0 * N).reshape(N, 2)
CLICK = np.arange(N) % 3 == 0
CONVERSION = np.arange(N) % 6 == 0
GRADE = CLICK.astype(int) + CONVERSION
GROUP = np.arange(N) // 4
ONES = np.ones(N)


def at(row, value, values=ONES):
    """The values, with another one in a row."""
    changed = np.array(values, dtype=object if value is None or isinstance(value, str) else None)
    changed[row] = value
    return changed


def frame(*names):
    """A dataframe, as far as its names go."""
    return SimpleNamespace(columns=names, shape=X.shape)


CLICKS = [
    (GRADE, "click is 2 in row 0 (2 such rows); it must be 0 or 1; of grades, the click is grade > 0"),
    (at(1, np.nan), "click is nan in row 1 (1 such rows); it must be 0 or 1"),
    (at(1, np.inf), "click is inf in row 1"),
    (at(1, -1.0), "click is -1.0 in row 1"),
    (at(1, 0.5), "click is 0.5 in row 1"),
    (at(1, None), "click is None in row 1 (1 such rows); click must be 0 or 1"),
    (at(1, "1"), "click is '1' in row 1"),
    (CLICK.astype(int).astype(str), "click has type <U21; click must be 0 or 1"),
    (CLICK + 0j, "click has type complex128; click must be 0 or 1"),
    (np.zeros(N, "M8[s]"), "click has type datetime64[s]; click must be 0 or 1"),
    (CLICK[:, None], "click has shape (12, 1); give one click per exposure, shape (n,)"),
    (np.c_[CLICK, CONVERSION], "click has shape (12, 2); give one click per exposure"),
    (pl.Series([True, None] * 6), "click is None in row 1 (6 such rows)"),
    (pl.Series(["0", "1"] * 6), "click has type <U1"),
    (np.ma.array(CLICK, mask=CLICK), "click is missing (NA or masked) in 4 rows; give every exposure"),
    ([[1], [1, 0]], "click is no array"),
    (None, "click has shape (); give one click per exposure"),
    (1, "click has shape (); give one click per exposure"),
]
WEIGHTS = [
    (0 * ONES, "every sample_weight is 0; give at least one exposure a positive weight"),
    (ONES[1:], "sample_weight has shape (11,); give one weight per exposure, shape (12,)"),
    (ONES[:, None], "sample_weight has shape (12, 1); give one"),
    (2.0, "sample_weight has shape (); give one"),
    (at(3, np.nan), "sample_weight nan in row 3 (1 such rows); a weight is finite and at least 0"),
    (at(3, np.inf), "sample_weight inf in row 3 (1 such rows); a weight is finite and at least 0"),
    (at(3, -1.0), "sample_weight -1.0 in row 3 (1 such rows); a weight is finite and at least 0"),
    (
        at(3, 1e200),
        "sample_weight 1e+200 in row 3 (1 such rows); boosters keep weights as float32, so give 0",
    ),
    (at(3, 1e-200), "sample_weight 1e-200 in row 3 (1 such rows); boosters keep weights as float32, so"),
    (1e30 * ONES, "give 0 or 1e-15 to 1e+15; divide all of them by their mean"),
    (at(3, None), "sample_weight is None in row 3 (1 such rows); a weight is finite and at least 0"),
    (ONES.astype(str), "sample_weight has type <U32; a weight is finite and at least 0"),
]
GROUPS = [
    (GROUP[1:], "group has shape (11,); give one group id per exposure, shape (12,)"),
    (GROUP[:, None], "group has shape (12, 1); give one group id"),
    (3, "group has shape (); give one group id"),
    (at(5, None, GROUP), "group is None in row 5 (1 such rows); give every exposure an id"),
    (at(5, np.nan, 1.0 * GROUP), "group is nan in row 5 (1 such rows); give the exposures without a group"),
    (at(5, np.inf, 1.0 * GROUP), "group is inf in row 5"),
    (at(5, "a", GROUP), "group holds integers and texts; give one of them"),
    (GROUP + 2.0**24, "group is 16777217.0 in row 4 (8 such rows); beyond 2^24 float32 maps several ids"),
    (GROUP + 0.5, "group is 0.5 in row 0 (12 such rows); an id is a whole number or a text"),
    (GROUP + 0j, "group has type complex128; give integers or texts"),
    (np.array(["2020-01-01"] * 11 + ["NaT"], "M8[D]"), "group is None in row 11"),
]
if pd:
    CLICKS += [
        (pd.DataFrame({"click": CLICK}), "click has shape (12, 1); give one click"),
        (pd.array([True, None] * 6, dtype="boolean"), "click is missing (NA or masked) in 6 rows"),
        (pd.array([0, None] * 6, dtype="Int64"), "click is missing (NA or masked) in 6 rows"),
        (pd.Series([0, None] * 6, dtype="Int64"), "in row 1 (6 such rows)"),
        (pd.Categorical(["0", "1"] * 6), "click is '0' in row 0 (12 such rows)"),
    ]
    missing = pd.array([1.0, None] * 6, dtype="Float64")
    WEIGHTS += [(missing, "sample_weight is missing (NA or masked) in 6 rows")]
    GROUPS += [
        (pd.array([1, None] * 6, dtype="Int64"), "group is missing (NA or masked) in 6 rows"),
        (pd.array(["a", None] * 6, dtype="string"), "group is <NA> in row 1 (6 such rows)"),
    ]
PRIORS = [
    (ONES[1:], "has shape (11,); give one log-odds per exposure, shape (12,)"),
    (ONES[:, None], "has shape (12, 1); give one"),
    (at(2, np.nan), "is nan in row 2 (1 such rows); a prior is finite log-odds"),
    (at(2, -np.inf), "is -inf in row 2 (1 such rows); a prior is finite log-odds, of at most 500: clip"),
    (at(2, 1e30), "is 1e+30 in row 2"),
    (ONES.astype(str), "has type <U32; a prior is the log-odds of a click"),
]
GRADES = [
    ([0, 4], "grade 4 in row 1 (1 such rows); a grade is click + conversion: 0 (impression only), 1"),
    ([0.5, 2], "grade 0.5 in row 0"),
    (["0", "1"], "grade has type <U1; a grade is 0, 1, 2 (click + conversion) or 3"),
    ([[0], [1]], "grade has shape (2, 1); give one grade per exposure"),
    ([0, None], "grade is None in row 1"),
]

ROWS = [
    *[(lambda v=v: xgboost_params(v), says) for v, says in CLICKS],
    *[(lambda v=v: base_score(v), says) for v, says in CLICKS],
    *[(lambda v=v: make_dmatrix(X, v, CONVERSION), says) for v, says in CLICKS],
    *[(lambda v=v: make_dataset(X, v, CONVERSION), says) for v, says in CLICKS],
    *[(lambda w=w: xgboost_params(CLICK, sample_weight=w), says) for w, says in WEIGHTS],
    *[(lambda w=w: make_dmatrix(X, CLICK, CONVERSION, sample_weight=w), says) for w, says in WEIGHTS],
    *[(lambda w=w: make_dataset(X, CLICK, CONVERSION, sample_weight=w), says) for w, says in WEIGHTS],
    *[(lambda w=w: PWiseRLoss().plan(GRADE, sample_weight=w), says) for w, says in WEIGHTS],
    *[
        (lambda w=w: PWiseRSklearnObjective(conversion=CONVERSION)(CLICK, X[:, 0], w), says)
        for w, says in WEIGHTS
    ],
    *[(lambda w=w: auc(X[:, 0], CLICK, sample_weight=w), says) for w, says in WEIGHTS[1:]],
    *[(lambda g=g: make_dmatrix(X, CLICK, CONVERSION, group=g), says) for g, says in GROUPS],
    *[(lambda g=g: make_dataset(X, CLICK, CONVERSION, group=g), says) for g, says in GROUPS],
    *[(lambda g=g: PWiseRLoss(pairs="group").plan(GRADE, group=g), says) for g, says in GROUPS],
    *[(lambda p=p: make_dmatrix(X, CLICK, CONVERSION, base_margin=p), says) for p, says in PRIORS],
    *[(lambda p=p: make_dataset(X, CLICK, CONVERSION, init_score=p), says) for p, says in PRIORS],
    *[(lambda g=g: PWiseRLoss().plan(g), says) for g, says in GRADES],
    (lambda: xgboost_params([]), "click is empty; training needs exposures with and without a click"),
    (lambda: xgboost_params(0 * CLICK), "the mean click is 0.0; training needs exposures with and without"),
    (lambda: grade_from([0, 1], [0, 0, 1]), "click has shape (2,), conversion (3,); give one of each"),
    (lambda: grade_from([0, 1], [1, 0]), "1 conversions have no click (the first in row 0); drop those rows"),
    (lambda: grade_from([0, 1], ["0", "1"]), "conversion has type <U1; conversion must be 0 or 1"),
    (
        lambda: grade_from([1, 1], [0, np.inf]),
        "conversion is inf in row 1 (1 such rows); it must be 0 or 1, or NaN where the conversion of a click",
    ),
    (
        lambda: make_dataset(X, CLICK, 3 * CONVERSION),
        "conversion is 3 in row 0 (2 such rows); it must be",
    ),
    (lambda: PWiseRSklearnObjective(conversion=[None]), "conversion is None in row 0 (1 such rows)"),
    (
        lambda: xgboost_params(CLICK, conversion=np.where(CLICK, np.nan, 0.0)),
        "the mean conversion of clicks is nan; a model of both tasks needs clicks with and without",
    ),
    (lambda: make_dmatrix(X[1:], CLICK, CONVERSION), "features have 11 rows, click has 12; give one click"),
    (lambda: make_dataset(X[1:], CLICK, CONVERSION), "features have 11 rows, click has 12; give one click"),
    (lambda: make_dmatrix(frame("a[0]", "b"), CLICK, CONVERSION), "any of [ ] <: 'a[0]'; rename the columns"),
    (
        lambda: make_dmatrix(frame("a", "a"), CLICK, CONVERSION),
        "XGBoost cannot tell these feature names apart",
    ),
    (
        lambda: make_dataset(frame("x,y", "b"), CLICK, CONVERSION),
        "'x,y'; rename the columns, or give features",
    ),
    (lambda: make_dataset(frame("a b", "a_b"), CLICK, CONVERSION), "apart: 'a b', 'a_b'; rename the columns"),
    (lambda: make_dataset(X, CLICK, CONVERSION, feature_name=["ctr:7d", "b"]), "feature names with any of"),
    (lambda: make_dataset(X, CLICK, CONVERSION, reference=X), "reference is a ndarray; give the training"),
    (
        lambda: make_dataset(X, CLICK, CONVERSION, reference=lgb.Dataset(X, label=GRADE)),
        "reference has no init_score to start from; make the training Dataset with make_dataset, or give",
    ),
    (
        lambda: make_dataset(
            X, CLICK, CONVERSION, reference=make_dataset(X, CLICK, CONVERSION, init_score=X[:, 0])
        ),
        "reference starts from a prior of its own rows; give init_score= with that of these rows",
    ),
    (
        lambda: make_dataset(X, CLICK, CONVERSION, params={"boosting": "rf"}),
        "boosting=rf fits every tree to the gradient at the start and takes neither an objective",
    ),
    (lambda: PWiseRSklearnObjective(conversion=["a"]), "conversion has type <U1; conversion must be 0 or 1"),
    (lambda: PWiseRSklearnObjective(conversion=[1])(CLICK, X[:, 0]), "1 conversions for a fit on 12 rows"),
    (
        lambda: PWiseRSklearnObjective(pairs="group")(GRADE, X[:, 0], None, [-3, 15]),
        "group holds the number of rows of each group; give whole numbers of at least 0",
    ),
    (
        lambda: PWiseRSklearnObjective(pairs="group")(GRADE, X[:, 0], None, [3, 4]),
        "group has shape (7,); give one group id per exposure, shape (12,)",
    ),
    (lambda: PWiseRLoss(weight=1e30), "weight is 1e+30; give a finite number of at least 0, at most 1e+06"),
    (lambda: PWiseRLoss(weight=10**400), "weight is 10000000000000000000; give a finite"),
    (lambda: PWiseRLoss(click_margin=1e300), "click_margin is 1e+300; give a finite"),
    (lambda: PWiseRLoss().value(X[:, 0].astype(str), GRADE), "raw_score has type <U32; a raw score is a"),
    (lambda: PWiseRLoss().value(X[:, 0] + 0j, GRADE), "raw_score has type complex128; a raw score is a"),
    (lambda: PWiseRLoss().value([[1], [1, 2]], GRADE), "raw_score is no array"),
    (lambda: PWiseRLoss().value(at(0, None), GRADE), "raw_score is None in row 0"),
    (lambda: auc(X[:, 0], ["0", "1"] * 6), "positive has type <U1; positive must be 0 or 1 in every row"),
    (lambda: auc(X[:, 0], GRADE), "positive is 2 in row 0 (2 such rows); it must be 0 or 1"),
    (lambda: auc(at(0, np.nan), CLICK), "1 scores are NaN; AUC needs a score for each exposure"),
    (
        lambda: auc_by_group(X[:, 0], make_dmatrix(X, CLICK, CONVERSION)),
        "auc_by_group needs the groups of the data set; give group= to make_dmatrix or make_dataset",
    ),
    (
        lambda: pwiser_objective(X[:, 0], xgb.DMatrix(X, label=GRADE, weight=1e30 * ONES)),
        "boosters keep weights as float32, so give 0 or 1e-15 to 1e+15",
    ),
    (
        lambda: make_model(ModelSpec(model="xgboost", device="gpu")),
        "unknown device 'gpu' (did you mean cuda?)",
    ),
]


@pytest.mark.parametrize(
    ("call", "says"), ROWS, ids=[f"{i}: {says[:50]}" for i, (_, says) in enumerate(ROWS)]
)
def test_a_bad_input_is_one_line(call, says):
    with pytest.raises(InputError) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "group",
    [
        GROUP.astype(np.uint64) + np.uint64(2**63),
        GROUP.astype(float),
        GROUP.astype(str),
        GROUP.astype(str).astype(object),
        GROUP.astype(object),
        GROUP.astype(object) + 2**70,
        GROUP.astype("M8[s]"),
        *([pd.array([f"id {g}" for g in GROUP], dtype="string"), pd.Categorical(GROUP)] if pd else []),
    ],
)
def test_ids_of_any_kind_are_the_same_groups(group):
    loss = PWiseRLoss(pairs="group")
    expected = loss.gradient_hessian(X[:, 0] / 9, GRADE, group=GROUP)
    np.testing.assert_array_equal(loss.gradient_hessian(X[:, 0] / 9, GRADE, group=group), expected)
    data = make_dmatrix(X, CLICK, CONVERSION, group=group)
    np.testing.assert_array_equal(data.get_uint_info("group_ptr"), [0, 4, 8, 12])


@pytest.mark.parametrize(
    "click",
    [
        CLICK.astype(object),
        CLICK.astype(np.float16),
        pl.Series(CLICK),
        CLICK.tolist(),
        *([pd.Series(CLICK, index=range(N, 2 * N)), pd.array(CLICK, dtype="boolean")] if pd else []),
    ],
)
def test_clicks_of_any_numeric_kind_are_the_same(click):
    np.testing.assert_array_equal(grade_from(click, CONVERSION), GRADE)
    np.testing.assert_array_equal(make_dmatrix(X, click, CONVERSION).get_label(), CLICK)
