"""LightGBM's ranker inside groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from gbdt_pwiser.models.losses.data_sets import lightgbm_fields
from gbdt_pwiser.models.losses.loss import Loss
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.inputs import CLICK, OPEN

LARGEST_GROUP: Final = 10_000
"""Most exposures of a group that LightGBM's rankers take."""


@contextmanager
def _for_lightgbm(data: Any, weight: float) -> Iterator[dict[str, Any]]:
    largest = int(data.get_group().max())
    if largest > LARGEST_GROUP:
        raise InputError(
            f"a group has {largest:,} exposures, and lambdarank takes {LARGEST_GROUP:,}; "
            "group by something narrower, such as the page, or leave lambdarank out"
        )
    # A click whose conversion is open is a click. Another label of the same gain would be ranked above it.
    grade = data.get_field("label")
    clicks = {"label": np.where(grade == OPEN, CLICK, grade)} if (grade == OPEN).any() else {}
    with lightgbm_fields(data, init_score=None, **clicks):
        yield {"objective": "lambdarank", "label_gain": [0.0, 1.0, 1.0 + weight]}


LOSS: Final = Loss(
    name="lambdarank",
    weight="A conversion gains 1 + w, a click 1, in NDCG inside a group.",
    weights=(0.0, 1.0, 3.0),
    needs_groups=True,
    is_log_odds=False,
    native={"lightgbm": _for_lightgbm},
)
