"""Train, validation and test parts of exposures, cut by group, by time or by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.leaks import warn_of_leaks
from gbdt_pwiser.data.rare import share_rare
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import LARGEST, check_whole, did_you_mean

SPLITS = ("auto", "group", "time", "row")
FRACTIONS = (0.6, 0.2, 0.2)


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint parts of one data set, each with clicks, non-clicks and conversions."""

    train: Exposures
    valid: Exposures
    test: Exposures

    def __post_init__(self) -> None:
        for part in ("train", "valid", "test"):
            _check_part(getattr(self, part), part)


@dataclass(frozen=True)
class SplitOptions:
    """How exposures are split; `split` says what the options mean.

    Raises
    ------
    InputError
        An unknown `by`, or fractions that are not three positive numbers whose sum is 1.
    """

    by: str = "auto"
    fractions: Sequence[float] = FRACTIONS

    def __post_init__(self) -> None:
        if self.by not in SPLITS:
            near = did_you_mean([self.by], SPLITS)
            raise InputError(
                f"by is {self.by!r}{f', {near}' if near else ''}; choose one of {', '.join(SPLITS)}"
            )
        shares = self.fractions
        if len(shares) != 3 or not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
            raise InputError(
                f"fractions are {tuple(shares)}; give three positive numbers for train, validation and test "
                "whose sum is 1"
            )


