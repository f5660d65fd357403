"""ONNX."""

from __future__ import annotations

from typing import Any

from gbdt_pwiser.objectives import InputError


def onnx_bytes(*_: Any) -> bytes:
    """Refuse."""
    raise InputError("onnx is not there yet; export native")
