"""Metrics, tests of gains, calibration, the comparison of models, and its results."""

from gbdt_pwiser.calibration import Calibrator, calibration_report
from gbdt_pwiser.evaluation.compare import compare
from gbdt_pwiser.evaluation.details import Details, read_details, write_details
from gbdt_pwiser.metrics.distribution import ScoreDistribution
from gbdt_pwiser.metrics.catalogue import METRICS, evaluate
from gbdt_pwiser.significance.paired import paired_tests
from gbdt_pwiser.evaluation.results import Result, check_complete, read_results, records, write_results
from gbdt_pwiser.significance.intervals import (
    PairedTest,
    across_seeds,
    combine_seeds,
    delong,
    group_bootstrap,
    holm,
)
from gbdt_pwiser.evaluation.summary import summarize
from gbdt_pwiser.evaluation.sweep import SweepMean, SweepPoint, sweep_means
from gbdt_pwiser.report.table import format_sweep, format_table

__all__ = [
    "METRICS",
    "Calibrator",
    "Details",
    "PairedTest",
    "Result",
    "ScoreDistribution",
    "SweepMean",
    "SweepPoint",
    "across_seeds",
    "calibration_report",
    "check_complete",
    "combine_seeds",
    "compare",
    "delong",
    "evaluate",
    "format_sweep",
    "format_table",
    "group_bootstrap",
    "holm",
    "paired_tests",
    "read_details",
    "read_results",
    "records",
    "summarize",
    "sweep_means",
    "write_details",
    "write_results",
]
