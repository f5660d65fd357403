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
from scipy.special import expit

from gbdt_pwiser.data.exposures import Exposures
from gbdt_pwiser.data.split import Dataset
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import check_whole
from gbdt_pwiser.sources._delays import WINDOW, OpenAs, Outcomes, check_delay, drawn_delays
from gbdt_pwiser.sources._simulated_features import Floats, codes, columns_of, numericals
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
# Of an intended click's log-odds, what being bait adds.
BAIT_PULL = 1.5
# Columns that only exist when their dial is on.
POSITION = "position"
BAIT_NUMERICALS = 2


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated exposures and what generated them.

    Attributes
    ----------
    exposures
        What a log would show, and the noise-free clicks for evaluation.
    relevance
        float64 (n,): true probability of an intended click, on bait too.
    accident
        float64 (n,): true probability of an accidental click.
    bait
        bool (n,): items that attract clicks and never convert.
    outcomes
        Clicks and conversions as they are in the end, and when they come.
    """

    exposures: Exposures
    relevance: Floats
    accident: Floats
    bait: NDArray[np.bool_]
    outcomes: Outcomes


def simulate(
    n_exposures: int = 200_000,
    *,
    seed: int = 0,
    accidental_clicks: float = 0.3,
    ctr: float = 0.022,
    cvr: float = 0.025,
    position_bias: float = 0.0,
    user_bias: float = 0.0,
    click_bait: float = 0.0,
    drift: float = 0.0,
    days: int = 10,
    delay: float = 0.0,
    open_as: OpenAs = "open",
) -> Simulation:
    """Simulate search pages of up to 20 items with clicks, accidental clicks and conversions.

    An *intended* click follows the relevance of an item to a search, a function of both their traits. An
    *accidental* click follows other traits, of the device and of the layout. A conversion follows an
    intended click only, likelier where relevance is high::

        P(intended)   = sigmoid(a + 1.2 r)        click = intended or accidental
        P(accidental) = sigmoid(b + 1.2 t)        P(conversion | intended) = sigmoid(c + r)

    with r, t of unit variance and a, b, c such that the rates come out as asked. All traits are seen only
    through noisy features: 63 numericals in [0, 1] (23 of the search) and 16 categoricals (9 of the search).

    Three more dials, each off at 0, say where the clicks that tell nothing of conversions fall::

        P(intended)   = sigmoid(a + 1.2 r + 1.5 [item is bait])
        P(accidental) = sigmoid(b + 1.2 (t + sqrt(u / (1 - u)) h) - log2(1 / (1 - position_bias)) log(place))
        P(conversion | intended) = sigmoid(c + r), and 0 on bait

    with place 1, 2, ... on the page, u = user_bias and h a standard normal of each search. A click is
    *noise-free* if it is intended and not on bait. The dials leave the features above as they are.

    A log that drifts has days 0 .. days - 1, as its time, over which r turns into another function r' of the
    same traits, that has other weights and is uncorrelated with r::

        r(day) = cos(angle) r + sin(angle) r',   angle = drift pi / 2 day / (days - 1)

    In a log with a delay, which has days too, conversions come later than their clicks, by an exponential
    time that is cut off at 3 delays. That long is the attribution window, after which a click is settled. The
    log ends at the end of its last day; the conversion of a click that is not settled by then is open.

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
        Conversions per click, in (0, (1 - accidental_clicks) (1 - click_bait)). The default is near that of
        AliExpress US.
    position_bias
        In [0, 1): how much the accidental clicks crowd the top of the page. At twice the place, their odds
        are 1 - position_bias times as high. The place is then one more feature, "position".
    user_bias
        In [0, 1): how much the accidental clicks are those of few searches, relevant or not. It is the share
        of the searches' own effect h in the variance of an accident's log-odds, next to that of t. Half of
        the variance of h is that of the traits of the search behind t, which features show.
    click_bait
        Share of the intended clicks, in [0, 1), that fall on bait: the items highest in a trait of their own,
        as many as it takes. Two more features show the trait through noise, numerical_64 and numerical_65.
    drift
        In [0, 1]: how much of a quarter turn relevance makes from the first day to the last. At 1 nothing of
        the first day's relevance is left on the last; at 0 the log has no time.
    days
        Of the log, in equal shares of the searches; 2 to 36,500. Without drift and delay it has no effect.
    delay
        Mean days from a click to its conversion before the cut, 0 to 36,500. At 0 conversions come at once.
    open_as
        How the log counts what is open: "open", as grade 3, also where a conversion has come before the end;
        or "none", where a conversion that has not come before the end is taken for none.

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
    _check(n_exposures, seed, accidental_clicks, ctr, cvr)
    _check_dials(position_bias, user_bias, click_bait)
    _check_cvr(cvr, accidental_clicks, click_bait)
    _check_drift(drift, days)
    check_delay(delay, open_as)
    rng = np.random.default_rng(seed)
    # What the dials draw leaves the other draws as they are.
    dials = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    search = _searches(n_exposures, rng)
    traits = RELEVANT + ACCIDENTAL
    of_search = rng.standard_normal((int(search[-1]) + 1, traits))
    of_item = rng.standard_normal((n_exposures, traits))
    seen = of_search[search]

    # The same world for every seed, so that seeds differ in their sample only.
    world = np.random.default_rng(20240602)
    relevance = _relevance(seen[:, :RELEVANT], of_item[:, :RELEVANT], world)
    searches = int(search[-1]) + 1
    day = search * days // searches if drift or delay else None
    if day is not None and drift:
        relevance = _drifted(relevance, seen[:, :RELEVANT], of_item[:, :RELEVANT], drift * day / (days - 1))
    of_device = world.standard_normal(ACCIDENTAL)
    layout = _standardized(
        seen[:, RELEVANT:] @ of_device
        + of_item[:, RELEVANT:] @ world.standard_normal(ACCIDENTAL)
        + seen[:, RELEVANT] * of_item[:, RELEVANT]
    )
    own = dials.standard_normal(len(of_search))
    habit = (of_search[:, RELEVANT:] @ of_device / np.linalg.norm(of_device) + own) / np.sqrt(2.0)
    place = _places(search)
    lure = dials.standard_normal(n_exposures)

    intended_rate = ctr * (1.0 - accidental_clicks)
    wish = RELEVANCE_SPREAD * relevance
    bait = _baited(lure, wish, intended_rate, click_bait)
    p_intended = _with_mean(wish + BAIT_PULL * bait, intended_rate)
    slip = ACCIDENT_SPREAD * (layout + np.sqrt(user_bias / (1.0 - user_bias)) * habit[search])
    slip += np.log2(1.0 - position_bias) * np.log(place)
    # An accident on top of an intended click adds none: ask for more accidents by that much.
    p_accident = (
        _with_mean(slip, ctr * accidental_clicks / (1.0 - intended_rate))
        if accidental_clicks
        else np.zeros(n_exposures)
    )
    p_conversion = _with_mean(
        CONVERSION_SPREAD * relevance, cvr * ctr / (intended_rate * (1.0 - click_bait)), p_intended * ~bait
    )
    intended, accidental, converting = (
        rng.random(n_exposures) < p for p in (p_intended, p_accident, p_conversion)
    )
    meant = intended & ~bait
    outcomes = Outcomes(
        click=intended | accidental,
        conversion=meant & converting,
        moment=search * np.float64(days / searches),
        delay=drawn_delays(n_exposures, delay, seed),
        window=WINDOW * delay,
    )

    columns = columns_of("categorical", 0, codes(of_search, SEARCH_CATEGORICALS, rng, world), search)
    columns |= columns_of("categorical", SEARCH_CATEGORICALS, codes(of_item, ITEM_CATEGORICALS, rng, world))
    categorical = tuple(columns)
    columns |= columns_of("numerical", 0, numericals(of_search, SEARCH_NUMERICALS, rng, world), search)
    columns |= columns_of("numerical", SEARCH_NUMERICALS, numericals(of_item, ITEM_NUMERICALS, rng, world))
    if click_bait:
        shown = numericals(lure[:, None], BAIT_NUMERICALS, dials, world)
        columns |= columns_of("numerical", SEARCH_NUMERICALS + ITEM_NUMERICALS, shown)
    if position_bias:
        columns[POSITION] = place.astype(np.float32)
    return Simulation(
        exposures=Exposures(
            name=NAME,
            features=pl.DataFrame(columns),
            grade=outcomes.grade_at(days, open_as),
            categorical=categorical,
            group=search,
            time=day,
            noise_free_click=meant,
        ),
        relevance=p_intended,
        accident=p_accident,
        bait=bait,
        outcomes=outcomes,
    )


