"""Simulated exposures: the rates asked for, the truth behind them, and the columns of AliExpress."""

import hashlib
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdt_pwiser.objectives import InputError, auc
from gbdt_pwiser.sources import load, simulate
from gbdt_pwiser.sources.simulate import PAGE, SIMULATED

N = 100_000
SEARCH_COLUMNS = [f"categorical_{i}" for i in range(1, 10)] + [f"numerical_{i}" for i in range(1, 24)]
ITEM_COLUMNS = [f"categorical_{i}" for i in range(10, 17)] + [f"numerical_{i}" for i in range(24, 64)]


@pytest.fixture(scope="module")
def simulation():
    return simulate(N, seed=3, accidental_clicks=0.3, ctr=0.2, cvr=0.2)


def assert_rate(hits: np.ndarray, rate: float) -> None:
    """A share of independent draws lies within five standard errors."""
    assert abs(hits.mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / len(hits))


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


# ------------------------------------------------------------------------------ dials

DIALS = [
    {"position_bias": 0.3},
    {"position_bias": 0.9},
    {"user_bias": 0.5},
    {"user_bias": 0.95},
    {"click_bait": 0.2},
    {"click_bait": 0.7},
    {"position_bias": 0.5, "user_bias": 0.5, "click_bait": 0.3},
]


def digest(**options) -> str:
    """Of all that a simulation holds; the last bits of a float64 depend on the processor and are left out."""
    simulation = simulate(2000, **options)
    shown = simulation.exposures
    truths = (simulation.relevance.astype(np.float32), simulation.accident.astype(np.float32))
    told = hashlib.sha256()
    for names in (shown.features.columns, shown.categorical):
        told.update(" ".join(names).encode())
    columns = [column.to_numpy() for column in shown.features]
    for values in (*columns, shown.grade, shown.group, shown.noise_free_click, *truths):
        told.update(values.tobytes())
    return told.hexdigest()


@pytest.mark.parametrize("dials", [{}, {"position_bias": 0.0, "user_bias": 0, "click_bait": 0.0}])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "c78dc6dffcbbd4cb93491647db15df4a79f4c5a44bacd72a5937223109448eea"),
        (
            {"seed": 5, "ctr": 0.2, "cvr": 0.3, "accidental_clicks": 0.6},
            "bede732183d4c8a6f711cc90f274db4db76016e83dd6c3a9597611a065fb5a24",
        ),
        (
            {"seed": 7, "ctr": 0.5, "cvr": 0.1, "accidental_clicks": 0.0},
            "898136384149efd141835c6356edbea850285e70350d059995556f9c92db1807",
        ),
    ],
)
def test_at_0_the_dials_change_nothing(dials, options, expected):
    """The digests are those of the version before there were dials."""
    assert digest(**options, **dials) == expected


@pytest.mark.parametrize("dials", DIALS, ids=str)
@pytest.mark.parametrize(("ctr", "cvr", "accidental"), [(0.05, 0.1, 0.3), (0.3, 0.1, 0.5), (0.8, 0.2, 0.2)])
def test_rates_come_out_as_asked_with_dials(ctr, cvr, accidental, dials):
    simulation = simulate(N, ctr=ctr, cvr=cvr, accidental_clicks=accidental, **dials)
    shown = simulation.exposures
    meant = shown.noise_free_click
    assert_rate(shown.click, ctr)
    assert_rate(shown.conversion[shown.click], cvr)
    assert not (shown.conversion & ~meant).any()
    wanted = (1 - accidental) * (1 - dials.get("click_bait", 0))
    assert_rate(meant[shown.click], wanted)
    assert simulation.relevance.mean() == pytest.approx(ctr * (1 - accidental), rel=1e-6)
    accidents = ctr * accidental / (1 - ctr * (1 - accidental))
    assert simulation.accident.mean() == pytest.approx(accidents, rel=1e-6)


