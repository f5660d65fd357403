"""Categories as click rates, for trees that cannot split on categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import BLOCK

PRIOR: Final = 20.0
"""Exposures at the mean click rate that every category has beside its own."""


@dataclass(frozen=True)
class ClickRates:
    """The click rate of every category in training.

    ::

        rate = (clicks of the category + PRIOR * mean click) / (exposures of the category + PRIOR)

    Attributes
    ----------
    codes
        Per position of a categorical column, its codes in training, ascending.
    rates
        Likewise, their click rates.
    """

    codes: Mapping[int, NDArray[np.float32]]
    rates: Mapping[int, NDArray[np.float32]]

    @classmethod
    def fit(cls, train: Exposures) -> ClickRates:
        """Learn the rates of the training exposures, a block at a time."""
        places = [train.features.columns.index(name) for name in train.categorical]
        counts: dict[int, dict[float, NDArray[np.float64]]] = {place: {} for place in places}
        start, mean = 0, float(train.click.mean())
        for block in train.blocks(BLOCK):
            click = train.click[start : (start := start + len(block))]
            for place in places:
                known = ~np.isnan(block[:, place])
                codes, index = np.unique(block[known, place], return_inverse=True)
                found = np.stack([np.bincount(index), np.bincount(index, weights=click[known])], axis=1)
                for code, each in zip(codes.tolist(), found, strict=True):
                    counts[place][code] = counts[place].get(code, 0.0) + each
        ordered = {place: dict(sorted(of.items())) for place, of in counts.items()}
        tables = {place: np.array([*of.values()]).reshape(-1, 2) for place, of in ordered.items()}
        return cls(
            codes={place: np.array([*of], dtype=np.float32) for place, of in ordered.items()},
            rates={
                place: ((table[:, 1] + PRIOR * mean) / (table[:, 0] + PRIOR)).astype(np.float32)
                for place, table in tables.items()
            },
        )

    def encode(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features (n, columns) with rates for codes; NaN for a code that training had not."""
        encoded = block.copy()
        for place, known in self.codes.items():
            codes = block[:, place]
            if not len(known):
                encoded[:, place] = np.nan
                continue
            found = np.minimum(np.searchsorted(known, codes), len(known) - 1)
            encoded[:, place] = np.where(known[found] == codes, self.rates[place][found], np.nan)
        return encoded

    def record(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            str(place): [known.tolist(), self.rates[place].tolist()] for place, known in self.codes.items()
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ClickRates:
        """Return what `record` described; ValueError, LookupError or TypeError where it makes no sense."""
        codes, rates = {}, {}
        for place, (known, of) in record.items():
            codes[int(place)], rates[int(place)] = (np.array(each, dtype=np.float32) for each in (known, of))
            is_ascending = (np.diff(codes[int(place)]) > 0).all()
            if len(known) != len(of) or not (is_ascending and np.isfinite(rates[int(place)]).all()):
                raise ValueError(f"the rates of column {place} make no sense")
        return cls(codes, rates)
