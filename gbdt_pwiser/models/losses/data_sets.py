"""What a loss puts into a booster's data set for one training, and takes out again.

All losses share one binning, which costs more than a training of few rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray


@contextmanager
def lightgbm_fields(data: Any, **fields: Any) -> Iterator[None]:
    """Set fields of a lightgbm.Dataset, None for empty, and put back what they were."""

    def put(fields: dict[str, Any]) -> None:
        for name, values in fields.items():
            data.set_field(name, values)  # set_weight(None) would leave the old ones
            setattr(data, name, None)  # what Python remembers of it

    before = {name: data.get_field(name) for name in fields}
    put(fields)
    try:
        yield
    finally:
        put(before)


@contextmanager
def xgboost_infos(data: Any, **infos: NDArray[np.float32]) -> Iterator[None]:
    """Set infos of a xgboost.DMatrix, and put back what they were."""
    before = {name: data.get_float_info(name) for name in infos}
    data.set_info(**infos)
    try:
        yield
    finally:
        data.set_info(**before)
