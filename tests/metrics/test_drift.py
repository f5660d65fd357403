"""Whether a rate moves with time: against the test of a table, and by its own false alarms."""

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from gbdt_pwiser.metrics.drift import drift


def test_rows_and_rates_of_tenths():
    time = np.array([0, 1, 9, 10, 11, 95, 100, 100])
    event = np.array([True, False, True, False, True, True, False, True])
    found = drift(event, time)
    edges = [(10 * i, 10 * i + 10) for i in range(10)]
    inside = [[i for i, t in enumerate(time) if a <= t < b or (b == 100 and t == 100)] for a, b in edges]
    assert found.rows == tuple(map(len, inside))
    assert found.events == tuple(sum(bool(event[i]) for i in rows) for rows in inside)
    assert found.rates[0] == 2 / 3
    assert math.isnan(found.rates[5])


@pytest.mark.parametrize("slope", [0.0, 0.02, 0.1])
def test_independent_rows_are_as_in_a_table(slope):
    rng = np.random.default_rng(1)
    time = rng.integers(0, 1000, 40_000)
    event = rng.random(40_000) < 0.1 + slope * time / 1000
    found = drift(event, time)
    table = [found.events, np.subtract(found.rows, found.events)]
    # The one takes the variance of all rows, the other that of each tenth.
    statistic = chi2_contingency(table, correction=False)
    assert found.p_value == pytest.approx(statistic.pvalue, rel=0.2)


def test_false_alarms_with_groups():
    """Groups of 8 rows that click alike, each in three tenths: rows alone call five times as many moves."""
    rng = np.random.default_rng(2)
    alarms, naive = 0, 0
    for _ in range(200):
        taste = rng.beta(0.5, 2, 400)
        group = np.repeat(np.arange(400), 8)
        time = (group * 25) // 10 + rng.integers(0, 250, len(group))
        event = rng.random(len(group)) < taste[group]
        alarms += drift(event, time, group).p_value < 0.05
        naive += drift(event, time).p_value < 0.05
    assert 2 <= alarms <= 20
    assert naive > 40


def test_a_move_is_found():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(1000), 5)
    time = rng.integers(0, 1000, 5000)
    event = rng.random(5000) < 0.1 + 0.1 * (time > 500)
    assert drift(event, time, group).p_value < 1e-6


@pytest.mark.parametrize(
    ("event", "time", "group"),
    [
        (np.ones(50, bool), np.arange(50), None),
        (np.zeros(50, bool), np.arange(50), None),
        (np.arange(50) % 2 == 0, np.zeros(50, int), None),
        (np.arange(50) % 2 == 0, np.arange(50), np.zeros(50, int)),
        (np.arange(5) % 2 == 0, np.arange(5), None),
        (np.zeros(0, bool), np.zeros(0, int), None),
    ],
    ids=["all", "none", "one time", "one group", "few rows", "no rows"],
)
def test_what_cannot_be_told(event, time, group):
    assert math.isnan(drift(event, time, group).p_value)


def test_any_unit_of_time():
    time = np.random.default_rng(4).integers(0, 10**6, 500)
    event = np.arange(500) % 7 == 0
    found = [drift(event, time * unit + start) for unit, start in ((1, 0), (10**9, 10**18), (1, -(10**15)))]
    assert found[0] == found[1] == found[2]
