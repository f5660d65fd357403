"""Is a gain more than chance? Intervals and p-values of the difference between two paired predictions.

docs/explanation/significance.md says which of these to use when.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gbdt_pwiser.data.progress import bar
from gbdt_pwiser.metrics.checks import check_group
from gbdt_pwiser.metrics.metric import Statistic
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.significance._delong import delong
from gbdt_pwiser.significance._paired_test import CONFIDENCE, PairedTest

__all__ = [
    "CONFIDENCE",
    "PairedTest",
    "Statistic",
    "across_seeds",
    "bootstrap_groups",
    "combine_seeds",
    "delong",
    "group_bootstrap",
    "holm",
]


def group_bootstrap(
    gain: Statistic, group: NDArray[np.integer[Any]], *, replicates: int = 1000, seed: int = 0
) -> PairedTest:
    """Test the gain in any metric by drawing groups with replacement, both predictions by the same draw.

        standard_error = standard deviation of gain(weights) over the draws,
        with weight_i = how often the group of row i was drawn

    Parameters
    ----------
    gain
        From weights, float64 (n,), to the difference of the metric. It is called with ones first.
    group
        int (n,): what is drawn, as searches or users; np.arange(n) where exposures are independent.
    replicates
        How many draws; the error of the standard error is about 1 / sqrt(2 replicates) of it.
    seed
        Of the draws.

    Returns
    -------
    PairedTest
        Student's interval with groups - 1 degrees of freedom around gain(ones). Draws with a NaN gain, as
        without any positive, are left out; with more than a tenth of them, or one group, there is no error.

    Raises
    ------
    InputError
        group is not one integer per exposure, or replicates is below 2.

    Examples
    --------
    >>> better = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    >>> test = group_bootstrap(lambda w: np.average(better - 0.5, weights=w), np.arange(6), seed=1)
    >>> f"{test.gain:.3f} {test.low < 0 < test.high}"
    '0.167 True'
    """
    check_group(group, len(group))
    index = np.unique(group, return_inverse=True)[1]
    groups = int(index.max()) + 1 if len(index) else 0
    return bootstrap_groups(
        {"gain": lambda weight: gain(weight[index])}, groups, replicates=replicates, seed=seed
    )["gain"]


def bootstrap_groups(
    gains: Mapping[str, Statistic], groups: int, *, replicates: int, seed: int
) -> dict[str, PairedTest]:
    """Test several gains by the same draws; each is a function of the groups' weights, float64 (groups,)."""
    if replicates < 2:
        raise InputError(f"replicates is {replicates}; give at least 2, better 1000")
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in gains}
    for _ in bar(range(replicates if groups > 1 else 0), desc="bootstrap", delay=2, leave=False):
        weight = np.bincount(rng.integers(0, groups, groups), minlength=groups).astype(np.float64)
        for name, gain in gains.items():
            drawn[name].append(gain(weight))

    tests = {}
    for name, gain in gains.items():
        values = np.array(drawn[name])
        values = values[~np.isnan(values)]
        error = math.nan
        if groups > 1 and len(values) >= max(2.0, 0.9 * replicates):
            error = float(np.std(values, ddof=1)) * math.sqrt(groups / (groups - 1))
        tests[name] = PairedTest.from_error(
            float(gain(np.ones(groups))), error, "bootstrap by group", degrees=groups - 1
        )
    return tests


def across_seeds(gains: Sequence[float]) -> PairedTest:
    """Test a mean gain by its spread over seeds, Student's interval.

        standard_error = standard deviation of the gains / sqrt(seeds), with seeds - 1 degrees of freedom

    It answers "would other seeds agree?", and "would other data?" only where each seed has data of its own.
    Where seeds share a test set use `combine_seeds`.

    Parameters
    ----------
    gains
        One per seed, each the difference to the baseline of that seed.

    Returns
    -------
    PairedTest
        Without an error (NaN) for one seed, or where a gain is NaN.

    Raises
    ------
    InputError
        There is no gain.

    Examples
    --------
    >>> test = across_seeds([0.001, 0.002, 0.003])
    >>> f"{test.gain:.4f} {test.low:.4f} {test.high:.4f} {test.p_value:.3f}"
    '0.0020 -0.0005 0.0045 0.074'
    """
    if not len(gains):
        raise InputError("no gain to average; give one per seed")
    error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
    return PairedTest.from_error(
        float(np.mean(gains)), error, f"{_seeds(len(gains))}", degrees=len(gains) - 1
    )


def combine_seeds(tests: Sequence[PairedTest]) -> PairedTest:
    """Join the tests of several seeds on one test set: the error of the test sample and that of the seeds.

    ::

        standard_error**2 = mean_s(standard_error_s**2) + var_s(gain_s) / seeds

    More seeds wear down the second part only: they share the test sample, whose error stays whole. The first
    part takes the sample's error as the same for all seeds, which is its upper bound; seeds with splits of
    their own are covered too, with an interval on the wide side. Degrees of freedom by Satterthwaite:
    (seeds - 1) (standard_error**2 / second part)**2.

    Parameters
    ----------
    tests
        One per seed, of `delong` or `group_bootstrap`.

    Returns
    -------
    PairedTest
        For one seed its own test: it speaks of that one pair of trained models. Without an error where one
        of the tests has none.

    Raises
    ------
    InputError
        There is no test.
    """
    if not tests:
        raise InputError("no test to combine; give one per seed")
    if len(tests) == 1:
        return tests[0]
    gains = np.array([test.gain for test in tests])
    of_sample = float(np.mean([test.standard_error**2 for test in tests]))
    of_seeds = float(np.var(gains, ddof=1)) / len(gains)
    degrees = (len(tests) - 1) * ((of_sample + of_seeds) / of_seeds) ** 2 if of_seeds > 0 else math.inf
    methods = " and ".join(dict.fromkeys(test.method for test in tests))
    return PairedTest.from_error(
        float(gains.mean()),
        math.sqrt(of_sample + of_seeds),
        f"{methods}; {_seeds(len(tests))}",
        degrees=degrees,
    )


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values of a table, so that the chance of any false mark in all of it is 5 %.

        adjusted of the k-th smallest of m = max over j <= k of min(1, (m - j + 1) p_j)

    Parameters
    ----------
    p_values
        float, any shape: every cell that might be marked. NaN is no test, does not count and stays NaN.

    Returns
    -------
    float64, the same shape
        A cell survives where it is below 0.05.

    Raises
    ------
    InputError
        A value is outside [0, 1].

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    tested = p[~np.isnan(p)]
    if not ((tested >= 0) & (tested <= 1)).all():
        raise InputError(f"p_values run from {tested.min()} to {tested.max()}; a p-value lies in [0, 1]")
    order = np.argsort(tested)
    stepped = tested[order] * np.arange(len(tested), 0, -1)
    held = np.empty_like(tested)
    held[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    adjusted = np.full(p.shape, np.nan)
    adjusted[~np.isnan(p)] = held
    return adjusted
