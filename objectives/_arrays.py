"""One code for NumPy, CuPy and PyTorch arrays: the Array API standard, and the few things it lacks.

The computation is written against the namespace of the scores it is given. What the standard has no word for
(counting by position, writing at positions, sorting by two keys) is here, with the library's own function
where it has one and the standard's functions else.
"""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np
from array_api_compat import device, is_torch_array

from gbdt_pwiser.objectives.errors import InputError

# Arrays of floating numbers, and of positions, of any of the libraries.
Array = Any
Index = Any


def cupy_for(device: str) -> Any:
    """Return CuPy where the device needs it; InputError where it cannot be had."""
    if device == "cpu":
        return None
    if device != "cuda":
        raise InputError(f"unknown device {device!r}; choose cpu or cuda")
    try:
        import cupy

        gpus = cupy.cuda.runtime.getDeviceCount()
    except ImportError:
        raise InputError('device="cuda" needs CuPy; pip install cupy-cuda12x, or use device="cpu"') from None
    except Exception as error:  # CuPy has its own kinds for each failure of the driver
        raise InputError(f'device="cuda" found no usable GPU ({error}); use device="cpu"') from error
    if not gpus:
        raise InputError('device="cuda" found no GPU; use device="cpu"')
    return cupy


def is_array(x: Any) -> bool:
    """Return whether x is an array of a library that the code runs on."""
    return bool(array_api_compat.is_array_api_obj(x))


def namespace(x: Array) -> Any:
    """Return the Array API namespace of x; NumPy's is NumPy, which spares the look-up in every block."""
    return np if isinstance(x, np.ndarray) else array_api_compat.array_namespace(x)


def like(x: Array, values: Any, *, dtype: Any = None) -> Array:
    """Return host values as an array of the library, and on the device, of x."""
    if isinstance(x, np.ndarray):
        return np.asarray(values, dtype=dtype)
    return namespace(x).asarray(np.asarray(values), dtype=dtype, device=device(x))


def on_cpu(x: Array) -> bool:
    """Return whether x lies in the memory of the CPU, where blocks that fit the cache pay."""
    return isinstance(x, np.ndarray) or str(device(x)).lower() in ("cpu", "cpu_device")


def host(x: Any) -> np.ndarray[Any, Any]:
    """Return an array of any library, or a sequence, as a NumPy array, copied from its device if need be."""
    if is_torch_array(x):
        x = x.detach().cpu()
    elif array_api_compat.is_cupy_array(x):  # CuPy refuses an implicit copy
        x = x.get()
    return np.asarray(x)


def zeros(x: Array, size: int) -> Array:
    """Return float64 zeros beside x."""
    xp = namespace(x)
    return xp.zeros(size, dtype=xp.float64, device=device(x))


def arange(x: Array, size: int) -> Index:
    """Return 0 .. size - 1 beside x."""
    xp = namespace(x)
    return xp.arange(size, dtype=xp.int64, device=device(x))


def nonzero(mask: Array) -> Index:
    """Return the positions where a mask is true."""
    return mask.nonzero()[0] if isinstance(mask, np.ndarray) else namespace(mask).nonzero(mask)[0]


def at_least(x: Array, floor: float) -> Array:
    """Return max(x, floor), written in place."""
    if isinstance(x, np.ndarray):
        # Looking is cheaper than writing, and NumPy's clip is cheaper than its maximum.
        return x if not x.size or x.min() >= floor else np.clip(x, floor, np.inf, out=x)
    x[...] = namespace(x).clip(x, min=floor)
    return x


def between(x: Array, low: float, high: float) -> Array:
    """Return min(max(x, low), high), in place where the library can."""
    if isinstance(x, np.ndarray):
        return x.clip(low, high, out=x)
    return namespace(x).clip(x, low, high)


def write(out: Array, x: Array, y: Array | None = None) -> None:
    """Write x, or x + y, into out, without another array where the library can."""
    if not isinstance(out, np.ndarray):
        out[...] = namespace(out).astype(x if y is None else x + y, out.dtype, copy=False)
    elif y is None:
        out[...] = x
    else:
        np.add(x, y, out=out)


def to_index(x: Array) -> Index:
    """Return numbers >= 0 and below 2^31, rounded down, as positions."""
    if isinstance(x, np.ndarray):
        return x.astype(np.int32).astype(np.int64)  # two quick steps; the direct one is slow
    xp = namespace(x)
    return xp.astype(x, xp.int64)


def take(x: Array, index: Index) -> Array:
    """Return x[index]."""
    return x.take(index) if isinstance(x, np.ndarray) else namespace(x).take(x, index)


def put(x: Array, index: Index, values: Any) -> None:
    """Write x[index] = values in place; no position may occur twice."""
    xp = namespace(x)
    if _has_fancy_assignment(x):
        x[index] = values
        return
    # The standard writes through masks only, in the order of the positions.
    counted = count(index, None, x.shape[0])
    x[counted > 0] = xp.take(values, xp.argsort(index)) if is_array(values) and values.ndim else values


def count(index: Index, weight: Array | None, size: int) -> Array:
    """Return, for each position 0 .. size - 1, how often it occurs, or the weight on it.

    int64 (size,), or float64 with weights.
    """
    xp = namespace(index)
    if hasattr(xp, "bincount"):
        return xp.bincount(index, weights=_as_weight(weight), minlength=size)
    each = arange(index, index.shape[0]) * 0 + 1 if weight is None else xp.astype(weight, xp.float64)
    if index.shape[0] == 0:
        return xp.zeros(size, dtype=each.dtype, device=device(index))
    # Sorted by position, the weights of one position are a run: the difference of two cumulative sums.
    order = xp.argsort(index, stable=True)
    running = xp.cumulative_sum(xp.take(each, order), include_initial=True)
    ends = xp.searchsorted(xp.take(index, order), arange(index, size), side="right")
    total = xp.take(running, ends)
    return total - xp.concat([0 * total[:1], total[:-1]])


def count_run(index: Index, weight: Array | None = None) -> tuple[int, Array]:
    """Return the least position that occurs, and what `count` returns from there to the greatest."""
    if not index.shape[0]:
        return 0, count(index, weight, 0)
    xp = namespace(index)
    first, last = int(xp.min(index)), int(xp.max(index))
    return first, count(index - first, weight, last - first + 1)


def add_run(total: Array, run: tuple[int, Array]) -> None:
    """Add what `count_run` returned to float64 totals, in place."""
    first, values = run
    total[first : first + values.shape[0]] += namespace(values).astype(values, total.dtype)


def _as_weight(weight: Array | None) -> Array | None:
    """In float64: PyTorch adds up in the type of the weights, NumPy in float64 anyway."""
    if weight is None or isinstance(weight, np.ndarray):
        return weight
    xp = namespace(weight)
    return xp.astype(weight, xp.float64, copy=False)


def sort_by(keys: Array, within: Index) -> Index:
    """Return the order that sorts by `within`, and by keys inside equal ones."""
    if isinstance(keys, np.ndarray):
        return np.lexsort((keys, within))
    xp = namespace(keys)
    by_key = xp.argsort(keys, stable=True)
    return xp.take(by_key, xp.argsort(xp.take(within, by_key), stable=True))


def _has_fancy_assignment(x: Array) -> bool:
    return bool(isinstance(x, np.ndarray) or is_torch_array(x) or array_api_compat.is_cupy_array(x))
