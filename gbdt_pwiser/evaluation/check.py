"""What a data set can be used for, seen before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gbdt_pwiser.data import Dataset, Exposures, Split
from gbdt_pwiser.data.leaks import find_leaks
from gbdt_pwiser.data.progress import bar
from gbdt_pwiser.data.stored import nameless
from gbdt_pwiser.data.values import SHARED, has_shared_code
from gbdt_pwiser.metrics.drift import Drift, drift
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.significance.power import detectable_gain

MOSTLY_MISSING: Final = 0.5
"""Share of missing values above which a number is told of."""
WORST: Final = 5
"""Columns that are told of, of those with the most unseen categories."""


@dataclass(frozen=True)
class Part:
    """How much all exposures, or one part of their split, hold; groups is None where there are none."""

    name: str
    rows: int
    clicks: int
    conversions: int
    open: int
    groups: int | None

    @classmethod
    def of(cls, name: str, exposures: Exposures) -> Part:
        """Count exposures."""
        clicks, conversions = int(exposures.click.sum()), int(exposures.conversion.sum())
        groups = None if exposures.group is None else len(np.unique(exposures.group))
        return cls(name, len(exposures), clicks, conversions, int(exposures.open.sum()), groups)

    @property
    def click_rate(self) -> float:
        """Clicks per exposure."""
        return self.clicks / self.rows if self.rows else float("nan")

    @property
    def conversion_rate(self) -> float:
        """Conversions per click whose conversion is decided."""
        decided = self.clicks - self.open
        return self.conversions / decided if decided else float("nan")


@dataclass(frozen=True)
class Groups:
    """The groups of all exposures.

    Attributes
    ----------
    count
        How many.
    mean_rows
        Exposures per group.
    with_click, with_conversion
        Shares of the groups that have one.
    across_parts
        Groups with rows in several parts of the split; None without a split.
    """

    count: int
    mean_rows: float
    with_click: float
    with_conversion: float
    across_parts: int | None


@dataclass(frozen=True)
class Leak:
    """A feature that gives a label away by itself, with its AUC; see `find_leaks`."""

    feature: str
    label: str
    auc: float


@dataclass(frozen=True)
class Share:
    """A feature and a share of the rows of a part."""

    feature: str
    share: float


@dataclass(frozen=True)
class Check:
    """What `check` finds.

    Attributes
    ----------
    name
        Of the data set.
    features, categorical
        How many features, and how many of them are categorical.
    parts
        All exposures; then train, validation and test, unless they cannot be split.
    split_by
        What is split: time, group or row.
    published_test
        Whether the publisher chose the test rows, and only the others are split.
    refused
        Why they cannot be split; None where they can.
    groups
        None where there are none.
    leaks
        Features of training, or of all exposures without a split, that give a label away.
    drift
        The click rate over tenths of the range of time; None without a time.
    unseen
        The categorical features with the largest shares of test rows whose category training has not, or too
        rarely for a code of its own.
    shares_codes
        Whether rare categories share a code.
    missing
        Numerical features of which more than `MOSTLY_MISSING` are missing in training.
    constant
        Numerical features with one value, or none, in training.
    ctr_auc, conversion_auc
        The gain that the test part shows with 80 % power (`detectable_gain`), of pCTR for clicks and for
        conversions; None without a split.
    """

    name: str
    features: int
    categorical: int
    parts: tuple[Part, ...]
    split_by: str
    published_test: bool
    refused: str | None
    groups: Groups | None
    leaks: tuple[Leak, ...]
    drift: Drift | None
    unseen: tuple[Share, ...]
    shares_codes: bool
    missing: tuple[Share, ...]
    constant: tuple[str, ...]
    ctr_auc: float | None
    conversion_auc: float | None

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it, with the rates; null where a number cannot be told."""
        found = asdict(self)
        for stored, part in zip(found["parts"], self.parts, strict=True):
            stored |= {"click_rate": part.click_rate, "conversion_rate": part.conversion_rate}
        if self.drift:
            found["drift"]["rates"] = self.drift.rates
        cleaned = _without_nan(found)
        assert isinstance(cleaned, dict)
        return cleaned


