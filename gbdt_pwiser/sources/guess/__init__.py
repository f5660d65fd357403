"""A description for a file that nobody has described, from its names and values."""

from __future__ import annotations

from gbdt_pwiser.sources.guess.describe import Guess, describe

__all__ = ["Guess", "describe"]
