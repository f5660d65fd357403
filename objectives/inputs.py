"""What may be handed over as labels, weights and groups: the one place where it is checked."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.objectives._arrays import host
from gbdt_pwiser.objectives.errors import InputError

CLICK, CONVERSION = 1, 2
OPEN = 3
"""Grade of a click whose conversion is open: it may still come, so it is no click without one."""
# Boosters keep weights and gradients as float32, of 1e-38 to 3e38: these limits leave room for their products
# and for sums over rows.
LEAST_WEIGHT, GREATEST_WEIGHT = 1e-15, 1e15
# Of the weight and the margins of the loss: beyond it nothing is left of BCE, and float32 soon ends.
LARGEST_PARAMETER: Final = 1e6
# Below it every type of floating number holds every whole number.
LARGEST_FLOAT_ID: Final = 2**24
_NONE_MISSING: Final = "give every exposure a value"


def check_number(name: str, number: Any) -> None:
    """Raise InputError for a parameter of the loss that is no number from 0 to LARGEST_PARAMETER."""
    if isinstance(number, bool) or not isinstance(number, int | float | np.number):
        raise InputError(f"{name} is {number!r}; give a number of at least 0")
    if not 0 <= number <= LARGEST_PARAMETER:
        raise InputError(
            f"{name} is {str(number)[:20]}; give a finite number of at least 0, at most {LARGEST_PARAMETER:g}"
        )


def checked_grade(grade: ArrayLike) -> NDArray[np.int8]:
    """Return the grades as int8 (n,), or raise InputError for anything but 0, 1, 2 and 3."""
    rule = "a grade is 0, 1, 2 (click + conversion) or 3 (click whose conversion is open)"
    values = numbers("grade", grade, rule)
    with np.errstate(invalid="ignore"):  # NaN becomes some number here, and differs from it
        grades = values.astype(np.int8, copy=False)
    wrong = (values != grades) | (grades < 0) | (grades > OPEN)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"grade {values[row]} in row {row} ({int(wrong.sum())} such rows); a grade is click + "
            "conversion: 0 (impression only), 1 (click without conversion) or 2 (conversion); or 3, a click "
            "whose conversion is open"
        )
    return grades


def checked_binary(what: str, values: ArrayLike) -> NDArray[np.bool_]:
    """Return clicks or other labels as bool (n,), or raise InputError for anything but 0 and 1."""
    rule = f"{what} must be 0 or 1 in every row"
    given = numbers(what, values, rule)
    if given.dtype == np.bool_:
        return given
    ones: NDArray[np.bool_] = given == 1
    wrong = ~((given == 0) | ones)
    if wrong.any():
        row = int(np.argmax(wrong))
        of_grades = what == "click" and given[row] in (CONVERSION, OPEN)
        hint = "; of grades, the click is grade > 0" if of_grades else ""
        raise InputError(
            f"{what} is {given[row]} in row {row} ({int(wrong.sum())} such rows); it must be 0 or 1{hint}"
        )
    return ones


def checked_conversion(values: ArrayLike, what: str = "conversion") -> NDArray[np.float32]:
    """Return conversions as float32 (n,), NaN where they are open.

    Raises InputError for anything but 0, 1 and NaN.
    """
    rule = "must be 0 or 1, or NaN where the conversion of a click is open"
    given = numbers(what, values, f"{what} {rule}", missing="give NaN where it is open")
    _refuse_where(what, given, ~((given == 0) | (given == 1) | np.isnan(given)), f"it {rule}")
    return given.astype(np.float32, copy=False)


def checked_weight(sample_weight: ArrayLike, rows: int, *, some: bool = True) -> NDArray[np.float64]:
    """Return sample weights as float64 (n,).

    Raises InputError for another shape, a weight that is not 0 and outside of `LEAST_WEIGHT` to
    `GREATEST_WEIGHT`, and, where `some` asks for a positive one, for weights that are all 0.
    """
    rule = "a weight is finite and at least 0"
    weight = numbers("sample_weight", sample_weight, rule).astype(np.float64, copy=False)
    if weight.shape != (rows,):
        raise InputError(
            f"sample_weight has shape {weight.shape}; give one weight per exposure, shape ({rows},)"
        )
    if not rows:
        return weight
    for wrong, its_rule in (
        (~(np.isfinite(weight) & (weight >= 0)), rule),
        (
            (weight > GREATEST_WEIGHT) | ((weight > 0) & (weight < LEAST_WEIGHT)),
            f"boosters keep weights as float32, so give 0 or {LEAST_WEIGHT:g} to {GREATEST_WEIGHT:g}; "
            "divide all of them by their mean",
        ),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"sample_weight {weight[row]} in row {row} ({int(wrong.sum())} such rows); {its_rule}"
            )
    if some and not weight.any():
        raise InputError("every sample_weight is 0; give at least one exposure a positive weight")
    return weight


def checked_group(group: ArrayLike, rows: int) -> NDArray[Any]:
    """Return group ids as an array (n,) that can be sorted: whole numbers, texts or times.

    Raises InputError for another shape, a missing id, ids that cannot be compared with each other, and
    floating numbers that are not whole or lie beyond 2^24, where float32 maps several ids to one.
    """
    ids = _array("group", group)
    if ids.shape != (rows,):
        raise InputError(f"group has shape {ids.shape}; give one group id per exposure, shape ({rows},)")
    if ids.dtype.kind == "O":
        ids = _plain_ids(ids)
    if ids.dtype.kind in "mM":
        _refuse_where("group", ids, np.isnat(ids), "give the exposures without a group an id of their own")
    elif ids.dtype.kind == "f":
        _refuse_where(
            "group", ids, ~np.isfinite(ids), "give the exposures without a group an id of their own"
        )
        _refuse_where("group", ids, ids != np.trunc(ids), "an id is a whole number or a text")
        _refuse_where(
            "group",
            ids,
            np.abs(ids) > LARGEST_FLOAT_ID,
            "beyond 2^24 float32 maps several ids to one; give ids as integers or texts",
        )
    elif ids.dtype.kind not in "biuUST":
        raise InputError(f"group has type {ids.dtype}; give integers or texts")
    return ids


def numbers(what: str, values: ArrayLike, rule: str, *, missing: str = _NONE_MISSING) -> NDArray[Any]:
    """Return values as a one-dimensional array of a plain numeric type.

    Raises InputError, which ends in the rule, for another number of dimensions, for texts, times and complex
    numbers, and for missing entries of nullable columns, where it ends in what to do of them; NaN stays.
    """
    array = _array(what, values, missing)
    if array.ndim != 1:
        raise InputError(f"{what} has shape {array.shape}; give one {what} per exposure, shape (n,)")
    if array.dtype.kind == "O":
        plain = np.fromiter((_is_number(value) for value in array), dtype=bool, count=len(array))
        _refuse_where(what, array, ~plain, rule)
        array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what} has type {array.dtype}; {rule}")
    return array


def _array(what: str, values: Any, missing: str = _NONE_MISSING) -> NDArray[Any]:
    try:
        array = host(values)
    except (ValueError, TypeError) as error:  # rows of several lengths
        raise InputError(f"{what} is no array ({error}); give one value per exposure, shape (n,)") from error
    if np.ma.is_masked(values):
        masked = np.ma.getmaskarray(values)
        raise InputError(f"{what} is missing (NA or masked) in {int(masked.sum())} rows; {missing}")
    return array


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating)


def _plain_ids(ids: NDArray[Any]) -> NDArray[Any]:
    """Ids out of an object array as integers or texts, which NumPy sorts quickly."""
    _refuse_where(
        "group",
        ids,
        # A missing value of pandas or Python equals nothing, or is no answer to the question.
        np.fromiter((not (isinstance(i, str) or _is_number(i)) or i != i for i in ids), bool, len(ids)),
        "give every exposure an id, all integers or all texts",
    )
    kinds = {isinstance(i, str) for i in ids}
    if len(kinds) > 1:
        raise InputError("group holds integers and texts; give one of them, so that ids can be sorted")
    if kinds == {True}:
        return ids.astype(np.str_)
    try:
        exact = np.array(ids.tolist())
    except OverflowError:  # whole numbers beyond 64 bits
        return ids.astype(np.str_)
    return exact if exact.dtype.kind in "biuf" else ids.astype(np.str_)


def _refuse_where(what: str, values: NDArray[Any], wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        value = values[row].item() if isinstance(values[row], np.generic) else values[row]
        raise InputError(f"{what} is {value!r} in row {row} ({int(wrong.sum())} such rows); {rule}")
