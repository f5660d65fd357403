"""The HTML pages: one file each, no network."""

from gbdt_pwiser.report._page import require_report_extra, write_report

__all__ = ["require_report_extra", "write_report"]
