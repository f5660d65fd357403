"""What decides a network beside its loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gbdt_pwiser.models.settings import Settings
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import check_whole


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """Sizes and training of a network; the defaults are those published for the AliExpress sets.

    Attributes
    ----------
    embedding
        Numbers that stand for a categorical code.
    bins
        Each numerical column is also cut at its quantiles in training into so many bins, and the bin is a
        code like any other; 0 for the standardised number alone.
    bottom
        Widths of the layers below the towers (each of `mmoe`'s experts; `ple` has one extraction layer per
        width).
    towers
        Widths of the layers of each task's tower.
    dropout
        Share of a layer's outputs that is dropped in training.
    experts
        Of `mmoe`; `ple` has half of them shared and half of them for each task.
    conversion_weight
        Weight of the second head's loss beside the click's. Both are sums over rows divided by all rows of
        the batch, so a clicked row weighs `conversion_weight` times as much in the loss of pCVR as in that of
        the click, whatever the click rate. In `esmm` and `aitm`, whose second loss is over all exposures, it
        is a factor on the mean. No effect on `dnn`, whose two networks share nothing.
    constraint
        Weight of `aitm`'s penalty on a conversion more probable than its click, whatever `conversion_weight`.
    epochs
        Most passes over the training exposures.
    patience
        Epochs without a better CTR AUC on validation after which training stops; the best epoch counts.
    batch_size
        Exposures of a batch. Rows left over are spread over the batches: batch normalisation and the means
        over a batch's pairs want no small one.
    learning_rate, weight_decay
        Of Adam.
    decay
        Factor on the learning rate after each epoch; 1 leaves it.
    clip_norm
        Largest norm of a gradient; None for no limit.
    anchor_memory
        So many scores of the latest converted exposures are anchors of the next batch too.

    Raises
    ------
    InputError
        A number that makes no sense.

    Notes
    -----
    Published defaults: main.py of easezyc/Multitask-Recommendation-Library.
    """

    family: ClassVar[str] = "network"

    embedding: int = 128
    bins: int = 0
    bottom: tuple[int, ...] = (512, 256)
    towers: tuple[int, ...] = (128, 64)
    dropout: float = 0.2
    experts: int = 8
    conversion_weight: float = 1.0
    constraint: float = 0.6
    epochs: int = 50
    patience: int = 2
    batch_size: int = 2048
    learning_rate: float = 1e-3
    decay: float = 1.0
    weight_decay: float = 1e-6
    clip_norm: float | None = None
    anchor_memory: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (least, most) in _WHOLE.items():
            check_whole(name, getattr(self, name), least, most)
        for name in ("bottom", "towers"):
            widths = getattr(self, name)
            if not (isinstance(widths, tuple) and 1 <= len(widths) <= _MOST_LAYERS and _are_widths(widths)):
                raise InputError(
                    f"{name} is {widths!r}; give a tuple of 1 to {_MOST_LAYERS} widths from 1 to {_WIDEST}, "
                    "such as (64, 32)"
                )
        for name, rule, holds in _RULES:
            value = getattr(self, name)
            if not (_is_number(value) and holds(value)) and not (name == "clip_norm" and value is None):
                raise InputError(f"{name} is {value!r}; give {rule}")

    @property
    def most_rounds(self) -> int:
        """Epochs at most."""
        return self.epochs


def _are_widths(widths: tuple[Any, ...]) -> bool:
    return all(isinstance(w, int) and not isinstance(w, bool) and 1 <= w <= _WIDEST for w in widths)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# Far beyond any use: sizes at which memory ends instead would end the process.
_WIDEST: Final = 1 << 16
_MOST_LAYERS: Final = 64
_LARGEST: Final = 2**31 - 1
_WHOLE: Final = {
    "embedding": (1, _WIDEST),
    "bins": (0, _WIDEST),
    "experts": (1, 1024),
    "epochs": (1, _LARGEST),
    "patience": (1, _LARGEST),
    "batch_size": (2, _LARGEST),
    "anchor_memory": (0, _LARGEST),
}

_RULES: Final[tuple[tuple[str, str, Callable[[float], bool]], ...]] = (
    ("dropout", "a number from 0 to below 1", lambda x: 0 <= x < 1),
    ("conversion_weight", "a positive number", lambda x: x > 0),
    ("constraint", "a number of at least 0", lambda x: x >= 0),
    ("learning_rate", "a positive number", lambda x: x > 0),
    ("decay", "a number above 0 and at most 1", lambda x: 0 < x <= 1),
    ("weight_decay", "a number of at least 0", lambda x: x >= 0),
    ("clip_norm", "a positive number, or none", lambda x: x > 0),
)