@dataclass(frozen=True, eq=False)
class Rows:
    """What rows are split by: the name of their set, how many there are, int64 (n,) groups and times."""

    name: str
    count: int
    group: NDArray[np.int64] | None
    time: NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Exposures and how they are to be split.

    Parameters
    ----------
    exposures, split_options
        The rows, and how to split them.
    released
        Whether this is a released set of that name, on which others have published figures.
    rare
        Rows of training that a category needs for a code of its own, see `gbdt_pwiser.data.rare`; None
        where each category has one, or the codes were made so when the set was prepared.
    """

    exposures: Exposures
    split_options: SplitOptions = SplitOptions()
    released: bool = False
    rare: int | None = None
    _looked_for_leaks: ClassVar[bool] = False

    def split(self, seed: int = 0) -> Split:
        """Split the exposures; `seed` is that of the shuffle of groups or rows.

        The first time warns of features that give the label away; see `gbdt_pwiser.data.leaks`.
        """
        parts = self.cut(seed)
        if not self._looked_for_leaks:
            object.__setattr__(self, "_looked_for_leaks", True)
            warn_of_leaks(parts.train)
        return parts

    def cut(self, seed: int = 0) -> Split:
        """Split the exposures as `split` does, without a look for leaks."""
        options = self.split_options
        parts = split(self.exposures, by=options.by, fractions=options.fractions, seed=seed)
        return parts if self.rare is None else Split(*share_rare([*vars(parts).values()], self.rare))


def split(
    exposures: Exposures, *, by: str = "auto", fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> Split:
    """Cut exposures into train, validation and test; rows keep their order inside each part.

    Validation and test are as serving will see them (`Exposures.as_served`), so that early stopping, choices
    and metrics are of what a served model knows.

    Parameters
    ----------
    exposures
        (n,) rows. Where the publisher fixed the test rows (`in_test`), they are the test part, and the
        first two fractions share out the others.
    by
        `group`: whole groups, shuffled. `time`: earlier rows to train, later ones to test, rows of equal
        time together. `row`: rows, shuffled. `auto`: time if the exposures have it, else group, else row.
    fractions
        Shares of the rows for train, validation and test; each cut falls as near to them as whole groups
        or times allow.
    seed
        Of the shuffle; unused by `time`.

    Raises
    ------
    InputError
        An option breaks a rule above, `by` needs a column that is missing, or a part lacks rows, clicks,
        non-clicks or conversions.

    Examples
    --------
    >>> from gbdt_pwiser.sources import simulate
    >>> parts = split(simulate(20_000).exposures, by="group")
    >>> [round(len(part) / 20_000, 2) for part in (parts.train, parts.valid, parts.test)]
    [0.6, 0.2, 0.2]
    """
    SplitOptions(by, fractions)  # refuses what breaks a rule
    check_whole("seed", seed, 0, LARGEST)
    if exposures.in_test is None:
        train, valid, test = _cut(exposures, by, fractions, seed)
    else:
        train, valid = _cut(exposures.take(~exposures.in_test), by, fractions[:2], seed)
        test = exposures.take(exposures.in_test)
    return Split(train, valid.as_served(), test.as_served())


def cut(rows: Rows, options: SplitOptions, seed: int) -> NDArray[np.int64]:
    """Return int64 (n,): 0 for the rows that `split` puts into train, 1 for validation, 2 for test."""
    return _part_of(rows, options.by, options.fractions, seed)


def _cut(exposures: Exposures, by: str, fractions: Sequence[float], seed: int) -> list[Exposures]:
    """Cut the rows into consecutive runs of units, as near to the fractions as whole units allow."""
    rows = Rows(exposures.name, len(exposures), exposures.group, exposures.time)
    part = _part_of(rows, by, fractions, seed)
    return [exposures.take(part == i) for i in range(len(fractions))]


def _part_of(rows: Rows, by: str, fractions: Sequence[float], seed: int) -> NDArray[np.int64]:
    """int64 (n,): the part, from 0, that each row is in."""
    by = _unit(rows, by)
    place = _places(rows, by, seed)
    ends = np.concatenate([[0], np.cumsum(np.bincount(place))])
    shares = np.cumsum(fractions) / np.sum(fractions)
    cuts = [int(np.abs(ends - share * rows.count).argmin()) for share in shares[:-1]]
    part = np.searchsorted(cuts, place, side="right")
    sizes = np.bincount(part, minlength=len(fractions))
    if 0 in sizes:
        empty = ("train", "validation", "test")[int(sizes.argmin())]
        units = "" if by == "row" else f" of {len(ends) - 1} {by}{'' if len(ends) == 2 else 's'}"
        raise InputError(
            f"the {empty} split of {rows.name!r} is empty: there are {rows.count} rows{units} to "
            f"cut between; give it a larger fraction, or more {by}s"
        )
    return part


def _unit(rows: Rows, by: str) -> str:
    """Return what is cut: time, group or row."""
    if by != "auto":
        return by
    return "time" if rows.time is not None else "group" if rows.group is not None else "row"


def _places(rows: Rows, by: str, seed: int) -> NDArray[np.int64]:
    """int64 (n,): place, in the order to cut along, of the unit that each row belongs to."""
    rng = np.random.default_rng(seed)
    if by == "row":
        return rng.permutation(rows.count)
    values = rows.time if by == "time" else rows.group
    if values is None:
        raise InputError(f"{rows.name} has no {by} to split by; choose by='auto' or by='row'")
    units, unit = np.unique(values, return_inverse=True)
    return unit if by == "time" else rng.permutation(len(units))[unit]


def _check_part(exposures: Exposures, part: str) -> None:
    """Refuse a part on which a model cannot be trained or measured."""
    part = {"valid": "validation"}.get(part, part)
    rows, clicks, conversions = len(exposures), int(exposures.click.sum()), int(exposures.conversion.sum())
    if rows == 0:
        raise InputError(f"the {part} split of {exposures.name!r} is empty; give it rows")
    if 0 in (clicks, rows - clicks, conversions):
        undecided = f" ({exposures.open.sum()} open)" if exposures.open.any() else ""
        raise InputError(
            f"one-class split: the {part} split of {exposures.name!r} has {rows} rows, {clicks} clicks and "
            f"{conversions} conversions{undecided}, and needs clicks, non-clicks and conversions; give it a "
            "larger fraction, another seed or more data"
        )