def _check(n_exposures: int, seed: int, accidental_clicks: float, ctr: float, cvr: float) -> None:
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


def _check_dials(position_bias: float, user_bias: float, click_bait: float) -> None:
    for name, bias in (("position_bias", position_bias), ("user_bias", user_bias)):
        if not 0.0 <= bias < 1.0:
            raise InputError(f"{name} is {bias}; give a number in [0, 1)")
    if not 0.0 <= click_bait < 1.0:
        raise InputError(f"click_bait is {click_bait}; give a share of the intended clicks in [0, 1)")
    if 0.0 < click_bait < LEAST_RATE:
        raise InputError(
            f"click_bait is {click_bait}, which no simulation shows; give at least {LEAST_RATE:g}"
        )


def _check_drift(drift: float, days: int) -> None:
    if not 0.0 <= drift <= 1.0:
        raise InputError(f"drift is {drift}; give a number in [0, 1]")
    check_whole("days", days, 2, 36_500)


def _relevance(seen: Floats, of_item: Floats, world: np.random.Generator) -> Floats:
    """Return a function of the traits of searches and items, of weights that the world draws."""
    matching = world.standard_normal((RELEVANT, RELEVANT))
    return _standardized(
        0.5 * seen @ world.standard_normal(RELEVANT)
        + of_item @ world.standard_normal(RELEVANT)
        + 0.5 * np.einsum("ij,jk,ik->i", seen, matching, of_item)
    )