@pytest.mark.parametrize("dials", DIALS, ids=str)
def test_dials_add_features_and_leave_the_others(dials):
    plain = simulate(5000, seed=2, ctr=0.2, cvr=0.1)
    dialled = simulate(5000, seed=2, ctr=0.2, cvr=0.1, **dials)
    before, after = plain.exposures.features, dialled.exposures.features
    assert after.select(before.columns).equals(before)
    added = ["numerical_64", "numerical_65"] * ("click_bait" in dials) + ["position"] * (
        "position_bias" in dials
    )
    assert after.columns == before.columns + added
    assert dialled.exposures.categorical == plain.exposures.categorical
    np.testing.assert_array_equal(dialled.exposures.group, plain.exposures.group)
    if "click_bait" not in dials:
        assert not dialled.bait.any()
        np.testing.assert_array_equal(dialled.exposures.noise_free_click, plain.exposures.noise_free_click)


def accidental_clicks(simulation):
    return simulation.exposures.click & ~simulation.exposures.noise_free_click & ~simulation.bait


def test_position_bias_brings_accidents_to_the_top():
    """The mean place of accidents falls, and that of the clicks that were meant does not."""
    accidents, meant, tops = [], [], []
    for bias in (0.0, 0.2, 0.5, 0.9, 0.999):
        simulation = simulate(N, ctr=0.2, cvr=0.1, accidental_clicks=0.2, position_bias=bias)
        shown = simulation.exposures
        place = pl.Series(shown.group).to_frame("g").select(pl.int_range(1, pl.len() + 1).over("g"))
        place = place.to_series().to_numpy()
        accidents.append(place[accidental_clicks(simulation)].mean())
        tops.append((place[accidental_clicks(simulation)] == 1).mean())
        meant.append(place[shown.noise_free_click].mean())
        if bias:
            np.testing.assert_array_equal(shown.features["position"].to_numpy(), place)
    assert all(after < before - 0.3 for before, after in pairwise(accidents))
    assert tops[0] < 0.12
    assert tops[-1] > 0.98
    assert np.ptp(meant) < 0.1


def test_position_bias_is_what_twice_the_place_does_to_the_odds():
    simulation = simulate(N, ctr=0.001, cvr=0.05, accidental_clicks=0.9, position_bias=0.75)
    place = simulation.exposures.features["position"].to_numpy()
    log_odds = np.log(simulation.accident / (1 - simulation.accident))
    means = {at: log_odds[place == at].mean() for at in (1, 2, 4, 8, 16)}
    for at in (1, 2, 4, 8):
        assert means[2 * at] - means[at] == pytest.approx(np.log(0.25), abs=0.1)


