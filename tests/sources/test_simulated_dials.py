"""Where the clicks of a simulation fall that tell nothing: position bias, user bias and click bait."""

import hashlib
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from gbdt_pwiser.objectives import auc
from gbdt_pwiser.sources import load, simulate
from tests.sources.simulated import SEARCH_COLUMNS, N, assert_rate

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


@pytest.mark.parametrize(
    "dials", [{}, {"position_bias": 0.0, "user_bias": 0, "click_bait": 0.0, "drift": 0.0, "days": 3}]
)
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


@pytest.mark.parametrize("drift", [0.3, 1.0])
def test_relevance_turns_by_a_share_of_a_quarter(drift):
    """Against the log-odds of the same exposures without drift, which are linear in relevance."""
    plain, drifted = (
        simulate(N, ctr=0.2, cvr=0.1, accidental_clicks=0.2, drift=dial, days=5) for dial in (0, drift)
    )
    day = drifted.exposures.time
    assert plain.exposures.time is None
    np.testing.assert_array_equal(np.unique(day), range(5))
    assert (np.diff(day) >= 0).all()
    assert np.bincount(day).min() > N / 5 * 0.9
    for number in range(5):
        before, after = (logit(each.relevance[day == number]) for each in (plain, drifted))
        angle = drift * np.pi / 2 * number / 4
        assert np.corrcoef(before, after)[0, 1] == pytest.approx(np.cos(angle), abs=0.03)
    assert plain.exposures.features.columns == drifted.exposures.features.columns
    for name in plain.exposures.features.columns:
        assert plain.exposures.features[name].equals(drifted.exposures.features[name])


def test_a_log_that_drifts_is_split_by_its_days():
    split = load("simulated", n_exposures=20_000, ctr=0.2, cvr=0.1, drift=1.0, days=10).split()
    days = [np.unique(part.time).tolist() for part in (split.train, split.valid, split.test)]
    assert days == [[0, 1, 2, 3, 4, 5], [6, 7], [8, 9]]


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
    drift=st.floats(0, 1),
)
def test_whatever_the_dials(n, seed, ctr, reached, accidental, position_bias, user_bias, click_bait, drift):
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
        drift=drift,
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
