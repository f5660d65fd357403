"""The data sets of the boosters, with clicks and conversions in them.

Neither booster has room for two labels of one output. Both take the grade (0, 1, 2, 3) as label. XGBoost
also takes label = click with `label_lower_bound` = conversion, NaN where that is open, which keeps its
built-in metrics right.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._tasks import conversion_rate
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import (
    checked_binary,
    checked_group,
    checked_weight,
    numbers,
)
from gbdt_pwiser.objectives.labels import grade_from, task_labels
from gbdt_pwiser.objectives.traps import refuse_random_forest

# Log-odds beyond it are probabilities of 0 or 1, whose hessian is 0.
_GREATEST_PRIOR: Final = 500.0


def base_score(click: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Return the (weighted) mean click: the probability at which boosting starts.

    Raises InputError for a click other than 0 and 1 (of grades, give grade > 0), for weights that are none,
    and where the mean would be 0 or 1, whose log-odds are infinite.
    """
    clicks = checked_binary("click", click)
    if not len(clicks):
        raise InputError("click is empty; training needs exposures with and without a click")
    weights = None if sample_weight is None else checked_weight(sample_weight, len(clicks))
    rate = float(np.average(clicks, weights=weights))
    if not 0.0 < rate < 1.0:
        raise InputError(f"the mean click is {rate}; training needs exposures with and without a click")
    return rate


