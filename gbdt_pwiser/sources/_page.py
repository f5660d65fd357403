"""What a description says of the page: features relative to it, and the position on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from gbdt_pwiser.data.columns import is_number
from gbdt_pwiser.data.relative import Relative
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


def page_columns(
    described: Description, schema: Mapping[str, pl.DataType]
) -> tuple[Relative | None, dict[str, float]]:
    """Return what is relative to the page, and the number that the position is for serving.

    Parameters
    ----------
    described
        The description, whose columns `check_page_columns` has let pass.
    schema
        The columns that are features, and their types in the source.

    Raises
    ------
    InputError
        A column that has to be of numbers is not, or one has the name of a feature that is to be made.
    """
    if wrong := [f"{name} ({schema[name]})" for name in described.relative if not is_number(schema[name])]:
        raise InputError(f"relative names {', '.join(wrong)}, and is for columns of numbers; remove them")
    relative = None
    if described.relative:
        assert described.group is not None
        relative = Relative(described.group, tuple(described.relative))
        if both := [name for name in relative.names if name in schema]:
            raise InputError(
                f"relative adds {', '.join(both)}, and the source has a column of that name; rename that "
                "column, or list it in ignore"
            )
    served = described.position_at_serving
    if described.position is None or served is None:
        return relative, {}
    if not is_number(schema[described.position]):
        raise InputError(
            f"position {described.position} is {schema[described.position]}; store whole numbers"
        )
    return relative, {described.position: float(served)}