def test_user_bias_concentrates_accidents_in_few_searches():
    spreads, shares = [], []
    for bias in (0.0, 0.3, 0.6, 0.9):
        simulation = simulate(N, ctr=0.1, cvr=0.1, accidental_clicks=0.3, user_bias=bias)
        group = simulation.exposures.group
        by_search = np.bincount(group, simulation.accident) / np.bincount(group)
        spreads.append(by_search.var())
        happened = np.sort(np.bincount(group, accidental_clicks(simulation)))[::-1]
        shares.append(happened[: len(happened) // 10].sum() / happened.sum())
        assert abs(np.corrcoef(simulation.relevance, simulation.accident)[0, 1]) < 0.03
    assert all(after > 1.2 * before for before, after in pairwise(spreads))
    assert all(after > before for before, after in pairwise(shares))
    assert shares[-1] > 0.75  # a tenth of the searches has most of the accidents


def test_features_show_half_of_the_habit_of_a_search():
    """What `user_bias` adds to an accident's log-odds is in part told by the columns of the search."""
    plain, biased = (simulate(N, ctr=0.1, cvr=0.1, user_bias=bias) for bias in (0.0, 0.5))
    logits = [np.log(s.accident / (1 - s.accident)) for s in (plain, biased)]
    habit = logits[1] - logits[0]
    _, first = np.unique(plain.exposures.group, return_index=True)
    assert np.ptp([np.ptp(part) for part in np.array_split(habit, first[1:])]) < 1e-6  # one a search
    habit = habit[first]
    assert habit.std() == pytest.approx(1.2, rel=0.05)
    columns = [c for c in SEARCH_COLUMNS if c.startswith("numerical")]
    seen = np.column_stack([plain.exposures.features[c].to_numpy()[first] for c in columns])
    design = np.column_stack([seen, np.ones(len(seen))])
    left = habit - design @ np.linalg.lstsq(design, habit, rcond=None)[0]
    assert 0.3 < 1 - left.var() / habit.var() < 0.55


def test_bait_is_clicked_more_and_never_converts():
    rates = []
    for share in (0.2, 0.5, 0.8):
        simulation = simulate(N, seed=4, ctr=0.2, cvr=0.05, accidental_clicks=0.2, click_bait=share)
        shown, bait = simulation.exposures, simulation.bait
        assert shown.click[bait].any()
        assert not shown.conversion[bait].any()
        assert shown.conversion[~bait].any()
        np.testing.assert_array_equal(shown.noise_free_click & bait, False)
        rates.append(bait.mean())
        odds = [p.mean() / (1 - p.mean()) for p in (simulation.relevance[bait], simulation.relevance[~bait])]
        assert 3 < odds[0] / odds[1] < np.exp(1.5)  # less than for one item, as these differ
        weight = simulation.relevance
        assert weight[bait].sum() / weight.sum() == pytest.approx(share, rel=0.02)
        for column, least in (("numerical_64", 0.9), ("numerical_65", 0.7)):
            assert auc(shown.features[column].to_numpy(), bait) > least
    assert rates == sorted(rates)


def test_without_accidents_only_bait_is_noise():
    simulation = simulate(20_000, ctr=0.2, cvr=0.1, accidental_clicks=0, click_bait=0.4)
    shown = simulation.exposures
    np.testing.assert_array_equal(shown.noise_free_click, shown.click & ~simulation.bait)


UP_TO_ONE = st.floats(0, 1, exclude_max=True)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
    ctr=st.floats(0.001, 0.999),
    reached=st.floats(0.01, 0.99),
    accidental=st.just(0.0) | st.floats(1e-6, 0.99),
    position_bias=UP_TO_ONE,
    user_bias=UP_TO_ONE,
    click_bait=st.just(0.0) | st.floats(1e-6, 0.99),
)
def test_whatever_the_dials(n, seed, ctr, reached, accidental, position_bias, user_bias, click_bait):
    cvr = reached * (1 - accidental) * (1 - click_bait)
    simulation = simulate(
        n,
        seed=seed,
        ctr=ctr,
        cvr=cvr,
        accidental_clicks=accidental,
        position_bias=position_bias,
        user_bias=user_bias,
        click_bait=click_bait,
    )
    shown = simulation.exposures
    assert len(shown) == n
    for p in (simulation.relevance, simulation.accident):
        assert ((p >= 0) & (p <= 1)).all()
    assert simulation.relevance.mean() == pytest.approx(ctr * (1 - accidental), rel=1e-5)
    assert simulation.accident.mean() == pytest.approx(
        ctr * accidental / (1 - ctr * (1 - accidental)), rel=1e-5
    )
    assert not (shown.conversion & (simulation.bait | ~shown.noise_free_click)).any()
    assert not (shown.noise_free_click & ~shown.click).any()
    if not click_bait:
        assert not simulation.bait.any()


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
    options |= {"position_bias": 0.5, "user_bias": 0.5, "click_bait": 0.1}
    assert set(SIMULATED.options) == set(options)
    loaded = load("simulated", **options)
    np.testing.assert_array_equal(loaded.exposures.matrix(), simulate(**options).exposures.matrix())
    assert not loaded.released