def _drifted(relevance: Floats, seen: Floats, of_item: Floats, turned: Floats) -> Floats:
    """Turn relevance into another one, by so much of a quarter turn in each exposure."""
    other = _relevance(seen, of_item, np.random.default_rng(20240603))
    other = _standardized(other - np.mean(other * relevance) * relevance)
    angle = turned * np.pi / 2.0
    return _standardized(np.cos(angle) * relevance + np.sin(angle) * other)


def _check_cvr(cvr: float, accidental_clicks: float, click_bait: float) -> None:
    most = (1.0 - accidental_clicks) * (1.0 - click_bait)
    if not 0.0 < cvr < most:
        bait = ", and none on bait" if click_bait else ""
        raise InputError(f"cvr is {cvr}; give a rate in (0, {most:g}): only intended clicks convert{bait}")


def _searches(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Search of each exposure: full pages and shorter last ones, ids ascending."""
    sizes = np.where(rng.random(n) < 0.5, PAGE, rng.integers(1, PAGE + 1, n))
    return np.repeat(np.arange(n), sizes)[:n].astype(np.int64)


def _places(search: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each exposure on its page, from 1."""
    rows = np.arange(len(search))
    first = np.flatnonzero(np.diff(search, prepend=-1))
    places: NDArray[np.int64] = rows - first[search] + 1
    return places


def _baited(lure: Floats, wish: Floats, rate: float, share: float) -> NDArray[np.bool_]:
    """Mask of the items highest in the lure, as many as get that share of clicks of that rate; never all.

    Bait has a click rate p(a) and is a part share * rate / p(a) of the items, others likewise with q(a); the
    shift a is the one at which the two parts are the whole.
    """

    def part(a: float) -> float:
        return rate * share / float(expit(wish + BAIT_PULL + a).mean())

    bait = np.zeros(len(lure), dtype=np.bool_)
    if share:
        a = brentq(lambda a: part(a) + rate * (1.0 - share) / expit(wish + a).mean() - 1.0, -200.0, 200.0)
        count = min(round(part(a) * len(lure)), len(lure) - 1)
        bait[np.argsort(-lure)[:count]] = True
    return bait


def _standardized(x: Floats) -> Floats:
    centered: Floats = x - x.mean()
    return centered / max(float(x.std()), 1e-12)


def _with_mean(x: Floats, mean: float, weight: Floats | None = None) -> Floats:
    """Sigmoid of x, shifted so that its (weighted) mean is as given."""
    reach = max(200.0, float(np.abs(x).max()) + 50.0)
    shift = brentq(lambda c: np.average(expit(x + c), weights=weight) - mean, -reach, reach)
    return np.asarray(expit(x + shift))


def _make(**options: Any) -> Dataset:
    return Dataset(simulate(**options).exposures)


SIMULATED = Made(
    name=NAME,
    description="Simulated search pages with accidental clicks",
    options=tuple(inspect.signature(simulate).parameters),
    make=_make,
)
