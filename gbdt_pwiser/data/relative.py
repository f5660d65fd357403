"""Features relative to the page: a value's rank among those of its group, and how far it is from the median.

They are made of features alone, never of labels, so they leak nothing. They are of the page as a whole: all
its rows have to be there when they are made, in training as in serving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data.stored import FEW, nameless
from gbdt_pwiser.objectives import InputError

RANK, DIFFERENCE = "_rank", "_difference"
"""What the names of a column's two relative features end with."""


@dataclass(frozen=True)
class Relative:
    """Numerical columns that get two features more, relative to the other exposures of a group.

    Attributes
    ----------
    group
        Name of the group column.
    columns
        Names of the numerical columns.
    """

    group: str
    columns: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features that are added: of each column its rank, then its difference."""
        return tuple(column + end for column in self.columns for end in (RANK, DIFFERENCE))

    def features(
        self, table: pl.DataFrame | Mapping[str, pl.Series], group: NDArray[np.int64], of: str = ""
    ) -> pl.DataFrame:
        """Return `relative_to_group` of each column: (n,) Float32 features, missing as null.

        Parameters
        ----------
        table
            (n,) exposures with at least these columns; whole groups, in any order.
        group
            int64 (n,): equal where the group is.
        of
            What to write before the name of a feature in messages.

        Raises
        ------
        InputError
            A difference is too large for float32.
        """
        pairs = [relative_to_group(_numbers(nameless(table, column)), group) for column in self.columns]
        made = zip(self.names, (values for pair in pairs for values in pair), strict=True)
        return pl.DataFrame({name: _as_float32(values, of + name) for name, values in made})


def relative_to_group(
    values: NDArray[np.float64], group: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rank of each value in its group, between 0 and 1, and its difference from the median.

    ::

        rank = (average rank among the group's given values - 1/2) / how many are given
        difference = value - median of the group's given values

    Time is that of a sort. Without rows both are empty.

    Parameters
    ----------
    values
        float64 (n,): missing as NaN, for which both results are NaN.
    group
        int64 (n,): groups, in any order.

    Examples
    --------
    >>> rank, difference = relative_to_group(np.array([30.0, 10.0, 20.0, 7.0]), np.array([1, 1, 1, 2]))
    >>> rank.round(3).tolist(), difference.tolist()
    ([0.833, 0.167, 0.5, 0.5], [10.0, -10.0, 0.0, 0.0])
    """
    n = len(values)
    if not n:
        return np.empty(0), np.empty(0)
    order = np.lexsort((values, group))  # missing last in each group
    ordered, grouped = values[order], group[order]
    begins = np.append(True, grouped[1:] != grouped[:-1])
    first = np.flatnonzero(begins)
    given = np.add.reduceat((~np.isnan(ordered)).astype(np.int64), first)
    # Equal values share the mean of their places.
    ties = np.append(np.flatnonzero(begins | np.append(True, ordered[1:] != ordered[:-1])), n)
    place = np.repeat((ties[:-1] + ties[1:]) / 2.0, np.diff(ties))
    sizes = np.diff(np.append(first, n))
    with np.errstate(invalid="ignore", divide="ignore"):  # where none is given, and of infinite values
        middle = (ordered[first + np.maximum(given - 1, 0) // 2] + ordered[first + given // 2]) / 2
        rank = (place - np.repeat(first, sizes)) / np.repeat(given, sizes)
        difference = ordered - np.repeat(middle, sizes)
    rank[np.isnan(ordered)] = np.nan
    results = np.empty((2, n))
    results[:, order] = rank, difference
    return results[0], results[1]


def _numbers(values: pl.Series) -> NDArray[np.float64]:
    """float64 (n,), missing as NaN."""
    return values.cast(pl.Float64).to_numpy()


def _as_float32(values: NDArray[np.float64], what: str) -> pl.Series:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    beyond = np.isinf(single) & np.isfinite(values)
    if beyond.any():
        raise InputError(
            f"{what} has {values[beyond][0]:g}, too large for float32 (3.4e38 at most); divide the column it "
            "is of"
        )
    return pl.Series(single, nan_to_null=True)


def group_ids(values: pl.Series, what: str) -> NDArray[np.int64]:
    """Return int64 (n,): equal where the groups are; InputError as `given_groups`."""
    given = given_groups(values, what)
    if len(given) <= FEW:  # the same, without what polars needs for each expression
        ids: dict[object, int] = {}
        return np.array([ids.setdefault(value, len(ids)) for value in given.to_list()], dtype=np.int64)
    return given.rank("dense").cast(pl.Int64).to_numpy()


def given_groups(values: pl.Series, what: str, *, before: int = 0) -> pl.Series:
    """Return groups as they are; InputError where one is missing or they have no order.

    Parameters
    ----------
    values
        (n,) groups.
    what
        What to call them in messages.
    before
        Rows that precede these.
    """
    if values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary):
        raise InputError(f"{what} is {values.dtype}, which has no order; store text or whole numbers")
    given = values.fill_nan(None) if values.dtype.is_float() else values
    if given.null_count():
        missing = given.is_null().arg_true()
        raise InputError(
            f"{what} is missing in {len(missing)} rows (the first is row {before + missing[0] + 1}); give "
            "each row one"
        )
    return given
