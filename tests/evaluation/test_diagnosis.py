"""Where clicks convert: the tenths against pandas, their ratio against numbers worked out by hand."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.evaluation.diagnosis import FEWEST, ClickTenths
from gbdt_pwiser.models import ModelSpec
from gbdt_pwiser.objectives import InputError

BCE = ModelSpec(model="lightgbm", loss="bce")


def shown(grade):
    return Exposures(
        "made", pl.DataFrame({"x": np.zeros(len(grade), np.float32)}), np.asarray(grade, np.int8)
    )


def test_tenths_are_those_of_pandas():
    rng = np.random.default_rng(0)
    grade = rng.choice([0, 1, 2], 5000, p=[0.6, 0.3, 0.1])
    pctr = rng.beta(2, 9, 5000)
    tenths = ClickTenths.of(BCE, shown(grade), pctr)
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    clicks = pd.DataFrame({"pctr": pctr, "converted": grade == 2})[grade > 0]
    cut = clicks.groupby(pd.qcut(clicks["pctr"], 10))
    assert (tenths.model, tenths.loss) == ("lightgbm", "bce")
    assert sum(tenths.clicks) == len(clicks)
    assert np.ptp(tenths.clicks) <= 1
    # A click on the border of two tenths may count in either.
    np.testing.assert_allclose(tenths.clicks, cut.size(), atol=1)
    np.testing.assert_allclose(tenths.conversions, cut["converted"].sum(), atol=1)
    np.testing.assert_allclose(tenths.pctr, cut["pctr"].mean(), rtol=1e-3)
    np.testing.assert_allclose(tenths.rates, np.divide(tenths.conversions, tenths.clicks))


def test_unclicked_exposures_and_equal_pctr():
    """By hand: ten clicks, the first five of equal pCTR; unclicked exposures between them do not count."""
    grade = [1, 2, 1, 1, 1, 1, 2, 1, 2, 2, 0, 0, 0]
    pctr = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.05, 0.35, 0.9])
    tenths = ClickTenths.of(BCE, shown(grade), pctr)
    assert tenths.clicks == (5, 1, 1, 1, 1, 1)
    assert tenths.conversions == (1, 0, 1, 0, 1, 1)
    assert tenths.pctr == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    assert tenths.rates == (0.2, 0.0, 1.0, 0.0, 1.0, 1.0)


def test_clicks_of_open_conversion_do_not_count():
    rng = np.random.default_rng(1)
    grade, pctr = rng.choice(4, 2000, p=[0.4, 0.3, 0.1, 0.2]), rng.beta(2, 9, 2000)
    tenths = ClickTenths.of(BCE, shown(grade), pctr)
    rest = ClickTenths.of(BCE, shown(grade[grade != 3]), pctr[grade != 3])
    assert tenths == rest
    assert sum(tenths.clicks) == np.isin(grade, (1, 2)).sum()


def test_the_ratio_by_hand():
    """Highest fifth: 30 of 200; lowest: 10 of 200, so that the ratio is near 3."""
    conversions = (4, 6, 9, 9, 9, 9, 9, 9, 12, 18)
    ratio = ClickTenths("m", "bce", tuple(np.linspace(0.1, 0.2, 10)), (100,) * 10, conversions).ratio
    assert ratio.value == pytest.approx(30.5 / 10.5)
    error = math.sqrt(1 / 30.5 + 1 / 10.5 - 2 / 200.5)
    assert ratio.low == pytest.approx(30.5 / 10.5 * math.exp(-1.959964 * error), rel=1e-6)
    assert ratio.high == pytest.approx(30.5 / 10.5 * math.exp(1.959964 * error), rel=1e-6)


def test_the_interval_holds_the_ratio_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(2000):
        high, low = rng.binomial(600, 0.12), rng.binomial(600, 0.04)
        counts = (low // 2, low - low // 2, *(0,) * 6, high // 2, high - high // 2)
        ratio = ClickTenths("m", "bce", (0.1,) * 10, (300,) * 10, counts).ratio
        held += ratio.low <= 3.0 <= ratio.high
    assert 0.93 < held / 2000 < 0.97


def test_a_fifth_without_conversions_has_a_ratio():
    ratio = ClickTenths("m", "bce", (0.1,) * 5, (50,) * 5, (0, 1, 1, 1, 9)).ratio
    assert ratio.value == pytest.approx(19.0)
    assert 0 < ratio.low < 19 < ratio.high < math.inf


@pytest.mark.parametrize("bins", [0, 1, 4])
def test_too_few_bins_have_no_ratio(bins):
    assert np.isnan(ClickTenths("m", "bce", (0.1,) * bins, (50,) * bins, (5,) * bins).ratio).all()


def test_without_clicks_there_are_no_tenths():
    tenths = ClickTenths.of(BCE, shown([0, 0]), np.array([0.1, 0.2]))
    assert (tenths.pctr, tenths.clicks, tenths.conversions, tenths.rates) == ((), (), (), ())
    assert not tenths.enough


def test_what_is_enough():
    for conversions, enough in ((FEWEST - 1, False), (FEWEST, True)):
        assert ClickTenths("m", "bce", (0.1,), (500,), (conversions,)).enough is enough


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 2])), max_size=60))
def test_every_click_counts_once(rows):
    pctr = np.array([p for p, _ in rows], dtype=np.float64)
    grade = np.array([g for _, g in rows], dtype=np.int8)
    tenths = ClickTenths.of(BCE, shown(grade), pctr)
    assert sum(tenths.clicks) == (grade > 0).sum()
    assert sum(tenths.conversions) == (grade == 2).sum()
    assert len(tenths.clicks) <= 10
    assert list(tenths.pctr) == sorted(tenths.pctr)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (((0.1,), (5, 5), (1, 1)), "differ in length"),
        (((0.1,), (5,), (6,)), "6 conversions of 5 clicks"),
        (((0.1,), (5,), (-1,)), "-1 conversions of 5 clicks"),
        (((0.1,), (0,), (0,)), "0 conversions of 0 clicks; give at least a click"),
    ],
)
def test_impossible_counts_are_refused(counts, says):
    with pytest.raises(InputError, match=says):
        ClickTenths("m", "bce", *counts)
