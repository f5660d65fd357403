"""What a booster is told of its features, and which of a user's parameters it cannot obey.

Boosters refuse or rewrite names such as `price[usd]`, `age<18` or `a b`, so features reach them by position,
as f0, f1, ... in the order of the columns; parameters may name columns, and messages do.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.traps import refuse_random_forest, without_effect

_MONOTONE: Final = ("monotone_constraints", "monotone_constraint", "monotonic_cst", "mc")
_INTERACTION: Final = ("interaction_constraints",)
_CATEGORICAL: Final = (
    *("categorical_feature", "categorical_features", "categorical_column"),
    *("cat_feature", "cat_column"),
)


def plain_names(columns: Sequence[str]) -> list[str]:
    """Return the names that boosters get in place of the columns'.

    Examples
    --------
    >>> plain_names(["price[usd]", "a b"])
    ['f0', 'f1']
    """
    return [f"f{place}" for place in range(len(columns))]


def with_columns(message: str, columns: Sequence[str]) -> str:
    """Return a booster's message with the columns in the place of the names that it was given.

    Examples
    --------
    >>> with_columns("bin size 300 of feature f1", ["price[usd]", "a b"])
    "bin size 300 of feature 'a b'"
    """

    def column(found: re.Match[str]) -> str:
        place = int(found[1])
        return repr(columns[place]) if place < len(columns) else found[0]

    return re.sub(r"\bf(\d+)\b", column, message)


def refuse_params(params: Mapping[str, Any], loss: str) -> None:
    """Raise InputError for parameters that do not work in this package, whatever the data.

    Those are a random forest; weights of a class beside the pwiser loss, where they do nothing, so that it
    would be compared with a weighted rival; and categorical columns, which are part of the data.
    """
    refuse_random_forest(params)
    if LOSSES[loss].of_scores is not None and (names := without_effect(params)):
        raise InputError(
            f"{', '.join(names)} would change bce and do nothing to pwiser, an objective of our own; leave "
            "it out, or compare with weighted_bce"
        )
    for name in _CATEGORICAL:
        if name in params:
            raise InputError(
                f"{name} is decided by the data, not by params; name the categorical columns in the "
                "description (categorical = [...]) and leave it out"
            )


def by_position(params: Mapping[str, Any], columns: Sequence[str], model: str) -> dict[str, Any]:
    """Return parameters with the constraints by position, in the form that the booster reads.

    monotone_constraints may be {column: 1, 0 or -1}, or one number per column; interaction_constraints are
    lists of columns or positions. Either may be the text of one booster, which the other would misread.

    Raises InputError for an unknown column, another number of constraints, or another constraint.

    Examples
    --------
    >>> constraints = {"monotone_constraints": {"b": -1}, "interaction_constraints": [["a", "b"]]}
    >>> by_position(constraints, ["a", "b"], "xgboost")
    {'monotone_constraints': (0, -1), 'interaction_constraints': '[[0, 1]]'}
    """
    placed = dict(params)
    for name in _MONOTONE:
        if name in params:
            placed[name] = _monotone(name, params[name], columns)
    for name in _INTERACTION:
        if name in params:
            groups = _groups(name, params[name], columns)
            placed[name] = str(groups) if model == "xgboost" else groups
    return placed


def _groups(name: str, given: Any, columns: Sequence[str]) -> list[list[int]]:
    listed = given
    if isinstance(given, str):  # [0,1],[2] of LightGBM, [[0,1],[2]] of XGBoost
        try:
            listed = json.loads(given if given.lstrip().startswith("[[") else f"[{given}]")
        except ValueError:
            listed = None
    if not (isinstance(listed, list | tuple) and all(isinstance(group, list | tuple) for group in listed)):
        raise InputError(f"{name} is {given!r}; give lists of columns that may meet: [[column, column], ...]")
    return [[_place(name, each, columns) for each in group] for group in listed]


def _monotone(name: str, given: Any, columns: Sequence[str]) -> tuple[int, ...]:
    signs: list[Any]
    if isinstance(given, Mapping):
        signs = [0] * len(columns)
        for column, sign in given.items():
            signs[_place(name, column, columns)] = sign
    else:
        # LightGBM reads XGBoost's text, in parentheses, as other numbers.
        signs = given.strip("()[] ").split(",") if isinstance(given, str) else list(given)
        if len(signs) != len(columns):
            raise InputError(
                f"{name} has {len(signs)} entries for {len(columns)} columns; give one for each, or name the "
                "columns: {column: 1 or -1}"
            )
    try:
        numbers = tuple(int(sign) for sign in signs)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != len(columns) or not set(numbers) <= {-1, 0, 1}:
        raise InputError(f"{name} is {given!r}; a constraint is 1 (rising), -1 (falling) or 0 (none)")
    return numbers


def _place(name: str, column: object, columns: Sequence[str]) -> int:
    if isinstance(column, int) and 0 <= column < len(columns):
        return column
    if column in columns:
        return list(columns).index(str(column))
    near = difflib.get_close_matches(str(column), columns, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise InputError(f"{name} names {column!r}{hint}, which is no feature column; give one of the columns")
