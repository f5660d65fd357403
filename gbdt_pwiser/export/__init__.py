"""A saved model as one file that other libraries predict with, without this package."""

from __future__ import annotations

from gbdt_pwiser.export.formats import FORMATS, export_model

__all__ = ["FORMATS", "export_model"]
