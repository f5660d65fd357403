"""How each booster is told of a loss: by parameters, and by what its data set holds while it trains.

Weights, labels and starting scores are put into the binned data for one training and taken out again, so
that all losses share one binning.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRObjective, base_score, xgboost_params

LARGEST_GROUP: Final = 10_000
"""Most exposures of a group that LightGBM's rankers take."""


@contextmanager
def lightgbm_loss(data: Any, spec: ModelSpec, loss: str) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a loss; the lightgbm.Dataset is as the loss wants it until the block ends.

    Raises
    ------
    InputError
        A group that is too large for lambdarank.
    """
    grade = data.get_label()
    match loss:
        case "pwiser":
            yield {"objective": PWiseRObjective(**asdict(spec.pwiser))}
        case "weighted_bce" if spec.weight > 0:
            weight = _conversions_weigh(grade == 2, spec.weight)
            start = logit(base_score(grade > 0, sample_weight=weight))
            with _lightgbm_fields(data, weight=weight, init_score=np.full(len(grade), start)):
                yield {"objective": "binary"}
        case "lambdarank":
            largest = int(data.get_group().max())
            if largest > LARGEST_GROUP:
                raise InputError(
                    f"a group has {largest:,} exposures, and lambdarank takes {LARGEST_GROUP:,}; "
                    "group by something narrower, such as the page, or leave lambdarank out"
                )
            with _lightgbm_fields(data, init_score=None):
                yield {"objective": "lambdarank", "label_gain": [0.0, 1.0, 1.0 + spec.weight]}
        case _:
            # The binary objective counts a label > 0 as positive: grades serve it as they are.
            yield {"objective": "binary"}


@contextmanager
def xgboost_loss(data: Any, spec: ModelSpec, loss: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the parameters of a loss and its objective, None for a built-in one.

    The DMatrix, which has click and conversion as `make_dmatrix` puts them, is as the loss wants it until
    the block ends.
    """
    click, conversion = data.get_label(), data.get_float_info("label_lower_bound")
    match loss:
        case "pwiser":
            yield xgboost_params(click), PWiseRObjective(**asdict(spec.pwiser))
        case "weighted_bce" if spec.weight > 0:
            weight = _conversions_weigh(conversion == 1, spec.weight)
            with _xgboost_infos(data, weight=weight):
                yield xgboost_params(click, sample_weight=weight), None
        case "rank_pairwise":
            starts = data.get_uint_info("group_ptr")[:-1]
            weight = _conversions_weigh(np.maximum.reduceat(conversion, starts) == 1, spec.weight)
            with _xgboost_infos(data, label=click + conversion, weight=weight):
                # By default a pair counts the less, the further its scores are apart: no logistic loss.
                yield {"objective": "rank:pairwise", "lambdarank_score_normalization": False}, None
        case _:
            yield xgboost_params(click), None


def _conversions_weigh(converted: NDArray[np.bool_], weight: float) -> NDArray[np.float32]:
    return (1.0 + weight * converted).astype(np.float32)


@contextmanager
def _lightgbm_fields(data: Any, **fields: Any) -> Iterator[None]:
    """Set fields of a Dataset, None for empty, and put back what they were."""

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
def _xgboost_infos(data: Any, **infos: NDArray[np.float32]) -> Iterator[None]:
    """Set infos of a DMatrix, and put back what they were."""
    before = {name: data.get_float_info(name) for name in infos}
    data.set_info(**infos)
    try:
        yield
    finally:
        data.set_info(**before)
