"""What a description says of the page: features relative to it, and the position on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from gbdt_pwiser.data.relative import Relative
from gbdt_pwiser.data.values import is_number
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.description import Description


def check_page_columns(described: Description, label_columns: Collection[str]) -> None:
    """Raise InputError where `relative` or `position` names a column of another kind than it is for.

    Parameters
    ----------
    described
        The description, whose columns exist.
    label_columns
        What the label is made of.
    """
    uses: dict[str, Collection[str | None]] = {
        "part of the label": label_columns,
        "the group": [described.group],
        "the time": [described.time],
        "categorical": described.categorical,
        "ignored": described.ignore,
    }
    for what, columns, others in (
        ("relative", described.relative, {"the position": [described.position], **uses}),
        ("the position", [described.position], uses),
    ):
        for other, used in others.items():
            if both := [column for column in columns if column is not None and column in used]:
                raise InputError(f"{', '.join(both)} cannot be {what} and {other}; remove it from one")


def check_page_features(described: Description, offered: Mapping[str, pl.DataType]) -> None:
    """Raise InputError where a column that has to be of numbers is not, or a feature's name is taken.

    Parameters
    ----------
    described
        The description, whose columns `check_page_columns` has let pass.
    offered
        The columns that are features, and their types in the source.
    """
    if wrong := [f"{name} ({offered[name]})" for name in described.relative if not is_number(offered[name])]:
        raise InputError(f"relative names {', '.join(wrong)}, and is for columns of numbers; remove them")
    relative = relative_of(described)
    if relative is not None and (both := [name for name in relative.names if name in offered]):
        raise InputError(
            f"relative adds {', '.join(both)}, and the source has a column of that name; rename that "
            "column, or list it in ignore"
        )
    position = described.position
    if position is not None and position in offered and not is_number(offered[position]):
        raise InputError(f"position {position} is {offered[position]}; store whole numbers")


def relative_of(described: Description) -> Relative | None:
    """Return what is relative to the page; None where nothing is."""
    if not described.relative:
        return None
    assert described.group is not None
    return Relative(described.group, tuple(described.relative))


def served_as(described: Description) -> dict[str, float]:
    """Return the number that the position is for serving, where it is a feature."""
    if described.position is None or described.position_at_serving is None:
        return {}
    return {described.position: float(described.position_at_serving)}
