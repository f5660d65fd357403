"""Clicks and conversions in the data sets of the boosters: how they get in and how they are read.

Neither booster has room for two labels of one output. Both take the grade (0, 1, 2) as label. XGBoost also
takes label = click with `label_lower_bound` = conversion, which keeps its built-in metrics right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives._errors import InputError
from gbdt_pwiser.objectives._plan import checked_grade

_REMEDY = "give grades 0, 1, 2 (click + conversion) as the label"


@dataclass(frozen=True, eq=False)
class Labels:
    """What a booster's data set holds besides features, as it stores it.

    Attributes
    ----------
    booster
        Which one the data set belongs to.
    label, conversion
        The label, and XGBoost's label_lower_bound; conversion may be empty.
    weight
        One per row or (XGBoost with groups) per group; may be empty.
    group_sizes
        Rows of each group, in order; may be empty.
    """

    booster: Literal["xgboost", "lightgbm"]
    label: Array
    conversion: Array
    weight: Array
    group_sizes: Array

    def same_as(self, other: Labels) -> bool:
        """Return whether every array is equal; cheap beside a boosting round."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("label", "conversion", "weight", "group_sizes")
        )

    def grade(self) -> NDArray[np.int8]:
        """Return the grades, or raise InputError saying what is wrong with the label."""
        if len(self.label) == 0:
            raise InputError(f"the data set has no label; {_REMEDY}")
        if len(self.conversion) == 0:
            return checked_grade(self.label)
        return grade_from(self.label, self.conversion)

    def sample_weight(self) -> Array | None:
        """Return one weight per row, or None where there are none."""
        if len(self.weight) == 0:
            return None
        if len(self.weight) == len(self.label):
            return self.weight
        return np.repeat(self.weight, self.group_sizes)

    def group(self) -> Array | None:
        """Return a group id per row, or None where there are none."""
        return (
            np.repeat(np.arange(len(self.group_sizes)), self.group_sizes) if len(self.group_sizes) else None
        )


def read_labels(data: Any) -> Labels:
    """Read label, conversion, weights and groups of an xgboost.DMatrix or a lightgbm.Dataset."""
    empty = np.empty(0)
    if hasattr(data, "get_float_info"):
        label = np.asarray(data.get_label())
        if label.ndim != 1:
            raise InputError(
                f"the label has shape {label.shape}, which makes a model of several outputs; {_REMEDY}"
            )
        bounds = data.get_uint_info("group_ptr")
        return Labels(
            booster="xgboost",
            label=label,
            conversion=data.get_float_info("label_lower_bound"),
            weight=data.get_weight(),
            group_sizes=np.diff(bounds.astype(np.int64)),
        )
    if hasattr(data, "get_init_score"):
        label, weight, sizes = data.get_label(), data.get_weight(), data.get_group()
        return Labels(
            booster="lightgbm",
            label=empty if label is None else np.asarray(label),
            conversion=empty,
            weight=empty if weight is None else np.asarray(weight),
            group_sizes=empty if sizes is None else np.asarray(sizes),
        )
    raise InputError(
        f"{type(data).__module__}.{type(data).__name__} is no xgboost.DMatrix and no lightgbm.Dataset; "
        "for XGBClassifier or LGBMClassifier use PWiseRSklearnObjective"
    )


def grade_from(click: ArrayLike, conversion: ArrayLike) -> NDArray[np.int8]:
    """Return int8 grades click + conversion.

    Parameters
    ----------
    click, conversion
        (n,): 0 or 1 each.

    Raises
    ------
    InputError
        Shapes differ, a value is neither 0 nor 1 (NaN included), or a conversion has no click.

    Examples
    --------
    >>> grade_from([0, 1, 1], [0, 0, 1])
    array([0, 1, 2], dtype=int8)
    """
    clicks, conversions = np.asarray(click), np.asarray(conversion)
    if clicks.ndim != 1 or clicks.shape != conversions.shape:
        raise InputError(f"click has shape {clicks.shape}, conversion {conversions.shape}; give both as (n,)")
    for what, values in (("click", clicks), ("conversion", conversions)):
        wrong = ~((values == 0) | (values == 1))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{what} is {values[row]} in row {row} ({int(wrong.sum())} such rows); it must be 0 or 1"
            )
    lonely = (conversions == 1) & (clicks == 0)
    if lonely.any():
        raise InputError(
            f"{int(lonely.sum())} conversions have no click (the first in row {int(np.argmax(lonely))}); "
            "drop those rows or correct their click"
        )
    return clicks.astype(np.int8) + conversions.astype(np.int8)


