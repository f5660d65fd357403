"""Refusals of what a user gave.

The class of the errors stands among the losses, which need NumPy and SciPy: it is imported when it is raised,
so that `--help` need not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gbdt_pwiser.objectives import InputError


def input_error(message: str) -> InputError:
    """Return the error, to be raised; its message names the value, the rule and the remedy."""
    from gbdt_pwiser.objectives import InputError

    return InputError(message)
