"""Metrics, tests of gains, calibration, the comparison of models, and its results."""

from gbdt_pwiser.evaluation.calibration import Calibrator, calibration_report
from gbdt_pwiser.evaluation.compare import compare
from gbdt_pwiser.evaluation.metrics import METRICS, evaluate
from gbdt_pwiser.evaluation.paired import paired_tests
from gbdt_pwiser.evaluation.results import (
    Result,
    check_complete,
    format_table,
    read_results,
    records,
    summarize,
    write_results,
)
from gbdt_pwiser.evaluation.significance import (
    PairedTest,
    across_seeds,
    combine_seeds,
    delong,
    group_bootstrap,
    holm,
)

__all__ = [
    "METRICS",
    "Calibrator",
    "PairedTest",
    "Result",
    "across_seeds",
    "calibration_report",
    "check_complete",
    "combine_seeds",
    "compare",
    "delong",
    "evaluate",
    "format_table",
    "group_bootstrap",
    "holm",
    "paired_tests",
    "read_results",
    "records",
    "summarize",
    "write_results",
]
