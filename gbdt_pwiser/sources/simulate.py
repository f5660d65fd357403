"""Simulated exposures in the shape of the AliExpress ones, with a known truth."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.split import Dataset
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import check_whole
from gbdt_pwiser.sources.source import Made

NAME = "simulated"
PAGE = 20
# Of memory while they are made: 79 features and what they are made of.
BYTES_EACH = 1500
# Of what one in a thousand million exposures does, any number of them has nothing to tell.
LEAST_RATE = 1e-9
# Columns of the AliExpress files: those of the search are constant inside it, the others are the item's.
SEARCH_CATEGORICALS, ITEM_CATEGORICALS = 9, 7
SEARCH_NUMERICALS, ITEM_NUMERICALS = 23, 40
# Of the latent traits of a search or an item, those behind relevance and those behind accidents.
RELEVANT, ACCIDENTAL = 6, 2
RELEVANCE_SPREAD, ACCIDENT_SPREAD, CONVERSION_SPREAD = 1.2, 1.2, 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated exposures and what generated them.

    Attributes
    ----------
    exposures
        What a log would show, and the noise-free clicks for evaluation.
    relevance
        float64 (n,): true probability of an intended click.
    accident
        float64 (n,): true probability of an accidental click.
    """

    exposures: Exposures
    relevance: Floats
    accident: Floats


