"""Metrics, the comparison of models, and its results."""

from gbdt_pwiser.evaluation.compare import compare
from gbdt_pwiser.evaluation.metrics import METRICS, evaluate
from gbdt_pwiser.evaluation.results import (
    Result,
    check_complete,
    format_table,
    read_results,
    records,
    summarize,
    write_results,
)

__all__ = [
    "METRICS",
    "Result",
    "check_complete",
    "compare",
    "evaluate",
    "format_table",
    "read_results",
    "records",
    "summarize",
    "write_results",
]
