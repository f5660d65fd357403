"""The table of results that is worked out by hand."""

from tests.results import results

__all__ = ["results"]
