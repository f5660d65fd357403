"""The array libraries that every property of the loss is tested with."""

import importlib

import numpy as np
import pytest

LIBRARIES = ["numpy", "array_api_strict", "torch", pytest.param("cupy", marks=pytest.mark.gpu)]


def asarray(library, values):
    """Return values as an array of the library; skip the test where the library is not installed."""
    if library == "numpy":
        return np.asarray(values)
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    return importlib.import_module(module.__name__).asarray(np.asarray(values))