def simulate(
    n_exposures: int = 200_000,
    *,
    seed: int = 0,
    accidental_clicks: float = 0.3,
    ctr: float = 0.022,
    cvr: float = 0.025,
) -> Simulation:
    """Simulate search pages of up to 20 items with clicks, accidental clicks and conversions.

    An *intended* click follows the relevance of an item to a search, a function of both their traits. An
    *accidental* click follows other traits, of the device and of the layout. A conversion follows an
    intended click only, likelier where relevance is high::

        P(intended)   = sigmoid(a + 1.2 r)        click = intended or accidental
        P(accidental) = sigmoid(b + 1.2 t)        P(conversion | intended) = sigmoid(c + r)

    with r, t of unit variance and a, b, c such that the rates come out as asked. All traits are seen only
    through noisy features: 63 numericals in [0, 1] (23 of the search) and 16 categoricals (9 of the search).

    Parameters
    ----------
    n_exposures
        Rows, at least 1.
    seed
        Of everything random.
    accidental_clicks
        Share of the clicks that are accidental, in [0, 1): the dial of the hypothesis that clicks without a
        conversion are noise.
    ctr
        Clicks per exposure, in (0, 1). The default is near that of AliExpress US.
    cvr
        Conversions per click, in (0, 1 - accidental_clicks). The default is near that of AliExpress US.

    Raises
    ------
    InputError
        A parameter outside its range.

    Examples
    --------
    >>> exposures = simulate(1000, seed=1).exposures
    >>> len(exposures), exposures.features.width, len(exposures.categorical)
    (1000, 79, 16)
    """
    check_whole("seed", seed, 0, 2**32 - 1)  # what a sequence of seeds gives
    if n_exposures < 1:
        raise InputError(f"n_exposures is {n_exposures}; simulate at least 1 exposure")
    if n_exposures > (most := os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // BYTES_EACH):
        raise InputError(
            f"n_exposures is {n_exposures}, and the memory of this machine holds {most:,}; simulate fewer"
        )
    if not 0.0 <= accidental_clicks < 1.0:
        raise InputError(f"accidental_clicks is {accidental_clicks}; give a share of the clicks in [0, 1)")
    if not 0.0 < ctr < 1.0:
        raise InputError(f"ctr is {ctr}; give a rate in (0, 1)")
    for name, rate in (("ctr", ctr), ("cvr", cvr), ("accidental_clicks", accidental_clicks)):
        if 0.0 < rate < LEAST_RATE:
            raise InputError(f"{name} is {rate}, which no simulation shows; give at least {LEAST_RATE:g}")
    if not 0.0 < cvr < 1.0 - accidental_clicks:
        raise InputError(
            f"cvr is {cvr}; give a rate in (0, {1.0 - accidental_clicks:g}): only intended clicks convert"
        )
    rng = np.random.default_rng(seed)
    search = _searches(n_exposures, rng)
    traits = RELEVANT + ACCIDENTAL
    of_search = rng.standard_normal((int(search[-1]) + 1, traits))
    of_item = rng.standard_normal((n_exposures, traits))
    seen = of_search[search]

    # The same world for every seed, so that seeds differ in their sample only.
    world = np.random.default_rng(20240602)
    matching = world.standard_normal((RELEVANT, RELEVANT))
    relevance = _standardized(
        0.5 * seen[:, :RELEVANT] @ world.standard_normal(RELEVANT)
        + of_item[:, :RELEVANT] @ world.standard_normal(RELEVANT)
        + 0.5 * np.einsum("ij,jk,ik->i", seen[:, :RELEVANT], matching, of_item[:, :RELEVANT])
    )
    layout = _standardized(
        seen[:, RELEVANT:] @ world.standard_normal(ACCIDENTAL)
        + of_item[:, RELEVANT:] @ world.standard_normal(ACCIDENTAL)
        + seen[:, RELEVANT] * of_item[:, RELEVANT]
    )
    intended_rate = ctr * (1.0 - accidental_clicks)
    p_intended = _with_mean(RELEVANCE_SPREAD * relevance, intended_rate)
    # An accident on top of an intended click adds none: ask for more accidents by that much.
    p_accident = (
        _with_mean(ACCIDENT_SPREAD * layout, ctr * accidental_clicks / (1.0 - intended_rate))
        if accidental_clicks
        else np.zeros(n_exposures)
    )
    p_conversion = _with_mean(CONVERSION_SPREAD * relevance, cvr * ctr / intended_rate, p_intended)
    intended, accidental, converting = (
        rng.random(n_exposures) < p for p in (p_intended, p_accident, p_conversion)
    )
    click, conversion = intended | accidental, intended & converting

    columns = _features("categorical", 0, _codes(of_search, SEARCH_CATEGORICALS, rng, world), search)
    columns |= _features("categorical", SEARCH_CATEGORICALS, _codes(of_item, ITEM_CATEGORICALS, rng, world))
    categorical = tuple(columns)
    columns |= _features("numerical", 0, _numericals(of_search, SEARCH_NUMERICALS, rng, world), search)
    columns |= _features("numerical", SEARCH_NUMERICALS, _numericals(of_item, ITEM_NUMERICALS, rng, world))
    return Simulation(
        exposures=Exposures(
            name=NAME,
            features=pl.DataFrame(columns),
            grade=click.astype(np.int8) + conversion.astype(np.int8),
            categorical=categorical,
            group=search,
            noise_free_click=intended,
        ),
        relevance=p_intended,
        accident=p_accident,
    )


def _searches(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Search of each exposure: full pages and shorter last ones, ids ascending."""
    sizes = np.where(rng.random(n) < 0.5, PAGE, rng.integers(1, PAGE + 1, n))
    return np.repeat(np.arange(n), sizes)[:n].astype(np.int64)


def _standardized(x: Floats) -> Floats:
    centered: Floats = x - x.mean()
    return centered / max(float(x.std()), 1e-12)


def _with_mean(x: Floats, mean: float, weight: Floats | None = None) -> Floats:
    """Sigmoid of x, shifted so that its (weighted) mean is as given."""
    shift = brentq(lambda c: np.average(expit(x + c), weights=weight) - mean, -200.0, 200.0)
    return np.asarray(expit(x + shift))


def _noisy(traits: Floats, count: int, rng: np.random.Generator, world: np.random.Generator) -> Floats:
    """Columns that each show one trait or a mixture of two through noise; the last third shows nothing."""
    n, k = traits.shape
    loading = np.zeros((k, count))
    for column in range(count - count // 3):
        loading[column % k, column] += 1.0
        loading[world.integers(k), column] += world.choice([0.0, 0.5])
    noise = np.where(np.arange(count) < k, 0.3, 1.0)
    noisy: Floats = traits @ loading + noise * rng.standard_normal((n, count))
    return noisy


def _numericals(
    traits: Floats, count: int, rng: np.random.Generator, world: np.random.Generator
) -> NDArray[np.float32]:
    """Numbers in [0, 1], every fourth column mostly zero as counters are."""
    x = ndtr(_noisy(traits, count, rng, world) / 1.2)
    x[:, 3::4] = np.maximum(x[:, 3::4] - 0.6, 0.0) / 0.4
    single: NDArray[np.float32] = x.astype(np.float32)
    return single


def _codes(
    traits: Floats, count: int, rng: np.random.Generator, world: np.random.Generator
) -> NDArray[np.int32]:
    """Small whole numbers: cut traits, renumbered so that their order says nothing."""
    x = ndtr(_noisy(traits, count, rng, world) / 1.2)
    levels = world.integers(3, 41, count)
    codes = np.minimum((x * levels).astype(np.int32), levels - 1)
    return np.stack([world.permutation(size)[codes[:, i]] for i, size in enumerate(levels)], axis=1).astype(
        np.int32
    )


def _features(
    kind: str, offset: int, values: NDArray[np.generic], rows: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.generic]]:
    values = values if rows is None else values[rows]
    return {f"{kind}_{offset + i + 1}": np.ascontiguousarray(column) for i, column in enumerate(values.T)}


def _make(**options: Any) -> Dataset:
    return Dataset(simulate(**options).exposures)


SIMULATED = Made(
    name=NAME,
    description="Simulated search pages with accidental clicks",
    options=tuple(inspect.signature(simulate).parameters),
    make=_make,
)