def check(dataset: Dataset, *, seed: int = 0) -> Check:
    """Look at a data set as it would be split, without training anything.

    Features in files are read a block at a time: those of train and of test once.

    Parameters
    ----------
    dataset
        What `load` returns.
    seed
        Of the split.

    Examples
    --------
    >>> from gbdt_pwiser.sources import load
    >>> found = check(load("simulated", n_exposures=5000, ctr=0.2, cvr=0.3))
    >>> [part.name for part in found.parts], found.parts[0].rows, found.leaks
    (['all', 'train', 'validation', 'test'], 5000, ())
    """
    exposures, options = dataset.exposures, dataset.split_options
    parts: Split | None = None
    refused = None
    try:
        parts = dataset.cut(seed)
    except InputError as error:
        refused = str(error)
    counted = [Part.of("all", exposures)]
    if parts:
        named = (("train", parts.train), ("validation", parts.valid), ("test", parts.test))
        counted += [Part.of(name, part) for name, part in named]
    train = parts.train if parts else exposures
    seen = _Seen(train)
    last = counted[-1]
    classes = (
        (last.clicks, last.rows - last.clicks),
        (last.conversions, last.rows - last.open - last.conversions),
    )
    clicks, conversions = ((detectable_gain(*sizes) if parts else None) for sizes in classes)
    return Check(
        name=exposures.name,
        features=len(exposures.features.columns),
        categorical=len(exposures.categorical),
        parts=tuple(counted),
        split_by=_unit(exposures, options.by),
        published_test=exposures.in_test is not None,
        refused=refused,
        groups=_groups(exposures, parts),
        leaks=tuple(Leak(*found) for found in find_leaks(train)),
        drift=None if exposures.time is None else drift(exposures.click, exposures.time, exposures.group),
        unseen=seen.unseen_in(parts.test) if parts else (),
        shares_codes=bool(seen.shared),
        missing=seen.mostly_missing(),
        constant=seen.constant(),
        ctr_auc=clicks,
        conversion_auc=conversions,
    )


class _Seen:
    """What training has of each column: its categories, or the range of its numbers."""

    def __init__(self, train: Exposures) -> None:
        self._rows = len(train)
        self.shared = {name for name, known in (train.categories or {}).items() if has_shared_code(known)}
        self._codes = {name: np.empty(0, np.int32) for name in train.categorical}
        self._missing = dict.fromkeys(train.features.columns, 0)
        self._ranges: dict[str, tuple[float, float]] = {}
        for frame in _frames(train, "train"):
            for name in frame.columns:
                values = nameless(frame, name)
                if name in self._codes:
                    given = values.drop_nulls()
                    codes = np.union1d(self._codes[name], given.unique().to_numpy())
                    self._codes[name] = codes[codes != SHARED] if name in self.shared else codes
                else:
                    given = values.fill_nan(None).drop_nulls()
                    self._widen(name, given)
                self._missing[name] += len(values) - len(given)

    def _widen(self, name: str, given: pl.Series) -> None:
        if len(given):
            numbers = given.to_numpy()
            low, high = self._ranges.get(name, (np.inf, -np.inf))
            self._ranges[name] = (min(low, float(numbers.min())), max(high, float(numbers.max())))

    def unseen_in(self, test: Exposures) -> tuple[Share, ...]:
        """Return the largest shares of rows that have a category which training has not."""
        counts = dict.fromkeys(self._codes, 0)
        for frame in _frames(test, "test"):
            for name, codes in self._codes.items():
                given: NDArray[np.int32] = nameless(frame, name).drop_nulls().to_numpy()
                counts[name] += int((~np.isin(given, codes)).sum())
        shares = [Share(name, count / max(1, len(test))) for name, count in counts.items() if count]
        return tuple(sorted(shares, key=lambda found: -found.share)[:WORST])

    def mostly_missing(self) -> tuple[Share, ...]:
        """Return the numbers that are mostly missing, and not always."""
        shares = [
            Share(name, self._missing[name] / max(1, self._rows))
            for name in self._missing
            if name in self._ranges
        ]
        return tuple(found for found in shares if found.share > MOSTLY_MISSING)

    def constant(self) -> tuple[str, ...]:
        """Return the numbers with one value throughout, or none."""
        numbers = [name for name in self._missing if name not in self._codes]
        return tuple(
            name
            for name in numbers
            if name not in self._ranges
            or (self._ranges[name][0] == self._ranges[name][1] and not self._missing[name])
        )


def _frames(exposures: Exposures, part: str) -> Iterator[pl.DataFrame]:
    yield from bar(exposures.frames(), desc=f"reading {part}", delay=2, leave=False)


def _unit(exposures: Exposures, by: str) -> str:
    if by != "auto":
        return by
    return "time" if exposures.time is not None else "group" if exposures.group is not None else "row"


def _groups(exposures: Exposures, parts: Split | None) -> Groups | None:
    if exposures.group is None or not len(exposures):
        return None
    ids, index = np.unique(exposures.group, return_inverse=True)
    clicks, conversions = (
        np.bincount(index, weights=which, minlength=len(ids)) > 0
        for which in (exposures.click, exposures.conversion)
    )
    across = None
    if parts:
        each = [
            np.unique(part.group) for part in (parts.train, parts.valid, parts.test) if part.group is not None
        ]
        across = int((np.unique(np.concatenate(each), return_counts=True)[1] > 1).sum())
    return Groups(
        len(ids), len(exposures) / len(ids), float(clicks.mean()), float(conversions.mean()), across
    )


def _without_nan(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nan(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_nan(inner) for inner in value]
        case float():
            return value if np.isfinite(value) else None
        case _:
            return value