def base_score(click: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Return the (weighted) mean click: the probability at which boosting starts.

    Raises InputError where it would be 0 or 1, whose log-odds are infinite.
    """
    weights = None if sample_weight is None else np.asarray(sample_weight)
    rate = float(np.average(np.asarray(click, dtype=np.float64), weights=weights))
    if not 0.0 < rate < 1.0:
        raise InputError(f"the mean click is {rate}; training needs exposures with and without a click")
    return rate


def xgboost_params(click: ArrayLike, *, sample_weight: ArrayLike | None = None) -> dict[str, Any]:
    """Return the parameters that make a custom objective start and predict as binary:logistic does.

    With `obj=` XGBoost does not estimate its intercept; `predict` applies the sigmoid of the named objective.
    """
    return {"objective": "binary:logistic", "base_score": base_score(click, sample_weight=sample_weight)}


def make_dmatrix(
    features: Any,
    click: ArrayLike,
    conversion: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    group: ArrayLike | None = None,
    quantile: bool = False,
    **options: Any,
) -> Any:
    """Build an xgboost.DMatrix whose label is the click and whose label_lower_bound is the conversion.

    Parameters
    ----------
    features
        (n, features): anything that XGBoost reads.
    click, conversion
        (n,): 0 or 1.
    sample_weight
        (n,): at least 0. XGBoost keeps weights per group when groups are set, so not both.
    group
        (n,): ids; rows of a group must be adjacent. Needed for pairs="group" only: with groups XGBoost's
        built-in `auc` becomes a mean over groups.
    quantile
        Build a QuantileDMatrix.
    **options
        Passed on (`ref`, `max_bin`, `feature_types`, `enable_categorical`, ...).

    Raises
    ------
    InputError
        As `grade_from`; rows of a group that are not adjacent; weights together with groups.
    """
    import xgboost

    grade = grade_from(click, conversion)
    if group is not None and sample_weight is not None:
        raise InputError("XGBoost takes weights per group, not per row, when groups are set; leave one out")
    kind = xgboost.QuantileDMatrix if quantile else xgboost.DMatrix
    data = kind(features, label=(grade > 0).astype(np.float32), weight=sample_weight, **options)
    data.set_float_info("label_lower_bound", (grade == 2).astype(np.float32))
    if group is not None:
        data.set_info(group=group_sizes(group))
    return data


def make_dataset(
    features: Any,
    click: ArrayLike,
    conversion: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    group: ArrayLike | None = None,
    reference: Any = None,
    **options: Any,
) -> Any:
    """Build a lightgbm.Dataset whose label is the grade and whose init_score is the log-odds of a click.

    Predictions of the booster are raw scores without it: add `dataset.get_init_score()[0]` before the
    sigmoid. LightGBM's built-in `auc` stays right with grades, its `binary_logloss` does not.

    Parameters
    ----------
    features
        (n, features): anything that LightGBM reads.
    click, conversion
        (n,): 0 or 1.
    sample_weight
        (n,): at least 0.
    group
        (n,): ids; rows of a group must be adjacent. Needed for pairs="group" only.
    reference
        The training Dataset, for a validation Dataset: bins and init_score are then the training ones.
    **options
        Passed on (`categorical_feature`, `feature_name`, `free_raw_data`, ...).

    Raises
    ------
    InputError
        As `grade_from`; no or only clicks; rows of a group that are not adjacent.
    """
    import lightgbm

    grade = grade_from(click, conversion)
    if reference is None:
        rate = base_score(grade > 0, sample_weight=sample_weight)
        start = float(np.log(rate / (1.0 - rate)))
    else:
        start = float(np.asarray(reference.get_init_score())[0])
    return lightgbm.Dataset(
        features,
        label=grade,
        weight=sample_weight,
        group=None if group is None else group_sizes(group),
        init_score=np.full(len(grade), start),
        reference=reference,
        **options,
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
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.empty(0, int)
    if len(np.unique(ids[starts])) != len(starts):
        raise InputError("the rows of a group are not adjacent; sort the rows by group first")
    return np.diff(np.append(starts, len(ids)))
