"""The HTML report of a comparison: one file, no network."""

from gbdt_pwiser.report._distribution import ScoreDistribution
from gbdt_pwiser.report._page import SplitSize, require_report_extra, write_report

__all__ = ["ScoreDistribution", "SplitSize", "require_report_extra", "write_report"]
