"""The comparison of models, its results, and what is read off them."""

from gbdt_pwiser.evaluation.compare import compare
from gbdt_pwiser.evaluation.details import Details, read_details, write_details
from gbdt_pwiser.evaluation.results import Result, check_complete, read_results, records, write_results
from gbdt_pwiser.evaluation.summary import summarize
from gbdt_pwiser.evaluation.sweep import BestGain, SweepMean, SweepPoint, best_within, sweep_means

__all__ = [
    "BestGain",
    "Details",
    "Result",
    "SweepMean",
    "SweepPoint",
    "best_within",
    "check_complete",
    "compare",
    "read_details",
    "read_results",
    "records",
    "summarize",
    "sweep_means",
    "write_details",
    "write_results",
]
