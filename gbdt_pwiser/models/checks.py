"""Checks of what was read from a model folder; what they raise becomes one message about the folder."""

from __future__ import annotations

import math
from typing import Any


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and no truth."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def require(holds: Any, what: str, found: Any, wanted: str) -> None:
    """Raise ValueError saying what was found in the place of what is wanted."""
    if not holds:
        raise ValueError(f"{what}: {str(found)[:80]!r} and not {wanted}")
