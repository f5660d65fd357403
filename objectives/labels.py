"""What a booster's data set holds besides features, and how clicks and conversions are read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._arrays import Array
from gbdt_pwiser.objectives._peers import Alone, Peers, XGBoostPeers
from gbdt_pwiser.objectives.errors import InputError
from gbdt_pwiser.objectives.inputs import (
    CONVERSION,
    OPEN,
    checked_binary,
    checked_conversion,
    checked_grade,
)

_REMEDY = "give grades 0, 1, 2 (click + conversion), 3 where the conversion is open, as the label"


@dataclass(frozen=True, eq=False)
class Labels:
    """What a booster's data set holds besides features, as it stores it.

    Attributes
    ----------
    booster
        Which one the data set belongs to.
    label, conversion
        The label, and XGBoost's label_lower_bound, NaN where it is open; conversion may be empty.
    weight
        One per row or (XGBoost with groups) per group; may be empty.
    group_sizes
        Rows of each group, in order; may be empty.
    start
        Raw scores that training starts from, LightGBM's init_score and XGBoost's base_margin; may be empty.
    """

    booster: Literal["xgboost", "lightgbm"]
    label: Array
    conversion: Array
    weight: Array
    group_sizes: Array
    start: Array

    def same_as(self, other: Labels) -> bool:
        """Return whether every array is equal, bit for bit; cheap beside a boosting round."""
        return all(
            _same_bits(getattr(self, name), getattr(other, name))
            for name in ("label", "conversion", "weight", "group_sizes", "start")
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


def _same_bits(x: Array, y: Array) -> bool:
    """Return whether two arrays hold the same: as whole numbers, for NaN differs from itself."""
    if x is y:
        return True
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        return bool(np.array_equal(x, y))
    whole = np.dtype(f"u{x.dtype.itemsize}")
    return bool((np.ascontiguousarray(x).view(whole) == np.ascontiguousarray(y).view(whole)).all())


def read_labels(data: Any, *, tasks: int = 1) -> Labels:
    """Read label, conversion, weights and groups of an xgboost.DMatrix or a lightgbm.Dataset.

    With two tasks the label is a matrix (n, 2) of clicks and conversions, as only XGBoost keeps it.
    """
    empty = np.empty(0)
    if hasattr(data, "get_float_info"):
        label = np.asarray(data.get_label())
        if tasks == 2:
            return _of_two_tasks(label, data)
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
            start=data.get_base_margin(),
        )
    if hasattr(data, "get_init_score"):
        if tasks == 2:
            raise InputError(
                "LightGBM keeps one label per row and one tree per output, so it cannot share trees between "
                "two tasks; train XGBoost, or PWiseRObjective for the click alone"
            )
        label, weight, sizes, start = (
            data.get_label(),
            data.get_weight(),
            data.get_group(),
            data.get_init_score(),
        )
        return Labels(
            booster="lightgbm",
            label=empty if label is None else np.asarray(label),
            conversion=empty,
            weight=empty if weight is None else np.asarray(weight),
            group_sizes=empty if sizes is None else np.asarray(sizes),
            start=empty if start is None else np.asarray(start),
        )
    raise InputError(
        f"{type(data).__module__}.{type(data).__name__} is no xgboost.DMatrix and no lightgbm.Dataset; "
        "for XGBClassifier or LGBMClassifier use PWiseRSklearnObjective"
    )


def _of_two_tasks(label: Array, data: Any) -> Labels:
    if label.ndim != 2 or label.shape[1] != 2:
        if not label.size:  # a worker without rows
            label = np.empty((0, 2))
        else:
            raise InputError(
                f"the label has shape {label.shape}, and a model of both tasks needs a click and a "
                "conversion per row, shape (n, 2); build the data set with make_dmatrix(..., tasks=2)"
            )
    return Labels(
        booster="xgboost",
        label=np.ascontiguousarray(label[:, 0]),
        # What `task_labels` puts in the place of NaN.
        conversion=np.where(label[:, 1] == OPEN, np.nan, label[:, 1]),
        weight=data.get_weight(),
        group_sizes=np.diff(data.get_uint_info("group_ptr").astype(np.int64)),
        start=data.get_base_margin(),
    )


def peers_of(data: Any) -> Peers:
    """Return the workers that hold parts of the same data set: those of XGBoost's communicator."""
    return XGBoostPeers() if hasattr(data, "get_float_info") else Alone()


def grade_from(click: ArrayLike, conversion: ArrayLike) -> NDArray[np.int8]:
    """Return int8 grades click + conversion, and 3 for a click whose conversion is open.

    Parameters
    ----------
    click
        (n,): 0 or 1.
    conversion
        (n,): 0 or 1, or NaN where it is open. Without a click nothing can come, so NaN is 0 there.

    Raises
    ------
    InputError
        Shapes differ, a click is neither 0 nor 1 (NaN included), a conversion neither of them nor NaN, or a
        conversion has no click.

    Examples
    --------
    >>> grade_from([0, 1, 1, 1], [0, 0, 1, float("nan")])
    array([0, 1, 2, 3], dtype=int8)
    """
    clicks, given = checked_binary("click", click), checked_conversion(conversion)
    if clicks.shape != given.shape:
        raise InputError(
            f"click has shape {clicks.shape}, conversion {given.shape}; give one of each per exposure"
        )
    conversions = given == 1
    lonely = conversions & ~clicks
    if lonely.any():
        raise InputError(
            f"{int(lonely.sum())} conversions have no click (the first in row {int(np.argmax(lonely))}); "
            "drop those rows or correct their click"
        )
    grade: NDArray[np.int8] = clicks.astype(np.int8) + conversions.astype(np.int8)
    grade[clicks & np.isnan(given)] = OPEN
    return grade


def task_labels(grade: NDArray[np.int8], *, tasks: int) -> NDArray[np.float32]:
    """Return click and conversion of each grade, float32 (n, 2), as XGBoost keeps them.

    An open conversion is NaN beside a label of clicks, in label_lower_bound. In a label of both tasks, where
    XGBoost refuses NaN, it is the grade 3.

    Examples
    --------
    >>> task_labels(np.array([0, 1, 2, 3]), tasks=2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 3.0]]
    """
    labels = np.stack([grade > 0, grade == CONVERSION], axis=1).astype(np.float32)
    labels[grade == OPEN, 1] = np.nan if tasks == 1 else OPEN
    return labels
