"""What the pairwise term does while a model trains: how many pairs are active, and how hard they push."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.models import LOSSES, Model, StagedModel
from gbdt_pwiser.objectives import InputError, PWiseRLoss

MOST_ROUNDS: Final = 12
"""How many rounds a curve has at most; each costs a count of the pairs."""


@dataclass(frozen=True)
class ActivityCurve:
    """The share of pairs that violate their margin, of training exposures, after some of the rounds.

    Parameters
    ----------
    model, loss, weight
        What was trained.
    click_margin, impression_margin, scale
        Of the pairs: those of the comparison's PWiseR, also where the model was trained with another loss.
    rounds
        From 0, where all scores are equal, to the round that counts.
    click, impression
        By round, 0 to 1: of the pairs with a click-only and with an unclicked exposure; NaN for none.
    conversion_weight
        `PWiseRLoss.equivalent_weight` in the round that counts; NaN for losses without pairs.
    """

    model: str
    loss: str
    weight: float
    click_margin: float
    impression_margin: float
    scale: str
    rounds: tuple[int, ...]
    click: tuple[float, ...]
    impression: tuple[float, ...]
    conversion_weight: float

    def __post_init__(self) -> None:
        if not len(self.rounds) == len(self.click) == len(self.impression) > 0:
            raise InputError(
                "rounds, click and impression differ in length or are empty; give one of each per round"
            )

    @classmethod
    def of(cls, model: Model, train: Exposures, pairs: PWiseRLoss) -> ActivityCurve | None:
        """Measure a trained model on its training exposures, by margins, scale and pairs of a loss.

        A margin that is a quantile is the number that it stands for at the end of the warm-up. None where
        the model does not know its log-odds round by round, or lacks the groups that the pairs are of.
        """
        spec = model.spec
        group = train.group if pairs.pairs == "group" else None
        if not isinstance(model, StagedModel) or not LOSSES[spec.loss].is_log_odds:
            return None
        if pairs.pairs == "group" and group is None:
            return None
        plan, last = pairs.plan(train.grade, group=group), model.rounds_used
        if not pairs.is_fixed:
            _, raw = next(model.raw_scores_at(train, [min(pairs.warm_up, last)]))
            pairs = pairs.fixed_at(raw, plan)
        shares = []
        for _, raw in model.raw_scores_at(train, rounds := log_spaced(last)):
            shares.append(pairs.pair_activity(raw, plan))
        weight = math.nan
        if spec.loss == "pwiser":  # which in the warm-up is BCE
            weight = pairs.of_round(last - 1).equivalent_weight(raw, plan)
        return cls(
            *(spec.model, spec.loss, spec.weight),
            *(float(pairs.click_margin), float(pairs.impression_margin), pairs.scale),
            rounds=tuple(rounds),
            click=tuple(share.click for share in shares),
            impression=tuple(share.impression for share in shares),
            conversion_weight=weight,
        )


def log_spaced(last: int) -> list[int]:
    """Return at most `MOST_ROUNDS` rounds from 0 to the last, about evenly spaced by their logarithms.

    Examples
    --------
    >>> log_spaced(100)
    [0, 1, 2, 3, 4, 6, 10, 16, 25, 40, 63, 100]
    >>> log_spaced(3)
    [0, 1, 2, 3]
    """
    spaced = np.geomspace(1, max(last, 1), MOST_ROUNDS - 1).round().astype(int)
    return sorted({0, *map(int, spaced[spaced <= last])})
