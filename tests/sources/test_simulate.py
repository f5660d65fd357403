"""Simulated exposures: the rates asked for, the truth behind them, and the columns of AliExpress."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError, auc
from gbdt_pwiser.sources import load, simulate
from gbdt_pwiser.sources.simulate import PAGE, SIMULATED
from tests.sources.simulated import SEARCH_COLUMNS, N, assert_rate

ITEM_COLUMNS = [f"categorical_{i}" for i in range(10, 17)] + [f"numerical_{i}" for i in range(24, 64)]


@pytest.fixture(scope="module")
def simulation():
    return simulate(N, seed=3, accidental_clicks=0.3, ctr=0.2, cvr=0.2)


# ------------------------------------------------------------------------------ rates


@pytest.mark.parametrize(
    ("ctr", "cvr", "accidental"),
    [(0.022, 0.025, 0.3), (0.2, 0.3, 0.0), (0.2, 0.3, 0.6), (0.5, 0.05, 0.9), (0.9, 0.5, 0.4)],
)
def test_rates_come_out_as_asked(ctr, cvr, accidental):
    simulation = simulate(N, ctr=ctr, cvr=cvr, accidental_clicks=accidental)
    shown = simulation.exposures
    intended = shown.noise_free_click
    assert_rate(shown.click, ctr)
    assert_rate(shown.conversion[shown.click], cvr)
    # A click that is both is intended, so the accidental ones are the others.
    assert_rate(~intended[shown.click], accidental)
    # The probabilities have these means exactly, apart from the draw.
    assert simulation.relevance.mean() == pytest.approx(ctr * (1 - accidental), rel=1e-6)


def test_clicks_follow_their_probabilities(simulation):
    """In each tenth of the rows by probability, the share of clicks is the mean probability."""
    shown, clicks = simulation.exposures, simulation.exposures.click
    either = 1 - (1 - simulation.relevance) * (1 - simulation.accident)
    for probability, happened in ((simulation.relevance, shown.noise_free_click), (either, clicks)):
        for tenth in np.array_split(np.argsort(probability), 10):
            assert_rate(happened[tenth], probability[tenth].mean())


def test_without_accidents_every_click_is_intended():
    simulation = simulate(N, accidental_clicks=0)
    np.testing.assert_array_equal(simulation.exposures.noise_free_click, simulation.exposures.click)
    assert not simulation.accident.any()


def test_only_intended_clicks_convert(simulation):
    shown = simulation.exposures
    assert shown.conversion.any()
    assert not (shown.conversion & ~shown.noise_free_click).any()
    assert not (shown.noise_free_click & ~shown.click).any()
    assert (shown.click & ~shown.noise_free_click).any()


# ------------------------------------------------------------------------------ the truth


def test_relevance_orders_intended_clicks_and_accident_the_others(simulation):
    shown = simulation.exposures
    accidental = shown.click & ~shown.noise_free_click
    assert auc(simulation.relevance, shown.noise_free_click) > 0.7
    assert auc(simulation.accident, shown.noise_free_click) == pytest.approx(0.5, abs=0.02)
    assert auc(simulation.accident, accidental) > 0.7
    assert abs(np.corrcoef(simulation.relevance, simulation.accident)[0, 1]) < 0.02


def test_conversions_are_likelier_where_relevance_is_high(simulation):
    intended = simulation.exposures.noise_free_click
    converted = simulation.exposures.conversion[intended]
    assert auc(simulation.relevance[intended], converted) > 0.6


def test_features_show_the_truth_through_noise(simulation):
    """Some feature is correlated with relevance, some with accidents, and none is the truth itself."""
    features = simulation.exposures.features.to_numpy().T
    for truth in (simulation.relevance, simulation.accident):
        strongest = max(abs(np.corrcoef(column, truth)[0, 1]) for column in features)
        assert 0.1 < strongest < 0.9


# ------------------------------------------------------------------------------ shape


def test_columns_are_those_of_aliexpress(simulation):
    shown = simulation.exposures
    assert shown.categorical == tuple(f"categorical_{i}" for i in range(1, 17))
    assert shown.features.columns == [*shown.categorical, *(f"numerical_{i}" for i in range(1, 64))]
    assert shown.name == "simulated"
    assert len(shown) == N
    assert shown.time is None
    assert shown.in_test is None


def test_values_are_codes_and_shares(simulation):
    features = simulation.exposures.features
    codes = features.select(pl.col(pl.Int32))
    numbers = features.select(pl.col(pl.Float32))
    assert (codes.width, numbers.width) == (16, 63)
    for column in codes:
        assert 3 <= column.n_unique() <= 40
        assert column.min() == 0
        assert column.max() < 40
    for column in numbers:
        assert column.null_count() == 0
        assert column.min() >= 0
        assert column.max() <= 1
        assert column.n_unique() > 50
    # Every fourth is mostly zero, of the search's columns and of the item's.
    zeros = [name for name in numbers.columns if (numbers[name] == 0).mean() > 0.5]
    assert zeros == [f"numerical_{i}" for i in (*range(4, 24, 4), *range(27, 64, 4))]


def test_pages_hold_a_search(simulation):
    shown = simulation.exposures
    sizes = np.bincount(shown.group)
    assert (np.diff(shown.group) >= 0).all()
    assert sizes.min() >= 1
    assert sizes.max() == PAGE == 20
    assert 0.4 < (sizes == PAGE).mean() < 0.65  # a half, and one in twenty of the others
    distinct = shown.features.group_by(pl.Series("group", shown.group)).n_unique()
    assert (distinct.select(SEARCH_COLUMNS).max().row(0)) == (1,) * len(SEARCH_COLUMNS)
    assert min(distinct.select(ITEM_COLUMNS).max().row(0)) > 1
    assert {*SEARCH_COLUMNS, *ITEM_COLUMNS} == set(shown.features.columns)


@pytest.mark.parametrize("n", [1, 2, 19, 1000])
def test_any_number_of_exposures(n):
    simulation = simulate(n)
    assert len(simulation.exposures) == len(simulation.relevance) == len(simulation.accident) == n
    assert len(simulation.exposures.group) == n


# ------------------------------------------------------------------------------ seeds


def everything(simulation):
    shown = simulation.exposures
    return [
        shown.features.to_numpy(),
        *(shown.grade, shown.group, shown.noise_free_click),
        *(simulation.relevance, simulation.accident),
    ]


def test_the_seed_decides():
    first, again, other = (everything(simulate(2000, seed=seed, ctr=0.2, cvr=0.2)) for seed in (1, 1, 2))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_seeds_sample_one_world():
    """What a feature says of relevance is the same for every seed, so that one can train and one can test."""

    def slopes(seed):
        simulation = simulate(50_000, seed=seed, ctr=0.2, cvr=0.2)
        features = simulation.exposures.features.select(pl.col(pl.Float32)).to_numpy()
        return np.array([np.corrcoef(column, simulation.relevance)[0, 1] for column in features.T])

    ours, theirs = slopes(1), slopes(2)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_accidents_are_a_dial_on_one_sample():
    """More accidents leave the features as they are and make clicks a worse sign of relevance."""
    simulations = [simulate(50_000, accidental_clicks=a, ctr=0.2, cvr=0.1) for a in (0.0, 0.3, 0.6)]
    scores = [auc(s.relevance, s.exposures.click) for s in simulations]
    for (low, high), (before, after) in zip(pairwise(simulations), pairwise(scores), strict=True):
        assert low.exposures.features.equals(high.exposures.features)
        assert after < before - 0.03


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_exposures": 0}, "n_exposures is 0; simulate at least 1 exposure"),
        ({"n_exposures": -5}, "n_exposures is -5"),
        ({"accidental_clicks": 1.0}, r"accidental_clicks is 1\.0; give a share of the clicks in \[0, 1\)"),
        ({"accidental_clicks": -0.1}, r"accidental_clicks is -0\.1"),
        ({"accidental_clicks": float("nan")}, "accidental_clicks is nan"),
        ({"ctr": 0.0}, r"ctr is 0\.0; give a rate in \(0, 1\)"),
        ({"ctr": 1.0}, r"ctr is 1\.0"),
        ({"ctr": float("nan")}, "ctr is nan"),
        ({"cvr": 0.0}, r"cvr is 0\.0; give a rate in \(0, 0\.7\): only intended clicks convert"),
        ({"cvr": 0.7}, r"cvr is 0\.7; give a rate in \(0, 0\.7\)"),
        ({"cvr": 0.2, "accidental_clicks": 0.9}, r"cvr is 0\.2; give a rate in \(0, 0\.1\)"),
        ({"position_bias": 1.0}, r"position_bias is 1\.0; give a number in \[0, 1\)"),
        ({"position_bias": float("nan")}, "position_bias is nan"),
        ({"user_bias": -0.5}, r"user_bias is -0\.5; give a number in \[0, 1\)"),
        ({"user_bias": 1}, "user_bias is 1;"),
        ({"click_bait": 1.0}, r"click_bait is 1\.0; give a share of the intended clicks in \[0, 1\)"),
        ({"click_bait": float("nan")}, "click_bait is nan"),
        ({"drift": 1.5}, r"drift is 1\.5; give a number in \[0, 1\]"),
        ({"drift": float("nan")}, "drift is nan"),
        ({"delay": -0.5}, r"delay is -0\.5; give days from 0 to 36500"),
        ({"delay": float("nan")}, "delay is nan"),
        ({"delay": float("inf")}, "delay is inf"),
        ({"open_as": "opn"}, r"unknown open_as 'opn' \(did you mean open\?\); choose one of open, none"),
        ({"drift": 0.5, "days": 1}, "days is 1; give a whole number from 2 to 36500"),
        ({"cvr": 0.4, "click_bait": 0.5}, r"\(0, 0\.35\): only intended clicks convert, and none on bait"),
    ],
)
def test_parameters_outside_their_range(options, message):
    with pytest.raises(InputError, match=message):
        simulate(**{"n_exposures": 100, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed is -1; give a whole number from 0 to 4294967295"),
        ({"n_exposures": 10**12}, "n_exposures is 1000000000000, and the memory of this machine holds"),
        ({"ctr": 1e-300}, "ctr is 1e-300, which no simulation shows; give at least 1e-09"),
        ({"cvr": 1e-300}, "cvr is 1e-300, which no simulation shows"),
        ({"accidental_clicks": 1e-300}, "accidental_clicks is 1e-300, which no simulation shows"),
        ({"click_bait": 1e-300}, "click_bait is 1e-300, which no simulation shows"),
    ],
)
def test_what_no_simulation_can_have(options, message):
    with pytest.raises(InputError, match=message):
        simulate(**{"n_exposures": 100, **options})


def test_every_parameter_is_an_option_of_load():
    options = {"n_exposures": 300, "seed": 4, "accidental_clicks": 0.2, "ctr": 0.3, "cvr": 0.4}
    options |= {"position_bias": 0.5, "user_bias": 0.5, "click_bait": 0.1, "drift": 0.5, "days": 3}
    options |= {"delay": 0.2, "open_as": "none"}
    assert set(SIMULATED.options) == set(options)
    loaded = load("simulated", **options)
    np.testing.assert_array_equal(loaded.exposures.matrix(), simulate(**options).exposures.matrix())
    assert not loaded.released
