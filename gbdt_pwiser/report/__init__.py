"""The HTML pages, one file each, no network; and their figures as files of their own."""

from gbdt_pwiser.report._html import require_report_extra
from gbdt_pwiser.report._page import write_figures, write_report

__all__ = ["require_report_extra", "write_figures", "write_report"]
