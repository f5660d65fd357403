"""Features as a network reads them: positions in one embedding table, and standardised numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.models.neural import UNSEEN

_MISSING = -(2**31) - 1  # below every code


class Layout(NamedTuple):
    """Shape of encoded features: rows of the embedding table, codes and numbers of an exposure."""

    table: int
    codes: int
    numbers: int


class Encoded(NamedTuple):
    """int32 (n, codes) positions in the table, float32 (n, numbers)."""

    codes: NDArray[np.int32]
    numbers: NDArray[np.float32]


@dataclass(frozen=True)
class FeatureEncoder:
    """What is learnt of the features, from the training exposures alone.

    ::

        number = (x - mean) / deviation, 0 where x is missing or the column is constant

    with mean and deviation over the values that training has. A numerical column of which training misses
    some values gets a second number, 1 where the value is missing.

    Attributes
    ----------
    edges
        Per numerical column that is cut into bins, the values at which a new bin begins.
    codes
        Per categorical column, and per column of bins, its codes in training, ascending; a missing code is
        one of them where training has it.
    means, scales
        Per numerical column; scale is 1 / deviation, 0 for a constant column.
    flagged
        Numerical columns with a number that says "missing".
    """

    edges: dict[str, list[float]]
    codes: dict[str, list[int]]
    means: dict[str, float]
    scales: dict[str, float]
    flagged: list[str]

    @classmethod
    def fit(cls, train: Exposures, bins: int = 0) -> FeatureEncoder:
        """Learn vocabularies, means, deviations and the edges of bins."""
        encoder = cls({}, {}, {}, {}, [])
        for column in train.features.columns:
            if column not in train.categorical:
                encoder._learn_numbers(column, _numbers(nameless(train.features, column)), bins)
            if column in train.categorical or column in encoder.edges:
                encoder.codes[column] = np.unique(encoder._codes(column, train)).tolist()
        return encoder

    def _learn_numbers(self, column: str, values: NDArray[np.float64], bins: int) -> None:
        known = values[~np.isnan(values)]
        self.means[column], self.scales[column] = 0.0, 0.0
        if not len(known):
            return
        self.means[column] = float(known.mean())
        if len(known) < len(values):
            self.flagged.append(column)
        # Not by the deviation, which rounding keeps off 0.
        if known.min() < known.max():
            self.scales[column] = 1.0 / float(known.std())
            if bins > 1:
                shares = np.linspace(0.0, 1.0, bins + 1)[1:-1]
                edges = np.unique(np.quantile(known, shares))
                if edges[-1] > known.min():
                    self.edges[column] = edges[edges > known.min()].tolist()

    def _codes(self, column: str, exposures: Exposures) -> NDArray[np.int64]:
        """Return the codes of a categorical column, or the bins of a numerical one."""
        if column not in self.edges:
            return nameless(exposures.features, column).cast(pl.Int64).fill_null(_MISSING).to_numpy()
        values = _numbers(nameless(exposures.features, column))
        bins = np.searchsorted(self.edges[column], values, side="right")
        return np.where(np.isnan(values), _MISSING, bins)

    @property
    def layout(self) -> Layout:
        """Shape of what `encode` returns."""
        return Layout(
            table=1 + sum(map(len, self.codes.values())),
            codes=len(self.codes),
            numbers=len(self.means) + len(self.flagged),
        )

    def positions(self) -> dict[str, dict[int | None, int]]:
        """Return by column of codes or bins the position of each code in the table; None is a missing one.

        All other codes have the position `UNSEEN`.
        """
        found, first = {}, UNSEEN + 1
        for column, known in self.codes.items():
            codes = (None if code == _MISSING else code for code in known)
            found[column] = {code: first + k for k, code in enumerate(codes)}
            first += len(known)
        return found

    def check(self, columns: list[str]) -> None:
        """Raise ValueError or TypeError where this is no encoder of these feature columns."""
        coded, numbers = set(self.codes) - set(self.edges), set(self.means)
        if not (
            sorted([*coded, *numbers]) == sorted(columns)
            and set(self.edges) <= numbers & set(self.codes)
            and set(self.flagged) <= numbers == set(self.scales)
        ):
            raise ValueError("its encoder is of other columns")
        for known in (*self.edges.values(), *self.codes.values()):
            if not (np.diff(np.asarray(known, dtype=np.float64)) > 0).all():
                raise ValueError("values of its encoder are not ascending")
        if not np.isfinite([*self.means.values(), *self.scales.values()]).all():
            raise ValueError("a mean or scale of its encoder is not finite")

    def encode(self, exposures: Exposures) -> Encoded:
        """Return the features of exposures with the columns of training."""
        n = len(exposures)
        codes = np.empty((n, len(self.codes)), dtype=np.int32)
        first = UNSEEN + 1
        for k, (column, known) in enumerate(self.codes.items()):
            codes[:, k] = _positions(self._codes(column, exposures), np.asarray(known), first)
            first += len(known)
        numbers = np.empty((n, len(self.means) + len(self.flagged)), dtype=np.float32)
        flags = len(self.means)
        for k, (column, mean) in enumerate(self.means.items()):
            values = _numbers(nameless(exposures.features, column))
            numbers[:, k] = np.nan_to_num((values - mean) * self.scales[column])
            if column in self.flagged:
                numbers[:, flags] = np.isnan(values)
                flags += 1
        return Encoded(codes, numbers)

    def record(self) -> dict[str, Any]:
        """Return what JSON can hold; `FeatureEncoder(**record)` is the encoder again."""
        return asdict(self)


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _positions(codes: NDArray[np.int64], known: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    if not len(known):
        return np.full(len(codes), UNSEEN)
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[place] == codes, first + place, UNSEEN)
