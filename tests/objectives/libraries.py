"""The array libraries that every property of the loss is tested with."""

from importlib import import_module

import numpy as np
import pytest

LIBRARIES = ["numpy", "array_api_strict", "torch", pytest.param("cupy", marks=pytest.mark.gpu)]


def require(library):
    """Return the module of an array library; skip the test where it is not installed."""
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    if library == "torch":
        module.set_num_threads(1)  # arrays of a dozen rows: threads would only wait for each other
    return module


def asarray(library, values):
    """Return values as an array of the library.

    Those of array_api_strict lie on a device from which NumPy may not read: a stray call of NumPy fails.
    """
    xp = require(library)
    on = {"device": xp.Device("device1")} if library == "array_api_strict" else {}
    return xp.asarray(np.asarray(values), **on)


def as_numpy(array):
    """Return an array of any of the libraries as a NumPy array."""
    if type(array).__module__.startswith("array_api_strict"):
        array = array.to_device(import_module("array_api_strict").Device("CPU_DEVICE"))
    return array.get() if hasattr(array, "get") else np.asarray(array)
