"""From what a description says of each row to its grade."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import OPEN

MISSING = -1
"""What stands for a null among labels."""

Labels = NDArray[np.int8]


def graded(click: Labels, conversion: Labels) -> Labels:
    """Return click + conversion, int8 (n,), and 3 for a click whose conversion is missing.

    Parameters
    ----------
    click
        (n,): 0 or 1.
    conversion
        (n,): 0, 1 or MISSING. Without a click nothing can come, so MISSING is 0 there.

    Raises
    ------
    InputError
        A conversion has no click; rows are counted from 1.

    Examples
    --------
    >>> graded(*np.array([[0, 1, 1, 1], [-1, 0, 1, -1]], dtype=np.int8)).tolist()
    [0, 1, 2, 3]
    """
    rows = np.flatnonzero((conversion == 1) & (click == 0))
    if len(rows):
        raise InputError(
            f"{len(rows)} rows convert without a click (the first is row {rows[0] + 1}); "
            "drop them, or put the condition of the click into that of the conversion with AND"
        )
    return np.where((click == 1) & (conversion == MISSING), OPEN, click + np.maximum(conversion, 0)).astype(
        np.int8
    )


def left_open(grade: Labels, settled: Labels) -> Labels:
    """Return the grades, int8 (n,), with 3 for each click that is not settled, converted or not.

    Conversions that came before their click is settled are the early ones. Among clicks that are not settled
    they would be the only ones whose outcome is known, and make pCVR too high.

    Parameters
    ----------
    grade
        (n,): 0 to 3.
    settled
        (n,): 0, 1, or MISSING in rows without a click, where it says nothing.

    Raises
    ------
    InputError
        It is missing for a click; rows are counted from 1.

    Examples
    --------
    >>> left_open(*np.array([[0, 1, 2, 2], [-1, 1, 1, 0]], dtype=np.int8)).tolist()
    [0, 1, 2, 3]
    """
    clicked = grade > 0
    rows = np.flatnonzero(clicked & (settled == MISSING))
    if len(rows):
        raise InputError(
            f"settled is missing for {len(rows)} clicks (the first is in row {rows[0] + 1}); drop them, or "
            "say what a missing value means, as in COALESCE(..., false)"
        )
    return np.where(clicked & (settled == 0), OPEN, grade).astype(np.int8)