def xgboost_params(
    click: ArrayLike, *, conversion: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> dict[str, Any]:
    """Return the parameters that make a custom objective start and predict as binary:logistic does.

    With `obj=` XGBoost does not estimate its intercept; `predict` applies the sigmoid of the named objective.
    With conversions they are those of a model of both tasks, whose outputs start at the mean click and at the
    mean conversion of the clicks in which it is decided, and whose trees have one leaf for both.
    """
    start = base_score(click, sample_weight=sample_weight)
    if conversion is None:
        return {"objective": "binary:logistic", "base_score": start}
    grade = grade_from(click, conversion)
    return {
        "objective": "binary:logistic",
        "base_score": [start, conversion_rate(grade, sample_weight)],
        "multi_strategy": "multi_output_tree",
    }


def make_dmatrix(
    features: Any,
    click: ArrayLike,
    conversion: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    group: ArrayLike | None = None,
    base_margin: ArrayLike | None = None,
    quantile: bool = False,
    tasks: int = 1,
    **options: Any,
) -> Any:
    """Build an xgboost.DMatrix whose label is the click and whose label_lower_bound is the conversion.

    With two tasks the label is a matrix (n, 2) of both, for `PWiseRMultiTaskObjective`.

    Parameters
    ----------
    features
        (n, features): anything that XGBoost reads.
    click, conversion
        (n,): 0 or 1, the conversion of a click also NaN where it is open; see `grade_from`.
    sample_weight
        (n,): 0, or 1e-15 to 1e15. XGBoost keeps weights per group when groups are set, so not both.
    group
        (n,): ids; rows of a group must be adjacent. Needed for pairs="group" only: with groups XGBoost's
        built-in `auc` becomes a mean over groups.
    base_margin
        (n,), with two tasks (n, 2): a prior, log-odds of a click, to start from in place of base_score; the
        data set to predict needs its own.
    quantile
        Build a QuantileDMatrix.
    tasks
        1, or 2 for a model of both tasks.
    **options
        Passed on (`ref`, `max_bin`, `feature_types`, `enable_categorical`, ...).

    Raises
    ------
    InputError
        As `grade_from`; weights, groups or a prior that do not fit; rows of a group that are not adjacent;
        weights together with groups; feature names that XGBoost refuses.
    """
    import xgboost

    if group is not None and sample_weight is not None:
        raise InputError("XGBoost takes weights per group, not per row, when groups are set; leave one out")
    grade, weight, sizes = _checked(features, click, conversion, sample_weight, group)
    _check_names(_names(features, options.get("feature_names")), "XGBoost", "[]<")
    if tasks not in (1, 2):
        raise InputError(f"tasks is {tasks!r}; give 1 for the click, or 2 for click and conversion")
    kind = xgboost.QuantileDMatrix if quantile else xgboost.DMatrix
    label = task_labels(grade, tasks=tasks)
    data = kind(features, label=label if tasks == 2 else label[:, 0], weight=weight, **options)
    if tasks == 1:
        data.set_float_info("label_lower_bound", label[:, 1])
    if sizes is not None:
        data.set_info(group=sizes)
    if base_margin is not None:
        rows = (len(grade), 2) if tasks == 2 else (len(grade),)
        data.set_base_margin(_checked_prior("base_margin", base_margin, rows))
    return data


def make_dataset(
    features: Any,
    click: ArrayLike,
    conversion: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    group: ArrayLike | None = None,
    init_score: ArrayLike | None = None,
    reference: Any = None,
    **options: Any,
) -> Any:
    """Build a lightgbm.Dataset whose label is the grade and whose init_score is the log-odds of a click.

    Predictions of the booster are raw scores without it: add `dataset.get_init_score()[0]`, or the prior,
    before the sigmoid. LightGBM's built-in `auc` stays right with grades, its `binary_logloss` does not. Its
    rankers and `ndcg` take an open click, of grade 3, for more than a conversion: give them conversions
    with 0 in the place of NaN.

    To continue a trained model, make its raw scores with their start the prior of a new one, and add both;
    `init_model` would lose the start:

    >>> raw = start + old.predict(features, raw_score=True)  # doctest: +SKIP
    >>> more = lgb.train(params, make_dataset(features, click, conversion, init_score=raw))  # doctest: +SKIP
    >>> raw_of_both = raw + more.predict(features, raw_score=True)  # doctest: +SKIP

    Parameters
    ----------
    features
        (n, features): anything that LightGBM reads.
    click, conversion
        (n,): 0 or 1, the conversion of a click also NaN where it is open; see `grade_from`.
    sample_weight
        (n,): 0, or 1e-15 to 1e15.
    group
        (n,): ids; rows of a group must be adjacent. Needed for pairs="group" only.
    init_score
        (n,): a prior, log-odds of a click; None for those of the mean click in every row.
    reference
        The training Dataset, for a validation Dataset: bins are then the training ones, and init_score too
        where the training has one for all rows.
    **options
        Passed on (`categorical_feature`, `feature_name`, `free_raw_data`, ...).

    Raises
    ------
    InputError
        As `grade_from`; no or only clicks; weights, groups or a prior that do not fit; rows of a group that
        are not adjacent; a reference without a start for all rows; feature names that LightGBM refuses;
        a random forest.
    """
    import lightgbm

    refuse_random_forest(options.get("params"))
    grade, weight, sizes = _checked(features, click, conversion, sample_weight, group)
    _check_names(_names(features, options.get("feature_name")), "LightGBM", '",:[]{}')
    if init_score is not None:
        start = _checked_prior("init_score", init_score, (len(grade),))
    elif reference is not None:
        start = np.full(len(grade), _start_of(reference))
    else:
        rate = base_score(grade > 0, sample_weight=weight)
        start = np.full(len(grade), np.log(rate / (1.0 - rate)))
    return lightgbm.Dataset(
        features,
        label=grade,
        weight=weight,
        group=sizes,
        init_score=start,
        reference=reference,
        **options,
    )


def _checked(
    features: Any,
    click: ArrayLike,
    conversion: ArrayLike,
    sample_weight: ArrayLike | None,
    group: ArrayLike | None,
) -> tuple[NDArray[np.int8], NDArray[np.float64] | None, NDArray[np.int64] | None]:
    """Return grades, weights and sizes of groups, of as many rows as there are features."""
    grade = grade_from(click, conversion)
    rows = (getattr(features, "shape", None) or (len(grade),))[0]
    if rows != len(grade):
        raise InputError(f"features have {rows} rows, click has {len(grade)}; give one click per row")
    weight = None if sample_weight is None else checked_weight(sample_weight, len(grade))
    sizes = None if group is None else group_sizes(checked_group(group, len(grade)))
    return grade, weight, sizes


def _checked_prior(what: str, prior: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = numbers(what, prior, "a prior is the log-odds of a click").astype(np.float64)
    if values.shape != shape:
        each = "one log-odds per exposure" if len(shape) == 1 else "one log-odds per exposure and task"
        raise InputError(f"{what} has shape {values.shape}; give {each}, shape {shape}")
    wrong = ~(np.abs(values) <= _GREATEST_PRIOR)
    if wrong.any():
        row = int(np.argmax(wrong if wrong.ndim == 1 else wrong.any(axis=1)))
        raise InputError(
            f"{what} is {values[row]} in row {row} ({int(wrong.sum())} such rows); a prior is finite "
            f"log-odds, of at most {_GREATEST_PRIOR:g}: clip probabilities off 0 and 1 before the logarithm"
        )
    return values


def _start_of(reference: Any) -> float:
    """Return the one log-odds that all rows of a training Dataset start at."""
    if not hasattr(reference, "get_init_score"):
        raise InputError(f"reference is a {type(reference).__name__}; give the training lightgbm.Dataset")
    start = reference.init_score
    if start is None:
        start = reference.construct().get_init_score()
    if start is None or not len(start):
        raise InputError(
            "reference has no init_score to start from; make the training Dataset with make_dataset, or give "
            "init_score="
        )
    starts = np.asarray(start)
    if (starts != starts[0]).any():
        raise InputError(
            "reference starts from a prior of its own rows; give init_score= with that of these rows"
        )
    return float(starts[0])


def _names(features: Any, given: Any) -> list[str]:
    """Return the feature names that a library would take: those given, or a dataframe's own."""
    if given is None or isinstance(given, str):
        # Arrow has column_names, and calls the values columns.
        given = getattr(features, "column_names", getattr(features, "columns", ()))
    return [str(name) for name in given]


def _check_names(names: list[str], library: str, refused: str) -> None:
    wrong = [name for name in names if not set(refused).isdisjoint(name)]
    if wrong:
        raise InputError(
            f"{library} takes no feature names with any of {' '.join(refused)}: "
            f"{', '.join(map(repr, wrong[:5]))}{', ...' if len(wrong) > 5 else ''}; rename the columns, or "
            "give features as an array"
        )
    # LightGBM writes blanks as underscores.
    stored = ["_".join(name.split(" ")) if library == "LightGBM" else name for name in names]
    times = Counter(stored)
    twice = [name for name, kept in zip(names, stored, strict=True) if times[kept] > 1]
    if twice:
        raise InputError(
            f"{library} cannot tell these feature names apart: {', '.join(map(repr, twice[:5]))}; rename the "
            "columns, or give features as an array"
        )


def group_sizes(group: ArrayLike) -> NDArray[np.int64]:
    """Return the number of rows of each run of equal ids, in order; boosters store groups that way.

    Raises InputError where a group's rows are not adjacent.

    Examples
    --------
    >>> group_sizes([7, 7, 3, 3, 3])
    array([2, 3])
    """
    ids = np.asarray(group)
    ids = checked_group(ids, ids.size)
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.empty(0, int)
    if len(np.unique(ids[starts])) != len(starts):
        raise InputError("the rows of a group are not adjacent; sort the rows by group first")
    return np.diff(np.append(starts, len(ids)))
