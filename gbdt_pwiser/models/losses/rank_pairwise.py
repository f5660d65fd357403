"""XGBoost's ranker inside groups: the logistic loss of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from gbdt_pwiser.models.losses.data_sets import xgboost_infos
from gbdt_pwiser.models.losses.loss import Loss
from gbdt_pwiser.models.losses.weighted_bce import conversions_weigh


@contextmanager
def _for_xgboost(data: Any, weight: float) -> Iterator[dict[str, Any]]:
    # An open conversion, which is NaN there, is none: the exposure is a click.
    click, conversion = data.get_label(), np.nan_to_num(data.get_float_info("label_lower_bound"))
    starts = data.get_uint_info("group_ptr")[:-1]
    of_groups = conversions_weigh(np.maximum.reduceat(conversion, starts) == 1, weight)
    with xgboost_infos(data, label=click + conversion, weight=of_groups):
        # By default a pair counts the less, the further its scores are apart: no logistic loss.
        yield {"objective": "rank:pairwise", "lambdarank_score_normalization": False}


LOSS: Final = Loss(
    name="rank_pairwise",
    weight="A group with a conversion weighs 1 + w.",
    weights=(0.0, 1.0, 3.0),
    needs_groups=True,
    is_log_odds=False,
    native={"xgboost": _for_xgboost},
)
